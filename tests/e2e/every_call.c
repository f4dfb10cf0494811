/* Makes every call that glibctrace tells of, with many kinds of arguments, mostly wrong ones: what is compared is how
 * they are told, not what they do. `every_call GROUP`; runs in an empty directory and leaves files only there. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/stat.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL(name, ...) syscall(SYS_##name, ##__VA_ARGS__)

static const long all_bits = 0xffffffff;
static const int here = AT_FDCWD;

static void opens(void)
{
    char name[200];

    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = 0;
    for (int bit = 2; bit < 32; bit++)
        CALL(openat, here, "absent/x", 1L << bit, 0644);
    CALL(open, "absent/x", all_bits, 0644);
    CALL(open, "absent/x", all_bits & ~020000000L, 0644);
    CALL(open, "absent/x", O_RDWR | O_TMPFILE, 07777);
    CALL(open, "absent/x", O_RDWR | O_CREAT | O_EXCL, 0);
    CALL(open, "absent/x", O_SYNC | O_DSYNC);
    CALL(open, "absent/x", 3);
    CALL(open, name, O_WRONLY);
    CALL(open, NULL, 0);
    CALL(open, 1L, 0);
    CALL(open, "a\1\0019\t\n\v\f\r\"\\\177\377\303\251", 0);
    CALL(openat, -1, "x", 0);
    CALL(openat, -3, "x", O_CREAT, 1);
    CALL(creat, "absent/x", 0600);
    CALL(creat, "absent/x", 010000600);
}

static void changes(void)
{
    CALL(mkdir, "absent/x", 0755);
    CALL(mkdir, NULL, 010000);
    CALL(mkdirat, here, "absent/x", 07777);
    CALL(rmdir, "absent");
    CALL(unlink, "absent\n");
    CALL(unlinkat, here, "absent", 0);
    CALL(unlinkat, -5, "absent", AT_REMOVEDIR);
    CALL(unlinkat, here, "absent", all_bits);
    CALL(rename, "absent", "other");
    CALL(renameat, here, "absent", 77, "other");
    CALL(renameat2, here, "absent", here, "other", 0);
    CALL(renameat2, here, "absent", here, "other", 3);
    CALL(renameat2, here, "absent", here, "other", 8);
    CALL(link, "absent", "other");
    CALL(linkat, here, "absent", here, "other", AT_SYMLINK_FOLLOW);
    CALL(linkat, here, "absent", here, "other", 0);
    CALL(symlink, "what it says", "absent/x");
    CALL(symlinkat, "what it says", here, "absent/x");
    CALL(chmod, "absent", 04755);
    CALL(fchmodat, here, "absent", 0);
    CALL(chown, "absent", -1, 0);
    CALL(lchown, "absent", 65534, -2);
    CALL(fchownat, here, "absent", 1, 1, AT_SYMLINK_NOFOLLOW);
    CALL(truncate, "absent", 4096);
    CALL(truncate, "absent", -1);
}

static void openat2s(void)
{
    struct open_how how = {O_CREAT, 0644, all_bits};
    char longer[40] = {0};

    CALL(openat2, here, "absent/x", &how, sizeof how);
    CALL(openat2, here, "absent/x", &how, 4);
    CALL(openat2, here, "absent/x", NULL, 24);
    how = (struct open_how){0};
    CALL(openat2, here, "absent/x", &how, sizeof how);
    how.resolve = RESOLVE_BENEATH | 0x1000;
    memcpy(longer, &how, sizeof how);
    CALL(openat2, here, "absent/x", longer, sizeof longer);
    longer[30] = 7;
    CALL(openat2, here, "absent/x", longer, sizeof longer);
}

static void accesses(void)
{
    for (int mode = 0; mode < 9; mode++)
        CALL(access, "absent", mode);
    CALL(access, "/", R_OK | X_OK);
    CALL(faccessat, here, "absent", 4);
    CALL(faccessat2, here, "absent", 4, all_bits);
    CALL(faccessat2, here, "absent", 4, 0);
    CALL(faccessat2, here, "absent", 4, 0x200);
    CALL(faccessat2, here, "absent", 4, 0x10000000);
}

static void links(void)
{
    char buffer[256], target[100];

    memset(target, 'b', sizeof target - 1);
    target[sizeof target - 1] = 0;
    if (symlink("short", "l1") || symlink(target, "l2"))
        abort();
    CALL(readlink, "l1", buffer, sizeof buffer);
    CALL(readlink, "l1", buffer, 3);
    CALL(readlink, "l2", buffer, sizeof buffer);
    CALL(readlink, "absent", buffer, sizeof buffer);
    CALL(readlinkat, here, "l1", buffer, sizeof buffer);
    CALL(readlink, "l1", buffer, -1L);
    CALL(readlink, "l1", NULL, 5);
}

static void stats(void)
{
    static const char *const paths[] = {"/etc/passwd", "/dev/null", "/",  "/tmp",
                                        "/usr/bin/su", "absent",    "l1", "/proc"};
    struct stat st;
    struct statx stx;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        CALL(stat, paths[i], &st);
        CALL(lstat, paths[i], &st);
        CALL(newfstatat, here, paths[i], &st, 0);
        CALL(newfstatat, here, paths[i], &st, AT_SYMLINK_NOFOLLOW);
        CALL(statx, here, paths[i], AT_STATX_SYNC_AS_STAT, STATX_ALL, &stx);
        CALL(statx, here, paths[i], AT_STATX_FORCE_SYNC | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &stx);
        CALL(statx, here, paths[i], AT_STATX_DONT_SYNC, 0, &stx);
    }
    CALL(stat, "absent", NULL);
    CALL(stat, "/", NULL);
    CALL(statx, here, "/", 0, 0xfff, NULL);
    CALL(statx, here, "absent", 0x6000, all_bits, &stx);
    CALL(statx, here, "absent", all_bits & ~0x1000, 0x7ff, &stx);
    CALL(statx, here, "absent", 0, 0x80000000, &stx);
    for (int bit = 0; bit < 18; bit++)
        if (bit != 12)
            CALL(statx, here, "absent", 1 << bit, 1 << bit, &stx);
    for (int bit = 0; bit < 32; bit++)
        if (bit != 12)
            CALL(newfstatat, here, "absent", NULL, 1L << bit);
}

static void maps(void)
{
    int file = open("/etc/passwd", O_RDONLY);

    CALL(mmap, 0L, 4096L, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0L);
    CALL(mmap, 0L, 1L, PROT_READ | PROT_EXEC, MAP_SHARED, file, 4096L);
    CALL(mmap, 0L, 1L, PROT_EXEC, MAP_SHARED, file, 0xfffL);
    CALL(mmap, 0L, 1L, 4L, 0L, file, 0L);
    CALL(mmap, 0L, 1L, 4L, 3L, -1L, 0L);
    CALL(mmap, 0L, 1L, 4L, MAP_HUGETLB | MAP_PRIVATE | (21L << 26), 55L, -1L);
    CALL(mmap, 0L, 1L, all_bits, all_bits & ~MAP_ANONYMOUS, 55L, 0L);
    for (int bit = 0; bit < 32; bit++)
        if (bit != 5)
            CALL(mmap, 0L, 1L, 1L << bit, 1L << bit, 55L, 0L);
}

static void memory_files(void)
{
    CALL(memfd_create, "hello", all_bits);
    CALL(memfd_create, "0123456789012345678901234567890123456789", 1);
    CALL(memfd_create, "x", 0);
    CALL(memfd_create, "x", 21 << 26 | 4);
    CALL(memfd_create, "x", 21 << 26);
    for (int bit = 0; bit < 32; bit++)
        CALL(memfd_create, NULL, 1L << bit);
}

static void places(void)
{
    CALL(chdir, "absent");
    CALL(chdir, "/");
    CALL(fchdir, 77);
    CALL(chroot, "absent");
    CALL(pivot_root, "absent", "b");
    CALL(unshare, all_bits);
    CALL(unshare, 0);
    for (int bit = 0; bit < 7; bit++)
        CALL(unshare, 1L << bit);
    CALL(setns, 77, all_bits);
    CALL(setns, 77, 0);
    for (int bit = 0; bit < 32; bit++)
        CALL(setns, -1, 1L << bit);
}

static void executions(void)
{
    char *words[60];

    for (int i = 0; i < 59; i++)
        words[i] = "ab";
    words[59] = NULL;
    CALL(execve, "absent", words, words);
    words[5] = NULL;
    words[1] = "0123456789012345678901234567890123456789";
    CALL(execve, "absent", words, words);
    CALL(execve, "absent", NULL, NULL);
    CALL(execve, "absent", 1L, 1L);
    words[2] = (char *)5;
    CALL(execve, "absent", words, words);
    CALL(execve, NULL, words + 5, words + 5);
    words[1] = NULL;
    CALL(execve, "absent", words, words);
    /* a vector and a string that run into the end of the mapping */
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    munmap(page + 4096, 4096);
    memset(page, 'y', 4096);
    CALL(execve, page + 8, NULL, NULL);
    memcpy(page + 4096 - sizeof words[0], words, sizeof words[0]);
    CALL(execve, "absent", page + 4096 - sizeof words[0], page + 4096 - sizeof words[0]);
    CALL(execve, "absent", page + 4096, page + 4096);
    CALL(execveat, here, "absent", words, words, all_bits);
    CALL(execveat, here, "absent", words, words, 0);
    CALL(execveat, here, "absent", words, words, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
}

