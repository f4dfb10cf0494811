#include "startstack.h"

#include "alloc.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 16384 }; /* bytes: more is left to /proc */

struct area {
    uint64_t addr;
    size_t size, at; /* AT: where the next word is */
    unsigned word_size;
    char bytes[ROOM + 1];
};

static bool next(struct area *area, uint64_t *ret)
{
    uint32_t narrow;

    if (area->at + area->word_size > area->size)
        return false;
    if (area->word_size == sizeof narrow) {
        memcpy(&narrow, area->bytes + area->at, sizeof narrow);
        *ret = narrow;
    } else {
        memcpy(ret, area->bytes + area->at, sizeof *ret);
    }
    area->at += area->word_size;
    return true;
}

static void strings_free(char **v, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(v[i]);
    free(v);
}

/* Pointers up to a null one, as the strings at which they point; NULL where one of them points elsewhere. */
static char **strings(struct area *area)
{
    size_t count = 0, cap = 0;
    char **v = NULL;
    uint64_t addr;

    while (next(area, &addr)) {
        uint64_t at = addr - area->addr;

        if (!addr) {
            array_add(&v, &count, &cap, sizeof *v);
            return v;
        }
        if (at >= area->size || !memchr(area->bytes + at, 0, area->size - at))
            break;
        *(char **)array_add(&v, &count, &cap, sizeof *v) = xstrdup(area->bytes + at);
    }
    strings_free(v, count);
    return NULL;
}

static void free_all(char **v)
{
    size_t count = 0;

    while (v && v[count])
        count++;
    strings_free(v, count);
}

static bool vector(struct area *area, struct auxv *ret)
{
    uint64_t type, value;

    *ret = (struct auxv){0};
    while (next(area, &type) && next(area, &value)) {
        if (type == AT_NULL)
            return true;
        auxv_take(ret, type, value);
    }
    return false;
}

int startstack_read(int mem_fd, uint64_t stack_addr, unsigned word_size, char ***argv, char ***env, struct auxv *auxv)
{
    struct area *area = xmalloc(sizeof *area);
    ssize_t n = stack_addr <= INT64_MAX ? pread(mem_fd, area->bytes, ROOM, (off_t)stack_addr) : -1;
    uint64_t count;
    int ret = -1;

    area->addr = stack_addr;
    area->size = n > 0 ? (size_t)n : 0;
    area->at = 0;
    area->word_size = word_size;
    *argv = *env = NULL;
    if (next(area, &count) && (*argv = strings(area)) && (*env = strings(area)) && vector(area, auxv))
        ret = 0;
    free(area);
    if (ret < 0) {
        free_all(*argv);
        free_all(*env);
        *argv = *env = NULL;
    }
    return ret;
}
