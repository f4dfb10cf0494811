#include "watch.h"

#include "state.h"

#include <probes/alloc.h>
#include <probes/codefile.h>
#include <probes/instruction.h>

#include <fcntl.h>

#include <string.h>

enum {
    WORD = 8,
    LOOKED_UP_MOST =
        200, /* dlsym()s of a program whose calls nobody has asked for: they are what tells whose an error is */
};

/* Which argument is what; 0 is none, else one more than its number. */
struct call_row {
    const char *name;
    unsigned file, symbol, version, handle, flags; /* dlmopen's handle is the number of the namespace */
    bool often;                                    /* some programs look thousands of names up */
    bool signals; /* it can fail by _dl_signal_error(), which is called before there is an exception */
};

static const struct call_row rows[] = {
    {.name = "dlopen", .file = 1, .flags = 2, .signals = true},
    {.name = "dlmopen", .handle = 1, .file = 2, .flags = 3, .signals = true},
    {.name = "dlsym", .handle = 1, .symbol = 2, .often = true},
    {.name = "dlvsym", .handle = 1, .symbol = 2, .version = 3, .often = true},
    {.name = "dlclose", .handle = 1, .signals = true},
};

struct dl_call {
    const struct call_row *row;
    uint64_t caller_addr; /* where it returns to */
    char *file, *symbol, *version;
    uint64_t handle, flags;
};

static void call_free(struct dl_call *call)
{
    free(call->file);
    free(call->symbol);
    free(call->version);
    free(call);
}

static uint64_t word_of(const struct break_hit *hit, unsigned which)
{
    return which ? watch_argument(hit, which - 1) : 0;
}

static char *string_of(const struct break_hit *hit, unsigned which)
{
    return which ? watch_string(hit, watch_argument(hit, which - 1)) : NULL;
}

static void on_return(struct session *session, struct task *task, const struct break_hit *hit, void *data)
{
    struct dl_call *call = data;
    struct event event = {.type = EVENT_LOADER};

    struct watch *watch = task->group->space->watch;

    if (watch && watch->calls)
        watch->calls--;
    if (hit && session->recording) {
        errors_settle(session, task, LOADER_CAUGHT);
        const char *caller = watch_object(task, call->caller_addr);

        event.loader = (struct event_loader){
            .what = LOADER_CALL,
            .object = caller,
            .name = call->row->name,
            .file = call->file,
            .symbol = call->symbol,
            .version = call->version,
            .handle = call->handle,
            .flags = call->flags,
            .ret = watch_result(hit),
        };
        if (!strcmp(call->row->name, "dlclose")) /* an int */
            event.loader.ret = (uint32_t)event.loader.ret;
        if (watch && watch->musl)
            lookups_asked(session, task, &event.loader);
        session_emit(session, task, &event);
        if (watch && watch->musl)
            musl_answered(session, task);
    }
    call_free(call);
}

static void on_call(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx);

/* Whether one more call of ROW is worth two stops. */
static bool worth_it(struct session *session, struct task *task, const struct break_hit *hit,
                     const struct call_row *row)
{
    const struct break_handler handler = {on_call, row};
    struct watch *watch = task->group->space->watch;

    if (session->options->texts || !row->often)
        return true;
    watch->deaf = watch->looked_up++ >= LOOKED_UP_MOST;
    if (watch->deaf)
        breaks_remove(session, task, hit->addr, &handler);
    return !watch->deaf;
}

static void on_call(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx)
{
    const struct call_row *row = ctx;

    errors_settle(session, task, LOADER_CAUGHT);
    if (row->signals)
        watch_spoken(session, task);
    if (!worth_it(session, task, hit, row))
        return;
    struct dl_call *call = xcalloc(1, sizeof *call);
    const struct break_return ret = {.back = on_return, .data = call};

    call->row = row;
    call->handle = word_of(hit, row->handle);
    call->flags = (uint32_t)word_of(hit, row->flags);
    call->file = string_of(hit, row->file);
    call->symbol = string_of(hit, row->symbol);
    call->version = string_of(hit, row->version);
    if (mem_read_word(hit->mem, hit->registers->dwarf[REGISTER_SP], &call->caller_addr) < 0 ||
        !breaks_at_return(session, task, hit, &ret)) {
        call_free(call);
        return;
    }
    task->group->space->watch->calls++;
    if (task->group->space->watch->musl)
        musl_asked(session, task);
}

void calls_arm(struct session *session, struct task *task, struct image_ref *image)
{
    task->group->space->watch->armed = true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct break_handler handler = {on_call, &rows[i]};

        watch_function(session, task, image, rows[i].name, &handler);
    }
}

void calls_learn(struct image_ref *image)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        watch_learn(image, rows[i].name);
}

void calls_arm_program(struct session *session, struct task *task, uint64_t bias)
{
    char path[64];
    uint64_t addr;

    snprintf(path, sizeof path, "/proc/%d/exe", (int)task->tid);
    struct codefile *file = codefile_open(open(path, O_RDONLY | O_CLOEXEC));

    for (size_t i = 0; file && i < sizeof rows / sizeof *rows; i++) {
        const struct break_handler handler = {on_call, &rows[i]};

        if (codefile_function(file, rows[i].name, &addr))
            breaks_add(session, task, addr + bias, &handler);
    }
    codefile_close(file);
}

static char *libc_path(struct task *task)
{
    const struct linkmap *linkmap = watch_linkmap(task);

    for (size_t i = 0; linkmap && i < linkmap->count; i++) {
        const char *path = linkmap->objects[i].path, *slash = path ? strrchr(path, '/') : NULL;

        if (slash && strcmp(slash, "/libc.so.6") == 0 && !linkmap->objects[i].space)
            return xstrdup(path);
    }
    return NULL;
}

char *calls_caller(struct task *task, uint64_t sp_addr)
{
    const struct watch *watch = task->group->space->watch;

    for (size_t i = task->awaited_count; i-- > 0;) {
        const struct awaited *awaited = &task->awaited[i];

        if (awaited->back == on_return && awaited->sp_addr >= sp_addr)
            return xstrdup_or_null(watch_object(task, ((const struct dl_call *)awaited->data)->caller_addr));
    }
    /* Nobody else but the C library itself opens libraries: for users and groups, character sets, threads that end. */
    return watch && watch->armed && !watch->deaf ? libc_path(task) : NULL;
}
