#include "procmem.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static ssize_t read_running(void *ctx, uint64_t addr, void *buf, size_t n)
{
    const struct procmem *procmem = ctx;

    return pread(procmem->fd, buf, n, (off_t)addr);
}

bool procmem_open(pid_t pid, unsigned word_size, struct procmem *ret)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    ret->fd = open(path, O_RDONLY | O_CLOEXEC);
    ret->mem = (struct mem){.read = read_running, .ctx = ret, .word_size = word_size};
    return ret->fd >= 0;
}

void procmem_close(struct procmem *procmem)
{
    close(procmem->fd);
}
