/* Breakpoints in a child that is a fork of this program, so that its functions' addresses are known. It acts by words;
 * chdir("set") is where breakpoints are set, the events of a session being made while the thread stands. */
#include <probes/alloc.h>
#include <probes/instruction.h>
#include <tracer/breaks.h>
#include <tracer/state.h>

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { THREADS = 8, CALLS = 2000, FORKS = 200 };

/* --- the functions that are watched: each begins with another kind of instruction --------------------------------- */

long with_push(long a, long b);
long with_sub(long a, long b);
long with_endbr(long a, long b);
long with_load(long a, long b);
long with_jump(long a, long b);
/* These the processor has to do, at another place. */
long with_thread(long a, long b);
long with_branch(long a, long b);
long with_tail(long a, long b);
long with_vector(long a, long b);
long with_call(long a, long b);
long with_syscall(long a, long b);
__asm__(".text\n"
        "with_push: push %rbx\n mov %rdi, %rbx\n lea (%rbx,%rsi), %rax\n pop %rbx\n ret\n"
        "with_sub: sub $24, %rsp\n mov %rdi, (%rsp)\n mov (%rsp), %rax\n add %rsi, %rax\n add $24, %rsp\n ret\n"
        "with_endbr: endbr64\n lea (%rdi,%rsi), %rax\n ret\n"
        "with_load: mov (%rsp), %rdx\n lea (%rdi,%rsi), %rax\n ret\n"
        "with_jump: jmp with_push\n"
        "with_thread: mov %fs:0, %rdx\n lea (%rdi,%rsi), %rax\n ret\n"
        "with_branch: jrcxz 1f\n lea (%rdi,%rsi), %rax\n ret\n 1: lea (%rsi,%rdi), %rax\n ret\n"
        "with_tail: jmp *to_sub(%rip)\n"
        "with_vector: movdqu to_sub(%rip), %xmm0\n lea (%rdi,%rsi), %rax\n ret\n"
        "with_call: call *to_sum(%rip)\n ret\n"
        "sum: lea (%rdi,%rsi), %rax\n ret\n"
        "with_syscall: syscall\n ret\n"
        ".data\n.balign 8\n"
        "to_sub: .quad with_sub\n to_sum: .quad sum\n"
        ".text\n");

static long (*const functions[])(long a, long b) = {
    with_push, with_sub, with_endbr, with_load, with_jump, with_thread, with_branch, with_tail, with_vector, with_call,
};
/* with_jump goes on to with_push, and with_tail to with_sub. */
enum { FUNCTIONS = sizeof functions / sizeof *functions, HITS = FUNCTIONS + 2 };

static long recurse(long n);
static long leave(long n);
/* Through these, so that the compiler makes no loops of them. */
static long (*volatile recurse_again)(long n) = recurse;
static long (*volatile leave_again)(long n) = leave;
static jmp_buf out;

__attribute__((noipa)) static long recurse(long n)
{
    return n ? 1 + recurse_again(n - 1) : 7;
}

__attribute__((noipa)) static long leave(long n)
{
    if (n == 0)
        longjmp(out, 1);
    return leave_again(n - 1) + 1;
}

/* --- the child -----------------------------------------------------------------------------------------------------
 */

static volatile sig_atomic_t trapped, alarmed;

static void on_trap(int signal)
{
    (void)signal;
    trapped++;
}

static void on_alarm(int signal)
{
    (void)signal;
    alarmed++;
}

static long call_all(void)
{
    long sum = 0;

    for (long i = 0; i < FUNCTIONS; i++)
        sum += functions[i](i, 100);
    return sum;
}
enum { SUM = FUNCTIONS * (FUNCTIONS - 1) / 2 + 100 * FUNCTIONS };

__attribute__((noipa)) static long call_some(long count)
{
    long wrong = 0;

    for (long i = 0; i < count; i++)
        wrong += functions[i % FUNCTIONS](i, 1) != i + 1;
    return wrong;
}

static void *call_often(void *arg)
{
    *(long *)arg = call_some(CALLS);
    return NULL;
}

