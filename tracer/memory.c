#include "memory.h"

#include "breaks.h"

#include <probes/alloc.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

static ssize_t read_by_file(pid_t tid, uint64_t addr, void *buf, size_t n)
{
    char name[64];

    snprintf(name, sizeof name, "/proc/%d/mem", (int)tid);
    CLEANUP_CLOSE int fd = open(name, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || addr > INT64_MAX)
        return -1;
    ssize_t got = pread(fd, buf, n, (off_t)addr);

    return got > 0 ? got : -1;
}

enum { PAGE = 4096, PAGES = 64 };

struct memory_pages {
    uint64_t addr[PAGES]; /* each in its place by number, 0: none */
    size_t size[PAGES];   /* what of it could be read */
    unsigned char bytes[PAGES][PAGE];
};

struct memory_pages *memory_pages_create(void)
{
    return xcalloc(1, sizeof(struct memory_pages));
}

void memory_pages_destroy(struct memory_pages *pages)
{
    free(pages);
}

void memory_pages_drop(struct memory_pages *pages)
{
    memset(pages->addr, 0, sizeof pages->addr);
}

static ssize_t read_now(struct memory *memory, uint64_t addr, void *buf, size_t n);

static ssize_t read_page(struct memory *memory, uint64_t addr, void *buf, size_t n)
{
    struct memory_pages *pages = memory->pages;
    uint64_t start = addr & ~(uint64_t)(PAGE - 1);
    size_t place = (start / PAGE) % PAGES, at = (size_t)(addr - start);

    if (pages->addr[place] != start) {
        ssize_t got = read_now(memory, start, pages->bytes[place], PAGE);

        pages->addr[place] = got > 0 ? start : 0;
        pages->size[place] = got > 0 ? (size_t)got : 0;
    }
    if (!pages->addr[place] || at >= pages->size[place])
        return -1;
    if (n > pages->size[place] - at)
        n = pages->size[place] - at;
    memcpy(buf, pages->bytes[place] + at, n);
    return (ssize_t)n;
}

static ssize_t memory_read(void *ctx, uint64_t addr, void *buf, size_t n)
{
    struct memory *memory = ctx;
    ssize_t got;

    /* Page 0 is never there, and marks an empty place. */
    if (memory->pages && n <= PAGE && addr >= PAGE)
        got = read_page(memory, addr, buf, n);
    else
        got = read_now(memory, addr, buf, n);
    if (memory->breaks && got > 0)
        breaks_hide(memory->breaks, addr, buf, (size_t)got);
    return got;
}

static ssize_t read_now(struct memory *memory, uint64_t addr, void *buf, size_t n)
{
    if (!n)
        return 0;
    if (!memory->fallback) {
        struct iovec local = {buf, n}, remote = {(void *)(uintptr_t)addr, n};
        ssize_t got = process_vm_readv(memory->tid, &local, 1, &remote, 1, 0);

        if (got > 0)
            return got;
        if (got < 0 && (errno == ENOSYS || errno == EPERM))
            memory->fallback = errno;
        else
            return -1;
    }
    return read_by_file(memory->tid, addr, buf, n);
}

struct mem memory_mem(struct memory *memory, unsigned word_size)
{
    return (struct mem){.read = memory_read, .ctx = memory, .word_size = word_size};
}

char *memory_string(const struct mem *mem, uint64_t addr, size_t limit)
{
    /* Paths are short: the first read is small, the next ones grow. A read that runs into an unmapped page is short. */
    size_t have = 0, step = 256;
    char *s = NULL;

    while (have < limit) {
        size_t n = step < limit - have ? step : limit - have;

        s = xrealloc(s, have + n + 1);
        ssize_t got = mem->read(mem->ctx, addr + have, s + have, n);
        if (got <= 0)
            break;
        if (memchr(s + have, 0, (size_t)got))
            return s;
        have += (size_t)got;
        step = 4096;
    }
    if (!have) {
        free(s);
        return NULL;
    }
    s[have] = 0;
    return s;
}
