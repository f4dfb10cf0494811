/* Attaches to running processes, all threads of each, and lets go of them as they were. */
#include "session.h"

#include "state.h"

#include <probes/alloc.h>
#include <probes/proc.h>

#include <errno.h>
#include <string.h>

enum { CAPABILITY_SYS_PTRACE = 19, ROUNDS = 1000 };

static int refused(pid_t pid, const struct proc_status *status, struct err *err)
{
    int yama = proc_yama_scope();

    if (status->tracer) {
        CLEANUP_FREE char *path = xasprintf("/proc/%d/comm", (int)status->tracer);
        CLEANUP_FREE char *name = proc_read(path, 256, NULL);

        if (name)
            name[strcspn(name, "\n")] = 0;
        return err_set(err, "process %d is already traced by %d (%s); a process has one tracer at most: end that first",
                       (int)pid, (int)status->tracer, name ? name : "unknown");
    }
    if (yama == 3)
        return err_set(err, "attaching is switched off on this system until the next boot (kernel.yama.ptrace_scope is "
                            "3); launch the program under glibctrace instead");
    if (yama > 0 && !proc_capable(CAPABILITY_SYS_PTRACE))
        return err_set(err,
                       "cannot attach to process %d: kernel.yama.ptrace_scope is %d, which leaves it to %s; run as "
                       "root, or once: sudo sysctl kernel.yama.ptrace_scope=0",
                       (int)pid, yama, yama == 1 ? "a process's ancestors" : "administrators");
    if (geteuid() != 0)
        return err_set(err, "no permission to attach to process %d of user %u: run as that user or as root", (int)pid,
                       (unsigned)status->cred.uid);
    if (!proc_capable(CAPABILITY_SYS_PTRACE))
        return err_set(err,
                       "no permission to attach to process %d: this container lacks the capability; start it with "
                       "--cap-add=SYS_PTRACE",
                       (int)pid);
    return err_set(err, "no permission to attach to process %d: a security policy forbids it", (int)pid);
}

static int explain(pid_t pid, int error, struct err *err)
{
    struct proc_status status;
    int ret;

    if (proc_status_read(pid, &status) < 0 || error == ESRCH)
        ret = err_set(err, "there is no process %d (any more)", (int)pid);
    else if (status.state == 'Z' || status.state == 'X')
        ret = err_set(err,
                      "process %d (%s) has ended already and waits for its parent %d to notice (a zombie): there is "
                      "nothing to trace",
                      (int)pid, status.name, (int)status.parent);
    else if (status.kernel_thread)
        ret = err_set(err, "process %d (%s) is a thread of the kernel: it cannot be traced", (int)pid, status.name);
    else if (status.group == getpid())
        ret = err_set(err, "process %d is this glibctrace itself", (int)pid);
    else if (error == EPERM)
        ret = refused(pid, &status, err);
    else
        ret = err_errno(err, error, "cannot attach to process %d", (int)pid);
    proc_status_deinit(&status);
    return ret;
}

/* Seizes the threads of PID that are not yet ours. How many were new; threads that end meanwhile are no error. */
static size_t seize_new(struct session *session, pid_t pid)
{
    size_t count = 0, fresh = 0;
    CLEANUP_FREE pid_t *tids = proc_threads(pid, &count);
    struct group *group = group_find(&session->tasks, pid);

    for (size_t i = 0; i < count; i++) {
        if (task_find(&session->tasks, tids[i]) || ptrace_seize(tids[i], false))
            continue;
        follow_found(session, tids[i], group);
        ptrace_interrupt(tids[i]);
        fresh++;
    }
    return fresh;
}

static int attach(struct session *session, pid_t pid, struct err *err)
{
    struct proc_status status;

    if (proc_status_read(pid, &status) < 0)
        return explain(pid, ESRCH, err);
    pid_t leader = status.group; /* a thread's number stands for its process */

    proc_status_deinit(&status);
    if (group_find(&session->tasks, leader))
        return 0;
    int error = ptrace_seize(leader, false);

    if (error)
        return explain(leader, -error, err);
    if (!session->command)
        session->command = leader;
    follow_first(session, leader);
    ptrace_interrupt(leader);
    /* A thread made by one that was not ours yet was not followed: look again until nothing new is there. */
    for (int round = 0; round < ROUNDS && seize_new(session, leader); round++)
        continue;
    return 0;
}

int session_attach(const struct session_options *options, struct session_result *ret, struct err *err)
{
    struct session *session = session_create(options, true);
    int error = 0;

    session->plain = true;
    for (size_t i = 0; i < options->pid_count && !error; i++)
        error = attach(session, options->pids[i], err);
    if (!error) {
        session_record(session);
        session_tell(session, ret);
    }
    if (session->tasks.by_tid) {
        session->recording = !error; /* that they are let go of is the last event of each */
        loop_detach(session);
        session->recording = false;
        if (!error) {
            ret->end = SESSION_DETACHED;
            ret->events = session->events;
        }
    }
    session_destroy(session);
    return error;
}
