/* Wait statuses as ptrace(2) describes them, and what each means. */
#include <tracer/calls.h>
#include <tracer/stop.h>

#include <check.h>
#include <string.h>
#include <signal.h>
#include <sys/ptrace.h>

/* A stop as wait(2) encodes it: the signal in the second byte, an event above it. */
static int stopped(int signal, int event)
{
    return event << 16 | signal << 8 | 0x7f;
}

START_TEST(ends)
{
    struct stop stop = stop_classify(42 << 8);

    ck_assert_int_eq(stop.kind, STOP_EXITED);
    ck_assert_int_eq(stop.code, 42);
    stop = stop_classify(0);
    ck_assert_int_eq(stop.kind, STOP_EXITED);
    ck_assert_int_eq(stop.code, 0);
    stop = stop_classify(SIGKILL);
    ck_assert_int_eq(stop.kind, STOP_SIGNALED);
    ck_assert_int_eq(stop.signal, SIGKILL);
    ck_assert(!stop.core);
    stop = stop_classify(SIGSEGV | 0x80);
    ck_assert_int_eq(stop.kind, STOP_SIGNALED);
    ck_assert_int_eq(stop.signal, SIGSEGV);
    ck_assert(stop.core);
}
END_TEST

START_TEST(signals)
{
    for (int signal = 1; signal < 65; signal++) {
        struct stop stop = stop_classify(stopped(signal, 0));

        /* SIGTRAP of a breakpoint and SIGSTOP are signals like any other: only an event makes them more. */
        ck_assert_int_eq(stop.kind, STOP_SIGNAL);
        ck_assert_int_eq(stop.signal, signal);
    }
}
END_TEST

START_TEST(group_stops)
{
    const int stopping[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    struct stop stop = stop_classify(stopped(SIGTRAP, PTRACE_EVENT_STOP));

    ck_assert_int_eq(stop.kind, STOP_TRAP);
    ck_assert_int_eq(stop.signal, 0);
    for (size_t i = 0; i < sizeof stopping / sizeof stopping[0]; i++) {
        stop = stop_classify(stopped(stopping[i], PTRACE_EVENT_STOP));
        ck_assert_int_eq(stop.kind, STOP_GROUP);
        ck_assert_int_eq(stop.signal, stopping[i]);
    }
}
END_TEST

START_TEST(events)
{
    const struct {
        int event;
        enum stop_kind kind;
    } rows[] = {
        {PTRACE_EVENT_FORK, STOP_FORK},
        {PTRACE_EVENT_VFORK, STOP_VFORK},
        {PTRACE_EVENT_CLONE, STOP_CLONE},
        {PTRACE_EVENT_EXEC, STOP_EXEC},
        {PTRACE_EVENT_VFORK_DONE, STOP_VFORK_DONE},
        {PTRACE_EVENT_EXIT, STOP_EXIT},
        {PTRACE_EVENT_SECCOMP, STOP_SECCOMP},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stop stop = stop_classify(stopped(SIGTRAP, rows[i].event));

        ck_assert_int_eq(stop.kind, rows[i].kind);
        ck_assert_int_eq(stop.signal, 0); /* SIGTRAP is the stop's own, not for the program */
    }
    ck_assert_int_eq(stop_classify(stopped(SIGTRAP, 99)).kind, STOP_UNKNOWN);
}
END_TEST

START_TEST(system_calls)
{
    struct stop stop = stop_classify(stopped(SIGTRAP | 0x80, 0));

    ck_assert_int_eq(stop.kind, STOP_SYSCALL);
    ck_assert_int_eq(stop.signal, 0);
    ck_assert_int_eq(stop_classify(0xffff).kind, STOP_UNKNOWN); /* continued: not asked for */
}
END_TEST

START_TEST(names)
{
    for (enum stop_kind kind = STOP_EXITED; kind <= STOP_UNKNOWN; kind++)
        ck_assert_ptr_nonnull(stop_name(kind));
}
END_TEST

/* A call is found by going from the first row of its name to the last one of that name in a row. */
START_TEST(rows_of_one_call_stand_together)
{
    for (size_t i = 1; i < call_count; i++)
        for (size_t k = 0; k + 1 < i; k++)
            ck_assert_msg(strcmp(calls[i].row, calls[k].row) != 0 || strcmp(calls[i].row, calls[i - 1].row) == 0,
                          "%s stands apart from its other rows", calls[i].row);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stop");
    TCase *tcase = tcase_create("statuses");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tcase, rows_of_one_call_stand_together);
    tcase_add_test(tcase, ends);
    tcase_add_test(tcase, signals);
    tcase_add_test(tcase, group_stops);
    tcase_add_test(tcase, events);
    tcase_add_test(tcase, system_calls);
    tcase_add_test(tcase, names);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
