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

enum { AT_ONCE = 16 /* descriptors of nftw(3) */, LETTERS = 6 /* of mkdtemp(3) */ };

/* What the other process says of the directory. */
struct made {
    int error;
    char letters[LETTERS];
};

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

/* The other process, which makes the directory itself, so that there is no moment in which it is there and unguarded.
 * It holds nothing open but its end of the socket, so that nobody waits for it who waits for the end of our output; a
 * terminal's Ctrl-C is not for it. */
__attribute__((noreturn)) static void guard(int end, char *path)
{
    struct made made = {0};
    sigset_t all;
    char byte;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setsid();
    if (dup2(end, STDIN_FILENO) < 0)
        _exit(1);
    if (syscall(SYS_close_range, 1U, ~0U, 0U) < 0)
        for (int fd = 1; fd < 1024; fd++)
            close(fd);
    made.error = mkdtemp(path) ? 0 : errno;
    if (!made.error)
        memcpy(made.letters, path + strlen(path) - sizeof made.letters, sizeof made.letters);
    /* without a reader it ends at once, and so does the directory */
    if (send(STDIN_FILENO, &made, sizeof made, MSG_NOSIGNAL) == (ssize_t)sizeof made && chdir("/") == 0)
        while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR)
            ;
    if (!made.error)
        remove_all(path);
    _exit(0);
}

/* Starts it for PATH, which ends in XXXXXX and is what was made then: 0, or an errno value. Below zero: it could not be
 * started. It is nobody's child, so that it is in the way of no wait(2). */
static int start_guard(char *path, int *ret)
{
    struct made made;
    int ends[2];
    pid_t child;
    ssize_t got;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    child = fork();
    if (child == 0) {
        if (fork() == 0) {
            close(ends[0]);
            guard(ends[1], path);
        }
        _exit(0);
    }
    close(ends[1]);
    if (child > 0)
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            ;
    while ((got = recv(ends[0], &made, sizeof made, MSG_WAITALL)) < 0 && errno == EINTR)
        ;
    if (got != (ssize_t)sizeof made || made.error) {
        close(ends[0]);
        return got == (ssize_t)sizeof made ? made.error : -1;
    }
    memcpy(path + strlen(path) - sizeof made.letters, made.letters, sizeof made.letters);
    *ret = ends[0];
    return 0;
}

int scratch_make(struct scratch *ret, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    CLEANUP_FREE char *place = realpath(tmp && *tmp == '/' ? tmp : "/tmp", NULL); /* paths in it are compared */
    int error;

    *ret = (struct scratch){xasprintf("%s/glibctrace-unpacked-XXXXXX", place ? place : "/tmp"), -1};
    error = start_guard(ret->path, &ret->guard);
    if (error < 0)
        error = mkdtemp(ret->path) ? 0 : errno;
    if (error == 0)
        return 0;
    err_errno(err, error, "%s cannot be made", ret->path);
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