static void connections(void)
{
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_nl nl;
        char bytes[128];
    } a = {.un = {AF_UNIX, "/absent/sock"}};
    static const int sizes[] = {110, 12, 4, 2, 1};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        CALL(connect, 5, &a, sizes[i]);
    int outcome = 0, size = sizeof outcome, fd = CALL(socket, AF_UNIX, SOCK_STREAM, 0);

    CALL(getsockopt, fd, SOL_SOCKET, SO_ERROR, &outcome, &size);
    CALL(getsockopt, fd, SOL_SOCKET, SO_ERROR, NULL, &size);
    CALL(getsockopt, -1, SOL_SOCKET, SO_ERROR, &outcome, &size);
    CALL(getsockopt, fd, SOL_SOCKET, SO_ERROR, &outcome, NULL);
    CALL(connect, 5, NULL, 0);
    CALL(connect, 5, NULL, 110);
    CALL(connect, 5, 7L, 110);
    memset(a.un.sun_path, 'b', 108);
    CALL(connect, 5, &a, 110);
    a.un.sun_path[0] = 0;
    CALL(connect, 5, &a, 110);
    CALL(connect, 5, &a, 15);
    CALL(connect, 5, &a, -1);
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons(80);
    a.in.sin_addr.s_addr = htonl(0x0a010203);
    CALL(connect, 5, &a, 16);
    CALL(connect, 5, &a, 8);
    CALL(connect, 5, &a, 128);
    memset(&a, 0, sizeof a);
    a.in6 = (struct sockaddr_in6){AF_INET6, htons(443), htonl(7), in6addr_loopback, 5};
    CALL(connect, 5, &a, 28);
    CALL(connect, 5, &a, 24);
    inet_pton(AF_INET6, "fe80::1", &a.in6.sin6_addr);
    a.in6.sin6_scope_id = 77;
    CALL(connect, 5, &a, 28);
    a.in6.sin6_scope_id = 1;
    CALL(connect, 5, &a, 28);
    memset(&a, 0, sizeof a);
    a.nl = (struct sockaddr_nl){AF_NETLINK, 0, 3, 5};
    CALL(connect, 5, &a, 12);
    memset(&a, 0, sizeof a);
    static const int families[] = {AF_UNSPEC, AF_APPLETALK, AF_ROSE, 77};

    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        a.any.sa_family = (sa_family_t)families[i];
        CALL(connect, 5, &a, 16);
    }
}

