#include "scratch.h"

#include <probes/alloc.h>

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { AT_ONCE = 16 /* descriptors of nftw(3) */ };

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

static void remove_all(const char *path)
{
    nftw(path, remove_one, AT_ONCE, FTW_DEPTH | FTW_PHYS);
}

/* The other process. It holds nothing open but its end of the socket, so that nobody waits for it who waits for the end
 * of our output; a terminal's Ctrl-C is not for it. */
__attribute__((noreturn)) static void guard(int end, const char *path)
{
    sigset_t all;
    char byte;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setsid();
    if (dup2(end, STDIN_FILENO) < 0 || chdir("/") < 0)
        _exit(1);
    if (syscall(SYS_close_range, 1U, ~0U, 0U) < 0)
        for (int fd = 1; fd < 1024; fd++)
            close(fd);
    while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR)
        ;
    remove_all(path);
    _exit(0);
}

/* It is nobody's child, so that it is in the way of no wait(2). */
static int start_guard(const char *path)
{
    int ends[2], status;
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    child = fork();
    if (child == 0) {
        pid_t second = fork();

        if (second == 0) {
            close(ends[0]);
            guard(ends[1], path);
        }
        _exit(second < 0);
    }
    close(ends[1]);
    if (child > 0)
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return ends[0];
    close(ends[0]);
    return -1;
}

int scratch_make(struct scratch *ret, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    CLEANUP_FREE char *place = realpath(tmp && *tmp == '/' ? tmp : "/tmp", NULL); /* paths in it are compared */

    *ret = (struct scratch){xasprintf("%s/glibctrace-unpacked-XXXXXX", place ? place : "/tmp"), -1};
    if (mkdtemp(ret->path)) {
        ret->guard = start_guard(ret->path);
        return 0;
    }
    err_errno(err, errno, "%s cannot be made", ret->path);
    free(ret->path);
    ret->path = NULL;
    return -1;
}

void scratch_remove(struct scratch *scratch)
{
    char byte;

    if (!scratch->path)
        return;
    remove_all(scratch->path);
    if (scratch->guard >= 0) {
        shutdown(scratch->guard, SHUT_WR);
        while (read(scratch->guard, &byte, 1) < 0 && errno == EINTR)
            ;
        close(scratch->guard);
    }
    free(scratch->path);
    *scratch = (struct scratch){NULL, -1};
}
