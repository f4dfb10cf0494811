/* The session's frame: events on their way to the sinks, signals and deadlines, and how it ends. Launching and
 * attaching are launch.c and attach.c. */
#include "objects.h"
#include "state.h"

#include <probes/alloc.h>
#include <probes/instruction.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum {
    FORWARD_DELAY_NS = 30 * 1000000,    /* how long the command has to get a signal by itself before it is handed on */
    FORWARD_MEMORY_NS = 1000 * 1000000, /* how long it is remembered that it did */
    PIN_CHECK_NS = 50 * 1000000,
    ANNOUNCE_DELAY_NS = 300 * 1000000, /* what ends right after the command needs no line */
};

uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void session_emit(struct session *session, const struct task *task, struct event *event)
{
    struct place *place = task->place;
    struct backtrace_memory memory;
    char root[64];

    if (!session->recording)
        return;
    if (place->stale && !task->leaving)
        place_refresh((struct task *)task);
    event->n = ++session->events;
    event->t_ns = clock_ns() - session->start_ns;
    event->pid = task->group->pid;
    event->tid = task->tid;
    event->root = place->root;
    event->cwd = place->cwd;
    if (place->root[0] && task->group->leader_left && task->tid != event->pid) {
        /* A first thread that has ended has no root any more (proc_pid_link() of a zombie, fs/proc/base.c). */
        snprintf(root, sizeof root, "/proc/%d/task/%d/root", (int)event->pid, (int)event->tid);
        event->root = root;
    }
    backtrace_attach(session, (struct task *)task, event, &memory);
    for (size_t i = 0; i < session->options->sink_count; i++)
        session->options->sinks[i].event(session->options->sinks[i].ctx, event);
    backtrace_release(event, &memory);
    event->root = place->root;
}

void session_note(struct session *session, const struct task *task, const char *format, ...)
{
    struct event event = {.type = EVENT_PROCESS, .process.what = PROCESS_NOTE};
    va_list ap;

    va_start(ap, format);
    CLEANUP_FREE char *text = xvasprintf(format, ap);
    va_end(ap);
    event.process.text = text;
    session_emit(session, task, &event);
}

void session_job(struct session *session, const struct task *task, int signal)
{
    /* As the shell would see it without us: its job is stopped, and goes on. */
    if (task->tid == session->command && session->options->front)
        kill(session->options->front, signal == SIGTSTP ? SIGNAL_FRONT_STOPS : signal == SIGCONT ? SIGCONT : SIGSTOP);
}

static bool delivered(const struct session *session, const struct forward *forward)
{
    return session->delivered.signal == forward->signal && session->delivered.sender == forward->sender &&
           session->delivered_ns + FORWARD_MEMORY_NS > forward->due_ns;
}

static void take_note(struct session *session, const struct signal_note *note)
{
    bool from_terminal =
        !note->sender && (note->signal == SIGINT || note->signal == SIGQUIT || note->signal == SIGTSTP);

    if (note->signal == SIGUSR1 || note->signal == SIGUSR2 || note->signal == SIGTSTP) {
        if (session->attach || session->ended)
            return;
    } else if (session->attach || session->ended) {
        session->stop = true;
        return;
    }
    /* The terminal's own signals reach the command as they reach us (but for SIGHUP, which goes to the session's leader
     * only: tty_signal_session_leader(), drivers/tty/tty_jobctrl.c of the kernel); one sent by a process that we follow
     * went to its whole group. */
    if (from_terminal || task_find(&session->tasks, note->sender))
        return;
    for (size_t i = 0; i < FORWARD_COUNT; i++) {
        struct forward *forward = &session->forwards[i];

        if (forward->due_ns && (forward->signal != note->signal || forward->sender != note->sender))
            continue;
        *forward = (struct forward){note->signal, note->sender, clock_ns() + FORWARD_DELAY_NS};
        return;
    }
}

static void send_forwards(struct session *session, uint64_t now)
{
    for (size_t i = 0; i < FORWARD_COUNT; i++) {
        struct forward *forward = &session->forwards[i];

        if (!forward->due_ns || forward->due_ns > now)
            continue;
        if (!session->ended && !delivered(session, forward))
            kill(session->command, forward->signal);
        forward->due_ns = 0;
    }
}

