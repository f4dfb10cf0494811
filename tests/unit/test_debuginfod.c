/* The client that is asked for debug information: whatever it does, it has an end. */
#include <probes/alloc.h>
#include <probes/debuginfod.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/glibctrace-debuginfod-XXXXXX";

static void put(const char *name, const char *text)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    chmod(path, 0755);
}

static void make(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    CLEANUP_FREE char *path = xasprintf("%s:/usr/bin:/bin", folder);

    setenv("PATH", path, 1);
    setenv("DEBUGINFOD_CACHE_PATH", folder, 1);
    setenv("DEBUGINFOD_URLS", "http://127.0.0.1:1", 1);
}

static void clear(void)
{
    CLEANUP_FREE char *command = xasprintf("rm -r %s", folder);

    ck_assert_int_eq(system(command), 0);
}

static int ask(const char *client, unsigned *left_ms)
{
    put("debuginfod-find", client);
    return debuginfod_open("abcd", left_ms);
}

START_TEST(answers)
{
    unsigned left = 60000;
    CLEANUP_FREE char *script = xasprintf("#!/bin/sh\n[ \"$*\" = 'debuginfo abcd' ] && echo %s/found\n", folder);

    put("found", "something");
    int fd = ask(script, &left);

    ck_assert_int_ge(fd, 0);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    ck_assert_uint_gt(left, 0);
    ck_assert_int_eq(ask("#!/bin/sh\nexit 1\n", &left), -1);
    ck_assert_int_eq(ask("#!/bin/sh\necho relative\n", &left), -1);
    ck_assert_int_eq(ask("#!/bin/sh\necho /dev/null\n", &left), -1);
    ck_assert_int_eq(ask("#!/bin/sh\nyes\n", &left), -1); /* more than a path can be */
    ck_assert_int_eq(ask("no program", &left), -1);
}
END_TEST

START_TEST(never_ends)
{
    unsigned left = 200;

    /* Its children hold its output open, and go with it. */
    ck_assert_int_eq(ask("#!/bin/sh\nsleep 1000 & wait\n", &left), -1);
    ck_assert_uint_eq(left, 0);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    /* No time is left: it is not even started. */
    ck_assert_int_eq(ask("#!/bin/sh\necho started > ${0%/*}/started\n", &left), -1);
    CLEANUP_FREE char *path = xasprintf("%s/started", folder);

    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("debuginfod");
    TCase *tcase = tcase_create("client");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, make, clear);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, answers);
    tcase_add_test(tcase, never_ends);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
