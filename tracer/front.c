#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum what { ENDED, REPORTED, STAYS };

struct message {
    enum what what;
    int status;
};

/* The handlers': who to hand a signal on to, and whether the command has ended. */
static volatile pid_t tracer;
static volatile sig_atomic_t has_ended;

static void hand_on(int signal, siginfo_t *info, void *context)
{
    int saved = errno;

    (void)signal;
    (void)context;
    if (tracer > 0)
        signals_hand_on(tracer, info);
    errno = saved;
}

/* By SIGTSTP, so that the shell says what it would say of the command. */
static void stop_here(void)
{
    const struct sigaction plain = {.sa_handler = SIG_DFL};
    struct sigaction ours;
    sigset_t one;

    sigemptyset(&one);
    sigaddset(&one, SIGTSTP);
    sigaction(SIGTSTP, &plain, &ours);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &one, NULL); /* here we stand, until the shell lets its job go on */
    sigprocmask(SIG_BLOCK, &one, NULL);
    sigaction(SIGTSTP, &ours, NULL);
}

/* The terminal stops its whole group; but a program may first put its screen in order, or not stop at all, and what the
 * shell sees of us is to be what the command does: the tracer tells us when it has stopped (session_job()). */
static void stop_too(int signal, siginfo_t *info, void *context)
{
    int saved = errno;

    if (has_ended || signal != SIGTSTP)
        stop_here();
    else
        hand_on(signal, info, context);
    errno = saved;
}

static const int handed_on[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

static void catch_signals(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART};

    sigfillset(&action.sa_mask);
    action.sa_sigaction = hand_on;
    for (size_t i = 0; i < sizeof handed_on / sizeof handed_on[0]; i++)
        sigaction(handed_on[i], &action, NULL);
    action.sa_sigaction = stop_too;
    sigaction(SIGTSTP, &action, NULL);
    sigaction(SIGNAL_FRONT_STOPS, &action, NULL);
}

static void silence(void)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
}

/* What was inherited from the user's shell may be the end of a pipe whose other end waits for us. */
static void close_others(void)
{
    enum { FEW = 1024 };

    if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0) /* Linux 5.9 */
        return;
    for (int fd = 3; fd < FEW; fd++)
        close(fd);
}

static _Noreturn void lost(pid_t child)
{
    int status = 0;

    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status))
        exit(WEXITSTATUS(status)); /* it has said why */
    if (WIFSIGNALED(status))
        fprintf(stderr, "glibctrace: the tracing process was ended by signal %d (%s)\n", WTERMSIG(status),
                strsignal(WTERMSIG(status)));
    exit(125);
}

/* The next message, or 0 when nobody is left who could send one. */
static int next_message(int fd, struct message *ret)
{
    ssize_t n;

    do
        n = read(fd, ret, sizeof *ret);
    while (n < 0 && errno == EINTR);
    return n == sizeof *ret;
}

static _Noreturn void wait_front(pid_t child, int fd)
{
    bool ended = false, reported = false, stays = false;
    struct message message;
    int status = 125;

    /* To the end of all messages: those who send them have exited by then, or stay behind by design. */
    while (next_message(fd, &message)) {
        ended |= message.what == ENDED;
        has_ended = ended;
        reported |= message.what == REPORTED;
        stays |= message.what == STAYS;
        if (message.what == ENDED)
            status = message.status;
    }
    if ((!ended || !reported) && !stays)
        lost(child);
    if (!ended || !reported)
        exit(125); /* the process that was to write the report is lost; the one that stays is not to be waited for */
    if (!stays)    /* no zombie is left to an init that reaps none, as in many containers */
        waitpid(child, NULL, 0);
    exit(status);
}

int front_split(struct front *ret, struct err *err)
{
    int fds[2];

    fflush(NULL);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, errno, "cannot make a pipe");
    *ret = (struct front){.pid = getpid(), .fd = fds[1]};
    signals_catch(&ret->before);
    tracer = fork();
    if (tracer < 0)
        return err_errno(err, errno, "cannot start the tracing process");
    if (tracer > 0) {
        close(fds[1]);
        catch_signals();
        wait_front(tracer, fds[0]);
    }
    close(fds[0]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != ret->pid)
        _exit(125); /* it was killed before the line above */
    return 0;
}

static void tell(const struct front *front, struct message message)
{
    /* Whole or not at all (PIPE_BUF); a front that is gone needs to be told nothing. */
    if (write(front->fd, &message, sizeof message) < 0)
        return;
}

void front_ended(const struct front *front, int status)
{
    tell(front, (struct message){ENDED, status});
}

void front_reported(const struct front *front)
{
    tell(front, (struct message){REPORTED, 0});
}

void front_leave(struct front *front)
{
    prctl(PR_SET_PDEATHSIG, 0);
    tell(front, (struct message){STAYS, 0});
    silence();
    close(front->fd);
    close_others();
    if (chdir("/") < 0)
        return; /* then it keeps a directory busy, no more */
}
