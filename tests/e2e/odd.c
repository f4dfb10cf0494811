/* Programs that a breakpoint in the loader could break, one a word: what each prints, and how it ends, must be the same
 * with and without a tracer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static volatile sig_atomic_t caught;
static sigjmp_buf back;

static void on_signal(int signal)
{
    (void)signal;
    caught++;
}

static void on_trap_come_back(int signal)
{
    caught++;
    siglongjmp(back, signal);
}

/* One error of the loader, of each sort that is cheap. */
static int failures(void)
{
    return !dlopen("libnowhere.so.9", RTLD_NOW) + !dlsym(RTLD_DEFAULT, "no_such_symbol") +
           !dlopen("/proc/self/status", RTLD_LAZY);
}

static int of_child(pid_t child)
{
    int status = -1;

    waitpid(child, &status, __WALL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static uint64_t sum_of(const unsigned char *at, size_t size)
{
    uint64_t sum = 14695981039346656037u;

    for (size_t i = 0; i < size; i++)
        sum = (sum ^ at[i]) * 1099511628211u;
    return sum;
}

static int code_of_program(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size, (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];

        if (phdr->p_type == PT_LOAD && phdr->p_flags & PF_X)
            printf("%lx\n", sum_of((const unsigned char *)info->dlpi_addr + phdr->p_vaddr, phdr->p_memsz));
    }
    return 1; /* only the first: the program */
}

static int own_code(void)
{
    printf("%d\n", failures());
    dl_iterate_phdr(code_of_program, NULL);
    return 0;
}

static int traps(void)
{
    signal(SIGTRAP, on_signal);
    for (int i = 0; i < 100; i++) {
        __asm__ volatile("int3");
        raise(SIGTRAP);
        failures();
    }
    printf("%d\n", caught);
    signal(SIGTRAP, on_trap_come_back);
    for (int i = 0; i < 100; i++)
        if (!sigsetjmp(back, 1))
            __asm__ volatile("int3");
    printf("%d\n", caught);
    return 0;
}

/* A breakpoint that nobody put there ends the program. */
static int trap_of_its_own(void)
{
    puts("before");
    fflush(stdout);
    failures();
    __asm__ volatile("int3");
    puts("after");
    return 0;
}

static void print_line_of_status(const char *key)
{
    FILE *file = fopen("/proc/thread-self/status", "r");
    char line[4096];

    while (fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key)))
            fputs(line, stdout);
    fclose(file);
}

/* The kernel unblocks a signal that it has to force (force_sig_info_to_task() in kernel/signal.c): a breakpoint's
 * SIGTRAP too. */
static int trap_blocked(void)
{
    const struct timespec at_once = {0, 0};
    sigset_t all;

    sigfillset(&all);
    /* Bound now: a breakpoint's signal cannot be told from one that is pending. */
    sigtimedwait(&all, NULL, &at_once);
    sigprocmask(SIG_SETMASK, &all, NULL);
    print_line_of_status("SigBlk");
    printf("%d\n", failures());
    print_line_of_status("SigBlk");
    raise(SIGTRAP);
    printf("%d\n", sigtimedwait(&all, NULL, &at_once));
    return 0;
}

/* And it takes the handler away. */
static int trap_handled(void)
{
    sigset_t all;
    struct sigaction old;

    signal(SIGTRAP, on_signal);
    for (int i = 0; i < 3; i++) {
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        printf("%d\n", failures());
        sigaction(SIGTRAP, NULL, &old);
        puts(old.sa_handler == on_signal ? "handled" : "lost");
        raise(SIGTRAP);
        printf("%d %d\n", failures(), caught);
        sigemptyset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        printf("%d\n", caught);
    }
    return 0;
}

static int trap_ignored(void)
{
    struct sigaction old;

    signal(SIGTRAP, SIG_IGN);
    printf("%d\n", failures());
    sigaction(SIGTRAP, NULL, &old);
    puts(old.sa_handler == SIG_IGN ? "ignored" : "lost");
    raise(SIGTRAP);
    return 0;
}

static int fails_as_child(void *unused)
{
    (void)unused;
    _exit(10 + failures());
}

static char stack[1 << 20] __attribute__((aligned(16)));

static int children(void)
{
    int sum[4] = {0};

    for (int i = 0; i < 10; i++) {
        pid_t child = fork();

        if (!child)
            fails_as_child(NULL);
        failures();
        sum[0] += of_child(child);
        sum[1] += of_child(clone(fails_as_child, stack + sizeof stack, SIGCHLD, NULL));
        sum[2] += of_child(clone(fails_as_child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
        sum[3] += of_child(clone(fails_as_child, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL));
    }
    printf("%d %d %d %d\n", sum[0], sum[1], sum[2], sum[3]);
    return 0;
}

/* A child that no tracer follows has a copy of the memory, with whatever was put into it. */
static int untraced_child(void)
{
    printf("%d\n", of_child(clone(fails_as_child, stack + sizeof stack, CLONE_UNTRACED | SIGCHLD, NULL)));
    return 0;
}

static pid_t started(void)
{
    pid_t child = vfork();

    if (!child) {
        execl("/proc/self/exe", "odd", "fails", NULL);
        _exit(99);
    }
    return child;
}

static int spawned(void)
{
    int sum = 0;

    for (int i = 0; i < 10; i++) {
        pid_t child;

        if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, (char *[]){"odd", "fails", NULL}, environ))
            return 1;
        sum += of_child(child) + of_child(started());
    }
    printf("%d\n", sum);
    return 0;
}

