#include "peer.h"

#include "progress.h"

#include <probes/alloc.h>
#include <probes/proc.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum {
    CONNECT_MS = 5000,
    SAID_MOST = 32 * 1024, /* bytes of standard error that are kept: the last ones */
    OUT_MOST = 80 << 20,   /* bytes of .out that nobody has taken: more than any message; what follows is not read */
    CHUNK = 64 * 1024,
    SLICE_MS = 100, /* how often the progress line is looked after */
    BLIND_MS = 10,  /* … and a process without a pidfd */
    TERM_MS = 1000, /* between SIGTERM and SIGKILL */
    ROUNDS = 400,   /* of killing what is left, of 5 ms each */
    ROUND_MS = 5
};

uint64_t peer_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t peer_after(unsigned ms)
{
    return peer_now() + ms * UINT64_C(1000000);
}

/* ---- the host ---- */

static void stop_signals(sigset_t *ret)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    sigemptyset(ret);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction now;

        /* One that is ignored, as under nohup(1), ends nobody. */
        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(ret, signals[i]);
    }
}

int peer_host_open(struct progress *progress, struct peer_host *ret, struct err *err)
{
    sigset_t set;

    *ret = (struct peer_host){.stop = -1, .progress = progress};
    stop_signals(&set);
    ret->stop = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (ret->stop < 0)
        return err_errno(err, errno, "cannot watch for signals");
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGCHLD, SIG_DFL); /* where it is ignored nobody learns how a child ended */
    signal(SIGPIPE, SIG_IGN); /* a peer that reads no more is found by other signs */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return 0;
}

/* Every number in /proc whose process is to get SIGNAL. GROUP: those of that process group, but LEADER; else children
 * of this process. False where /proc cannot be read. */
static bool signal_each(pid_t group, pid_t leader, int signal_number)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;

    while (processes && (entry = readdir(processes))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        struct proc_status status;

        if (pid <= 0 || pid == leader || (group && getpgid(pid) != group))
            continue;
        if (!group) {
            if (proc_status_read(pid, &status) < 0)
                continue;
            bool ours = status.parent == getpid();

            proc_status_deinit(&status);
            if (!ours)
                continue;
        }
        kill(pid, signal_number);
    }
    if (processes)
        closedir(processes);
    return processes != NULL;
}

static void nap(unsigned ms)
{
    const struct timespec time = {.tv_nsec = ms * 1000000L};

    nanosleep(&time, NULL);
}

/* Children of children become ours when these die (the subreaper), so that a few rounds reach all. */
static void kill_what_is_left(void)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        pid_t got;

        while ((got = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (got < 0 && errno == ECHILD)
            return;
        signal_each(0, 0, SIGKILL);
        nap(ROUND_MS);
    }
}

