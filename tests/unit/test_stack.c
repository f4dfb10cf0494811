/* The stack of a child process that stands: names, order, signal frames, snapshots, and what is no stack. */
#include <probes/alloc.h>
#include <probes/codename.h>
#include <probes/stack.h>

#include <check.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

static pid_t child;
static struct stacks *stacks;
static struct frame *frames;
static size_t count;

static ssize_t read_child(void *ctx, uint64_t addr, void *buf, size_t n)
{
    struct iovec local = {buf, n}, remote = {(void *)(uintptr_t)addr, n};
    ssize_t got = process_vm_readv(child, &local, 1, &remote, 1, 0);

    (void)ctx;
    return got > 0 ? got : -1;
}

static const struct mem mem = {.read = read_child, .word_size = 8};

/* Each calls the next and has something to do afterwards, so that none is a jump. */
static volatile int sink;

__attribute__((noinline, noclone)) static void level_four(void)
{
    raise(SIGSTOP);
    sink++;
}

static inline __attribute__((always_inline)) void level_inlined(void)
{
    level_four();
    sink++;
}

__attribute__((noinline, noclone)) static void level_three(void)
{
    level_inlined();
    sink++;
}

__attribute__((noinline, noclone)) static void level_two(void)
{
    level_three();
    sink++;
}

static void on_signal(int signal)
{
    (void)signal;
    level_two();
    sink++;
}

