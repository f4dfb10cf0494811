/* The signals that the tracer itself takes, and what the launched program had before.
 *
 * A handler can only leave a note, so this file holds the one mutable state that is not main's. Waiting is in
 * waitpid(2), which a handler interrupts; that the note may come just before the wait is mended by a timer that goes on
 * ringing until the note is read. */
#ifndef GLIBCTRACE_TRACER_SIGNALS_H
#define GLIBCTRACE_TRACER_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SIGNAL_SETUP_COUNT = 13 };
struct signal_setup {
    struct sigaction actions[SIGNAL_SETUP_COUNT];
    sigset_t mask;
};

/* Takes over; the state before is put into BEFORE. */
void signals_catch(struct signal_setup *before);
/* Gives it back (in a new process, before its execve). */
void signals_restore(const struct signal_setup *before);

struct signal_note {
    int signal;
    pid_t sender; /* 0: the kernel, that is the terminal */
};
/* Whether anything has been noted or the timer has rung since the last call; cheap enough for every event. */
bool signals_rang(void);
/* The next note, oldest first. */
bool signals_next(struct signal_note *ret);
/* Rings after NS nanoseconds and again every 50 ms until it is stopped with 0. */
void signals_timer(uint64_t ns);

/* In the process the user waits for: hands SIGNAL on to the tracer, which sees it as its own note. */
void signals_hand_on(pid_t tracer, const siginfo_t *info);
/* The other way: that process stops as SIGTSTP would stop it. A realtime signal, which one of the terminal's that is
 * still pending does not swallow (signal(7)). */
#define SIGNAL_FRONT_STOPS SIGRTMIN

#endif
