/* Reading another process's memory through struct mem, in the three shapes that its callers want. */
#include "mem.h"

#include "alloc.h"

#include <string.h>

int mem_read(const struct mem *mem, uint64_t addr, void *buf, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t got = mem->read(mem->ctx, addr + done, (char *)buf + done, n - done);

        if (got <= 0)
            return -1;
        done += (size_t)got;
    }
    return 0;
}

char *mem_read_string(const struct mem *mem, uint64_t addr, size_t limit, int *truncated)
{
    size_t length = 0, capacity = 0;
    char *s = NULL;

    if (truncated)
        *truncated = 0;
    for (;;) {
        /* never across a page boundary in one go: the string may end just before an unmapped page */
        size_t room = 256 - (size_t)((addr + length) & 255), want = limit - length;
        ssize_t got;
        char *nul;

        if (want > room)
            want = room;
        if (capacity < length + want + 1)
            s = xrealloc(s, capacity = (length + want) * 2 + 1);
        if (!want)
            break;
        got = mem->read(mem->ctx, addr + length, s + length, want);
        if (got <= 0) {
            free(s);
            return NULL;
        }
        nul = memchr(s + length, '\0', (size_t)got);
        if (nul)
            return s;
        length += (size_t)got;
    }
    s[length] = '\0';
    if (truncated) { /* a NUL right behind the limit is an end, not a cut */
        char next = 1;

        *truncated = mem->read(mem->ctx, addr + length, &next, 1) != 1 || next != '\0';
    }
    return s;
}

int mem_read_word(const struct mem *mem, uint64_t addr, uint64_t *ret)
{
    if (mem->word_size == 4) {
        uint32_t word;

        if (mem_read(mem, addr, &word, sizeof word))
            return -1;
        *ret = word;
        return 0;
    }
    return mem_read(mem, addr, ret, sizeof *ret);
}