static int threads(void)
{
    pthread_t threads[THREADS];
    long wrong[THREADS] = {0}, sum = 0;

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, call_often, &wrong[i]);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += wrong[i];
    }
    return sum ? 1 : 0;
}

static int traps(void)
{
    signal(SIGTRAP, on_trap);
    raise(SIGTRAP);
    __asm__ volatile("int3");
    if (call_all() != SUM)
        return 2;
    __asm__ volatile("int3");
    return trapped == 3 ? 0 : 1;
}

/* With all signals blocked, as libraries do before they start a thread. */
static int blocked(void)
{
    sigset_t all, after;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    if (call_all() != SUM)
        return 2;
    sigprocmask(SIG_SETMASK, NULL, &after);
    return sigismember(&after, SIGTRAP) && sigismember(&after, SIGUSR1) ? 0 : 1;
}

static int ignored(void)
{
    struct sigaction action;

    signal(SIGTRAP, SIG_IGN);
    if (call_all() != SUM)
        return 2;
    sigaction(SIGTRAP, NULL, &action);
    raise(SIGTRAP);
    return action.sa_handler == SIG_IGN ? 0 : 1;
}

/* A timer's signals all the while: none is lost, and none finds the thread at a wrong address. */
static int signals(void)
{
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    int status = 0;

    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 500 || (alarmed < 5 && i < 1000000); i++)
        if (call_all() != SUM)
            status = 1;
    setitimer(ITIMER_REAL, &never, NULL);
    return alarmed ? status : 2;
}

static bool ended_well(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid && status == 0;
}

static bool forked(void)
{
    pid_t pid = fork();

    if (!pid)
        _exit(call_all() == SUM ? 0 : 1);
    return ended_well(pid);
}

static bool vforked(void)
{
    pid_t pid = vfork();

    if (!pid)
        _exit(call_all() == SUM ? 0 : 1);
    return ended_well(pid);
}

static bool executed(void)
{
    pid_t pid = fork();

    if (!pid) {
        execl("/bin/true", "true", NULL);
        _exit(1);
    }
    return ended_well(pid);
}

/* Forks while another thread comes and goes: each child starts with its memory as it should be. */
static int forks(void)
{
    pthread_t thread;
    long wrong = 0;
    int bad = 0;

    pthread_create(&thread, NULL, call_often, &wrong);
    for (int i = 0; i < FORKS; i++) {
        pid_t pid = fork();

        if (!pid)
            _exit(call_some(FUNCTIONS) ? 1 : 0);
        bad += !ended_well(pid);
    }
    pthread_join(thread, NULL);
    return bad + (wrong != 0);
}

static unsigned char *code_of(const void *function)
{
    return (unsigned char *)(uintptr_t)function;
}

static int act(const char *word)
{
    unsigned char before = *code_of(with_push);

    if (chdir("set") < 0)
        return 100;
    if (!strcmp(word, "calls"))
        return call_all() == SUM ? 0 : 1;
    if (!strcmp(word, "recursion"))
        return recurse(5) == 12 ? 0 : 1;
    if (!strcmp(word, "longjmp"))
        return setjmp(out) ? (call_all() == SUM ? 0 : 1) : (int)leave(4);
    if (!strcmp(word, "threads"))
        return threads();
    if (!strcmp(word, "traps"))
        return traps();
    if (!strcmp(word, "blocked"))
        return blocked();
    if (!strcmp(word, "ignored"))
        return ignored();
    if (!strcmp(word, "signals"))
        return signals();
    if (!strcmp(word, "children"))
        return forked() && vforked() && executed() && call_all() == SUM ? 0 : 1;
    if (!strcmp(word, "forks"))
        return forks();
    if (!strcmp(word, "lift")) {
        bool there = *code_of(with_push) != before;

        if (call_all() != SUM || chdir("lift") < 0 || call_all() != SUM)
            return 1;
        return there && *code_of(with_push) == before ? 0 : 2;
    }
    return 101;
}

