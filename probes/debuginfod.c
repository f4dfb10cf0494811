#include "debuginfod.h"

#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATH_MOST = 4096 };

static const char *set(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

/* ---- its cache: debuginfod_find_debuginfo(3) ---- */

static char *cache_folder(void)
{
    const char *home = set("HOME");
    struct stat st;

    if (set("DEBUGINFOD_CACHE_PATH"))
        return xstrdup(set("DEBUGINFOD_CACHE_PATH"));
    char *old = home ? xasprintf("%s/.debuginfod_client_cache", home) : NULL;

    if (old && stat(old, &st) == 0)
        return old;
    free(old);
    if (set("XDG_CACHE_HOME"))
        return xasprintf("%s/debuginfod_client", set("XDG_CACHE_HOME"));
    return home ? xasprintf("%s/.cache/debuginfod_client", home) : NULL;
}

/* An empty file stands for what no server had. */
static int open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !st.st_size)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int open_cached(const char *build_id)
{
    CLEANUP_FREE char *folder = cache_folder();
    CLEANUP_FREE char *path = folder ? xasprintf("%s/%s/debuginfo", folder, build_id) : NULL;

    return path ? open_file(path) : -1;
}

/* ---- its servers ---- */

static unsigned now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

/* Starts the client in a process group of its own, its output on FD; 0, or an errno value. */
static int start(const char *build_id, int fd, pid_t *ret)
{
    char *const argv[] = {"debuginfod-find", "debuginfo", (char *)build_id, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int error;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, fd, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    error = posix_spawnp(ret, argv[0], &files, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return error;
}

/* What comes from FD until its end, as a string without the newline; false where that takes longer than *LEFT_MS. */
static bool read_answer(int fd, unsigned *left_ms, char answer[PATH_MOST])
{
    unsigned start = now_ms(), limit = *left_ms;
    size_t size = 0;
    ssize_t n = 1;

    while (n > 0 && size + 1 < PATH_MOST && *left_ms) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = poll(&wait, 1, (int)*left_ms);
        unsigned took = now_ms() - start;

        *left_ms = took < limit ? limit - took : 0;
        if (ready <= 0)
            continue;
        n = read(fd, answer + size, PATH_MOST - 1 - size);
        size += n > 0 ? (size_t)n : 0;
    }
    answer[size] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    return n == 0;
}

static int open_fetched(const char *build_id, unsigned *left_ms)
{
    char answer[PATH_MOST];
    int ends[2];
    bool told;
    pid_t pid;

    if (!set("DEBUGINFOD_URLS") || !*left_ms || pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    if (start(build_id, ends[1], &pid)) {
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    close(ends[1]);
    told = read_answer(ends[0], left_ms, answer);
    close(ends[0]);
    if (!told)
        kill(-pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return told && answer[0] == '/' ? open_file(answer) : -1;
}

int debuginfod_open(const char *build_id, unsigned *left_ms)
{
    int fd = open_cached(build_id);

    return fd >= 0 ? fd : open_fetched(build_id, left_ms);
}
