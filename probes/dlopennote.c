#include "dlopennote.h"

#include "alloc.h"
#include "path.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { HEADERS_MOST = 256, NOTES_SIZE_MOST = 1 << 20, NOTES_MOST = 256, TYPE_DLOPEN = 0x407c0c0a };

struct notes {
    char **v;
    size_t n, cap;
};

static size_t aligned(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* SIZE bytes of notes; each part begins at a multiple of ALIGN (elf(5)). */
static void take_notes(const unsigned char *bytes, size_t size, size_t align, struct notes *notes)
{
    Elf64_Nhdr head; /* the same in both classes */

    for (size_t at = 0; size - at >= sizeof head && notes->n < NOTES_MOST;) {
        size_t name, text, next;
        char **place;

        memcpy(&head, bytes + at, sizeof head);
        if (head.n_namesz > size || head.n_descsz > size)
            return;
        name = at + sizeof head;
        text = aligned(name + head.n_namesz, align);
        next = aligned(text + head.n_descsz, align);
        if (text > size || head.n_descsz > size - text)
            return;
        if (head.n_type == TYPE_DLOPEN && head.n_namesz == 4 && memcmp(bytes + name, "FDO", 4) == 0) {
            place = array_add(&notes->v, &notes->n, &notes->cap, sizeof *place);
            *place = xstrndup((const char *)bytes + text, head.n_descsz);
        }
        if (next <= at || next > size)
            return;
        at = next;
    }
}

static void take_segment(int fd, uint64_t offset, uint64_t size, uint64_t align, struct notes *notes)
{
    CLEANUP_FREE unsigned char *bytes = NULL;

    if (!size || size > NOTES_SIZE_MOST || offset > INT64_MAX)
        return;
    bytes = xmalloc((size_t)size);
    if (pread(fd, bytes, (size_t)size, (off_t)offset) == (ssize_t)size)
        take_notes(bytes, (size_t)size, align == 8 ? 8 : 4, notes);
}

/* Header number INDEX of those at OFFSET. */
static void take_header(int fd, bool wide, uint64_t offset, struct notes *notes)
{
    Elf64_Phdr large;
    Elf32_Phdr small;

    if (offset > INT64_MAX)
        return;
    if (wide && pread(fd, &large, sizeof large, (off_t)offset) == sizeof large && large.p_type == PT_NOTE)
        take_segment(fd, large.p_offset, large.p_filesz, large.p_align, notes);
    if (!wide && pread(fd, &small, sizeof small, (off_t)offset) == sizeof small && small.p_type == PT_NOTE)
        take_segment(fd, small.p_offset, small.p_filesz, small.p_align, notes);
}

char **dlopennote_read(const char *root, const char *path, size_t *count)
{
    CLEANUP_CLOSE int fd = path_open(root, path);
    struct notes notes = {0};
    union {
        unsigned char ident[EI_NIDENT];
        Elf64_Ehdr large;
        Elf32_Ehdr small;
    } head;
    bool wide;

    *count = 0;
    if (fd < 0 || pread(fd, &head, sizeof head, 0) != sizeof head || memcmp(head.ident, ELFMAG, SELFMAG) != 0 ||
        head.ident[EI_DATA] != (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB))
        return NULL;
    wide = head.ident[EI_CLASS] == ELFCLASS64;
    for (unsigned i = 0; i < (wide ? head.large.e_phnum : head.small.e_phnum) && i < HEADERS_MOST; i++)
        take_header(fd, wide,
                    wide ? head.large.e_phoff + (uint64_t)i * sizeof(Elf64_Phdr)
                         : head.small.e_phoff + (uint64_t)i * sizeof(Elf32_Phdr),
                    &notes);
    *count = notes.n;
    return notes.v;
}
