/* A session: one tree of processes, launched or attached to, followed until it ends or recording is stopped. Events go
 * to the sinks while the process in question stands still; how it all ended comes back. */
#ifndef GLIBCTRACE_TRACER_SESSION_H
#define GLIBCTRACE_TRACER_SESSION_H

#include <probes/err.h>
#include <reports/event.h>

#include <signal.h>
#include <stdio.h>

struct signal_setup;

enum filter_use {
    FILTER_AUTO, /* unless it would change what a set-user-ID program may do */
    FILTER_NO,   /* plain system call stops: slower, and nothing of the program's is changed */
};

struct session_options {
    char *const *argv; /* launch: the command, NULL-terminated */
    char *const *env;  /* launch: its environment, NULL-terminated; NULL: ours */
    const char *user;  /* launch: name or number in /etc/passwd, or NULL */
    const pid_t *pids; /* attach */
    size_t pid_count;
    enum filter_use filter;
    double seconds; /* stop recording after that time; 0: never */
    bool lookups;   /* symbol lookups are wanted, at two stops each */
    bool texts;     /* fill event_syscall.text */
    /* Whether EVENT's frames are wanted while it is told (event.stack); NULL: never. */
    bool (*stack_wanted)(void *ctx, const struct event *event);
    void *stack_ctx;
    bool quiet;     /* no line about processes that outlive the command */
    FILE *bindings; /* what every symbol reference is bound to is written there at the end, or NULL */
    const struct sink *sinks;
    size_t sink_count;
    pid_t front;                       /* the process that the user waits for (front.h), or 0 */
    const struct signal_setup *before; /* signal actions to give back to the command (signals.h), or NULL */
    /* Launch: called in the new process before anything is traced, for a scratch root or other descriptors; 0, or
     * -errno, which ends the launch. Or NULL. */
    int (*prepare)(void *ctx);
    void *prepare_ctx;
};

enum session_end {
    SESSION_EXITED,
    SESSION_SIGNALED,
    SESSION_EXEC_FAILED, /* code is 126 or 127, error the errno value of the last attempt */
    SESSION_DETACHED,    /* attached to, and let go of */
    SESSION_GOES_ON,     /* recording was stopped before the command ended */
};

struct session_result {
    enum session_end end;
    int code, signal, error;
    pid_t pid;          /* the command, or the first process attached to */
    uint64_t events;    /* all that were made */
    uint64_t processes; /* seen */
    uint64_t threads;   /* seen, first ones included */
    uint64_t lost;      /* stops whose event could not be made */
    uint64_t duration_ns;
    struct session *rest; /* processes that cannot live without us (their filter asks for a tracer), or NULL */
};

/* OPTIONS must live as long as the session, ret->rest included. Both return when recording is over: 0 with RET filled
 * in, or below zero with ERR where tracing did not come about. A signal set up with signals_catch() ends the recording
 * as signals.h says. */
int session_launch(const struct session_options *options, struct session_result *ret, struct err *err);
int session_attach(const struct session_options *options, struct session_result *ret, struct err *err);

/* Stays behind SESSION (session_result.rest), making no more events, until its last process has ended; frees it. ENDED
 * (or NULL) is called once, with the wait status, when the command itself ends. Must run in the process that launched.
 */
void session_stay(struct session *session, void (*ended)(void *ctx, int status), void *ctx);

#endif