static void watches(void)
{
    CALL(inotify_init);
    CALL(inotify_init1, all_bits);
    CALL(inotify_init1, 0);
    CALL(inotify_init1, 04000 | 02000000);
    CALL(inotify_add_watch, 77, "absent", all_bits);
    CALL(inotify_add_watch, 77, "absent", 0xfff);
    CALL(inotify_add_watch, 77, "absent", 0);
    for (int bit = 0; bit < 32; bit++)
        CALL(inotify_add_watch, 77, "absent", 1L << bit);
}

static void rules(void)
{
    struct sock_filter allow[2] = {{6, 0, 0, SECCOMP_RET_ALLOW}, {6, 0, 0, SECCOMP_RET_ALLOW}};
    struct sock_fprog program = {2, allow};

    CALL(seccomp, 0, 1, 0L);
    CALL(seccomp, 0, 5, 7L);
    CALL(seccomp, 1, 0, 7L);
    CALL(seccomp, 1, all_bits, 0L);
    for (int bit = 0; bit < 7; bit++)
        CALL(seccomp, 1, 1L << bit, 0L);
    CALL(seccomp, 1, 8000000, &program);
    CALL(prctl, PR_SET_NO_NEW_PRIVS, 2, 3, 4, 5);
    CALL(prctl, PR_SET_SECCOMP, 2, 7L, 0L, 0L);
    CALL(prctl, PR_SET_SECCOMP, 3, &program, 0L, 0L);
    CALL(prctl, PR_SET_NO_NEW_PRIVS, 1, 0L, 0L, 0L);
    CALL(prctl, PR_SET_SECCOMP, 2, &program, 0L, 0L);
    program.len = 1;
    CALL(seccomp, 1, 0, &program);
}

