/* Several files as one text: the order of their lines, and that nothing of them is lost. */
#include <reports/evidence_set.h>

#include <probes/alloc.h>

#include <check.h>
#include <string.h>
#include <sys/stat.h>

static char folder[] = "/tmp/glibctrace-set-XXXXXX";
static struct evidence_set set;

static void setup(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    set = (struct evidence_set){0};
}

static void teardown(void)
{
    CLEANUP_FREE char *command = xasprintf("rm -rf '%s'", folder);

    evidence_set_deinit(&set);
    ck_assert_int_eq(system(command), 0);
}

static void put(int pid, const char *text)
{
    CLEANUP_FREE char *path = xasprintf("%s/log.%d", folder, pid);
    CLEANUP_FCLOSE FILE *out = fopen(path, "w");

    ck_assert_ptr_nonnull(out);
    fputs(text, out);
}

/* All of them as one text, malloced. */
static char *merged(void)
{
    CLEANUP_FREE char *name = xasprintf("%s/log", folder);
    struct err err = {""};
    char *text = NULL;
    size_t size;
    FILE *in, *out = open_memstream(&text, &size);
    int c;

    ck_assert_msg(evidence_set_find(name, &set, &err) == 0, "%s", err.text);
    in = evidence_set_merge(&set, "log", &err);
    ck_assert_msg(in != NULL, "%s", err.text);
    while ((c = getc(in)) != EOF)
        putc(c, out);
    fclose(in);
    fclose(out);
    return text;
}

static void becomes(const char *wanted)
{
    CLEANUP_FREE char *text = merged();

    ck_assert_str_eq(text, wanted);
}

START_TEST(a_child_that_is_waited_for)
{
    put(9, "vfork() = 3\nclone(child_stack=NULL, flags=SIGCHLD) = 12\nwait4(-1, NULL, 0, NULL) = 3\n"
           "--- SIGCHLD {si_signo=SIGCHLD, si_pid=12} ---\n+++ exited with 0 +++\n");
    put(3, "getpid() = 3\n+++ exited with 1 +++\n");
    put(12, "getpid() = 12\n");
    becomes(
        "9 vfork() = 3\n3 getpid() = 3\n3 +++ exited with 1 +++\n"
        "9 clone(child_stack=NULL, flags=SIGCHLD) = 12\n12 getpid() = 12\n"
        "9 wait4(-1, NULL, 0, NULL) = 3\n9 --- SIGCHLD {si_signo=SIGCHLD, si_pid=12} ---\n9 +++ exited with 0 +++\n");
}
END_TEST

START_TEST(one_that_is_not)
{
    put(1, "fork() = 2\nfork() = 4\n+++ exited with 0 +++");
    put(2, "fork() = 3\nwaitid(P_ALL, 0, {si_signo=SIGCHLD, si_pid=3}, WEXITED, NULL) = 0\n");
    put(3, "getpid() = 3\n");
    put(4, "getpid() = 4\n");
    becomes("1 fork() = 2\n1 fork() = 4\n1 +++ exited with 0 +++\n2 fork() = 3\n3 getpid() = 3\n"
            "2 waitid(P_ALL, 0, {si_signo=SIGCHLD, si_pid=3}, WEXITED, NULL) = 0\n4 getpid() = 4\n");
}
END_TEST

START_TEST(a_thread)
{
    put(1, "clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 2\nexit_group(0) = ?\n");
    put(2, "getpid() = 1\n");
    becomes("1 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 2\n2 getpid() = 1\n1 exit_group(0) = ?\n");
}
END_TEST

