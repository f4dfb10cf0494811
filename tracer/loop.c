/* next: waits for what has happened, all of it; dispatch: one stop after the other, each restarted as its kind wants
 * (stop.h). */
#include "close.h"
#include "displace.h"
#include "objects.h"
#include "state.h"
#include "stop.h"

#include <probes/alloc.h>

#include <errno.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static void let_go(struct session *session, struct task *task, int signal)
{
    struct group *group = task->group;

    follow_detach(session, task);
    /* The kernel takes back a PTRACE_INTERRUPT that is still to be answered (ptrace_unlink(), kernel/ptrace.c). */
    ptrace_detach(task->tid, signal);
    task_destroy(&session->tasks, task);
    if (!group->tasks)
        group_destroy(&session->tasks, group);
}

static void restart(struct session *session, struct task *task, int signal)
{
    if (task->step && displace_restart(task, session->detaching || task->released))
        return;
    if (session->detaching || task->released) {
        let_go(session, task, signal);
        return;
    }
    /* -ESRCH: it was killed as it stood; its end will be waited for. */
    bool every = session->plain || task->in_call || (task->group->close && session->recording);

    ptrace_restart(task->tid, every ? RESTART_SYSCALL : RESTART_CONT, signal);
}

static void on_entry(struct session *session, struct task *task, const struct call *call,
                     const struct syscall_stop *stop)
{
    if (!call || !session->recording || session->detaching)
        return;
    /* A debugger starts a program that asks for it as its tracer, and there can be but one: that is left to it, where
     * no filter binds the program to us. */
    task->released = call->kind == CALL_PTRACE && (uint32_t)stop->args[0] == PTRACE_TRACEME && session->plain &&
                     task->group->pid != session->command;
    if (task->errors)
        errors_at_call(session, task, call, stop);
    if (!task->released)
        task->in_call = decode_entry(session, task, call, stop);
}

static void on_syscall(struct session *session, struct task *task, bool seccomp)
{
    struct syscall_stop stop;

    pin_stop(&session->pin, &session->tasks, task);
    if (ptrace_syscall_stop(task->tid, task->seen || task->in_call, seccomp, &stop) < 0)
        return;
    if (stop.op == SYSCALL_EXIT) {
        if (task->in_call && session->recording)
            decode_exit(session, task, stop.ret, stop.failed);
        else if (session->recording)
            close_exit(session, task, &stop);
        task->in_call = task->seen = false;
        task->asked.op = SYSCALL_NONE;
    } else if (stop.op == SYSCALL_SECCOMP && !session->plain) {
        task->asked.op = SYSCALL_NONE; /* no other filter has answered it */
        objects_poll(session, task, &stop);
        if (stop.data == CALL_DATA)
            on_entry(session, task, call_find(&session->index, stop.abi, stop.number, stop.args), &stop);
    } else if (stop.op == SYSCALL_ENTRY && session->plain) {
        task->seen = true;
        objects_poll(session, task, &stop);
        close_entry(session, task, &stop);
        if (stop.abi != ABI_FOREIGN && !arch_native.rejected(stop.audit, stop.number))
            on_entry(session, task, call_find(&session->index, stop.abi, stop.number, stop.args), &stop);
    } else if (stop.op == SYSCALL_ENTRY && task->group->close) {
        task->seen = true;
        close_entry(session, task, &stop);
    }
}

/* A thread that nobody has told us of: its first stop, or its end if it was killed before that, is kept for its
 * creator's event. */
static void on_unknown(struct session *session, pid_t tid, int status)
{
    struct task *task = task_find(&session->tasks, tid);

    if (!task) {
        if (!WIFSTOPPED(status) && session->detaching)
            return;
        task = task_create(&session->tasks, tid);
    } else if (session->detaching) {
        breaks_clean(session, NULL, tid);
        ptrace_detach(tid, 0);
        task_destroy(&session->tasks, task);
        return;
    }
    task->held = status;
}

/* While we let go, a new child is let go of at its own first stop, whichever of the two comes first. */
static void expect_child(struct session *session, const struct task *creator, pid_t tid)
{
    struct task *task = task_find(&session->tasks, tid);

    breaks_clean(session, creator->group->space, tid);
    if (!task) {
        task = task_create(&session->tasks, tid);
    } else if (task->held) {
        ptrace_detach(tid, 0);
        task_destroy(&session->tasks, task);
    }
}

/* The signal that TASK is to get when it goes on. */
static int on_signal(struct session *session, struct task *task, int signal)
{
    bool sent;

    if (signal == SIGTRAP && breaks_hit(session, task, &sent))
        return sent ? signal : 0;
    follow_signal(session, task, signal);
    return signal;
}

