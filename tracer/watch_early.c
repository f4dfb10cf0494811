/* The C library on its way into a program: its code has just been mapped, its data has not. It can have breakpoints
 * from here on, without a stop of its own, as the mapping of code is seen anyway.
 *
 * ld.so maps the whole length of the file first and then each segment over it (_dl_map_segments(),
 * elf/dl-map-segments.h of glibc), so what belongs to a later segment still lies at its offset in the file. */
#include "watch.h"

#include "state.h"

#include <elf.h>
#include <string.h>
#include <sys/stat.h>

enum { SEGMENTS_MOST = 16, PAGE = 4096 };

struct early {
    const struct mem *mem;
    bool known; /* LOADS are */
    uint64_t base_addr;
    Elf64_Phdr loads[SEGMENTS_MOST];
    size_t count;
};

static bool read_loads(struct early *early);

static ssize_t read_early(void *ctx, uint64_t addr, void *buf, size_t n)
{
    struct early *early = ctx;
    uint64_t vaddr = addr - early->base_addr;

    if (!early->known && !read_loads(early))
        return -1;
    for (size_t i = 0; i < early->count; i++) {
        const Elf64_Phdr *load = &early->loads[i];

        if (vaddr < load->p_vaddr || vaddr - load->p_vaddr >= load->p_filesz)
            continue;
        uint64_t at = vaddr - load->p_vaddr;

        if (n > load->p_filesz - at)
            n = load->p_filesz - at;
        return early->mem->read(early->mem->ctx, early->base_addr + load->p_offset + at, buf, n);
    }
    return -1;
}

static bool read_loads(struct early *early)
{
    Elf64_Ehdr header;
    Elf64_Phdr phdr;

    early->known = true;
    if (mem_read(early->mem, early->base_addr, &header, sizeof header) < 0 ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof phdr)
        return false;
    for (size_t i = 0; i < header.e_phnum && early->count < SEGMENTS_MOST; i++) {
        if (mem_read(early->mem, early->base_addr + header.e_phoff + i * sizeof phdr, &phdr, sizeof phdr) < 0)
            return false;
        if (phdr.p_type == PT_LOAD)
            early->loads[early->count++] = phdr;
    }
    return early->count && early->loads[0].p_vaddr == 0 && early->loads[0].p_offset == 0;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

void watch_opened(struct task *task, const char *path, int fd)
{
    struct watch *watch = task->group->space->watch;
    const char *name = last_part(path);

    if (watch && (strcmp(name, "libc.so.6") == 0 || strcmp(name, "libdl.so.2") == 0))
        watch->libc_fd = fd;
    else if (watch && watch->libc_fd == fd)
        watch->libc_fd = -1;
}

void watch_mapped(struct session *session, struct task *task, int fd, uint64_t offset, uint64_t addr)
{
    struct watch *watch = task->group->space->watch;
    bool libc = watch && fd >= 0 && fd == watch->libc_fd;

    if (!watch || watch->musl || fd < 0 || addr < offset || (!libc && watch->asked))
        return;
    watch->memory.tid = task->tid;
    memory_pages_drop(watch->memory.pages);
    struct early early = {.mem = &watch->mem, .base_addr = addr - offset};
    struct mem mem = {.read = read_early, .ctx = &early, .word_size = watch->mem.word_size};
    struct image_ref ref;
    char path[64];

    if (libc) {
        watch->libc_fd = -1;
        if (images_at(session, &mem, early.base_addr, &ref) < 0)
            return;
        watch_libc(session, task, &ref);
        images_drop(&ref);
        return;
    }
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)task->tid, fd);
    struct stat file;
    const struct imports_object object = {
        .file = stat(path, &file) < 0 ? NULL : &file, .mem = &mem, .base_addr = early.base_addr};

    if (imports_ask(session, &object))
        watch_asked(session, task);
}