START_TEST(by_time)
{
    put(1, "10:00:00.000001 fork() = 2\n10:00:00.000004 getpid() = 1\n > libc.so.6(getpid+0x7) [0x1]\n"
           "10:00:00.000009 +++ exited with 0 +++\n");
    put(2, "10:00:00.000002 getpid() = 2\n10:00:00.000006 getpid() = 2\n");
    becomes(
        "1 10:00:00.000001 fork() = 2\n2 10:00:00.000002 getpid() = 2\n1 10:00:00.000004 getpid() = 1\n"
        "1  > libc.so.6(getpid+0x7) [0x1]\n2 10:00:00.000006 getpid() = 2\n1 10:00:00.000009 +++ exited with 0 +++\n");
}
END_TEST

START_TEST(seconds_are_too_coarse)
{
    put(1, "10:00:00 vfork() = 2\n10:00:00 wait4(-1, NULL, 0, NULL) = 2\n");
    put(2, "10:00:00 getpid() = 2\n");
    becomes("1 10:00:00 vfork() = 2\n2 10:00:00 getpid() = 2\n1 10:00:00 wait4(-1, NULL, 0, NULL) = 2\n");
}
END_TEST

START_TEST(everybodys_own_child)
{
    put(1, "fork() = 2\nwait4(-1, NULL, 0, NULL) = 2\n");
    put(2, "fork() = 1\nwait4(-1, NULL, 0, NULL) = 1\n");
    put(3, "fork() = 3\nfork() = 7\n");
    becomes("1 fork() = 2\n2 fork() = 1\n2 wait4(-1, NULL, 0, NULL) = 1\n1 wait4(-1, NULL, 0, NULL) = 2\n"
            "3 fork() = 3\n3 fork() = 7\n");
}
END_TEST

/* More than there are descriptors or room for; each line once. */
START_TEST(many)
{
    enum { FILES = 1500 };
    bool timed = _i;
    size_t count = 0;

    for (int pid = 1; pid <= FILES; pid++) {
        CLEANUP_FREE char *text =
            timed ? xasprintf("1715000001.%06d getpid() = 1\n1715000002.%06d getpid() = 2\n", pid, pid)
                  : xasprintf("fork() = %d\nwait4(-1, NULL, 0, NULL) = %d\n", pid + 1, pid + 1);

        put(pid, text);
    }
    CLEANUP_FREE char *text = merged();

    for (const char *p = text; (p = strchr(p, '\n')); p++)
        count++;
    ck_assert_uint_eq(count, 2 * FILES);
    ck_assert_ptr_nonnull(strstr(text, timed
                                           ? "\n1500 1715000001.001500 getpid() = 1\n1 1715000002.000001 getpid() = 2\n"
                                           : "\n1500 wait4(-1, NULL, 0, NULL) = 1501\n1499 wait4"));
}
END_TEST

START_TEST(a_line_longer_than_any_room)
{
    CLEANUP_FREE char *line = xmalloc(300001);

    memset(line, 'x', 300000);
    line[300000] = '\0';
    CLEANUP_FREE char *text = xasprintf("getpid() = 1\nwrite(1, \"%s\", 300000) = 300000\n", line);
    CLEANUP_FREE char *wanted =
        xasprintf("1 getpid() = 1\n1 write(1, \"%s\", 300000) = 300000\n2 getpid() = 2\n", line);

    put(1, text);
    put(2, "getpid() = 2\n");
    becomes(wanted);
}
END_TEST

START_TEST(what_does_not_belong_to_it)
{
    put(1, "getpid() = 1\n");
    put(2, "no log\n");
    put(12345678, "getpid() = 2\n"); /* no number of a process */
    becomes("1 getpid() = 1\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evidence_set");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_child_that_is_waited_for);
    tcase_add_test(tc, one_that_is_not);
    tcase_add_test(tc, a_thread);
    tcase_add_test(tc, by_time);
    tcase_add_test(tc, seconds_are_too_coarse);
    tcase_add_test(tc, everybodys_own_child);
    tcase_add_loop_test(tc, many, 0, 2);
    tcase_add_test(tc, a_line_longer_than_any_room);
    tcase_add_test(tc, what_does_not_belong_to_it);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
