/* Runs as a comparison sees them: what changes from run to run is made equal, and nothing else. */
#include <reports/run.h>

#include <reports/syscall.h>

#include <probes/alloc.h>

#include <check.h>
#include <errno.h>
#include <string.h>

static struct run run;

static void tell(pid_t pid, struct event event)
{
    static uint64_t n;

    event.n = ++n;
    event.pid = event.tid = pid;
    event.root = "";
    run_event(&run, &event);
}

static void start(pid_t pid, pid_t parent)
{
    tell(pid, (struct event){.type = EVENT_PROCESS, .process = {.what = PROCESS_START, .parent = parent}});
}

static void call(pid_t pid, const char *name, const char *path, int error)
{
    tell(pid, (struct event){.type = EVENT_SYSCALL,
                             .syscall = {.desc = syscall_by_name(name),
                                         .path = path,
                                         .returned = true,
                                         .error = error,
                                         .ret = error ? -1 : 3,
                                         .by = BY_PROGRAM}});
}

static void execute(pid_t pid, const char *called, const char *exe)
{
    const char *const argv[] = {called, NULL}, *const env[] = {"A=b", "nonsense", NULL};
    const struct image image = {.exe = exe, .argv = argv, .env = env};

    call(pid, "execve", called, 0);
    tell(pid, (struct event){.type = EVENT_PROCESS, .process = {.what = PROCESS_EXEC, .image = &image}});
}

static void finish(pid_t pid, int status)
{
    tell(pid, (struct event){.type = EVENT_PROCESS, .process = {.what = PROCESS_EXIT, .status = status}});
}

static void teardown(void)
{
    run_deinit(&run);
}

START_TEST(programs)
{
    start(100, 0);
    execute(100, "/usr/bin/app", "/usr/bin/dash"); /* a script */
    start(101, 100);
    call(101, "openat", "/etc/app.conf", ENOENT); /* a fork's calls are the program's */
    call(100, "openat", "/etc/app.conf", 0);
    execute(101, "/opt/ls", "/opt/ls");
    call(101, "openat", "/x", EACCES);
    finish(101, 2 << 8);
    start(102, 100);
    execute(102, "/opt/ls", "/opt/ls");
    start(103, 102); /* a fork that ends: not the program */
    finish(103, 1 << 8);
    finish(100, 9);
    ck_assert_uint_eq(run.count, 3);
    ck_assert_str_eq(run.programs[0]->name, "app");
    ck_assert_str_eq(run.programs[0]->exe, "/usr/bin/dash");
    ck_assert_int_eq(run.programs[0]->status, 9);
    ck_assert_uint_eq(run.programs[0]->env.n, 1);
    ck_assert(run_program_file(run.programs[0], "/etc/app.conf")->found);
    ck_assert_ptr_null(run_program_file(run.programs[0], "/x"));
    ck_assert_int_eq(run_program_file(run.programs[1], "/x")->error, EACCES);
    ck_assert(run.programs[1]->ended && !run.programs[2]->ended);
    ck_assert_int_eq(run.programs[1]->status, 2 << 8);
    ck_assert_ptr_eq(run_program(&run, "ls"), run.programs[1]);
    ck_assert_ptr_null(run_program(&run, "dash"));
}
END_TEST

static const struct {
    const char *text, *comparable, *file;
} rows[] = {
    {"/usr/lib/libx12345.so", "/usr/lib/libx12345.so", NULL},
    {"/proc/4711/fd", "/proc/*/fd", NULL},
    {"/proc/4712/fd", "/proc/4712/fd", NULL}, /* nobody's number here */
    {"/var/log/app.4711.log", "/var/log/app.*.log", NULL},
    {"/opt/v4711", "/opt/v4711", NULL}, /* within a word */
    {"--out=/tmp/ccAbC12x.s", "--out=/tmp/*.s", NULL},
    {"/tmp/tmpejpwbkqq/data.json", "/tmp/*/data.json", "/tmp/*/*.json"},
    {"/tmp/x.abcdef", "/tmp/x.*", "/tmp/*"},
    {"/tmp/project/main.c", "/tmp/project/main.c", "/tmp/*/*.c"},
    {"/tmp/libs:/usr/lib", "/tmp/libs:/usr/lib", NULL},
    {"/var/tmp/4711/x", "/var/tmp/*/x", "/var/tmp/*/*"},
    {"/dev/shm/sem.Xq1zPa", "/dev/shm/sem.*", "/dev/shm/*"},
    {"/tmp/", "/tmp/", "/tmp/"},
    {"", "", ""},
    {"/tmp//a///b", "/tmp//a///b", "/tmp/*/*"},
};

START_TEST(comparable)
{
    start(4711, 0);
    CLEANUP_FREE char *text = run_comparable(&run, rows[_i].text), *file = run_comparable_file(&run, rows[_i].text);

    ck_assert_str_eq(text, rows[_i].comparable);
    if (rows[_i].file)
        ck_assert_str_eq(file, rows[_i].file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run");
    TCase *all = tcase_create("run");

    tcase_add_checked_fixture(all, NULL, teardown);
    tcase_add_test(all, programs);
    tcase_add_loop_test(all, comparable, 0, (int)(sizeof rows / sizeof *rows));
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed != 0;
}
