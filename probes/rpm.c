/* rpm's database is read by rpm itself: its form (SQLite, ndb, Berkeley) is its own business. The program gets two
 * seconds, no input, and an environment of ours. */
#include "alloc.h"
#include "packages_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { LIMIT_MS = 2000, ANSWER_MOST = 4096 };

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads FD to its end or until time is up; false for the latter. */
static bool read_answer(int fd, char *answer)
{
    long until = now_ms() + LIMIT_MS;
    size_t n = 0;

    for (;;) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        long left = until - now_ms();
        ssize_t got;

        answer[n] = '\0';
        if (left <= 0)
            return false;
        if (poll(&waiting, 1, (int)left) <= 0)
            continue;
        got = read(fd, answer + n, ANSWER_MOST - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || (n += (size_t)got) == ANSWER_MOST)
            break;
    }
    answer[n] = '\0';
    return true;
}

static pid_t start(const char *program, const char *option, const char *what, int out)
{
    static char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
    char *const argv[] = {"rpm", "-q", (char *)option, "--qf", "%{NAME}\t%{VERSION}-%{RELEASE}\n", (char *)what, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int error;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    error = posix_spawn(&pid, program, &actions, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    return error ? -1 : pid;
}

bool rpm_find(const struct package_wish *wish, const char *program, struct package *ret)
{
    CLEANUP_FREE char *what = wish->path      ? xstrdup(wish->path)
                              : wish->library ? xasprintf("%s()(64bit)", wish->name)
                                              : xasprintf("/usr/bin/%s", wish->name);
    char answer[ANSWER_MOST + 1];
    int ends[2], status = -1;
    const char *tab;
    bool whole;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    pid = start(program, wish->path ? "-f" : "--whatprovides", what, ends[1]);
    close(ends[1]);
    whole = pid > 0 && read_answer(ends[0], answer);
    close(ends[0]);
    if (pid > 0 && !whole)
        kill(pid, SIGKILL);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    tab = whole && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? strchr(answer, '\t') : NULL;
    if (!tab || tab == answer)
        return false;
    ret->name = xstrndup(answer, (size_t)(tab - answer));
    ret->version = xstrndup(tab + 1, strcspn(tab + 1, "\n"));
    ret->installed = true;
    ret->says = "rpm's database";
    return true;
}
