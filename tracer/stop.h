/* What a wait status of a traced thread means: a pure function, tested alone.
 *
 * Each kind's comment says how a thread that stands at it must be restarted (ptrace(2), "Stopped states"). Nothing here
 * calls the kernel. */
#ifndef GLIBCTRACE_TRACER_STOP_H
#define GLIBCTRACE_TRACER_STOP_H

#include <stdbool.h>

enum stop_kind {
    STOP_EXITED,   /* the thread has ended with a status: nothing to restart, its number may be used again */
    STOP_SIGNALED, /* the thread was ended by a signal: nothing to restart */
    STOP_SIGNAL,   /* a signal is about to be delivered: restart with that signal, or it is lost */
    STOP_GROUP,    /* the process is stopped by a job-control signal: PTRACE_LISTEN, so that it stays stopped and
                      SIGCONT is seen; any other restart would wake it */
    STOP_TRAP,     /* PTRACE_EVENT_STOP without a stopping signal: a new thread's first stop, PTRACE_INTERRUPT, or the
                      end of a group stop: restart with signal 0 */
    STOP_SYSCALL,  /* at the entry or the exit of a system call under PTRACE_SYSCALL; only PTRACE_GET_SYSCALL_INFO says
                      which: restart with signal 0 */
    STOP_SECCOMP,  /* the filter asks for the tracer, at the entry of a call: restart with PTRACE_SYSCALL where the
                      result is wanted, else with PTRACE_CONT; signal 0 */
    STOP_FORK,     /* in the middle of fork(2) or clone(2) with SIGCHLD, the child exists: restart as before the call,
                      signal 0 */
    STOP_VFORK,    /* the same for vfork(2) or CLONE_VFORK */
    STOP_CLONE,    /* the same for any other clone(2), threads above all */
    STOP_VFORK_DONE, /* a vfork's child has let go of the memory: restart as before, signal 0 */
    STOP_EXEC,       /* in a successful execve(2), the old image is gone: restart with signal 0 */
    STOP_EXIT,       /* on the way out, memory and registers still there: restart with signal 0 */
    STOP_UNKNOWN,    /* an event that we did not ask for (a newer kernel): restart with signal 0 */
};

struct stop {
    enum stop_kind kind;
    int signal; /* SIGNAL, GROUP: the signal; SIGNALED: what ended it */
    int code;   /* EXITED: exit status */
    bool core;  /* SIGNALED: a core was dumped */
};

/* STATUS as waitpid(2) gives it for a thread seized with PTRACE_O_TRACESYSGOOD. */
struct stop stop_classify(int status);
/* For messages: "signal-delivery stop", … */
const char *stop_name(enum stop_kind kind);

#endif
