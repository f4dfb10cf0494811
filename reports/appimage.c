#include "appimage.h"

#include "text.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/proc.h>

#include <ctype.h>
#include <elf.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADERS_MOST = 4096, RUNTIME_MOST = 32 << 20, APPRUN_MOST = 4 << 20 };

/* At most SIZE bytes at OFFSET, with a NUL behind them; malloced. */
static char *read_some(int fd, uint64_t offset, size_t size, size_t *ret)
{
    char *bytes = xmalloc(size + 1);
    size_t n = proc_read_at(fd, offset, bytes, size);

    bytes[n] = '\0';
    *ret = n;
    return bytes;
}

/* ---- the runtime ---- */

bool appimage_is_iso(int fd)
{
    char mark[3];

    return pread(fd, mark, sizeof mark, 8) == sizeof mark && memcmp(mark, "AI\1", sizeof mark) == 0;
}

/* A table of COUNT headers of SIZE bytes at OFFSET, and what they tell of. */
struct headers {
    uint64_t offset, end;
    size_t size, count;
};

static void reach(struct headers *headers, uint64_t offset, uint64_t size)
{
    if (size <= UINT64_MAX - offset && offset + size > headers->end)
        headers->end = offset + size;
}

static void read_headers(int fd, struct headers *headers, bool wide, bool sections)
{
    union {
        Elf64_Shdr section64;
        Elf32_Shdr section32;
        Elf64_Phdr segment64;
        Elf32_Phdr segment32;
    } h;
    size_t size = sections ? wide ? sizeof h.section64 : sizeof h.section32
                  : wide   ? sizeof h.segment64
                           : sizeof h.segment32;

    for (size_t i = 0; i < headers->count; i++) {
        if (proc_read_at(fd, headers->offset + i * headers->size, &h, size) < size)
            continue;
        if (!sections)
            reach(headers, wide ? h.segment64.p_offset : h.segment32.p_offset,
                  wide ? h.segment64.p_filesz : h.segment32.p_filesz);
        else if ((wide ? h.section64.sh_type : h.section32.sh_type) != SHT_NOBITS)
            reach(headers, wide ? h.section64.sh_offset : h.section32.sh_offset,
                  wide ? h.section64.sh_size : h.section32.sh_size);
    }
}

/* The end of the headers in HEADERS and of what they tell of. */
static uint64_t end_of(int fd, struct headers headers, bool wide, bool sections)
{
    if (!headers.offset || headers.count > HEADERS_MOST)
        return 0;
    reach(&headers, headers.offset, (uint64_t)headers.size * headers.count);
    read_headers(fd, &headers, wide, sections);
    return headers.end;
}

/* All that they are made for are little-endian. */
uint64_t appimage_offset(int fd)
{
    Elf64_Ehdr wide;
    Elf32_Ehdr narrow;
    uint64_t sections, segments;

    if (pread(fd, &wide, sizeof wide, 0) != sizeof wide || memcmp(wide.e_ident, ELFMAG, SELFMAG) != 0 ||
        wide.e_ident[EI_DATA] != ELFDATA2LSB)
        return 0;
    memcpy(&narrow, &wide, sizeof narrow);
    if (wide.e_ident[EI_CLASS] == ELFCLASS64) {
        sections = end_of(fd, (struct headers){wide.e_shoff, 0, wide.e_shentsize, wide.e_shnum}, true, true);
        segments = end_of(fd, (struct headers){wide.e_phoff, 0, wide.e_phentsize, wide.e_phnum}, true, false);
    } else {
        sections = end_of(fd, (struct headers){narrow.e_shoff, 0, narrow.e_shentsize, narrow.e_shnum}, false, true);
        segments = end_of(fd, (struct headers){narrow.e_phoff, 0, narrow.e_phentsize, narrow.e_phnum}, false, false);
    }
    return sections > segments ? sections : segments;
}

bool appimage_names(int fd, uint64_t offset, const char *word)
{
    size_t size;
    CLEANUP_FREE char *program = read_some(fd, 0, offset < RUNTIME_MOST ? (size_t)offset : RUNTIME_MOST, &size);

    return memmem(program, size, word, strlen(word)) != NULL;
}

/* ---- AppRun ---- */

static bool is_of_path(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("._+-/", c));
}

/* What stands at AT, between START and there, is put behind something: a variable, as "$HERE/usr/lib" is. Without that
 * it is a path of the system's own. */
static bool is_behind_something(const char *start, const char *at)
{
    while (at > start && (at[-1] == '"' || at[-1] == '\''))
        at--;
    return at > start && at[-1] != '=' && at[-1] != ':' && !isspace((unsigned char)at[-1]);
}

/* The directories of the image in the text from VALUE up to its line's end. */
static void add_directories(const char *value, const char *directory, struct text *text)
{
    const char *end = value + strcspn(value, "\n");

    for (const char *at = value; at < end;) {
        CLEANUP_FREE char *path = NULL;
        size_t length = 0;
        struct stat st;

        if (*at != '/' || !is_behind_something(value, at)) {
            at++;
            continue;
        }
        while (at + length < end && is_of_path(at[length]))
            length++;
        path = xstrndup(at, length);
        at += length;
        while (length > 1 && path[length - 1] == '/')
            path[--length] = '\0';
        if (path_stat(directory, path, &st) == 0 && S_ISDIR(st.st_mode))
            text_addf(text, "%s%s%s", text->n ? ":" : "LD_LIBRARY_PATH=", directory, path);
    }
}

char *appimage_library_path(const char *directory)
{
    static const char name[] = "LD_LIBRARY_PATH=";
    CLEANUP_CLOSE int fd = path_open(directory, "/AppRun");
    CLEANUP_FREE char *bytes = NULL;
    struct text text = {0};
    size_t size = 0;

    if (fd < 0)
        return NULL;
    bytes = read_some(fd, 0, APPRUN_MOST, &size);
    for (const char *at = bytes; (at = memmem(at, size - (size_t)(at - bytes), name, sizeof name - 1));) {
        at += sizeof name - 1;
        add_directories(at, directory, &text);
    }
    return text.v;
}
