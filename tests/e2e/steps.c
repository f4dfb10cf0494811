/* Calls dlopen and its like in company of everything that can come between, and says what came of it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { THREADS = 8, CALLS = 1000, ROUNDS = 100, PAGE = 4096 };

void dl_mend(void); /* libdl.so.2 of steps_dl.c */
static sigjmp_buf out;
static atomic_int alarms, at_work;
static atomic_bool enough;

static void *call(void *missed)
{
    at_work++;
    for (int i = 0; i < CALLS; i++)
        *(int *)missed += !dlsym(RTLD_DEFAULT, i % 2 ? "nothing" : "none");
    return NULL;
}

static void *call_on(void *missed)
{
    while (!enough)
        call(missed);
    return NULL;
}

/* --- faults --- */

/* Where the instruction is said to be, in words that do not change from run to run. */
static const char *place(uintptr_t addr)
{
    if (addr == (uintptr_t)dlsym)
        return "dlsym";
    if (addr == (uintptr_t)dlvsym)
        return "dlvsym";
    if (addr == (uintptr_t)dlclose)
        return "dlclose";
    return addr ? "elsewhere" : "null";
}

static void *volatile page; /* the name that is not there */

static void on_fault(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    sigset_t blocked;

    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    printf("%s, code %d, at %s, address %s, blocked %d %d, name %s\n", strsignal(number), info->si_code,
           place((uintptr_t)registers[REG_RIP]), info->si_addr == page ? "the page" : place((uintptr_t)info->si_addr),
           sigismember(&blocked, SIGUSR1), sigismember(&blocked, SIGTRAP),
           number == SIGFPE ? (const char *)registers[REG_RSI] : "-");
    if (number == SIGSEGV && info->si_addr == page) {
        mprotect(page, PAGE, PROT_READ);
        return;
    }
    if (number == SIGSEGV)
        siglongjmp(out, 1);
    if (number == SIGILL)
        registers[REG_RIP] += 2;
    if (number == SIGFPE) {
        dl_mend();
        registers[REG_RAX] = 0;
    }
}

static int faults(void)
{
    static const int signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    void *handle = dlopen(NULL, RTLD_NOW);

    for (int i = 0; i < 4; i++)
        sigaction(signals[i], &action, NULL);
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(page, "main");
    mprotect(page, PAGE, PROT_NONE);
    printf("main: %d\n", dlsym(handle, page) == dlsym(handle, "main")); /* faults, and is mended */
    for (volatile int i = 0; i < 3; i++)
        if (!sigsetjmp(out, 1))
            printf("never: %p\n", dlsym(handle, (char *)8));
    printf("malloc: %d\n", dlvsym(RTLD_DEFAULT, "malloc", "GLIBC_2.2.5") != NULL);
    printf("close: %d\n", dlclose(handle));
    printf("missing: %d\n", dlsym(RTLD_DEFAULT, "nothing") == NULL);
    return 0;
}

static int crash(void)
{
    fflush(stdout);
    return dlsym(RTLD_DEFAULT, (char *)8) != NULL;
}

/* --- company --- */

static void on_alarm(int number)
{
    (void)number;
    alarms++;
}

/* A timer, and somebody who stops the process and lets it go on. */
static int stops(void)
{
    struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
    pthread_t threads[THREADS];
    int missed[THREADS] = {0}, sum = 0, status;
    pid_t pid = fork();

    if (!pid) {
        for (int i = 0; i < ROUNDS; i++) {
            kill(getppid(), SIGSTOP);
            usleep(500);
            kill(getppid(), SIGCONT);
            usleep(500);
        }
        _exit(0);
    }
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, call, &missed[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL), sum += missed[i];
    while (!alarms)
        sum += 0 * !dlsym(RTLD_DEFAULT, "nothing");
    setitimer(ITIMER_REAL, &never, NULL);
    while (waitpid(pid, &status, 0) != pid)
        continue;
    printf("%d, %d\n", sum, status);
    return 0;
}

static void wait_for_threads(int count)
{
    while (at_work < count)
        usleep(100);
}

/* Children of all kinds while others are at it. */
static int children(void)
{
    pthread_t threads[THREADS];
    int missed[THREADS] = {0}, bad = 0, status;

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, call_on, &missed[i]);
    wait_for_threads(THREADS);
    for (int i = 0; i < ROUNDS; i++) {
        pid_t pid = i % 4 == 3 ? vfork() : fork();

        if (!pid && i % 4 == 1)
            execl("/bin/true", "true", (char *)NULL);
        if (!pid)
            _exit(dlsym(RTLD_DEFAULT, "nothing") ? 1 : 0);
        bad += waitpid(pid, &status, 0) != pid || status;
    }
    enough = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%d\n", bad);
    return 0;
}

/* The process ends, or becomes another program, while its threads are in the middle of it. */
static int end(const char *how)
{
    static int missed[THREADS];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, call_on, &missed[i]);
    wait_for_threads(THREADS * 2);
    if (!strcmp(how, "exit"))
        _exit(7);
    if (!strcmp(how, "exec"))
        execl("/bin/echo", "echo", "another", (char *)NULL);
    kill(getpid(), SIGKILL);
    return 0;
}

static int threads(void)
{
    pthread_t threads[THREADS];
    int missed[THREADS] = {0}, sum = 0;

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, call, &missed[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL), sum += missed[i];
    printf("%d\n", sum);
    return 0;
}

/* Blocked signals stay blocked, and one that was sent meanwhile waits. */
static void on_trap(int number, siginfo_t *info, void *context)
{
    (void)context;
    printf("%d, code %d, value %d\n", number, info->si_code, info->si_value.sival_int);
}

static int traps(void)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    sigset_t all, pending;

    sigaction(SIGTRAP, &action, NULL);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (int i = 0; i < 10; i++)
        printf("%d", dlsym(RTLD_DEFAULT, "nothing") == NULL);
    raise(SIGTRAP);
    raise(SIGUSR1);
    for (int i = 0; i < 10; i++)
        printf("%d", dlsym(RTLD_DEFAULT, "nothing") == NULL);
    sigpending(&pending);
    printf(" %d %d\n", sigismember(&pending, SIGTRAP), sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_SETMASK, NULL, &pending);
    printf("%d %d\n", sigismember(&pending, SIGTRAP), sigismember(&pending, SIGUSR1));
    signal(SIGUSR1, SIG_IGN);
    sigemptyset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    __asm__ volatile("int3");
    printf("%d\n", dlsym(RTLD_DEFAULT, "nothing") == NULL);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    setvbuf(stdout, NULL, _IONBF, 0);
    if (!strcmp(what, "threads"))
        return threads();
    if (!strcmp(what, "faults"))
        return faults();
    if (!strcmp(what, "crash"))
        return crash();
    if (!strcmp(what, "stops"))
        return stops();
    if (!strcmp(what, "children"))
        return children();
    if (!strcmp(what, "traps"))
        return traps();
    return end(what);
}
