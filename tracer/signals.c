#include "signals.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum how { TAKE, IGNORE, PLAIN };

static void take(int signal, siginfo_t *info, void *context);

/* Ours while the program runs. SIGTTOU and SIGTTIN: the tracer may be in a background group and still writes. SIGXFSZ:
 * it has the limits that it was started with, and a report that is longer than a file may be is an error to tell. */
static const struct {
    int signal;
    enum how how;
} taken[SIGNAL_SETUP_COUNT] = {
    {SIGINT, TAKE},    {SIGQUIT, TAKE},   {SIGTERM, TAKE},   {SIGHUP, TAKE},    {SIGUSR1, TAKE},
    {SIGUSR2, TAKE},   {SIGALRM, TAKE},   {SIGPIPE, IGNORE}, {SIGTTOU, IGNORE}, {SIGTTIN, IGNORE},
    {SIGTSTP, IGNORE}, {SIGXFSZ, IGNORE}, {SIGCHLD, PLAIN},
};

enum { NOTE_COUNT = 64 };

/* Written by the handler, read by the loop. When the ring is full the newest note is dropped: 64 unread signals say
 * nothing new. */
static struct {
    volatile sig_atomic_t rang;
    volatile sig_atomic_t head, tail;
    struct signal_note notes[NOTE_COUNT];
} state;

static void ring_until_read(void)
{
    const struct itimerval soon = {.it_interval = {.tv_usec = 50000}, .it_value = {.tv_usec = 20000}};

    setitimer(ITIMER_REAL, &soon, NULL);
}

static void take(int signal, siginfo_t *info, void *context)
{
    (void)context;
    int saved = errno;
    int next = (state.head + 1) % NOTE_COUNT;

    state.rang = 1;
    if (signal != SIGALRM && next != state.tail) {
        struct signal_note *note = &state.notes[state.head];

        /* A note handed on by the front process carries the signal and its sender in one int: 7 and 22 bits
         * (PID_MAX_LIMIT of the kernel). */
        if (signal == SIGUSR1 && info->si_code == SI_QUEUE) {
            note->signal = (int)((unsigned)info->si_value.sival_int >> 22);
            note->sender = info->si_value.sival_int & 0x3fffff;
        } else {
            note->signal = signal;
            note->sender = info->si_code == SI_USER || info->si_code == SI_QUEUE ? info->si_pid : 0;
        }
        state.head = next;
        ring_until_read();
    }
    errno = saved;
}

void signals_catch(struct signal_setup *before)
{
    sigset_t none;

    for (size_t i = 0; i < SIGNAL_SETUP_COUNT; i++) {
        struct sigaction action = {0};

        sigfillset(&action.sa_mask);
        if (taken[i].how == TAKE) {
            action.sa_sigaction = take;
            action.sa_flags = SA_SIGINFO; /* no SA_RESTART: the wait must end */
        } else {
            action.sa_handler = taken[i].how == IGNORE ? SIG_IGN : SIG_DFL;
        }
        sigaction(taken[i].signal, &action, &before->actions[i]);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, &before->mask);
}

void signals_restore(const struct signal_setup *before)
{
    const struct itimerval never = {0};

    setitimer(ITIMER_REAL, &never, NULL);
    for (size_t i = 0; i < SIGNAL_SETUP_COUNT; i++)
        sigaction(taken[i].signal, &before->actions[i], NULL);
    sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

bool signals_rang(void)
{
    if (!state.rang)
        return false;
    state.rang = 0;
    return true;
}

bool signals_next(struct signal_note *ret)
{
    if (state.tail == state.head)
        return false;
    *ret = state.notes[state.tail];
    state.tail = (state.tail + 1) % NOTE_COUNT;
    return true;
}

void signals_timer(uint64_t ns)
{
    struct itimerval timer = {0};

    if (ns) {
        timer.it_interval.tv_usec = 50000;
        timer.it_value.tv_sec = (time_t)(ns / 1000000000);
        timer.it_value.tv_usec = (suseconds_t)(ns % 1000000000 / 1000);
        if (!timer.it_value.tv_sec && timer.it_value.tv_usec < 1000)
            timer.it_value.tv_usec = 1000;
    }
    setitimer(ITIMER_REAL, &timer, NULL);
}

void signals_hand_on(pid_t tracer, const siginfo_t *info)
{
    pid_t sender = info->si_code == SI_USER || info->si_code == SI_QUEUE ? info->si_pid : 0;
    union sigval value = {.sival_int = (int)((unsigned)info->si_signo << 22 | ((unsigned)sender & 0x3fffff))};

    sigqueue(tracer, SIGUSR1, value);
}
