/* glibc's loader, in its own words (elf/dl-exception.c, dl-error-skeleton.c, dl-minimal.c and rtld.c of glibc).
 *
 * An error is made by _dl_exception_create() or _dl_exception_create_format(); _dl_signal_error() knows its errno and
 * its occasion; _dl_signal_exception() raises it, once more at each level that a dlopen has; _dl_fatal_printf() prints
 * it on the way out. Before 2.32 that is a writev(2) of the loader's, as warnings are. So one error shows at several
 * places, and what came of it is known only from what the thread does next: until then it is held back. */
#include "watch.h"

#include "state.h"

#include <probes/alloc.h>
#include <probes/instruction.h>

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

enum { HELD_MOST = 64, WORD = 8, ARGS = 6, LOADER_FAILED = 127 };

struct held {
    struct loader_words words;
    char *message;  /* as it was printed, where that is in other words */
    bool announced; /* _dl_signal_error() has told of it, the exception itself is still to be made */
    bool printed;   /* the loader has written it */
    bool printing;  /* musl is about to */
    bool perhaps;   /* … or its code in libc.so.6 has (before 2.32), or the program something of its own */
};

struct errors {
    struct held *held;
    size_t count, cap;
    char *last_object, *last_text; /* of the one told last, which may be raised again */
};

void loader_words_deinit(struct loader_words *words)
{
    free(words->object);
    free(words->format);
    for (size_t i = 0; i < ARGS; i++)
        free(words->args[i]);
    free(words->text);
    free(words->occasion);
    free(words->by);
    stack_snapshot_drop(words->snapshot);
    *words = (struct loader_words){0};
}

static void held_deinit(struct held *held)
{
    free(held->message);
    loader_words_deinit(&held->words);
}

void loader_words_place(struct loader_words *words, struct task *task, const struct break_hit *hit)
{
    struct stack_registers registers = {
        .ip_addr = hit->registers->dwarf[REGISTER_IP],
        .sp_addr = hit->registers->dwarf[REGISTER_SP],
        .fp_addr = hit->registers->dwarf[REGISTER_FP],
    };

    memcpy(registers.dwarf, hit->registers->dwarf, sizeof registers.dwarf);
    words->by = calls_caller(task, registers.sp_addr);
    words->snapshot = stack_snapshot_take(hit->mem, &registers);
}

void errors_destroy(struct errors *errors)
{
    if (!errors)
        return;
    for (size_t i = 0; i < errors->count; i++)
        held_deinit(&errors->held[i]);
    free(errors->held);
    free(errors->last_object);
    free(errors->last_text);
    free(errors);
}