/* --- the tracer ----------------------------------------------------------------------------------------------------
 */

static struct session *session;
static struct session_options options;
static struct sink sink;
static char scratch[] = "/tmp/glibctrace-breaks-XXXXXX";
static unsigned hits, returns, lost, child_hits;
static long returned;
static bool keep, refused;
static pid_t child;

static void back(struct session *s, struct task *task, const struct break_hit *hit, void *data)
{
    (void)s;
    (void)task;
    if (hit) {
        returns++;
        returned = (long)hit->registers->dwarf[0];
    } else {
        lost++;
    }
    free(data);
}

static void on_hit(struct session *s, struct task *task, const struct break_hit *hit, const void *ctx)
{
    const struct break_return ret = {.back = back, .data = xmalloc(1), .keep = keep};

    ck_assert_uint_eq(hit->addr, (uint64_t)(uintptr_t)ctx);
    ck_assert_uint_eq(hit->registers->dwarf[REGISTER_IP], hit->addr);
    hits++;
    child_hits += task->group->pid != child;
    ck_assert(breaks_at_return(s, task, hit, &ret));
}

static void set(struct task *task, const void *function)
{
    const struct break_handler handler = {on_hit, function};

    ck_assert(breaks_add(session, task, (uint64_t)(uintptr_t)function, &handler));
    ck_assert(breaks_add(session, task, (uint64_t)(uintptr_t)function, &handler)); /* once and no more */
}

static void on_event(void *ctx, const struct event *event)
{
    struct task *task = task_find(&session->tasks, event->tid);
    const struct break_handler handler = {on_hit, NULL};

    (void)ctx;
    if (event->type != EVENT_SYSCALL || !event->syscall.string)
        return;
    if (!strcmp(event->syscall.string, "lift"))
        breaks_lift(session, task);
    if (strcmp(event->syscall.string, "set"))
        return;
    for (size_t i = 0; i < FUNCTIONS; i++)
        set(task, (const void *)(uintptr_t)functions[i]);
    set(task, (const void *)(uintptr_t)recurse);
    set(task, (const void *)(uintptr_t)leave);
    refused = !breaks_add(session, task, (uint64_t)(uintptr_t)with_syscall, &handler) &&
              !breaks_add(session, task, 16, &handler);
}

static int run(const char *word)
{
    int go[2];

    ck_assert_int_eq(pipe(go), 0);
    child = fork();
    if (!child) {
        char byte;

        close(go[1]);
        if (read(go[0], &byte, 1) != 0 || chdir(scratch) < 0)
            _exit(102);
        _exit(act(word));
    }
    close(go[0]);
    sink = (struct sink){on_event, NULL};
    options = (struct session_options){.sinks = &sink, .sink_count = 1, .quiet = true};
    session = session_create(&options, false);
    session->plain = true;
    session->command = child;
    ck_assert_int_eq(ptrace_seize(child, true), 0);
    follow_first(session, child)->told = true;
    ptrace_interrupt(child);
    hits = returns = lost = child_hits = 0;
    /* Once it stands it is restarted so that its calls stop; then it may begin. */
    loop_step(session);
    close(go[1]);
    loop_run(session);
    ck_assert(session->ended);
    int status = session->status;

    session_destroy(session);
    return status;
}

static const bool keeps[] = {false, true};

START_TEST(calls_and_returns)
{
    keep = keeps[_i];
    ck_assert_int_eq(run("calls"), 0);
    ck_assert(refused);
    ck_assert_uint_eq(hits, HITS);
    ck_assert_uint_eq(returns + lost, hits);
    ck_assert_int_eq(returned, 100 + FUNCTIONS - 1);
}
END_TEST

START_TEST(recursion)
{
    keep = keeps[_i];
    ck_assert_int_eq(run("recursion"), 0);
    ck_assert_uint_eq(hits, 6);
    ck_assert_uint_eq(returns, 6);
    ck_assert_int_eq(returned, 12);
}
END_TEST

