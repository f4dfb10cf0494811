/* What test_transparent.py and test_attach.py run under glibctrace: one behaviour a word. It prints what it sees, so that
 * a run with and one without the tracer can be compared. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_errno(const char *path)
{
    int fd = open(path, O_RDONLY);

    if (fd >= 0)
        close(fd);
    return fd < 0 ? errno : 0;
}

static void told(const char *fifo, char c)
{
    int fd = open(fifo, O_WRONLY);

    if (write(fd, &c, 1) != 1)
        _exit(99);
    close(fd);
}

static char asked(const char *fifo)
{
    int fd = open(fifo, O_RDONLY);
    char c = 0;

    if (read(fd, &c, 1) != 1)
        _exit(98);
    close(fd);
    return c;
}

static void print_line_of_status(const char *key)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[4096];

    while (fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key)))
            fputs(line, stdout);
    fclose(f);
}

/* What a program can see of its place in the world. */
static int world(void)
{
    cpu_set_t set;

    sched_getaffinity(0, sizeof set, &set);
    printf("processors %d\n", CPU_COUNT(&set));
    for (const char *const *key = (const char *const[]){"SigBlk", "SigIgn", "SigCgt", "SigPnd", "Uid", "Gid", "Groups",
                                                        "CapEff", "Cpus_allowed_list", NULL};
         *key; key++)
        print_line_of_status(*key);
    if (geteuid() == 0) /* others need the flag for a filter to be put on them (seccomp(2)) */
        print_line_of_status("NoNewPrivs");
    mode_t mask = umask(0);
    printf("umask %o\n", (unsigned)mask);
    for (int fd = 0; fd < 100; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("descriptor %d\n", fd);
    printf("children %d %s\n", wait(NULL), strerror(errno));
    return 0;
}

static void *open_many(void *arg)
{
    for (int i = 0; i < 500; i++)
        if (open_errno("nothere") != ENOENT)
            *(int *)arg = 1;
    return NULL;
}

static int threads(void)
{
    pthread_t t[8];
    int bad[8] = {0}, sum = 0;

    for (int i = 0; i < 8; i++)
        pthread_create(&t[i], NULL, open_many, &bad[i]);
    for (int i = 0; i < 8; i++) {
        pthread_join(t[i], NULL);
        sum += bad[i];
    }
    printf("wrong %d\n", sum);
    return 0;
}

static void *exec_it(void *arg)
{
    (void)arg;
    execl("/bin/sh", "sh", "-c", "echo executed by a thread; exit 6", NULL);
    return NULL;
}

static void *wait_for_ever(void *arg)
{
    (void)arg;
    for (;;)
        pause();
    return NULL;
}

static int thread_exec(void)
{
    pthread_t t;

    for (int i = 0; i < 3; i++)
        pthread_create(&t, NULL, wait_for_ever, NULL);
    pthread_create(&t, NULL, exec_it, NULL);
    wait_for_ever(NULL);
    return 1;
}

static void *leave_last(void *arg)
{
    (void)arg;
    while (open_errno("/proc/self/task/1") == -1)
        continue;
    _exit(9);
}

/* The first thread ends before the process does. */
static int leader_leaves(void)
{
    pthread_t t;

    pthread_create(&t, NULL, leave_last, NULL);
    pthread_exit(NULL);
}

static int children(void)
{
    int status, sum = 0;

    for (int i = 0; i < 40; i++)
        if (!fork())
            _exit(open_errno("nothere") == ENOENT ? i : 99);
    for (int i = 0; i < 40; i++) {
        wait(&status);
        sum += WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
    }
    printf("sum %d\n", sum);
    pid_t pid;
    char *argv[] = {"sh", "-c", "echo spawned; exit 4", NULL};

    fflush(stdout);
    posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ);
    waitpid(pid, &status, 0);
    printf("spawn %d\n", WEXITSTATUS(status));
    pid = vfork();
    if (!pid) {
        execl("/nothere", "x", NULL);
        _exit(errno == ENOENT ? 5 : 1);
    }
    waitpid(pid, &status, 0);
    printf("vfork %d\n", WEXITSTATUS(status));
    return 0;
}

