/* Life and death: processes and threads come to be, change their image and end, each told exactly once. */
#include "close.h"
#include "objects.h"
#include "state.h"

#include <probes/alloc.h>
#include <probes/proc.h>
#include <reports/crash.h>

#include <elf.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/wait.h>

static void emit_process(struct session *session, const struct task *task, struct event_process process)
{
    struct event event = {.type = EVENT_PROCESS, .process = process};

    session_emit(session, task, &event);
}

/* Reads the image of TASK's process and remembers what the tracer itself needs of it. */
static void image_event(struct session *session, struct task *task, enum process_what what)
{
    struct group *group = task->group;
    struct arch_state state = {0};
    struct proc_image read;

    const char *cwd = place_cwd(task); /* reads the root again, too, where it may have changed */

    if (what == PROCESS_EXEC && ptrace_state(task->tid, &state) < 0)
        state.sp_addr = 0;
    if (proc_image_read(group->leader_left ? task->tid : group->pid, task->place->root, cwd, state.sp_addr, &read) < 0)
        session->lost++;
    group->abi = ABI_NATIVE;
    while (group->abi < ABI_COMPAT && read.machine && read.machine != arch_native.abis[group->abi].machine)
        group->abi++;
    group->space->loader_base = read.loader_base;
    group->space->loader_end = read.loader_end;
    group->space->known = !read.musl;
    const struct image image = {
        .exe = read.exe,
        .argv = (const char *const *)read.argv,
        .env = (const char *const *)read.env,
        .cwd = read.cwd,
        .secure = read.secure,
        .cred = read.cred,
        .class = read.class,
        .machine = read.machine,
        .musl = read.musl,
        .loader_base = read.loader_base,
        .loader_end = read.loader_end,
    };

    emit_process(session, task, (struct event_process){.what = what, .image = &image});
    group->space->ignores_trap = read.ignored >> (SIGTRAP - 1) & 1;
    close_limits(session, task);
    watch_exec(session, task, &read);
    objects_exec(session, task, &read);
    proc_image_deinit(&read);
}

struct task *follow_first(struct session *session, pid_t pid)
{
    struct group *group = group_create(&session->tasks, pid, space_create());
    struct task *task = task_create(&session->tasks, pid);

    task_place(&session->tasks, task, group, place_read(pid));
    session->processes++;
    session->threads++;
    if (!session->attach)
        emit_process(session, task, (struct event_process){.what = PROCESS_START});
    return task;
}

void follow_found(struct session *session, pid_t tid, struct group *group)
{
    struct task *task = task_create(&session->tasks, tid);
    struct task *first = task_find(&session->tasks, group->pid);

    task_place(&session->tasks, task, group, first ? place_get(first->place) : place_read(tid));
    session->threads++;
}

void follow_attached(struct session *session, struct task *task)
{
    struct group *group = task->group;

    if (!group->told_start) {
        group->told_start = true;
        image_event(session, task, PROCESS_START);
    }
    if (task->tid != group->pid)
        emit_process(session, task, (struct event_process){.what = PROCESS_THREAD});
}

static void new_thread(struct session *session, struct task *task, struct group *group, struct place *place)
{
    task_place(&session->tasks, task, group, place);
    task->told = true;
    session->threads++;
    emit_process(session, task, (struct event_process){.what = PROCESS_THREAD});
}

static void new_process(struct session *session, struct task *task, struct space *space, struct place *place,
                        pid_t parent)
{
    struct group *group = group_create(&session->tasks, task->tid, space);

    close_inherit(session, parent, group);
    group->told_start = task->told = true;
    task_place(&session->tasks, task, group, place);
    session->processes++;
    session->threads++;
    emit_process(session, task, (struct event_process){.what = PROCESS_START, .parent = parent});
}

static struct space *space_copy(const struct space *space, pid_t pid)
{
    struct space *copy = space_create();

    *copy = *space;
    copy->references = 1;
    copy->breaks = breaks_copy(space->breaks);
    copy->recheck = true;
    copy->stacks = NULL;
    copy->go_known = false;
    copy->watch = watch_copy(space->watch, pid);
    copy->objects = objects_copy(space->objects, pid);
    return copy;
}

/* What clone(2) was asked to share; where its entry was not seen (just attached), what a thread or a fork would say. */
static uint64_t flags_of(const struct task *creator, pid_t child)
{
    const struct pending *pending = &creator->pending;
    struct proc_status status;
    uint64_t flags = 0;

    if (pending->call && (pending->call->kind == CALL_CLONE || pending->call->kind == CALL_CLONE3))
        return pending->clone_flags;
    if (!proc_status_read(child, &status) && status.group != child)
        flags = CLONE_THREAD | CLONE_VM | CLONE_FS;
    proc_status_deinit(&status);
    return flags;
}

