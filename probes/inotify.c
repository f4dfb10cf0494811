#include "inotify.h"

#include "alloc.h"
#include "proc.h"

#include <dirent.h>
#include <errno.h>
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

/* False: it may not be looked at. */
static bool count_of(pid_t pid, struct inotify_user *user)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    size_t seen = 0;

    if (!dir)
        return errno == ENOENT || errno == ESRCH; /* it has ended */
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
    return true;
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

/* The user whose process that is: the directory of one that has changed its user, or may not be read, is root's
 * (proc(5), PR_SET_DUMPABLE). */
static bool owner_of(pid_t pid, struct proc_status *status, uid_t *ret)
{
    if (proc_status_read(pid, status) < 0)
        return false;
    *ret = status->cred.uid; /* inotify(7) counts by that one: inotify_new_group() */
    return true;
}

struct inotify_user *inotify_users(pid_t pid, bool all, size_t *count, size_t *unread)
{
    struct inotify_user *users = NULL;
    ino_t space = user_namespace(pid);
    DIR *dir = opendir("/proc");
    uid_t owner = (uid_t)-1, user;
    struct proc_status status;
    size_t cap = 0;

    *count = *unread = 0;
    if (!dir)
        return NULL;
    if (owner_of(pid, &status, &owner))
        proc_status_deinit(&status);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        struct inotify_user one = {.pid = (pid_t)atoi(entry->d_name)};
        ino_t its = one.pid > 0 && !all ? user_namespace(one.pid) : 0;

        if (one.pid <= 0 || !owner_of(one.pid, &status, &user))
            continue;
        if (user == owner && !status.kernel_thread && (all || !its || its == space)) {
            *unread += !count_of(one.pid, &one);
            memcpy(one.name, status.name, sizeof one.name);
            if (one.instances)
                *(struct inotify_user *)array_add(&users, count, &cap, sizeof *users) = one;
        }
        proc_status_deinit(&status);
    }
    closedir(dir);
    if (users)
        qsort(users, *count, sizeof *users, compare);
    return users;
}