static void start(bool by_signal)
{
    int status;

    child = fork();
    if (!child) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        if (by_signal) {
            signal(SIGUSR1, on_signal);
            raise(SIGUSR1);
        } else {
            level_two();
        }
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (by_signal) {
        ck_assert_int_eq(WSTOPSIG(status), SIGUSR1);
        ptrace(PTRACE_CONT, child, 0, SIGUSR1);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
    }
    ck_assert(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    stacks = stacks_create(child, "");
}

static void registers_of(struct stack_registers *ret)
{
    struct user_regs_struct r;

    ck_assert_int_eq(ptrace(PTRACE_GETREGS, child, NULL, &r), 0);
    *ret = (struct stack_registers){r.rip,
                                    r.rsp,
                                    r.rbp,
                                    {r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11,
                                     r.r12, r.r13, r.r14, r.r15, r.rip}};
}

static void finish(void)
{
    frames_free(frames, count);
    frames = NULL;
    count = 0;
    stacks_destroy(stacks);
    stacks = NULL;
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    child = 0;
}

/* The names stand in this order, from the inside out; others may stand before and behind, none between. */
static void names_are(const char *const *names)
{
    size_t at = 0;

    while (at < count && !(frames[at].symbol && !strcmp(frames[at].symbol, names[0])))
        at++;
    for (size_t i = 0; names[i]; i++) {
        ck_assert_uint_lt(at + i, count);
        ck_assert_ptr_nonnull(frames[at + i].symbol);
        ck_assert_str_eq(frames[at + i].symbol, names[i]);
    }
}

static const char *const called[] = {"level_four", "level_inlined", "level_three", "level_two", "start", NULL};

START_TEST(calls)
{
    struct stack_registers registers;

    start(false);
    registers_of(&registers);
    count = stacks_unwind(stacks, &mem, &registers, 128, &frames);
    names_are(called);
    for (size_t i = 0; i < count; i++) {
        ck_assert_ptr_nonnull(frames[i].object);
        if (frames[i].symbol && !strcmp(frames[i].symbol, "level_four")) {
            ck_assert(frames[i + 1].inlined);
            ck_assert_uint_eq(frames[i + 1].ip_addr, frames[i + 2].ip_addr);
            ck_assert_uint_gt(frames[i].line, 0);
            ck_assert_ptr_nonnull(strstr(frames[i].file, "test_stack.c"));
        }
    }
    frames_free(frames, count);
    count = stacks_unwind(stacks, &mem, &registers, 2, &frames);
    ck_assert_uint_eq(count, 2);
}
END_TEST

START_TEST(signal_frame)
{
    static const char *const handled[] = {"level_four", "level_inlined", "level_three", "level_two", "on_signal", NULL};
    struct stack_registers registers;
    bool behind = false;

    start(true);
    registers_of(&registers);
    count = stacks_unwind(stacks, &mem, &registers, 128, &frames);
    names_are(handled);
    for (size_t i = 0; i < count; i++)
        behind |= frames[i].symbol && !strcmp(frames[i].symbol, "start");
    ck_assert(behind);
}
END_TEST

/* Unwound later, when the stack is another one. */
START_TEST(snapshot)
{
    struct stack_registers registers;
    unsigned char nothing[256] = {0};

    start(false);
    registers_of(&registers);
    struct stack_snapshot *taken = stack_snapshot_take(&mem, &registers);
    ck_assert_ptr_nonnull(taken);
    for (uint64_t at = 0; at < 1024; at += sizeof nothing) {
        struct iovec local = {nothing, sizeof nothing}, remote = {(void *)(registers.sp_addr + at), sizeof nothing};

        ck_assert_int_gt(process_vm_writev(child, &local, 1, &remote, 1, 0), 0);
    }
    count = stacks_unwind_snapshot(stacks, &mem, taken, 128, &frames);
    names_are(called);
    frames_free(frames, count);
    /* What lies behind it is not believed. */
    taken->size = 64;
    count = stacks_unwind_snapshot(stacks, &mem, taken, 128, &frames);
    ck_assert_uint_ge(count, 1);
    for (size_t i = 0; i < count; i++)
        ck_assert(!frames[i].symbol || strcmp(frames[i].symbol, "start") != 0);
    stack_snapshot_drop(taken);
}
END_TEST

/* Registers that point anywhere: few frames, no harm. */
START_TEST(nonsense)
{
    struct stack_registers registers, good;
    uint64_t number = 1;

    start(false);
    registers_of(&good);
    for (int round = 0; round < 3000; round++) {
        registers = good;
        for (unsigned i = 0; i < STACK_REGISTERS; i++) {
            number = number * 6364136223846793005u + 1442695040888963407u;
            if (number >> 62 == 0)
                registers.dwarf[i] = number;
            else if (number >> 62 == 1)
                registers.dwarf[i] += number >> 48;
        }
        registers.ip_addr = registers.dwarf[16];
        registers.sp_addr = registers.dwarf[7];
        registers.fp_addr = registers.dwarf[6];
        count = stacks_unwind(stacks, &mem, &registers, 128, &frames);
        ck_assert_uint_le(count, 128);
        frames_free(frames, count);
    }
    frames = NULL;
    count = 0;
}
END_TEST

START_TEST(nobody)
{
    struct stack_registers registers = {0};
    const struct mem narrow = {.read = read_child, .word_size = 4};

    start(false);
    registers_of(&registers);
    ck_assert_uint_eq(stacks_unwind(stacks, &narrow, &registers, 128, &frames), 0);
    ck_assert_ptr_null(frames);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    stacks_stale(stacks);
    ck_assert_uint_eq(stacks_unwind(stacks, &mem, &registers, 128, &frames), 0);
    ck_assert_ptr_null(frames);
}
END_TEST

START_TEST(shown_names)
{
    static const char *const pairs[][2] = {
        {"main", "main"},
        {"f.constprop.0", "f"},
        {"dlopen@@GLIBC_2.34", "dlopen"},
        {"@", "@"},
        {"f.part.3.cold", "f"},
        {"_ZN4node5StartEiPPc", "node::Start"},
        {"_Z4openi", "open"},
        {"_ZL4openi", "open"},
        {"_ZN4nodeL4openEi", "node::open"},
        {"_ZNK1A1bEv", "A::b"},
        {"_ZN3FooC2Ei", "Foo::Foo"},
        {"_ZN3FooD0Ev", "Foo::~Foo"},
        {"_ZN12_GLOBAL__N_14openEPKc", "(anonymous namespace)::open"},
        {"_ZNSt6vectorIiE4pushEi", "_ZNSt6vectorIiE4pushEi"},
        {"_ZN3FooplERKS_", "_ZN3FooplERKS_"},
        {"_ZN99999999999999999999aE", "_ZN99999999999999999999aE"},
        {"_ZN3FoE", "_ZN3FoE"},
        {"_ZN", "_ZN"},
        {"_Z", "_Z"},
        {"", ""},
        {".cold", ".cold"},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        CLEANUP_FREE char *shown = codename_shown(pairs[i][0]);

        ck_assert_str_eq(shown, pairs[i][1]);
    }
    ck_assert(codename_plainer("open", "__open"));
    ck_assert(!codename_plainer("__open", "open"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stack");
    TCase *tcase = tcase_create("a child");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, NULL, finish);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, calls);
    tcase_add_test(tcase, signal_frame);
    tcase_add_test(tcase, snapshot);
    tcase_add_test(tcase, nonsense);
    tcase_add_test(tcase, nobody);
    tcase_add_test(tcase, shown_names);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
