#include "auxv.h"

#include "alloc.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>

enum { ROOM = 4096 }; /* the kernel's own vector has AT_VECTOR_SIZE pairs, below 60 (linux/auxvec.h) */

static uint64_t word_at(const char *data, unsigned word_size)
{
    uint64_t wide;
    uint32_t narrow;

    if (word_size == 4) {
        memcpy(&narrow, data, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, data, sizeof wide);
    return wide;
}

void auxv_take(struct auxv *auxv, uint64_t type, uint64_t value)
{
    switch (type) {
    case AT_BASE:
        auxv->base = value;
        break;
    case AT_PHDR:
        auxv->phdr = value;
        break;
    case AT_PHNUM:
        auxv->phnum = value;
        break;
    case AT_ENTRY:
        auxv->entry = value;
        break;
    case AT_SYSINFO_EHDR:
        auxv->vdso = value;
        break;
    case AT_SECURE:
        auxv->secure = value;
        break;
    default:
        break;
    }
}

int auxv_read(pid_t pid, unsigned word_size, struct auxv *ret)
{
    char path[64], data[ROOM];
    size_t pair = 2 * (size_t)word_size;

    *ret = (struct auxv){0};
    snprintf(path, sizeof path, "/proc/%d/auxv", (int)pid);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, data, sizeof data) : -1;

    if (size <= 0)
        return -1;
    for (size_t at = 0; at + pair <= (size_t)size; at += pair) {
        uint64_t type = word_at(data + at, word_size);

        if (type == AT_NULL)
            break;
        auxv_take(ret, type, word_at(data + at + word_size, word_size));
    }
    return 0;
}
