/* Failures: the calls that failed for another reason than a file's name, and what came of them (part of model.h). */
#include "model_parts.h"

#include "limit.h"
#include "syscall.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <probes/alloc.h>

static void failure_deinit(struct failure *failure)
{
    free(failure->text);
    free(failure->target);
    limit_destroy(failure->limit);
}

void model_forget_failures(struct process *process)
{
    for (size_t i = 0; i < process->failure_count; i++)
        failure_deinit(&process->failures[i]);
    process->failure_count = 0;
    for (size_t i = 0; i < process->written_count; i++)
        free(process->written[i]);
    process->written_count = 0;
    limit_destroy(process->said);
    process->said = NULL;
}

/* errno values of a file call that say nothing about the file that it names. */
static bool about_more_than_the_file(int error)
{
    static const int errors[] = {EPERM, ENOSYS, EMFILE, ENFILE, ENOMEM, ENOSPC, EDQUOT, EFBIG, EAGAIN, EUSERS};

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i] == error)
            return true;
    return false;
}

static bool worth_keeping(const struct event_syscall *call)
{
    bool named = call->path && (call->desc->family == FAMILY_FILE || call->desc->family == FAMILY_PROCESS);

    return call->policy || !named || about_more_than_the_file(call->error);
}

static const char *target_of(const struct event_syscall *call)
{
    return call->desc->family == FAMILY_NETWORK ? call->result : call->path;
}

/* A limit is the same whichever file meets it; an address is what a connection is about. */
static bool same_target(const struct failure *failure, const struct event_syscall *call)
{
    if (call->desc->family != FAMILY_NETWORK || !failure->target || !call->result)
        return true;
    return strcmp(failure->target, call->result) == 0;
}

static bool same_failure(const struct failure *failure, const struct event_syscall *call)
{
    return failure->desc == call->desc && failure->error == call->error && failure->policy == call->policy &&
           same_target(failure, call);
}

static char *arguments_of(const struct event_syscall *call)
{
    struct syscall_texts texts = {{0}};
    struct text joined = {0};

    if (!call->text[0])
        syscall_texts_guess(call->desc, call->args, call->string, &texts);
    for (size_t i = 0; i < 6; i++) {
        const char *text = call->text[0] ? call->text[i] : texts.text[i];

        if (text && i)
            text_add(&joined, ", ");
        if (text)
            text_add(&joined, text);
    }
    syscall_texts_deinit(&texts);
    return joined.v ? joined.v : xstrdup("");
}

/* Makes room: what was got over goes first, else the oldest. */
static void drop_one(struct process *process)
{
    size_t i = 0;

    while (i < process->failure_count && !process->failures[i].done_n)
        i++;
    if (i == process->failure_count)
        i = 0;
    failure_deinit(&process->failures[i]);
    process->failure_count--;
    memmove(&process->failures[i], &process->failures[i + 1], (process->failure_count - i) * sizeof *process->failures);
}

static struct failure *failure_of(struct process *process, const struct event *event)
{
    const struct event_syscall *call = &event->syscall;
    struct failure *failure;

    for (size_t i = process->failure_count; i-- > 0;)
        if (same_failure(&process->failures[i], call))
            return &process->failures[i];
    if (process->failure_count >= FAILURES_KEPT)
        drop_one(process);
    failure = array_add(&process->failures, &process->failure_count, &process->failure_cap, sizeof *failure);
    *failure = (struct failure){
        .n = event->n,
        .t_ns = event->t_ns,
        .desc = call->desc,
        .text = arguments_of(call),
        .target = xstrdup_or_null(target_of(call)),
        .flags = call->flags,
        .error = call->error,
        .by = call->by,
        .policy = call->policy,
    };
    memcpy(failure->args, call->args, sizeof failure->args);
    return failure;
}

static void written(struct process *process, const struct event_syscall *call)
{
    bool opens = strncmp(call->desc->name, "open", 4) == 0 || strcmp(call->desc->name, "creat") == 0;

    if (!opens || !call->path || (call->desc->flags_arg >= 0 && (call->flags & O_ACCMODE) == O_RDONLY))
        return;
    if (process->written_count == WRITTEN_KEPT) {
        free(process->written[0]);
        process->written_count--;
        memmove(&process->written[0], &process->written[1], process->written_count * sizeof process->written[0]);
    }
    process->written[process->written_count++] = xstrdup(call->path);
}

/* prctl(PR_SET_SECCOMP), or seccomp(2) with an operation that sets something. */
static void filtered(struct process *process, const struct event_syscall *call)
{
    enum { SET_SECCOMP = 22, SET_FILTER = 1 };
    bool sets = strcmp(call->desc->name, "seccomp") == 0
                    ? (uint32_t)call->args[0] <= SET_FILTER
                    : strcmp(call->desc->name, "prctl") == 0 && (uint32_t)call->args[0] == SET_SECCOMP;

    if (!sets)
        return;
    free(process->policy_by);
    process->policy_by = xstrdup_or_null(process->exe);
}

static void succeeded(struct process *process, const struct event *event)
{
    for (size_t i = 0; i < process->failure_count; i++) {
        struct failure *failure = &process->failures[i];

        if (failure->desc == event->syscall.desc && !failure->done_n && same_target(failure, &event->syscall))
            failure->done_n = event->n;
    }
    written(process, &event->syscall);
    filtered(process, &event->syscall);
}

void model_call(const struct model *model, struct process *process, const struct event *event)
{
    const struct event_syscall *call = &event->syscall;
    struct failure *failure;
    bool anew;

    if (!call->returned)
        return;
    for (size_t i = 0; i < process->failure_count; i++)
        if (!process->failures[i].next && process->failures[i].tid == event->tid)
            process->failures[i].next = call->desc;
    if (!call->error) {
        succeeded(process, event);
        return;
    }
    if (!worth_keeping(call))
        return;
    failure = failure_of(process, event);
    anew = !failure->count || failure->done_n;
    failure->last_n = event->n;
    failure->tid = event->tid;
    failure->count++;
    failure->done_n = 0;
    failure->next = NULL;
    if (anew && model->live && model->at_failure)
        model->at_failure(process, failure);
    if (anew && !failure->limit)
        failure->limit = limit_noted(event->sight);
}