START_TEST(passed_by_a_longjmp)
{
    keep = keeps[_i];
    ck_assert_int_eq(run("longjmp"), 0);
    ck_assert_uint_eq(hits, 5 + HITS);
    ck_assert_uint_eq(returns + lost, hits);
    ck_assert_uint_ge(lost, 5);
}
END_TEST

START_TEST(many_threads)
{
    keep = keeps[_i];
    ck_assert_int_eq(run("threads"), 0);
    ck_assert_uint_eq(hits, THREADS * CALLS / FUNCTIONS * HITS);
    ck_assert_uint_eq(returns + lost, hits);
    ck_assert_uint_eq(returns, THREADS * CALLS);
}
END_TEST

START_TEST(traps_of_its_own)
{
    keep = keeps[_i];
    ck_assert_int_eq(run("traps"), 0);
    ck_assert_uint_eq(hits, HITS);
}
END_TEST

START_TEST(a_mask_stays)
{
    keep = keeps[_i];
    ck_assert_int_eq(run("blocked"), 0);
    ck_assert_uint_eq(hits, HITS);
}
END_TEST

START_TEST(an_ignored_trap_stays_ignored)
{
    keep = keeps[_i];
    ck_assert_int_eq(run("ignored"), 0);
    ck_assert_uint_eq(hits, 0);
}
END_TEST

START_TEST(signals_meanwhile)
{
    keep = keeps[_i];
    ck_assert_int_eq(run("signals"), 0);
    ck_assert_uint_ge(hits, 500 * (HITS));
    ck_assert_uint_eq(returns + lost, hits);
}
END_TEST

START_TEST(forked_and_vforked)
{
    keep = keeps[_i];
    ck_assert_int_eq(run("children"), 0);
    ck_assert_uint_eq(hits, 3 * (HITS));
    ck_assert_uint_eq(child_hits, 2 * (HITS));
}
END_TEST

START_TEST(forks_among_calls)
{
    keep = keeps[_i];
    ck_assert_int_eq(run("forks"), 0);
    ck_assert_uint_eq(child_hits, FORKS * (HITS));
    ck_assert_uint_eq(hits, child_hits + CALLS / FUNCTIONS * HITS);
}
END_TEST

START_TEST(lifted)
{
    keep = keeps[_i];
    ck_assert_int_eq(run("lift"), 0);
    ck_assert_uint_eq(hits, HITS);
}
END_TEST

static void catch_signals(void)
{
    static struct signal_setup before;

    signals_catch(&before); /* pinning asks for a timer */
}

static void make_scratch(void)
{
    char path[64];

    ck_assert_ptr_nonnull(mkdtemp(scratch));
    snprintf(path, sizeof path, "%s/set", scratch);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/set/lift", scratch);
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void remove_scratch(void)
{
    char path[64];

    snprintf(path, sizeof path, "%s/set/lift", scratch);
    rmdir(path);
    snprintf(path, sizeof path, "%s/set", scratch);
    rmdir(path);
    rmdir(scratch);
}

int main(void)
{
    Suite *suite = suite_create("breaks");
    TCase *all = tcase_create("all");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_unchecked_fixture(all, make_scratch, remove_scratch);
    tcase_add_checked_fixture(all, catch_signals, NULL);
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, calls_and_returns, 0, 2);
    tcase_add_loop_test(all, recursion, 0, 2);
    tcase_add_loop_test(all, passed_by_a_longjmp, 0, 2);
    tcase_add_loop_test(all, many_threads, 0, 2);
    tcase_add_loop_test(all, traps_of_its_own, 0, 2);
    tcase_add_loop_test(all, a_mask_stays, 0, 2);
    tcase_add_loop_test(all, an_ignored_trap_stays_ignored, 0, 2);
    tcase_add_loop_test(all, signals_meanwhile, 0, 2);
    tcase_add_loop_test(all, forked_and_vforked, 0, 2);
    tcase_add_loop_test(all, forks_among_calls, 0, 2);
    tcase_add_loop_test(all, lifted, 0, 2);
    suite_add_tcase(suite, all);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
