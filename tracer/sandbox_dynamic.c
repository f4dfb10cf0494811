/* Whether ld.so could write into what patchelf has made.
 *
 * ld.so writes into the dynamic section of what it loads (DT_DEBUG of elf/rtld.c, and addresses that it adds to). To
 * make room, patchelf may move that section of a program at fixed addresses to where there is space at the file's start
 * (rewriteSectionsExecutable()): in most programs in a segment of its own, or in pages that it puts before all others;
 * but Go's linker leaves space before the code, which may not be written to. Asked for more than the space that is
 * there, it puts pages before all others. */
#include "sandbox.h"

#include <elf.h>
#include <fcntl.h>
#include <probes/alloc.h>
#include <string.h>

enum { SEGMENTS_MOST = 256 };

/* Whether AT lies in a segment that is loaded and can be written to, of those in the file FD. */
static bool is_writable(int fd, const Elf64_Ehdr *header, uint64_t at)
{
    for (size_t i = 0; i < header->e_phnum && i < SEGMENTS_MOST; i++) {
        Elf64_Phdr segment;

        if (pread(fd, &segment, sizeof segment, (off_t)(header->e_phoff + i * sizeof segment)) != sizeof segment)
            return false;
        if (segment.p_type == PT_LOAD && at >= segment.p_vaddr && at - segment.p_vaddr < segment.p_memsz)
            return segment.p_flags & PF_W;
    }
    return false;
}

bool sandbox_can_be_loaded(const char *path)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    Elf64_Ehdr header;

    if (fd < 0 || pread(fd, &header, sizeof header, 0) != sizeof header ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof(Elf64_Phdr))
        return false;
    for (size_t i = 0; i < header.e_phnum && i < SEGMENTS_MOST; i++) {
        Elf64_Phdr segment;

        if (pread(fd, &segment, sizeof segment, (off_t)(header.e_phoff + i * sizeof segment)) != sizeof segment)
            return false;
        if (segment.p_type == PT_DYNAMIC)
            return is_writable(fd, &header, segment.p_vaddr);
    }
    return true;
}
