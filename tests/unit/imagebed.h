/* For the tests of images in memory: the memory of a process, and a file laid out in an array as a loader would. */
#ifndef GLIBCTRACE_TESTS_IMAGEBED_H
#define GLIBCTRACE_TESTS_IMAGEBED_H

#include <probes/alloc.h>
#include <probes/mem.h>

#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static inline ssize_t read_process(void *ctx, uint64_t addr, void *buf, size_t n)
{
    struct iovec local = {buf, n}, remote = {(void *)addr, n}; /* NOLINT(performance-no-int-to-ptr) */
    ssize_t got = process_vm_readv(*(const pid_t *)ctx, &local, 1, &remote, 1, 0);

    if (got < 0 && n > 4096) { /* all in one piece is refused as a whole where the first page is there only */
        remote.iov_len = local.iov_len = 4096 - addr % 4096;
        got = process_vm_readv(*(const pid_t *)ctx, &local, 1, &remote, 1, 0);
    }
    return got;
}

struct laid_out {
    uint8_t *bytes;
    size_t size;
    uint64_t base;
};

static inline ssize_t read_laid_out(void *ctx, uint64_t addr, void *buf, size_t n)
{
    const struct laid_out *image = ctx;

    if (addr < image->base || addr - image->base >= image->size)
        return -1;
    if (n > image->size - (addr - image->base))
        n = image->size - (addr - image->base);
    memcpy(buf, image->bytes + (addr - image->base), n);
    return (ssize_t)n;
}

/* The segments of the library at PATH (linked at 0), as they lie when it is mapped at BASE and not yet relocated. */
static inline void lay_out(const char *path, uint64_t base, struct laid_out *ret)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf64_Ehdr h;

    ck_assert_msg(fd >= 0, "%s", path);
    ck_assert_int_eq(pread(fd, &h, sizeof h, 0), sizeof h);

    bool wide = h.e_ident[EI_CLASS] == ELFCLASS64;
    const Elf32_Ehdr *narrow = (const Elf32_Ehdr *)(const void *)&h;
    unsigned count = wide ? h.e_phnum : narrow->e_phnum;

    *ret = (struct laid_out){.base = base};
    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < count; i++) {
            Elf64_Phdr p;

            if (wide) {
                ck_assert_int_eq(pread(fd, &p, sizeof p, (off_t)(h.e_phoff + i * sizeof p)), sizeof p);
            } else {
                Elf32_Phdr q;

                ck_assert_int_eq(pread(fd, &q, sizeof q, (off_t)(narrow->e_phoff + i * sizeof q)), sizeof q);
                p = (Elf64_Phdr){.p_type = q.p_type,
                                 .p_vaddr = q.p_vaddr,
                                 .p_offset = q.p_offset,
                                 .p_filesz = q.p_filesz,
                                 .p_memsz = q.p_memsz};
            }
            if (p.p_type != PT_LOAD)
                continue;
            if (pass)
                ck_assert_int_eq(pread(fd, ret->bytes + p.p_vaddr, p.p_filesz, (off_t)p.p_offset), p.p_filesz);
            else if (p.p_vaddr + p.p_memsz > ret->size)
                ret->size = p.p_vaddr + p.p_memsz;
        }
        if (!pass)
            ret->bytes = xcalloc(1, ret->size);
    }
}

#endif
