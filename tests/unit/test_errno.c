/* Names of errors and signals: the C library's own names are the judge, strace's spelling where it has several. */
#include <reports/event.h>

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

START_TEST(errors_there_and_back)
{
    int named = 0;

    for (int error = -1; error < 1000; error++) {
        const char *name = errno_name(error);

        if (!name)
            continue;
        ck_assert_int_eq(errno_value(name), error);
        named++;
    }
    ck_assert_int_eq(named, 131 + 19); /* 1 to 133 without 41 and 58; 512 to 531 without 520 */
    ck_assert_ptr_null(errno_name(0));
    ck_assert_ptr_null(errno_name(41));
    ck_assert_ptr_null(errno_name(134));
    ck_assert_ptr_null(errno_name(-2));
    ck_assert_ptr_null(errno_name(520));
    ck_assert_ptr_null(errno_name(1 << 30));
}
END_TEST

START_TEST(errors_as_the_c_library)
{
#if __GLIBC_PREREQ(2, 32)
    for (int error = 1; error < 134; error++) {
        const char *theirs = strerrorname_np(error), *ours = errno_name(error);

        if (theirs && strcmp(theirs, "ENOTSUP") == 0)
            theirs = "EOPNOTSUPP"; /* two names of one number */
        ck_assert_msg(theirs ? ours && strcmp(ours, theirs) == 0 : !ours, "%d: %s, not %s", error, ours ? ours : "none",
                      theirs ? theirs : "none");
    }
#endif
    ck_assert_str_eq(errno_name(EAGAIN), "EAGAIN");
    ck_assert_str_eq(errno_name(EDEADLK), "EDEADLK");
    ck_assert_int_eq(errno_value("EWOULDBLOCK"), EAGAIN);
    ck_assert_int_eq(errno_value("EDEADLOCK"), EDEADLK);
    ck_assert_int_eq(errno_value("ENOTSUP"), EOPNOTSUPP);
    ck_assert_int_eq(errno_value("ENOENTT"), 0);
    ck_assert_int_eq(errno_value(""), 0);
}
END_TEST

START_TEST(restart_codes)
{
    ck_assert_str_eq(errno_name(512), "ERESTARTSYS");
    ck_assert_str_eq(errno_name(513), "ERESTARTNOINTR");
    ck_assert_str_eq(errno_name(514), "ERESTARTNOHAND");
    ck_assert_str_eq(errno_name(516), "ERESTART_RESTARTBLOCK");
    ck_assert_int_eq(errno_value("ERESTARTNOHAND"), 514);
}
END_TEST

START_TEST(signals)
{
    for (int number = 1; number < 65; number++) {
        const char *name = signal_name(number);

        ck_assert_ptr_nonnull(name);
        ck_assert_int_eq(signal_value(name), number);
#if __GLIBC_PREREQ(2, 32)
        const char *theirs = number < 32 ? sigabbrev_np(number) : NULL;

        if (theirs && number != SIGIO)
            ck_assert_str_eq(name + 3, theirs);
#endif
    }
    ck_assert_str_eq(signal_name(SIGIO), "SIGIO");
    ck_assert_str_eq(signal_name(SIGABRT), "SIGABRT");
    ck_assert_str_eq(signal_name(32), "SIGRTMIN");
    ck_assert_str_eq(signal_name(35), "SIGRT_3");
    ck_assert_str_eq(signal_name(64), "SIGRT_32");
    ck_assert_ptr_null(signal_name(0));
    ck_assert_ptr_null(signal_name(65));
    ck_assert_ptr_null(signal_name(-1));
    ck_assert_int_eq(signal_value("SIGPOLL"), SIGIO);
    ck_assert_int_eq(signal_value("SIGIOT"), SIGABRT);
    ck_assert_int_eq(signal_value("SIGNOTHING"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("errno");
    TCase *all = tcase_create("names");

    tcase_add_test(all, errors_there_and_back);
    tcase_add_test(all, errors_as_the_c_library);
    tcase_add_test(all, restart_codes);
    tcase_add_test(all, signals);
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed != 0;
}