/* A first stop or an end that came before its creator's word. */
static void catch_up(struct session *session, struct task *task)
{
    int status = task->held;

    task->held = 0;
    if (status)
        loop_dispatch(session, task->tid, status);
}

void follow_clone(struct session *session, struct task *creator, pid_t child)
{
    struct task *task = task_find(&session->tasks, child);
    uint64_t flags = flags_of(creator, child);

    if (!task)
        task = task_create(&session->tasks, child);
    else if (task->group)
        return; /* /proc told of it first */
    if (flags & CLONE_THREAD) {
        struct place *place = flags & CLONE_FS ? place_get(creator->place) : place_of_child(creator->place, child);

        new_thread(session, task, creator->group, place);
    } else {
        struct space *space = creator->group->space;
        struct group *parent = creator->group;

        new_process(session, task, flags & CLONE_VM ? space_get(space) : space_copy(space, task->tid),
                    place_of_child(creator->place, child), parent->pid);
        task->group->abi = parent->abi;
        if (flags & (CLONE_NEWNS | CLONE_FS))
            task->place->stale = true;
    }
    pin_inherit(&session->pin, creator, task);
    catch_up(session, task);
}

static void place_orphan(struct session *session, struct task *task)
{
    struct proc_status status;

    if (proc_status_read(task->tid, &status) < 0) {
        proc_status_deinit(&status);
        task_destroy(&session->tasks, task);
        return;
    }
    struct group *group = group_find(&session->tasks, status.group);

    if (group && status.group != task->tid) {
        new_thread(session, task, group, place_read(task->tid));
    } else {
        struct space *origin = breaks_origin(session, task->tid);

        group = group_find(&session->tasks, status.parent);
        if (!origin && group)
            origin = group->space;
        new_process(session, task, origin ? space_copy(origin, task->tid) : space_create(), place_read(task->tid),
                    status.parent);
        task->group->abi = group ? group->abi : ABI_NATIVE;
    }
    proc_status_deinit(&status);
    catch_up(session, task);
}

void follow_orphans(struct session *session)
{
    struct task *task, *next;

    if (!session->tasks.unplaced)
        return;
    HASH_ITER(hh, session->tasks.by_tid, task, next)
    if (!task->group && task->held)
        place_orphan(session, task);
}

struct task *follow_exec(struct session *session, pid_t tid)
{
    struct task *task = task_find(&session->tasks, tid);
    unsigned long former = 0;

    if (!ptrace_message(tid, &former) && (pid_t)former != tid) {
        struct task *caller = task_find(&session->tasks, (pid_t)former);

        if (caller && caller->group)
            task = task_rename(&session->tasks, caller, tid);
    }
    if (!task || !task->group)
        return task;
    struct group *group = task->group;

    if (session->recording)
        decode_exit(session, task, 0, false);
    pending_clear(&task->pending);
    task->in_call = false;
    group->leader_left = group->told_exiting = group->crash_told = false;
    crash_put(group->caught);
    group->caught = NULL;
    errors_settle(session, task, LOADER_CAUGHT);
    breaks_forget(task);
    space_put(group->space);
    group->space = space_create();
    if (group->pid == session->command)
        session->executed = true;
    if (session->recording)
        image_event(session, task, PROCESS_EXEC);
    return task;
}

/* STANDS: TASK stands at its exit, and can be looked at. */
static void tell_exiting(struct session *session, struct task *task, int status, bool stands)
{
    struct group *group = task->group;
    struct crash *crash;

    if (group->told_exiting)
        return;
    group->told_exiting = true;
    crash = stands && session->recording ? crash_at_exit(session, task, status) : NULL;
    if (stands)
        objects_at_end(session, task, status != 0);
    emit_process(session, task,
                 (struct event_process){
                     .what = PROCESS_EXITING,
                     .status = status,
                     .by_loader = WIFEXITED(status) && group->exit_by_loader,
                     .heard = stands && watch_hears(task),
                     .crash = crash,
                 });
    crash_put(crash);
}

void follow_exit_stop(struct session *session, struct task *task)
{
    struct group *group = task->group;
    unsigned long status = 0;
    struct arch_state state;
    bool whole = false;

    if (task->leaving)
        return;
    if (session->recording)
        crash_at_thread_exit(session, task);
    if (!ptrace_message(task->tid, &status)) {
        group->exit_status = (int)status;
        /* A fatal signal and exit_group(2) end all threads: their exit stops do not hold once the kernel kills them, so
         * this one is the last that is sure to stand. */
        whole = WIFSIGNALED(group->exit_status);
        bool known = session->recording && !ptrace_state(task->tid, &state);

        errors_at_exit(session, task, group->exit_status, known && decode_by(task, state.ip_addr) == BY_LOADER);
        if (!whole && known)
            whole = decode_leave(session, task, &state);
    }
    task->leaving = true;
    if (!--group->running || whole)
        tell_exiting(session, task, group->exit_status, true);
    if (task->tid == group->pid)
        group->leader_left = true;
}