/* A child stops itself, is seen stopped, goes on, is seen to go on, ends. */
static int stops(void)
{
    int signals[] = {SIGSTOP, SIGTSTP, SIGTTIN};
    int status, go[2];
    char c = 0;

    if (pipe(go) < 0)
        return 1;
    setpgid(0, 0); /* not an orphaned group's default for SIGTSTP, where the caller's is */
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();

        if (!pid) {
            setpgid(0, 0);
            raise(signals[i]);
            _exit(read(go[0], &c, 1) == 1 ? open_errno("nothere") : 97);
        }
        waitpid(pid, &status, WUNTRACED);
        printf("stopped %d by %d\n", WIFSTOPPED(status), WIFSTOPPED(status) ? WSTOPSIG(status) : -1);
        kill(pid, SIGCONT);
        waitpid(pid, &status, WCONTINUED);
        printf("continued %d\n", WIFCONTINUED(status));
        if (write(go[1], &c, 1) != 1)
            return 1;
        waitpid(pid, &status, 0);
        printf("exited %d\n", WEXITSTATUS(status));
    }
    return 0;
}

static volatile sig_atomic_t count, sum, sender;

static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    count++;
    sum += info->si_value.sival_int;
    sender = info->si_pid;
}

static void catch(int signal)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

    sigaction(signal, &action, NULL);
}

static int signals(void)
{
    catch(SIGUSR1);
    catch(SIGRTMIN);
    for (int i = 0; i < 200; i++)
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
    printf("handled %d sum %d from me %d\n", count, sum, sender == getpid());
    signal(SIGUSR2, SIG_IGN);
    raise(SIGUSR2);
    /* A call that a handler interrupts says so, and one that is to be restarted is. */
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

    sigaction(SIGALRM, &action, NULL);
    ualarm(20000, 0);
    int r = pause(), e = errno;
    printf("pause %d %s\n", r, strerror(e));
    return 0;
}

static int untraced(void)
{
    int status;
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0);

    if (!pid)
        _exit(open_errno("/nothere/at/all"));
    waitpid(pid, &status, 0);
    printf("errno in the child %d\n", WEXITSTATUS(status));
    return 0;
}

static int own_filter(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, code};

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    printf("openat %d access %d\n", open_errno("/"), access("/nothere", F_OK) ? errno : 0);
    return 0;
}

static int traceme(void)
{
    int status;
    pid_t pid = fork();

    if (!pid) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
            _exit(errno == EPERM ? 40 : 41);
        raise(SIGSTOP);
        _exit(42);
    }
    for (;;) {
        waitpid(pid, &status, 0);
        if (!WIFSTOPPED(status))
            break;
        ptrace(PTRACE_CONT, pid, 0, 0);
    }
    printf("child %d\n", WEXITSTATUS(status));
    return 0;
}

/* Starts a daemon that tells FIFO when asked, and ends: argv[2] to it, argv[3] from it. */
static int daemonises(char **argv)
{
    if (fork())
        return 3;
    setsid();
    if (fork())
        _exit(0);
    int null = open("/dev/null", O_RDWR);

    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    for (char c; (c = asked(argv[2])) != 'q';)
        told(argv[3], open_errno("/nothere/at/all") == ENOENT && !open_errno("/") ? 'y' : 'n');
    told(argv[3], 'e');
    return 0;
}

static void tell_signal(int signal)
{
    char text[] = "signals 0\n";

    (void)signal;
    text[8] = (char)('0' + ++count);
    if (write(1, text, 10) != 10)
        _exit(96);
}

/* Tells of each signal on standard output, ends after 'q' on standard input. */
static int signalled(void)
{
    const struct sigaction action = {.sa_handler = tell_signal, .sa_flags = SA_RESTART};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    if (write(1, "ready\n", 6) != 6)
        return 1;
    for (char c; read(0, &c, 1) == 1 && c != 'q';)
        continue;
    return 5;
}

static void *serve(void *arg)
{
    (void)arg;
    for (;;) {
        open_errno("/nothere/in a thread");
        usleep(1000);
    }
    return NULL;
}

/* Threads that work, and an answer for every byte on standard input: to be attached to. */
static int serves(void)
{
    pthread_t t;

    for (int i = 0; i < 4; i++)
        pthread_create(&t, NULL, serve, NULL);
    printf("ready\n");
    fflush(stdout);
    for (char c; read(0, &c, 1) == 1;) {
        printf("%c %d\n", c, open_errno("/nothere/asked"));
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct {
        const char *word;
        int (*run)(void);
    } words[] = {
        {"world", world},       {"threads", threads},   {"thread-exec", thread_exec}, {"leader-leaves", leader_leaves},
        {"children", children}, {"stops", stops},       {"signals", signals},         {"untraced", untraced},
        {"filter", own_filter}, {"traceme", traceme},   {"signalled", signalled},     {"serves", serves},
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 3 && !strcmp(argv[1], "daemon"))
        return daemonises(argv);
    for (size_t i = 0; argc > 1 && i < sizeof words / sizeof words[0]; i++)
        if (!strcmp(argv[1], words[i].word))
            return words[i].run();
    return 2;
}
