#include "inotify.h"

#include "alloc.h"
#include "proc.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

enum { DESCRIPTORS_MOST = 100000 };

static uint64_t watches_in(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[512];
    uint64_t count = 0;

    if (!file)
        return 0;
    while (fgets(line, sizeof line, file))
        count += strncmp(line, "inotify wd:", 11) == 0;
    fclose(file);
    return count;
}

static void count_of(pid_t pid, struct inotify_user *user)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    size_t seen = 0;

    if (!dir)
        return;
    for (const struct dirent *entry; seen++ < DESCRIPTORS_MOST && (entry = readdir(dir));) {
        char link[64];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof link);

        if (n != (ssize_t)strlen("anon_inode:inotify") || strncmp(link, "anon_inode:inotify", (size_t)n) != 0)
            continue;
        CLEANUP_FREE char *info = xasprintf("/proc/%d/fdinfo/%s", (int)pid, entry->d_name);

        user->instances++;
        user->watches += watches_in(info);
    }
    closedir(dir);
}

static int compare(const void *a, const void *b)
{
    const struct inotify_user *x = a, *y = b;

    if (x->watches != y->watches)
        return x->watches > y->watches ? -1 : 1;
    return (x->instances < y->instances) - (x->instances > y->instances);
}

static ino_t user_namespace(pid_t pid)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/ns/user", (int)pid);
    struct stat st;

    return stat(path, &st) == 0 ? st.st_ino : 0;
}

struct inotify_user *inotify_users(pid_t pid, bool all, size_t *count)
{
    CLEANUP_FREE char *own = xasprintf("/proc/%d", (int)pid);
    struct inotify_user *users = NULL;
    ino_t space = user_namespace(pid);
    struct stat owner, st;
    DIR *dir = opendir("/proc");
    size_t cap = 0;

    *count = 0;
    if (!dir)
        return NULL;
    if (stat(own, &owner) < 0)
        owner.st_uid = (uid_t)-1;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        struct inotify_user one = {.pid = (pid_t)atoi(entry->d_name)};
        struct proc_status status;

        if (one.pid <= 0 || fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 || st.st_uid != owner.st_uid ||
            (!all && user_namespace(one.pid) != space))
            continue;
        count_of(one.pid, &one);
        if (!one.instances)
            continue;
        if (proc_status_read(one.pid, &status) == 0)
            memcpy(one.name, status.name, sizeof one.name);
        proc_status_deinit(&status);
        *(struct inotify_user *)array_add(&users, count, &cap, sizeof *users) = one;
    }
    closedir(dir);
    if (users)
        qsort(users, *count, sizeof *users, compare);
    return users;
}