/* An empty name is none: the program itself has "". */
static bool alike(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool about(const struct loader_words *words, const char *object, const char *text)
{
    return alike(words->object, object) && alike(words->text, text);
}

/* --- telling --------------------------------------------------------------------------------------------------------
 */

/* What the loader itself prints of an error: it has the texts of a few only (elf/dl-minimal.c; dlerror(3) has the C
 * library's). Malloced. */
static char *error_text(int error, enum loader_outcome outcome)
{
    static const int known[] = {ENOMEM, EINVAL, ENOENT, EPERM, EIO, EACCES};

    for (size_t i = 0; outcome == LOADER_FATAL && i < sizeof known / sizeof *known; i++)
        if (known[i] == error)
            return xstrdup(strerror(error));
    return outcome == LOADER_FATAL ? xasprintf("Error %d", error) : xstrdup(strerror(error));
}

/* As the loader prints it, or as dlerror(3) gives it back. */
static char *message_of(const struct loader_words *words, enum loader_outcome outcome)
{
    const char *occasion = outcome == LOADER_FATAL && words->occasion ? words->occasion : "";
    const char *object = words->object ? words->object : "";
    CLEANUP_FREE char *error = words->error ? error_text(words->error, outcome) : NULL;

    if (words->whole)
        return xstrdup(words->text);
    return xasprintf("%s%s%s%s%s%s%s", occasion, *occasion ? ": " : "", object, *object ? ": " : "", words->text,
                     error ? ": " : "", error ? error : "");
}

static void tell(struct session *session, struct task *task, const struct held *held, enum loader_outcome outcome)
{
    const struct loader_words *words = &held->words;
    CLEANUP_FREE char *message = held->message ? xstrdup(held->message) : message_of(words, outcome);
    struct event event = {.type = EVENT_LOADER, .snapshot = words->snapshot};

    event.loader = (struct event_loader){
        .what = LOADER_ERROR,
        .object = words->object && *words->object ? words->object : NULL,
        .by = outcome == LOADER_CAUGHT ? words->by : NULL,
        .format = words->format,
        .occasion = words->occasion,
        .message = message,
        .error = words->error,
        .outcome = outcome,
    };
    for (size_t i = 0; i < ARGS; i++)
        event.loader.args[i] = words->args[i];
    session_emit(session, task, &event);
}

/* It is told and forgotten, but for what tells it from others. */
static void tell_first(struct session *session, struct task *task, enum loader_outcome outcome)
{
    struct errors *errors = task->errors;
    struct held first = errors->held[0];

    memmove(errors->held, errors->held + 1, --errors->count * sizeof *errors->held);
    tell(session, task, &first, outcome);
    free(errors->last_object);
    free(errors->last_text);
    errors->last_object = steal_pointer(&first.words.object);
    errors->last_text = steal_pointer(&first.words.text);
    held_deinit(&first);
}

void errors_settle(struct session *session, struct task *task, enum loader_outcome outcome)
{
    while (task->errors && task->errors->count)
        tell_first(session, task, task->errors->held[0].printed ? LOADER_WARNED : outcome);
}

void errors_settle_all(struct session *session)
{
    struct task *task;

    for (task = session->tasks.by_tid; task; task = task->hh.next)
        errors_settle(session, task, LOADER_OPEN);
}

/* A word of warning, whatever follows (elf/dl-version.c). */
static bool only_warns(const struct held *held)
{
    return held->printed && held->words.format && strncmp(held->words.format, "no version information", 22) == 0;
}

/* What is written, as a string without the newline that ends it; NULL where it cannot be read. */
static char *written(struct session *session, struct task *task, const struct call *call,
                     const struct syscall_stop *stop)
{
    size_t size, whole;

    session->memory.tid = task->tid;
    struct mem mem = memory_mem(&session->memory, WORD);
    CLEANUP_FREE char *data = args_output(&mem, call, stop->args, &size, &whole);

    while (data && size && data[size - 1] == '\n')
        size--;
    return data ? xstrndup(data, size) : NULL;
}

/* musl has no buffer for standard error: a message comes in pieces, the end of its line being the last. */
static void print_piece(struct held *held, const char *piece)
{
    char *longer = piece ? xasprintf("%s%s", held->message ? held->message : "", piece) : NULL;

    held->printed = true;
    held->printing = longer && *piece;
    if (held->printing) {
        free(held->message);
        held->message = longer;
        return;
    }
    free(longer);
}

static void print(struct held *held, const char *text)
{
    CLEANUP_FREE char *expected = message_of(&held->words, LOADER_CAUGHT);

    if (!held->printed && text && !strstr(text, expected)) {
        free(held->message);
        held->message = xstrdup(text);
    }
    held->printed = true;
}

/* The exception is made in memory from malloc(3), which asks for more of it, and the first time for a random key
 * (tcache_key_initialize(), malloc/malloc.c): the error is still on its way. */
static bool is_of_malloc(const struct call *call)
{
    static const char *const names[] = {"getrandom", "brk", "mmap", "munmap", "mprotect"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(call->row, names[i]) == 0)
            return true;
    return false;
}

void errors_at_call(struct session *session, struct task *task, const struct call *call,
                    const struct syscall_stop *stop)
{
    const struct watch *watch = task->group->space->watch;
    bool output = call->kind == CALL_WRITE || call->kind == CALL_WRITEV || call->kind == CALL_SENDMSG;
    bool by_loader = decode_by(task, stop->ip_addr) == BY_LOADER;
    struct errors *errors = task->errors;

    if (!errors || !errors->count || is_of_malloc(call))
        return;
    if (!output || !(by_loader || (watch && !watch->prints_itself))) {
        errors_settle(session, task, LOADER_CAUGHT);
        return;
    }
    CLEANUP_FREE char *text = written(session, task, call, stop);

    for (size_t i = 0; i < errors->count; i++)
        if (errors->held[i].printing)
            print_piece(&errors->held[i], text);
        else if (by_loader)
            print(&errors->held[i], text);
        else if (!errors->held[i].printed)
            errors->held[i].perhaps = true;
}

void errors_at_exit(struct session *session, struct task *task, int status, bool by_loader)
{
    struct errors *errors = task->errors;

    if (!errors || !errors->count)
        return;
    if (WIFSIGNALED(status)) {
        errors_settle(session, task, LOADER_OPEN);
        return;
    }
    int code = WEXITSTATUS(status);

    while (errors->count) {
        const struct held *held = &errors->held[0];
        struct loader_words *words = &errors->held[0].words;
        bool musl = task->group->space->watch && task->group->space->watch->musl;
        bool fatal = musl ? held->printed : by_loader ? true : held->perhaps && code == LOADER_FAILED;

        if (!code || only_warns(held))
            fatal = false;
        /* What fatal_error() says where no other occasion is known; errors of versions are printed without any. */
        if (fatal && !musl && code == LOADER_FAILED && !words->occasion)
            words->occasion = xstrdup("error while loading shared libraries");
        tell_first(session, task, fatal ? LOADER_FATAL : held->printed ? LOADER_WARNED : LOADER_CAUGHT);
    }
}

/* --- hearing --------------------------------------------------------------------------------------------------------
 */

static struct held *newest(const struct task *task)
{
    struct errors *errors = task->errors;

    return errors && errors->count ? &errors->held[errors->count - 1] : NULL;
}

/* A new one: what is not on its way to standard error is over, and was given back to whoever asked. */
static struct held *begin(struct session *session, struct task *task)
{
    struct held *held = newest(task);

    if (held && !held->printed)
        errors_settle(session, task, LOADER_CAUGHT);
    if (!task->errors)
        task->errors = xcalloc(1, sizeof *task->errors);
    if (task->errors->count >= HELD_MOST)
        errors_settle(session, task, LOADER_OPEN);
    return array_add(&task->errors->held, &task->errors->count, &task->errors->cap, sizeof *held);
}

static struct held *begin_glibc(struct session *session, struct task *task, const struct break_hit *hit)
{
    watch_spoken(session, task);
    struct held *held = begin(session, task);

    loader_words_place(&held->words, task, hit);
    return held;
}

void errors_add(struct session *session, struct task *task, struct loader_words *words, bool printed)
{
    struct held *held = begin(session, task);

    held->words = *words;
    held->printing = printed;
    *words = (struct loader_words){0};
}

void errors_reword(struct task *task, char *text)
{
    struct held *held = newest(task);

    if (!held || !held->words.whole) {
        free(text);
        return;
    }
    free(held->words.text);
    held->words.text = text;
}

static void keep(char **known, char *told)
{
    if (*known)
        free(told);
    else
        *known = told;
}

/* _dl_signal_error (int errcode, const char *objname, const char *occasion, const char *errstring) */
static void on_signal_error(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx)
{
    CLEANUP_FREE char *object = watch_string(hit, watch_argument(hit, 1));
    CLEANUP_FREE char *text = watch_string(hit, watch_argument(hit, 3));
    struct held *held = newest(task);

    (void)ctx;
    if (!held || held->printed || !about(&held->words, object, text)) {
        held = begin_glibc(session, task, hit);
        held->announced = true;
        held->words.format = xstrdup(text ? text : "");
        held->words.text = xstrdup(text ? text : "");
        held->words.object = steal_pointer(&object);
    }
    held->words.error = (int)watch_argument(hit, 0);
    keep(&held->words.occasion, watch_string(hit, watch_argument(hit, 2)));
}

/* _dl_exception_create (struct dl_exception *, const char *objname, const char *errstring) */
static void on_create(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx)
{
    CLEANUP_FREE char *object = watch_string(hit, watch_argument(hit, 1));
    CLEANUP_FREE char *text = watch_string(hit, watch_argument(hit, 2));
    struct held *held = newest(task);

    (void)ctx;
    if (held && held->announced && about(&held->words, object, text)) {
        held->announced = false;
        return;
    }
    held = begin_glibc(session, task, hit);
    held->words.format = xstrdup(text ? text : "");
    held->words.text = xstrdup(text ? text : "");
    held->words.object = steal_pointer(&object);
}

/* The arguments behind "...", of a function whose first NAMED are not among them. */
struct variadic {
    const struct break_hit *hit;
    unsigned next;
};

static bool next_variadic(void *ctx, uint64_t *ret)
{
    struct variadic *variadic = ctx;
    unsigned i = variadic->next++;

    if (i < ARGS) {
        *ret = watch_argument(variadic->hit, i);
        return true;
    }
    return mem_read_word(variadic->hit->mem, variadic->hit->registers->dwarf[REGISTER_SP] + WORD * (i - ARGS + 1),
                         ret) == 0;
}

static void fill(struct loader_words *words, const struct break_hit *hit, unsigned format)
{
    struct variadic variadic = {hit, format + 1};
    const struct format_source source = {.next = next_variadic, .ctx = &variadic, .mem = hit->mem};

    words->format = watch_string(hit, watch_argument(hit, format));
    if (!words->format)
        words->format = xstrdup("");
    words->text = format_fill(words->format, &source, words->args);
}

/* _dl_exception_create_format (struct dl_exception *, const char *objname, const char *fmt, ...) */
static void on_create_format(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx)
{
    lookups_failed(session, task, hit);
    struct held *held = begin_glibc(session, task, hit);

    (void)ctx;
    held->words.object = watch_string(hit, watch_argument(hit, 1));
    fill(&held->words, hit, 2);
}

/* _dl_signal_exception (int errcode, struct dl_exception *, const char *occasion) */
static void on_signal_exception(struct session *session, struct task *task, const struct break_hit *hit,
                                const void *ctx)
{
    uint64_t exception = watch_argument(hit, 1), object_addr = 0, text_addr = 0;
    struct held *held = newest(task);

    (void)ctx;
    if (mem_read_word(hit->mem, exception, &object_addr) < 0 ||
        mem_read_word(hit->mem, exception + WORD, &text_addr) < 0)
        return;
    CLEANUP_FREE char *object = watch_string(hit, object_addr);
    CLEANUP_FREE char *text = watch_string(hit, text_addr);

    if (!held || held->printed || !about(&held->words, object, text)) {
        if (task->errors && alike(task->errors->last_object, object) && alike(task->errors->last_text, text))
            return; /* raised again on its way out, and told already */
        held = begin_glibc(session, task, hit);
        held->words.format = xstrdup(text ? text : "");
        held->words.text = steal_pointer(&text);
        held->words.object = steal_pointer(&object);
        if (!held->words.text)
            held->words.text = xstrdup("");
    }
    held->announced = false;
    if (!held->words.error)
        held->words.error = (int)watch_argument(hit, 0);
    keep(&held->words.occasion, watch_string(hit, watch_argument(hit, 2)));
}

/* What fatal_error() (dl-error-skeleton.c) passes on: program, occasion, object, … */
static bool repeats(const struct loader_words *printed, const struct held *held)
{
    return held && strncmp(printed->format, "%s: %s: %s", 10) == 0 && alike(printed->args[2], held->words.object);
}

static void end_with(struct session *session, struct task *task, const struct break_hit *hit,
                     struct loader_words *printed)
{
    struct held *held = begin(session, task);

    held->words = *printed;
    held->words.whole = true;
    *printed = (struct loader_words){0};
    loader_words_place(&held->words, task, hit);
}

/* _dl_fatal_printf (const char *fmt, ...): it does not return */
static void on_fatal(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx)
{
    struct loader_words printed = {0};
    struct held *held = newest(task);

    (void)ctx;
    fill(&printed, hit, 0);
    if (repeats(&printed, held)) {
        if (!held->words.occasion && printed.args[1])
            held->words.occasion = xstrdup(printed.args[1]);
    } else {
        end_with(session, task, hit, &printed);
    }
    loader_words_deinit(&printed);
    while (task->errors->count > 1)
        tell_first(session, task, task->errors->held[0].printed ? LOADER_WARNED : LOADER_CAUGHT);
    tell_first(session, task, LOADER_FATAL);
}

/* --- arming ---------------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    struct break_handler handler;
    bool makes;   /* there is no exception without one of these */
    bool in_libc; /* libc.so.6 has a copy, from 2.28 to 2.36 */
} functions[] = {
    {"_dl_exception_create", {on_create, NULL}, .makes = true},
    {"_dl_exception_create_format", {on_create_format, NULL}, .makes = true},
    {"_dl_signal_error", {on_signal_error, NULL}, .in_libc = true},
    {"_dl_signal_exception", {on_signal_exception, NULL}, .in_libc = true},
    {"_dl_fatal_printf", {on_fatal, NULL}, .makes = false},
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* They have but one version, GLIBC_PRIVATE. */
bool errors_arm_loader(struct session *session, struct task *task, struct image_ref *loader)
{
    uint64_t addrs[FUNCTIONS], known[FUNCTIONS];
    size_t count = 0;
    unsigned makers = 0;

    for (size_t i = 0; i < FUNCTIONS; i++) {
        addrs[i] = images_symbol(loader, functions[i].name, NULL);
        if (addrs[i])
            known[count++] = addrs[i];
    }
    breaks_prepare(session, task, known, count);
    for (size_t i = 0; i < FUNCTIONS; i++)
        if (addrs[i] && breaks_add(session, task, addrs[i], &functions[i].handler) && functions[i].makes)
            makers++;
    breaks_prepared(session);
    return makers == 2;
}

void errors_arm_libc(struct session *session, struct task *task, struct image_ref *libc)
{
    for (size_t i = 0; i < FUNCTIONS; i++) {
        uint64_t addr = functions[i].in_libc ? images_symbol(libc, functions[i].name, NULL) : 0;

        if (addr)
            breaks_add(session, task, addr, &functions[i].handler);
    }
}

void errors_learn_libc(struct image_ref *libc)
{
    for (size_t i = 0; i < FUNCTIONS; i++)
        if (functions[i].in_libc)
            images_symbol(libc, functions[i].name, NULL);
}
