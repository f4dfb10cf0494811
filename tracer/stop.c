#include "stop.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/* ptrace(2), "Group-stop": only these four signals stop a process. */
static bool stops_a_process(int signal)
{
    return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

static enum stop_kind event_kind(int event, int signal)
{
    switch (event) {
    case PTRACE_EVENT_FORK:
        return STOP_FORK;
    case PTRACE_EVENT_VFORK:
        return STOP_VFORK;
    case PTRACE_EVENT_CLONE:
        return STOP_CLONE;
    case PTRACE_EVENT_VFORK_DONE:
        return STOP_VFORK_DONE;
    case PTRACE_EVENT_EXEC:
        return STOP_EXEC;
    case PTRACE_EVENT_EXIT:
        return STOP_EXIT;
    case PTRACE_EVENT_SECCOMP:
        return STOP_SECCOMP;
    case PTRACE_EVENT_STOP:
        return stops_a_process(signal) ? STOP_GROUP : STOP_TRAP;
    default:
        return STOP_UNKNOWN;
    }
}

struct stop stop_classify(int status)
{
    struct stop stop = {.kind = STOP_UNKNOWN};

    if (WIFEXITED(status)) {
        stop.kind = STOP_EXITED;
        stop.code = WEXITSTATUS(status);
    } else if (WIFSIGNALED(status)) {
        stop.kind = STOP_SIGNALED;
        stop.signal = WTERMSIG(status);
        stop.core = WCOREDUMP(status);
    } else if (WIFSTOPPED(status)) {
        /* The event stands above the signal (ptrace(2)): status>>8 == (SIGTRAP | PTRACE_EVENT_x << 8). */
        int event = (int)((unsigned)status >> 16);

        stop.signal = WSTOPSIG(status);
        if (event) {
            stop.kind = event_kind(event, stop.signal);
            if (stop.kind != STOP_GROUP)
                stop.signal = 0;
        } else if (stop.signal == (SIGTRAP | 0x80)) {
            stop.kind = STOP_SYSCALL;
            stop.signal = 0;
        } else {
            stop.kind = STOP_SIGNAL;
        }
    }
    return stop;
}

const char *stop_name(enum stop_kind kind)
{
    static const char *const names[] = {
        [STOP_EXITED] = "exited",
        [STOP_SIGNALED] = "killed by a signal",
        [STOP_SIGNAL] = "signal-delivery stop",
        [STOP_GROUP] = "group stop",
        [STOP_TRAP] = "trap stop",
        [STOP_SYSCALL] = "syscall stop",
        [STOP_SECCOMP] = "seccomp stop",
        [STOP_FORK] = "fork stop",
        [STOP_VFORK] = "vfork stop",
        [STOP_CLONE] = "clone stop",
        [STOP_VFORK_DONE] = "vfork-done stop",
        [STOP_EXEC] = "exec stop",
        [STOP_EXIT] = "exit stop",
        [STOP_UNKNOWN] = "unknown stop",
    };

    return names[kind];
}
