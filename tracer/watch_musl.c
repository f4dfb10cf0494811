/* musl's loader is its libc and has no functions for errors that could be found; it prints them (ldso/dynlink.c). At
 * the start by vdprintf(3) to standard error, later by vsnprintf(3), once to learn the size and once into a buffer. As
 * all programs print, vsnprintf() is only listened to while a thread is in dlopen() or one of its like. */
#include "watch.h"

#include "state.h"

#include <probes/alloc.h>
#include <probes/instruction.h>

#include <string.h>

enum { WORD = 8, REGISTER_ARGUMENTS_END = 48 /* gp_offset of a va_list behind the last register */ };

/* A va_list (System V ABI for AMD64, 3.5.7). */
struct list {
    const struct mem *mem;
    uint32_t gp_offset;
    uint64_t overflow_addr, save_addr;
};

static bool list_read(const struct mem *mem, uint64_t addr, struct list *ret)
{
    ret->mem = mem;
    return mem_read(mem, addr, &ret->gp_offset, sizeof ret->gp_offset) == 0 &&
           mem_read_word(mem, addr + WORD, &ret->overflow_addr) == 0 &&
           mem_read_word(mem, addr + 2 * (uint64_t)WORD, &ret->save_addr) == 0;
}

static bool list_next(void *ctx, uint64_t *ret)
{
    struct list *list = ctx;
    uint64_t addr;

    if (list->gp_offset < REGISTER_ARGUMENTS_END) {
        addr = list->save_addr + list->gp_offset;
        list->gp_offset += WORD;
    } else {
        addr = list->overflow_addr;
        list->overflow_addr += WORD;
    }
    return mem_read_word(list->mem, addr, ret) == 0;
}

/* Where errno lies behind the thread pointer, by the code of __errno_location(): mov %fs:0,%rax; add $N,%rax; ret. Or
 * below zero. */
static int errno_offset(const struct mem *mem, uint64_t addr)
{
    static const uint8_t landing[] = {0xf3, 0x0f, 0x1e, 0xfa};
    static const uint8_t code[] = {0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0x83, 0xc0};
    uint8_t bytes[sizeof landing + sizeof code + 2], *at = bytes;

    if (mem_read(mem, addr, bytes, sizeof bytes) < 0)
        return -1;
    if (memcmp(bytes, landing, sizeof landing) == 0)
        at += sizeof landing;
    return memcmp(at, code, sizeof code) == 0 && at[sizeof code + 1] == 0xc3 ? at[sizeof code] : -1;
}

static int error_of(const struct watch *watch, const struct break_hit *hit)
{
    int32_t error = 0;

    if (watch->errno_offset >= 0)
        mem_read(hit->mem, hit->registers->thread_addr + (uint64_t)watch->errno_offset, &error, sizeof error);
    return error > 0 && error < 4096 ? error : 0;
}

/* The message of FORMAT_ADDR with the va_list at LIST_ADDR, where it is the loader's. */
static void hear(struct session *session, struct task *task, const struct break_hit *hit, uint64_t format_addr,
                 uint64_t list_addr, bool printed)
{
    const struct watch *watch = task->group->space->watch;
    struct loader_words words = {.format = watch_string(hit, format_addr)};
    struct list list;

    if (!words.format || (strncmp(words.format, "Error ", 6) != 0 && strncmp(words.format, "Symbol not ", 11) != 0) ||
        !list_read(hit->mem, list_addr, &list)) {
        loader_words_deinit(&words);
        return;
    }
    struct format_source source = {.next = list_next, .ctx = &list, .mem = hit->mem};

    if (strstr(words.format, "%m"))
        source.error = words.error = error_of(watch, hit);
    words.text = format_fill(words.format, &source, words.args);
    words.whole = true;
    if (words.format[0] == 'E')
        words.object = xstrdup_or_null(words.args[0]);
    loader_words_place(&words, task, hit);
    if (strstr(words.format, "%s: symbol not found"))
        lookups_missed(session, task, words.args[0], words.args[1]);
    errors_add(session, task, &words, printed);
}

static void on_print(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx);

static const struct break_handler print_handler = {on_print, NULL};

/* vdprintf (int fd, const char *format, va_list ap): once the program itself prints so, the start is over */
static void on_print(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx)
{
    const struct watch *watch = task->group->space->watch;
    uint64_t format = watch_argument(hit, 1);

    (void)ctx;
    if (format < watch->libc_start || format >= watch->libc_end)
        breaks_remove(session, task, hit->addr, &print_handler);
    else if (watch_argument(hit, 0) == STDERR_FILENO)
        hear(session, task, hit, format, watch_argument(hit, 2), true);
}

static void on_format(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx);

static const struct break_handler format_handler = {on_format, NULL};

/* The C library's own text of errno may not be ours. */
static void on_formatted(struct session *session, struct task *task, const struct break_hit *hit, void *data)
{
    uint64_t *buffer_addr = data;
    char *text = hit ? watch_string(hit, *buffer_addr) : NULL;

    (void)session;
    if (text)
        errors_reword(task, text);
    free(buffer_addr);
}

static void read_later(struct session *session, struct task *task, const struct break_hit *hit)
{
    uint64_t buffer = watch_argument(hit, 0);
    const struct break_return ret = {.back = on_formatted, .data = xmemdup(&buffer, sizeof buffer)};

    if (!breaks_at_return(session, task, hit, &ret))
        free(ret.data);
}

/* vsnprintf (char *buffer, size_t size, const char *format, va_list ap) */
static void on_format(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx)
{
    const struct watch *watch = task->group->space->watch;
    uint64_t format = watch_argument(hit, 2);

    (void)ctx;
    if (!watch->calls)
        breaks_remove(session, task, hit->addr, &format_handler);
    else if (format < watch->libc_start || format >= watch->libc_end)
        return;
    else if (watch_argument(hit, 0))
        read_later(session, task, hit);
    else
        hear(session, task, hit, format, watch_argument(hit, 3), false);
}

void musl_arm(struct session *session, struct task *task, struct image_ref *libc)
{
    struct watch *watch = task->group->space->watch;
    const struct memimage *image = images_parsed(libc);
    uint64_t addr = images_symbol(libc, "__errno_location", NULL);

    watch->libc_start = image ? image->start_addr : 0;
    watch->libc_end = image ? image->end_addr : 0;
    watch->errno_offset = addr ? errno_offset(&watch->mem, addr) : -1;
    watch->format_addr = images_symbol(libc, "vsnprintf", NULL);
    addr = images_symbol(libc, "vdprintf", NULL);
    if (addr && breaks_add(session, task, addr, &print_handler))
        watch->print_addr = addr;
}

void musl_asked(struct session *session, struct task *task)
{
    const struct watch *watch = task->group->space->watch;

    if (watch->format_addr)
        breaks_add(session, task, watch->format_addr, &format_handler);
}

void musl_answered(struct session *session, struct task *task)
{
    const struct watch *watch = task->group->space->watch;

    if (!watch->calls && watch->format_addr)
        breaks_remove(session, task, watch->format_addr, &format_handler);
}
