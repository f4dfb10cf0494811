/* What the dynamic loader said in its own words, and the dlopens that failed (part of model.h).
 *
 * Bounded: an error that comes again is counted, not kept twice; when there are too many different ones, those go first
 * that harm nobody (a dlsym(3) that finds nothing), then the oldest that the program got back. */
#include "model_parts.h"

#include <string.h>

#include <probes/alloc.h>

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_error(const struct loader_error *kept, const struct event_loader *said)
{
    if (kept->outcome != said->outcome || !same(kept->format, said->format ? said->format : "") ||
        !same(kept->object, said->object) || !same(kept->by, said->by))
        return false;
    for (size_t i = 0; i < sizeof kept->args / sizeof *kept->args; i++)
        if (!same(kept->args[i], said->args[i]))
            return false;
    return true;
}

static void error_deinit(struct loader_error *error)
{
    free(error->object);
    free(error->by);
    free(error->format);
    for (size_t i = 0; i < sizeof error->args / sizeof *error->args; i++)
        free(error->args[i]);
    free(error->occasion);
    free(error->message);
    free(error->level);
    free(error->mount);
}

/* How soon it may be forgotten: 2 first. */
static int worthless(const struct loader_error *error)
{
    if (error->outcome != LOADER_CAUGHT)
        return 0;
    return strncmp(error->format, "undefined symbol", 16) == 0 || strncmp(error->format, "Symbol not found", 16) == 0
               ? 2
               : 1;
}

static void drop_one(struct process *process)
{
    size_t victim = 0;

    for (size_t i = 1; i < process->error_count; i++)
        if (worthless(&process->errors[i]) > worthless(&process->errors[victim]))
            victim = i;
    error_deinit(&process->errors[victim]);
    process->error_count--;
    memmove(&process->errors[victim], &process->errors[victim + 1],
            (process->error_count - victim) * sizeof *process->errors);
    process->errors_dropped++;
}

static void error_record(struct process *process, const struct event *event)
{
    const struct event_loader *said = &event->loader;
    struct loader_error *error;

    for (size_t i = 0; i < process->error_count; i++)
        if (same_error(&process->errors[i], said)) {
            process->errors[i].last_n = event->n;
            process->errors[i].count++;
            return;
        }
    if (process->error_count >= ERRORS_KEPT)
        drop_one(process);
    error = array_add(&process->errors, &process->error_count, &process->error_cap, sizeof *error);
    *error = (struct loader_error){.n = event->n,
                                   .last_n = event->n,
                                   .t_ns = event->t_ns,
                                   .count = 1,
                                   .tid = event->tid,
                                   .object = xstrdup_or_null(said->object),
                                   .by = xstrdup_or_null(said->by),
                                   .format = xstrdup(said->format ? said->format : ""),
                                   .occasion = xstrdup_or_null(said->occasion),
                                   .message = xstrdup_or_null(said->message),
                                   .level = xstrdup_or_null(event->sight ? event->sight->level : NULL),
                                   .mount = xstrdup_or_null(event->sight ? event->sight->mount : NULL),
                                   .error = said->error,
                                   .outcome = said->outcome};
    for (size_t i = 0; i < sizeof error->args / sizeof *error->args; i++)
        error->args[i] = xstrdup_or_null(said->args[i]);
}

/* Notes that a thread has come back, and gives the event of the time before. A program with more threads than are kept
 * loses the oldest. */
static uint64_t note_return(struct process *process, const struct event *event)
{
    struct loader_return *slot = NULL;
    uint64_t before = 0;

    for (size_t i = 0; i < process->return_count && !slot; i++)
        if (process->returns[i].tid == event->tid)
            slot = &process->returns[i];
    if (!slot && process->return_count >= RETURNS_KEPT) {
        slot = process->returns;
        for (size_t i = 1; i < process->return_count; i++)
            if (process->returns[i].n < slot->n)
                slot = &process->returns[i];
        slot->n = 0;
    }
    if (!slot)
        slot = array_add(&process->returns, &process->return_count, &process->return_cap, sizeof *slot);
    before = slot->n;
    *slot = (struct loader_return){event->tid, event->n};
    return before;
}

static void call_record(struct process *process, const struct event *event)
{
    const struct event_loader *called = &event->loader;
    uint64_t begin_n = note_return(process, event);
    struct loader_call *call;

    if (called->ret || !called->name || (strcmp(called->name, "dlopen") != 0 && strcmp(called->name, "dlmopen") != 0) ||
        process->call_count >= CALLS_KEPT)
        return;
    call = array_add(&process->calls, &process->call_count, &process->call_cap, sizeof *call);
    *call = (struct loader_call){.n = event->n,
                                 .t_ns = event->t_ns,
                                 .begin_n = begin_n,
                                 .tid = event->tid,
                                 .object = xstrdup_or_null(called->object),
                                 .file = xstrdup_or_null(called->file),
                                 .flags = called->flags};
}

static void unloaded_record(struct process *process, const struct event *event)
{
    struct unloaded *object;

    if (!event->loader.object || process->unloaded_count >= UNLOADED_KEPT)
        return;
    object = array_add(&process->unloaded, &process->unloaded_count, &process->unloaded_cap, sizeof *object);
    *object = (struct unloaded){event->loader.base_addr, xstrdup(event->loader.object)};
}

void model_loader(struct process *process, const struct event *event)
{
    model_object(process, event);
    if (event->loader.what == LOADER_ERROR)
        error_record(process, event);
    else if (event->loader.what == LOADER_CALL)
        call_record(process, event);
    else if (event->loader.what == LOADER_UNLOADED)
        unloaded_record(process, event);
}

void model_forget_loader(struct process *process)
{
    model_forget_objects(process);
    for (size_t i = 0; i < process->error_count; i++)
        error_deinit(&process->errors[i]);
    for (size_t i = 0; i < process->call_count; i++) {
        free(process->calls[i].object);
        free(process->calls[i].file);
    }
    for (size_t i = 0; i < process->unloaded_count; i++)
        free(process->unloaded[i].path);
    process->error_count = process->call_count = process->unloaded_count = process->return_count = 0;
    process->errors_dropped = 0;
}

const char *process_mount(const struct process *process, const char *path)
{
    for (size_t i = 0; i < process->error_count; i++)
        if (process->errors[i].mount && process->errors[i].object && strcmp(process->errors[i].object, path) == 0)
            return process->errors[i].mount;
    return NULL;
}