void peer_host_close(struct peer_host *host)
{
    sigset_t set;

    kill_what_is_left();
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    signal(SIGPIPE, SIG_DFL);
    if (host->stop >= 0)
        close(host->stop);
    host->stop = -1;
    stop_signals(&set);
    if (host->stopped)
        raise(host->stopped); /* it is delivered with the next line */
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- start ---- */

static _Noreturn void become(const struct peer_start *start, int in, int out, int errors)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < SIGRTMIN; number++)
        signal(number, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(errors, 2) < 0)
        _exit(125);
    if (chdir(start->directory) < 0) {
        dprintf(2, "%s: %s\n", start->directory, strerror(errno));
        _exit(125);
    }
    execve(start->file, start->argv, start->env);
    dprintf(2, "%s: %s\n", start->file, strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

static void close_pipe(int pipe_ends[2])
{
    for (int i = 0; i < 2; i++)
        if (pipe_ends[i] >= 0)
            close(pipe_ends[i]);
}

static int open_input(bool quiet, int ret[2])
{
    if (!quiet ||
        (ret[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) /* none in a bare root: a pipe that is closed */
        return pipe2(ret, O_CLOEXEC);
    ret[1] = -1;
    return 0;
}

static void keep(int *ours, int fd)
{
    *ours = fd;
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int peer_start(struct peer_host *host, const struct peer_start *start, struct peer *ret, struct err *err)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, errors[2] = {-1, -1}, error;

    *ret = (struct peer){.host = host, .in = -1, .from = -1, .errors = -1, .output = -1, .pidfd = -1};
    if (open_input(start->quiet_input, in) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0 ||
        (ret->pid = fork()) < 0) {
        error = errno;
        close_pipe(in), close_pipe(out), close_pipe(errors);
        ret->pid = 0;
        return err_errno(err, error, "cannot start %s", start->file);
    }
    if (ret->pid == 0)
        become(start, in[0], out[1], errors[1]);
    setpgid(ret->pid, ret->pid); /* here as well: whoever comes first */
    close(in[0]), close(out[1]), close(errors[1]);
    keep(&ret->in, in[1]), keep(&ret->from, out[0]), keep(&ret->errors, errors[0]);
    if (start->quiet_input && ret->in >= 0) {
        close(ret->in);
        ret->in = -1;
    }
    ret->pidfd = (int)syscall(SYS_pidfd_open, ret->pid, 0); /* Linux 5.3 */
    return 0;
}

/* ---- talk ---- */

void peer_send(struct peer *peer, const char *text, size_t n)
{
    text_addn(&peer->unsent, text, n);
}

static void forget(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void send_some(struct peer *peer)
{
    ssize_t n = write(peer->in, peer->unsent.v + peer->sent, peer->unsent.n - peer->sent);

    if (n > 0)
        peer->sent += (size_t)n;
    if ((n < 0 && errno != EAGAIN && errno != EINTR) || peer->sent == peer->unsent.n) {
        text_clear(&peer->unsent);
        peer->sent = 0;
    }
}

/* Whether there was something. *FD is closed at its end. */
static bool read_some(int *fd, struct text *to)
{
    char bytes[CHUNK];
    ssize_t n = *fd < 0 ? -1 : read(*fd, bytes, sizeof bytes);

    if (n > 0)
        text_addn(to, bytes, (size_t)n);
    else if (*fd >= 0 && (n == 0 || (errno != EAGAIN && errno != EINTR)))
        forget(fd);
    return n > 0;
}

static void keep_the_end(struct text *said)
{
    if (said->n <= SAID_MOST)
        return;
    memmove(said->v, said->v + said->n - SAID_MOST / 2, SAID_MOST / 2 + 1);
    said->n = SAID_MOST / 2;
}

static void look_for_end(struct peer *peer)
{
    if (!peer->ended && waitpid(peer->pid, &peer->status, WNOHANG) == peer->pid)
        peer->ended = true;
}

static void look_for_stop(struct peer_host *host)
{
    struct signalfd_siginfo info;

    if (!host->stopped && read(host->stop, &info, sizeof info) == (ssize_t)sizeof info)
        host->stopped = (int)info.ssi_signo;
}

static void sleep_until_something(const struct peer *peer, uint64_t deadline_ns)
{
    bool full = peer->out.n >= OUT_MOST;
    struct pollfd fds[] = {
        {.fd = peer->host->stop, .events = POLLIN},       {.fd = peer->ended ? -1 : peer->pidfd, .events = POLLIN},
        {.fd = full ? -1 : peer->from, .events = POLLIN}, {.fd = peer->errors, .events = POLLIN},
        {.fd = peer->output, .events = POLLIN},           {.fd = peer->unsent.n ? peer->in : -1, .events = POLLOUT},
    };
    uint64_t now = peer_now(), left = deadline_ns > now ? (deadline_ns - now) / 1000000 + 1 : 0;
    unsigned slice = peer->pidfd < 0 ? BLIND_MS : SLICE_MS;

    poll(fds, sizeof fds / sizeof *fds, (int)(left < slice ? left : slice));
}

enum peer_news peer_wait(struct peer *peer, uint64_t deadline_ns)
{
    for (;;) {
        bool news = false, open = peer->from >= 0;

        look_for_stop(peer->host);
        if (peer->host->stopped)
            return PEER_STOPPED;
        look_for_end(peer); /* before reading: what it wrote at its end is there then */
        if (peer->in >= 0 && peer->unsent.n)
            send_some(peer);
        if (peer->out.n < OUT_MOST)
            news = read_some(&peer->from, &peer->out);
        news |= open && peer->from < 0;
        if (peer->socket && peer->from < 0)
            peer->in = -1;
        news |= read_some(&peer->errors, &peer->said);
        news |= read_some(&peer->output, &peer->said);
        keep_the_end(&peer->said);
        progress_tick(peer->host->progress);
        if (news)
            return PEER_DATA;
        if (peer->ended)
            return PEER_ENDED;
        if (peer_now() >= deadline_ns)
            return PEER_LATE;
        sleep_until_something(peer, deadline_ns);
    }
}

/* ---- a port ---- */

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

/* "127.0.0.1:4711", "[::1]:4711"; who listens on all addresses is reached by this machine's own. Nobody is talked to
 * outside of it. The size of *RET, 0 where it is no such address. */
static socklen_t parse_address(const char *address, union address *ret)
{
    const char *colon = strrchr(address, ':');
    CLEANUP_FREE char *host = colon ? xstrndup(address, (size_t)(colon - address)) : NULL;
    long port = colon ? strtol(colon + 1, NULL, 10) : 0;

    *ret = (union address){0};
    if (!host || port <= 0 || port > 65535)
        return 0;
    if (strcmp(host, "[::1]") == 0 || strcmp(host, "[::]") == 0) {
        ret->six = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        return sizeof ret->six;
    }
    ret->four = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (strcmp(host, "localhost") == 0 || strcmp(host, "0.0.0.0") == 0)
        return sizeof ret->four;
    return inet_pton(AF_INET, host, &ret->four.sin_addr) == 1 && ntohl(ret->four.sin_addr.s_addr) >> 24 == 127
               ? sizeof ret->four
               : 0;
}

int peer_connect(struct peer *peer, const char *address, struct err *err)
{
    union address to;
    socklen_t length = parse_address(address, &to);
    struct pollfd ready = {.events = POLLOUT};
    socklen_t size = sizeof(int);
    int error = 0;

    if (!length)
        return err_set(err, "it says that it listens at %s, which is no address of this machine", address);
    ready.fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ready.fd < 0)
        return err_errno(err, errno, "cannot make a socket");
    if (connect(ready.fd, &to.any, length) < 0 && errno != EINPROGRESS)
        error = errno;
    else if (poll(&ready, 1, CONNECT_MS) < 1)
        error = ETIMEDOUT;
    else if (getsockopt(ready.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error) {
        close(ready.fd);
        return err_errno(err, error, "it says that it listens at %s, but cannot be reached there", address);
    }
    text_clear(&peer->unsent);
    peer->sent = 0;
    forget(&peer->in);
    peer->output = peer->from;
    peer->socket = true;
    peer->in = peer->from = ready.fd;
    return 0;
}

/* ---- the end ---- */

static void signal_program(const struct peer *peer, int signal_number)
{
    if (!peer->tracer) {
        kill(-peer->pid, signal_number);
        return;
    }
    signal_each(peer->pid, peer->pid, signal_number);
    signal_each(0, peer->pid, signal_number); /* what has left the group and its parent */
}

/* Until it has ended, or MS have gone by: whether it has. What it writes is passed over. FILE is not NULL: until that
 * is there, too. */
static bool wait_for_end(struct peer *peer, unsigned ms, const char *file)
{
    uint64_t deadline = peer_after(ms);
    enum peer_news news = PEER_DATA;

    while (news != PEER_ENDED && news != PEER_STOPPED && peer_now() < deadline && !(file && access(file, F_OK) == 0)) {
        uint64_t slice = peer_after(SLICE_MS);

        news = peer_wait(peer, file && slice < deadline ? slice : deadline);
        text_clear(&peer->out);
    }
    return peer->ended;
}

void peer_end(struct peer *peer, unsigned grace_ms, unsigned report_ms, const char *report)
{
    if (!peer->pid)
        return;
    if (peer->unsent.n)
        peer_wait(peer, peer_after(grace_ms / 4));
    if (peer->socket)
        peer->from = -1;
    forget(&peer->in);
    if (!wait_for_end(peer, grace_ms, NULL)) {
        signal_program(peer, SIGTERM);
        if (!wait_for_end(peer, TERM_MS, NULL))
            signal_program(peer, SIGKILL);
        if (peer->tracer)
            wait_for_end(peer, report_ms, report);
    }
    if (!peer->ended)
        kill(-peer->pid, SIGKILL);
    kill_what_is_left();
    forget(&peer->from), forget(&peer->errors), forget(&peer->output), forget(&peer->pidfd);
    text_deinit(&peer->out), text_deinit(&peer->said), text_deinit(&peer->unsent);
    peer->pid = 0;
}
