/* What /proc tells of this process and of a child whose state is known. */
#include <probes/alloc.h>
#include <probes/proc.h>

#include <check.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(own_status)
{
    struct proc_status status;
    sigset_t blocked, before;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    signal(SIGUSR1, SIG_IGN);
    prctl(PR_SET_NAME, "a (name) of 15b");
    ck_assert_int_eq(proc_status_read(getpid(), &status), 0);
    ck_assert_str_eq(status.name, "a (name) of 15b");
    ck_assert_int_eq(status.state, 'R');
    ck_assert_int_eq(status.group, getpid());
    ck_assert_int_eq(status.parent, getppid());
    ck_assert(!status.kernel_thread);
    ck_assert_uint_eq(status.cred.uid, geteuid());
    ck_assert_uint_eq(status.cred.gid, getegid());
    ck_assert_int_eq((int)status.cred.group_count, getgroups(0, NULL));
    ck_assert(status.blocked >> (SIGUSR2 - 1) & 1);
    ck_assert(!(status.blocked >> (SIGUSR1 - 1) & 1));
    ck_assert(status.ignored >> (SIGUSR1 - 1) & 1);
    proc_status_deinit(&status);
    sigprocmask(SIG_SETMASK, &before, NULL);
}
END_TEST

START_TEST(a_zombie_and_a_gone_process)
{
    struct proc_status status;
    siginfo_t info;
    size_t count;
    pid_t pid = fork();

    if (!pid)
        _exit(0);
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(proc_status_read(pid, &status), 0);
    ck_assert_int_eq(status.state, 'Z');
    ck_assert(!status.kernel_thread);
    proc_status_deinit(&status);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(proc_status_read(pid, &status), -1);
    ck_assert_ptr_null(proc_threads(pid, &count));
    ck_assert_uint_eq(count, 0);
}
END_TEST

static bool has(char **v, const char *s)
{
    for (; *v; v++)
        if (!strcmp(*v, s))
            return true;
    return false;
}

START_TEST(own_image)
{
    struct proc_image image, again;
    char exe[4096] = "", cwd[4096];

    ck_assert_int_gt((int)readlink("/proc/self/exe", exe, sizeof exe - 1), 0);
    ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
    ck_assert_int_eq(proc_image_read(getpid(), NULL, NULL, 0, &image), 0);
    ck_assert_str_eq(image.exe, exe);
    ck_assert_str_eq(image.cwd, cwd);
    ck_assert_str_eq(path_base(image.argv[0]), path_base(exe));
    ck_assert_uint_eq(image.class, sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
    ck_assert(!image.secure);
    ck_assert(!image.musl);
    if (image.loader_base) { /* not where this test is static */
        uint64_t inside = (uint64_t)_r_debug.r_ldbase;

        ck_assert_uint_eq(image.loader_base, inside);
        ck_assert_uint_gt(image.loader_end, (uint64_t)_r_debug.r_brk); /* a function of ld.so's */
        ck_assert_uint_lt(image.loader_base, (uint64_t)_r_debug.r_brk);
        ck_assert((uint64_t)&own_image < image.loader_base || (uint64_t)&own_image >= image.loader_end);
    }
    ck_assert_int_eq(proc_image_read(getpid(), "", "/known", 0, &again), 0);
    ck_assert_str_eq(again.exe, exe);
    ck_assert_str_eq(again.cwd, "/known");
    proc_image_deinit(&image);
    proc_image_deinit(&again);
}
END_TEST

START_TEST(an_environment_as_it_was_executed)
{
    struct proc_image image;
    int ready[2],
        wait[2]; /* the shell reads from a pipe that stays open: with our own input it might be at its end at once */
    char c;

    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(wait), 0);
    pid_t pid = fork();
    if (!pid) {
        dup2(wait[0], 0);
        dup2(ready[1], 1);
        execle("/bin/sh", "sh", "-c", "echo; B=changed; export B; read x", (char *)NULL,
               (char *[]){"A=", "B=with = and\nnewline", NULL});
        _exit(1);
    }
    ck_assert_int_eq((int)read(ready[0], &c, 1), 1);
    ck_assert_int_eq(proc_image_read(pid, NULL, NULL, 0, &image), 0);
    ck_assert(has(image.env, "A="));
    ck_assert(has(image.env, "B=with = and\nnewline"));
    ck_assert_str_eq(image.argv[1], "-c");
    ck_assert_ptr_null(image.argv[3]);
    proc_image_deinit(&image);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(roots_and_descriptors)
{
    CLEANUP_FREE char *root = proc_root(getpid());
    int fd = open("/", O_RDONLY | O_DIRECTORY);
    CLEANUP_FREE char *path = proc_fd_path(getpid(), fd);

    ck_assert_str_eq(root, "");
    ck_assert_str_eq(path, "/");
    close(fd);
    ck_assert_ptr_null(proc_fd_path(getpid(), fd));
    if (geteuid() != 0)
        return; /* chroot(2) is root's */
    int ready[2];
    char c = 0;

    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (!pid) {
        if (chroot("/usr") < 0 || chdir("/bin") < 0 || write(ready[1], &c, 1) != 1)
            _exit(1);
        pause();
    }
    ck_assert_int_eq((int)read(ready[0], &c, 1), 1);
    CLEANUP_FREE char *other = proc_root(pid), *cwd = proc_cwd(pid), *expected = xasprintf("/proc/%d/root", (int)pid);

    ck_assert_str_eq(other, expected);
    ck_assert_str_eq(cwd, "/bin");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(files_are_read_to_their_limit)
{
    size_t size;
    CLEANUP_FREE char *zeros = proc_read("/dev/zero", 100000, &size);

    ck_assert_ptr_nonnull(zeros);
    ck_assert_uint_ge(size, 100000);
    ck_assert_uint_lt(size, 200000);
    errno = 0;
    ck_assert_ptr_null(proc_read("/nothere/at/all", 10, &size));
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proc");
    TCase *tcase = tcase_create("looks");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tcase, own_status);
    tcase_add_test(tcase, a_zombie_and_a_gone_process);
    tcase_add_test(tcase, own_image);
    tcase_add_test(tcase, an_environment_as_it_was_executed);
    tcase_add_test(tcase, roots_and_descriptors);
    tcase_add_test(tcase, files_are_read_to_their_limit);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