static int fails(void)
{
    return failures();
}

static atomic_bool over;
static atomic_int good, finished;

static void *opens(void *unused)
{
    for (int i = 0; i < 50; i++) {
        void *handle = dlopen("libm.so.6", RTLD_NOW);

        good += handle && dlsym(handle, "sqrt") && failures() == 3 && !dlclose(handle);
    }
    finished++;
    return unused;
}

static void *signals_all(void *threads)
{
    while (!over) {
        for (int i = 0; i < 4; i++)
            pthread_kill(((pthread_t *)threads)[i], SIGUSR1);
        usleep(100);
    }
    return NULL;
}

static int threads_and_signals(void)
{
    pthread_t threads[4], sender;
    struct itimerval often = {{0, 500}, {0, 500}};

    signal(SIGUSR1, on_signal);
    signal(SIGALRM, on_signal);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, opens, NULL);
    pthread_create(&sender, NULL, signals_all, threads);
    while (finished < 4)
        sched_yield();
    over = true;
    pthread_join(sender, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    printf("%d %d\n", good, caught > 0);
    return 0;
}

static void on_signal_open(int signal)
{
    (void)signal;
    caught += failures();
}

static int opens_in_a_handler(void)
{
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = on_signal_open, .sa_flags = SA_ONSTACK};

    sigaltstack(&other, NULL);
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 50; i++)
        raise(SIGUSR1);
    printf("%d\n", caught);
    return 0;
}

/* The library's constructor calls back, and we leave it by a jump, or open another from within. */
static sigjmp_buf out_of_constructor;
static int depth;

__attribute__((visibility("default"))) void from_constructor(void);
void from_constructor(void)
{
    const char *mode = getenv("ODD_CONSTRUCTOR");

    printf("in a constructor, %d failures\n", failures());
    if (!strcmp(mode, "jump"))
        siglongjmp(out_of_constructor, 1);
    if (depth++ == 0)
        printf("inner %d\n", dlopen(getenv("ODD_INNER"), RTLD_NOW) != NULL);
}

static int constructors(void)
{
    setenv("ODD_CONSTRUCTOR", "nest", 1);
    printf("outer %d\n", dlopen(getenv("ODD_OUTER"), RTLD_NOW) != NULL);
    printf("%d\n", failures());
    return 0;
}

static int jumps_out(void)
{
    setenv("ODD_CONSTRUCTOR", "jump", 1);
    if (!sigsetjmp(out_of_constructor, 1))
        dlopen(getenv("ODD_OUTER"), RTLD_NOW);
    puts("out");
    return 4;
}

static int executes_itself(void)
{
    const char *left = getenv("ODD_LEFT");
    char text[16];
    int n = left ? atoi(left) : 20;

    if (failures() != 3)
        return 1;
    snprintf(text, sizeof text, "%d", n - 1);
    setenv("ODD_LEFT", text, 1);
    if (n)
        execl("/proc/self/exe", "odd", "itself", NULL);
    puts("done");
    return 5;
}

static int aborts(void)
{
    failures();
    fputs("about to abort\n", stderr);
    abort();
}

static int not_dumpable(void)
{
    prctl(PR_SET_DUMPABLE, 0);
    printf("%d %d\n", failures(), prctl(PR_GET_DUMPABLE));
    return 0;
}

/* A new copy of the C library, and the loader's words in there. */
static int other_namespace(void)
{
    void *handle = dlmopen(LM_ID_NEWLM, "libm.so.6", RTLD_NOW);

    printf("%d %d %d\n", handle != NULL, dlsym(handle, "no_such_symbol") != NULL,
           dlmopen(LM_ID_NEWLM, "libnowhere.so.9", RTLD_NOW) != NULL);
    return failures();
}

int main(int argc, char **argv)
{
    const struct {
        const char *word;
        int (*run)(void);
    } words[] = {
        {"code", own_code},
        {"traps", traps},
        {"trap", trap_of_its_own},
        {"blocked", trap_blocked},
        {"handled", trap_handled},
        {"ignored", trap_ignored},
        {"children", children},
        {"untraced", untraced_child},
        {"spawned", spawned},
        {"fails", fails},
        {"threads", threads_and_signals},
        {"handler", opens_in_a_handler},
        {"constructors", constructors},
        {"jumps", jumps_out},
        {"itself", executes_itself},
        {"aborts", aborts},
        {"undumpable", not_dumpable},
        {"namespace", other_namespace},
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc > 1 && i < sizeof words / sizeof words[0]; i++)
        if (!strcmp(argv[1], words[i].word))
            return words[i].run();
    return 2;
}
