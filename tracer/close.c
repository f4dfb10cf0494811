#include "close.h"

#include "state.h"

#include <probes/limits.h>

#include <sys/resource.h>

/* Two stops a call cost some 15 microseconds: three seconds of a program's time at most. */
enum { CALLS_WATCHED = 200000 };

static void watch_closely(struct group *group)
{
    group->close = true;
    group->close_left = CALLS_WATCHED;
}

void close_filter(struct session *session, struct task *task)
{
    if (!session->plain)
        watch_closely(task->group);
}

void close_limits(struct session *session, struct task *task)
{
    static const int resources[] = {RLIMIT_AS, RLIMIT_DATA};
    uint64_t soft, hard;

    for (size_t i = 0; !session->plain && i < sizeof resources / sizeof *resources && !task->group->close; i++)
        if (limits_get(task->group->pid, resources[i], &soft, &hard) && soft != LIMITS_INFINITE)
            watch_closely(task->group);
}

void close_inherit(const struct session *session, pid_t parent, struct group *child)
{
    const struct group *from = group_find(&session->tasks, parent);

    child->close = from && from->close;
    child->close_left = from ? from->close_left : 0;
}

void close_entry(struct session *session, struct task *task, const struct syscall_stop *stop)
{
    struct group *group = task->group;

    task->asked = *stop;
    if (!group->close || --group->close_left)
        return;
    group->close = false;
    session_note(
        session, task,
        "has a seccomp filter of its own or a limit of memory: after %d calls, those that these refuse are not "
        "seen any more",
        CALLS_WATCHED);
}

/* ERESTARTSYS and its like: it is made again (include/linux/errno.h of the kernel). */
static bool is_final(const struct syscall_stop *stop)
{
    return stop->failed && !(stop->ret <= -512 && stop->ret >= -516);
}

void close_exit(struct session *session, struct task *task, const struct syscall_stop *stop)
{
    const struct syscall_stop *asked = &task->asked;
    const struct call *call;
    bool filtered;

    if (asked->op == SYSCALL_NONE || !is_final(stop) || asked->abi == ABI_FOREIGN ||
        arch_native.rejected(asked->audit, asked->number))
        return;
    call = call_find_any(&session->index, asked->abi, asked->number, asked->args);
    if (!call || !call->exit_stop)
        return;
    filtered = call_is_filtered(&session->index, call);
    if (filtered && session->plain)
        return; /* told of as any other */
    if (!decode_entry(session, task, call, asked))
        return;
    task->pending.policy = filtered; /* ours asked for a stop, and none came */
    decode_exit(session, task, stop->ret, true);
}