static void on_event(struct session *session, struct task *task, const struct stop *stop)
{
    unsigned long message = 0;

    switch (stop->kind) {
    case STOP_FORK:
    case STOP_VFORK:
    case STOP_CLONE:
        if (!ptrace_message(task->tid, &message) && session->detaching)
            expect_child(session, task, (pid_t)message);
        else if (message)
            follow_clone(session, task, (pid_t)message);
        if (task->in_call && session->recording && message)
            task->in_call = decode_cloned(session, task, (pid_t)message);
        break;
    case STOP_EXIT:
        follow_exit_stop(session, task);
        break;
    case STOP_SYSCALL:
    case STOP_SECCOMP:
        on_syscall(session, task, stop->kind == STOP_SECCOMP);
        break;
    case STOP_TRAP:
        if (task->stopped)
            session_job(session, task, SIGCONT);
        task->stopped = false;
        break;
    default:
        break;
    }
}

void loop_dispatch(struct session *session, pid_t tid, int status)
{
    struct stop stop = stop_classify(status);
    struct task *task = stop.kind == STOP_EXEC ? follow_exec(session, tid) : task_find(&session->tasks, tid);

    if (!task || !task->group) {
        on_unknown(session, tid, status);
        return;
    }
    if (stop.kind == STOP_EXITED || stop.kind == STOP_SIGNALED) {
        follow_end(session, task, status);
        return;
    }
    if (!task->told) {
        task->told = true;
        follow_attached(session, task);
    }
    int signal = task->step ? displace_stop(session, task, &stop) : -1;

    if (signal >= 0) {
        restart(session, task, signal);
        return;
    }
    if (stop.kind == STOP_GROUP && !session->detaching) {
        if (!task->stopped)
            session_job(session, task, stop.signal);
        task->stopped = true;
        ptrace_restart(tid, RESTART_LISTEN, 0);
        return;
    }
    if (task->group->space->recheck)
        breaks_recheck(session, task);
    if (stop.kind != STOP_SIGNAL)
        task->passed_addr = 0;
    if (stop.kind == STOP_SIGNAL) {
        restart(session, task, on_signal(session, task, stop.signal));
        return;
    }
    on_event(session, task, &stop);
    restart(session, task, 0);
}

enum { DRAIN_EVERY = 8 };

/* Puts what can be waited for into the queue: at least one, unless a signal came or nothing is left. The kernel looks
 * at them in an order of its own, so every now and then all that stand are taken, and none is starved by others that
 * stop more often; each time would be one system call more for every stop. */
static bool gather(struct session *session)
{
    int flags = __WALL, status;
    pid_t tid;

    session->wait_count = session->wait_next = 0;
    while ((tid = waitpid(-1, &status, flags)) > 0) {
        struct wait *wait = array_add(&session->waits, &session->wait_count, &session->wait_cap, sizeof *wait);

        *wait = (struct wait){tid, status};
        if (session->rounds++ % DRAIN_EVERY && session->wait_count == 1)
            break;
        flags |= WNOHANG;
    }
    return tid >= 0 || errno != ECHILD || session->wait_count;
}

/* The kernel knows of no thread of ours any more: those that we still know of were lost on the way. */
static void give_up(struct session *session)
{
    session->lost += HASH_CNT(hh, session->tasks.by_pid);
    tasks_deinit(&session->tasks);
}

/* Those that wait for a place to step at. */
static void restart_waiting(struct session *session)
{
    struct task *task;

    while ((task = displace_next(session)))
        restart(session, task, 0);
}

bool loop_step(struct session *session)
{
    bool more = gather(session);

    if (!more)
        give_up(session);

    while (session->wait_next < session->wait_count) { /* a dispatch may add to them */
        const struct wait wait = session->waits[session->wait_next++];

        loop_dispatch(session, wait.tid, wait.status);
    }
    session->wait_count = session->wait_next = 0;
    restart_waiting(session);
    if (signals_rang())
        session_attend(session);
    return more;
}

void loop_run(struct session *session)
{
    while (session->tasks.by_tid && !session->stop && loop_step(session))
        continue;
}

/* Whether only threads are left whose creator was killed before it could tell of them. */
static bool only_held(const struct session *session)
{
    const struct task *task;

    for (task = session->tasks.by_tid; task; task = task->hh.next)
        if (!task->held)
            return false;
    return true;
}

static void release_held(struct session *session)
{
    struct task *task, *next;

    HASH_ITER(hh, session->tasks.by_tid, task, next)
    if (task->held) {
        breaks_clean(session, NULL, task->tid);
        ptrace_detach(task->tid, 0);
        task_destroy(&session->tasks, task);
    }
}

void loop_detach(struct session *session)
{
    struct task *task, *next;

    session->detaching = true;
    breaks_lift_all(session);
    release_held(session);
    restart_waiting(session);
    HASH_ITER(hh, session->tasks.by_tid, task, next)
    ptrace_interrupt(task->tid);
    while (session->tasks.by_tid) {
        if (only_held(session))
            release_held(session);
        else if (!loop_step(session))
            break;
    }
}
