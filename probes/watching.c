#include "watching.h"

#include "alloc.h"
#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_MOST = 3, LOOKED_AT_ONCE = 64, DEPTH_MOST = 128 };

int watching_try(const char *directory, enum watching_step *step)
{
    char events[4096];
    CLEANUP_CLOSE int instance = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    CLEANUP_CLOSE int opened = -1;

    *step = WATCHING_INSTANCE;
    if (instance < 0)
        return errno;
    *step = WATCHING_WATCH;
    if (inotify_add_watch(instance, directory, IN_OPEN | IN_ONLYDIR) < 0)
        return errno;
    *step = WATCHING_OPEN;
    opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0)
        return errno;
    *step = WATCHING_EVENT;
    return read(instance, events, sizeof events) > 0 ? 0 : ENODATA;
}

struct walk {
    uint64_t count, most;
    dev_t device;
    struct timespec end;
    bool whole;
};

static bool is_over(struct walk *walk)
{
    struct timespec now;

    if (walk->count >= walk->most)
        walk->whole = false;
    if (walk->count % LOOKED_AT_ONCE == 0 && clock_gettime(CLOCK_MONOTONIC, &now) == 0 &&
        (now.tv_sec > walk->end.tv_sec || (now.tv_sec == walk->end.tv_sec && now.tv_nsec > walk->end.tv_nsec)))
        walk->whole = false, walk->most = walk->count;
    return walk->count >= walk->most;
}

static bool is_left_out(const char *parent, const char *name)
{
    return strcmp(path_base(parent), ".git") == 0 &&
           (strcmp(name, "objects") == 0 || strcmp(name, "subtree-cache") == 0);
}

/* FD is taken over. */
static void count_below(struct walk *walk, int fd, const char *path, int depth)
{
    DIR *dir = fdopendir(fd);
    const struct dirent *entry;

    if (!dir) {
        close(fd);
        return;
    }
    while (!is_over(walk) && (entry = readdir(dir))) {
        CLEANUP_FREE char *below = NULL;
        struct stat st;
        int next;

        if ((entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) || strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0 || is_left_out(path, entry->d_name) ||
            fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode) ||
            st.st_dev != walk->device)
            continue;
        walk->count++;
        next = depth < DEPTH_MOST ? openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
        below = path_join(path, entry->d_name);
        if (next >= 0)
            count_below(walk, next, below, depth + 1);
        else
            walk->whole = false;
    }
    closedir(dir);
}

uint64_t watching_directories(const char *directory, uint64_t most, bool *whole)
{
    struct walk walk = {.count = 1, .most = most, .whole = true};
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    *whole = false;
    if (fd < 0 || fstat(fd, &st) < 0) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    walk.device = st.st_dev;
    clock_gettime(CLOCK_MONOTONIC, &walk.end);
    walk.end.tv_sec += SECONDS_MOST;
    count_below(&walk, fd, directory, 0);
    *whole = walk.whole;
    return walk.count;
}