static void child(long pid)
{
    if (pid == 0)
        _exit(3);
    if (pid > 0)
        while (wait(NULL) < 0 && errno == EINTR)
            ;
}

static void clones(void)
{
    struct clone_args args = {.flags = ~0ull, .exit_signal = SIGCHLD};
    uint32_t child_tid = 0, parent_tid = 0;

    for (int bit = 9; bit < 32; bit++)
        CALL(clone, CLONE_SIGHAND | 1L << bit, 0L, 0L, 0L, 0L);
    CALL(clone, CLONE_SIGHAND | SIGCHLD, 0x1000L, 2L, 3L, 4L);
    CALL(clone, CLONE_SIGHAND | CLONE_PARENT_SETTID | CLONE_SETTLS | CLONE_CHILD_CLEARTID | 77, 0x1000L, 2L, 3L, 4L);
    CALL(clone, 77 | CLONE_NEWUSER | CLONE_FS, 0L, 2L, 3L, 4L);
    CALL(clone3, &args, sizeof args);
    CALL(clone3, &args, 64);
    CALL(clone3, NULL, 88);
    CALL(clone3, 7L, 88);
    CALL(clone3, &args, 8);
    args = (struct clone_args){.flags = CLONE_SIGHAND | CLONE_SETTLS, .stack = 0x1000, .set_tid = 7, .set_tid_size = 3};
    CALL(clone3, &args, sizeof args);
    child(CALL(clone, SIGCHLD, 0L, 0L, 0L, 0L));
    child(CALL(clone, SIGCHLD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID, 0L, &parent_tid,
               &child_tid, 0L));
    args = (struct clone_args){.flags = CLONE_PARENT_SETTID, .parent_tid = (uintptr_t)&parent_tid, .exit_signal = 17};
    child(CALL(clone3, &args, sizeof args));
    child(CALL(fork));
    child(vfork());
}

static void *fail_once(void *name)
{
    open(name, O_RDONLY);
    return NULL;
}

static void threads(void)
{
    static char *const names[] = {"absent/1", "absent/2", "absent/3"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, fail_once, names[i]))
            abort();
        pthread_join(thread, NULL);
    }
}

/* What the tracer's own filter would refuse is left out: TRACEME. */
static void tracers(void)
{
    CALL(ptrace, PTRACE_ATTACH, 0x7ffffff0, 0L, 0L);
    CALL(ptrace, PTRACE_SEIZE, 0x7ffffff0, 0x100L, 7L);
    CALL(ptrace, PTRACE_SEIZE, 0x7ffffff0, 0L, 0x1000ffL);
}

static void on_signal(int number)
{
    (void)number;
}

static void signals_come(void)
{
    static const int ways[] = {SIGSEGV, SIGABRT, SIGTERM, SIGKILL, SIGILL, 37};

    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, on_signal);
    raise(SIGUSR1);
    kill(getpid(), SIGUSR2);
    sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 77});
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        pid_t pid = fork();

        if (pid) {
            while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
            continue;
        }
        if (ways[i] == SIGSEGV)
            *(volatile char *)8 = 1;
        if (ways[i] == SIGILL)
            __builtin_trap();
        raise(ways[i]);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } groups[] = {
        {"opens", opens},
        {"changes", changes},
        {"openat2s", openat2s},
        {"accesses", accesses},
        {"links", links},
        {"stats", stats},
        {"maps", maps},
        {"places", places},
        {"memory_files", memory_files},
        {"executions", executions},
        {"connections", connections},
        {"watches", watches},
        {"rules", rules},
        {"clones", clones},
        {"tracers", tracers},
        {"signals", signals_come},
        {"threads", threads},
    };

    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (argc == 2 && strcmp(argv[1], groups[i].name) == 0) {
            groups[i].run();
            return 0;
        }
    return 64;
}