void follow_end(struct session *session, struct task *task, int status)
{
    struct group *group = task->group;
    bool last = group->tasks == 1 || task->tid == group->pid;

    errors_settle(session, task, LOADER_OPEN);
    if (last) {
        tell_exiting(session, task, status, false);
        emit_process(session, task, (struct event_process){.what = PROCESS_EXIT, .status = status});
        if (group->pid == session->command)
            session_command_ended(session, status);
        breaks_bury(session, group->space);
        group_destroy(&session->tasks, group);
    } else {
        emit_process(session, task, (struct event_process){.what = PROCESS_THREAD_EXIT, .status = status});
        task_destroy(&session->tasks, task);
    }
    follow_orphans(session);
}

void follow_detach(struct session *session, struct task *task)
{
    if (task->released && task->group->crash_told)
        session_note(session, task,
                     "is the first process of its PID namespace, which no fault ends while it is traced: it was let go "
                     "of to die");
    else if (task->released)
        session_note(session, task, "is handed to a tracer of its own (ptrace): what it does from here on is not seen");
    errors_settle(session, task, LOADER_OPEN);
    breaks_lift(session, task);
    if (task->group->tasks == 1)
        emit_process(session, task, (struct event_process){.what = PROCESS_DETACHED});
}

/* Signals whose default action is to do nothing, to stop or to go on (signal(7)). */
static bool harmless(int signal)
{
    return signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT || signal == SIGSTOP ||
           signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

static bool fatal(const struct task *task, int signal)
{
    struct proc_status status;

    if (harmless(signal) || proc_status_read(task->tid, &status) < 0)
        return false;
    proc_status_deinit(&status);
    /* A blocked one that is delivered all the same was forced by the kernel (force_sig(), kernel/signal.c), which also
     * takes its handler away. */
    return !((status.caught | status.ignored) >> (signal - 1) & 1);
}

/* The parts of siginfo that one kind of signal has (sigaction(2)). */
static void signal_details(const siginfo_t *info, struct event_signal *ret)
{
    bool kernel = info->si_code > 0;

    if (info->si_code <= 0 && info->si_code != SI_TIMER) {
        ret->sender = info->si_pid;
        ret->uid = info->si_uid;
    }
    if (info->si_code == SI_QUEUE || info->si_code == SI_TIMER)
        ret->value = (uint64_t)(uintptr_t)info->si_ptr;
    if (info->si_code == SI_TIMER) {
        ret->timer = info->si_timerid;
        ret->overrun = info->si_overrun;
    }
    if (!kernel)
        return;
    switch (info->si_signo) {
    case SIGSEGV:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
    case SIGTRAP:
        ret->fault_addr = (uint64_t)(uintptr_t)info->si_addr;
        break;
    case SIGCHLD:
        ret->child = info->si_pid;
        ret->uid = info->si_uid;
        ret->status = info->si_status;
        ret->utime = info->si_utime;
        ret->stime = info->si_stime;
        break;
    case SIGIO:
        ret->band = info->si_band;
        ret->fd = info->si_fd;
        break;
    case SIGSYS:
        ret->fault_addr = (uint64_t)(uintptr_t)info->si_call_addr;
        ret->call = info->si_syscall;
        ret->arch = info->si_arch;
        break;
    }
}

void follow_signal(struct session *session, struct task *task, int signal)
{
    struct event event = {.type = EVENT_SIGNAL, .signal = {.signal = signal}};
    struct arch_state state;
    siginfo_t info;

    if (!ptrace_signal_info(task->tid, &info)) {
        event.signal.code = info.si_code;
        signal_details(&info, &event.signal);
        if (task->group->pid == session->command) {
            session->delivered = (struct signal_note){signal, event.signal.sender};
            session->delivered_ns = clock_ns();
        }
    }
    if (!session->recording)
        return;
    if (!harmless(signal) && !ptrace_state(task->tid, &state))
        event.signal.ip_addr = state.ip_addr;
    event.signal.fatal = fatal(task, signal);
    if (event.signal.fatal)
        errors_settle(session, task, decode_by(task, event.signal.ip_addr) == BY_LOADER ? LOADER_OPEN : LOADER_CAUGHT);
    if (info.si_signo == signal && !session->detaching)
        event.signal.crash = crash_at_signal(session, task, &info, event.signal.fatal);
    session_emit(session, task, &event);
    crash_put(event.signal.crash);
}