/* One line on what is still there; names are read from /proc now, once. */
static void announce(const struct session *session)
{
    unsigned groups = HASH_CNT(hh, session->tasks.by_pid);

    if (session->options->quiet || !groups)
        return;
    fprintf(stderr,
            "glibctrace: %s has ended, but %u process%s that it started (%d%s) %s on; tracing until the end of that, "
            "Ctrl-C or --for\n",
            session->options->argv[0], groups, groups == 1 ? "" : "es", (int)session->tasks.by_pid->pid,
            groups == 1 ? "" : ", …", groups == 1 ? "goes" : "go");
}

void session_command_ended(struct session *session, int status)
{
    session->ended = true;
    session->status = status;
    if (session->recording)
        session->announce_ns = clock_ns() + ANNOUNCE_DELAY_NS;
    session_attend(session);
}

static void earliest(uint64_t *soonest, uint64_t when)
{
    if (when && (!*soonest || when < *soonest))
        *soonest = when;
}

void session_attend(struct session *session)
{
    struct signal_note note;
    uint64_t now = clock_ns(), soonest = 0;

    while (signals_next(&note))
        take_note(session, &note);
    send_forwards(session, now);
    pin_check(&session->pin, &session->tasks);
    if (session->deadline_ns && session->deadline_ns <= now && session->recording)
        session->stop = true;
    if (session->announce_ns && session->announce_ns <= now) {
        announce(session);
        session->announce_ns = 0;
    }
    for (size_t i = 0; i < FORWARD_COUNT; i++)
        earliest(&soonest, session->forwards[i].due_ns);
    if (session->recording)
        earliest(&soonest, session->deadline_ns);
    earliest(&soonest, session->announce_ns);
    if (session->pin.on)
        earliest(&soonest, now + PIN_CHECK_NS);
    signals_timer(!soonest ? 0 : soonest > now ? soonest - now : 1);
}

struct session *session_create(const struct session_options *options, bool attach)
{
    struct session *session = xcalloc(1, sizeof *session);

    session->options = options;
    session->attach = attach;
    session->recording = true;
    session->report_fd = -1;
    pin_init(&session->pin, !attach);
    session->start_ns = clock_ns();
    call_index_init(&session->index, &arch_native, options->texts);
    session->descs = xcalloc(call_count, sizeof(void *));
    for (size_t i = 0; i < call_count; i++)
        session->descs[i] = syscall_by_name(calls[i].row);
    return session;
}

void session_destroy(struct session *session)
{
    tasks_deinit(&session->tasks);
    breaks_unbury(session);
    memory_pages_destroy(session->pages);
    images_destroy(session->images);
    files_destroy(session->files);
    disassembler_destroy(session->disassembler);
    call_index_deinit(&session->index);
    free(session->descs);
    free(session->waits);
    if (session->report_fd >= 0)
        close(session->report_fd);
    free(session);
}

void session_record(struct session *session)
{
    if (session->options->seconds > 0)
        session->deadline_ns = session->start_ns + (uint64_t)(session->options->seconds * 1e9);
    session_attend(session);
    loop_run(session);
    objects_at_stop(session);
    pin_off(&session->pin, &session->tasks);
    session->pin.allowed = false;
    errors_settle_all(session);
    session->recording = false;
    breaks_lift_all(session);
    session->stop = false;
    session->announce_ns = 0;
    session_attend(session);
}

void session_tell(const struct session *session, struct session_result *ret)
{
    *ret = (struct session_result){
        .end = SESSION_GOES_ON,
        .pid = session->command,
        .events = session->events,
        .processes = session->processes,
        .threads = session->threads,
        .lost = session->lost,
        .duration_ns = clock_ns() - session->start_ns,
    };
    if (session->ended && WIFEXITED(session->status)) {
        ret->end = SESSION_EXITED;
        ret->code = WEXITSTATUS(session->status);
    } else if (session->ended) {
        ret->end = SESSION_SIGNALED;
        ret->signal = WTERMSIG(session->status);
    }
}

void session_stay(struct session *session, void (*ended)(void *ctx, int status), void *ctx)
{
    bool told = session->ended;

    session->stop = false;
    do {
        if (session->tasks.by_tid)
            loop_step(session);
        else if (!session->ended)
            session->ended = waitpid(session->command, &session->status, 0) == session->command || errno == ECHILD;
        if (signals_rang())
            session_attend(session);
        if (session->ended && !told) {
            told = true;
            if (ended)
                ended(ctx, session->status);
        }
    } while (session->tasks.by_tid || !session->ended);
    session_destroy(session);
}
