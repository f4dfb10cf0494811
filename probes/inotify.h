/* Who uses inotify(7): instances and watches of each process of a user, counted from /proc/PID/fdinfo (proc(5)). An
 * instance that a fork shares with its parent is counted for both. */
#ifndef GLIBCTRACE_PROBES_INOTIFY_H
#define GLIBCTRACE_PROBES_INOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct inotify_user {
    pid_t pid;
    char name[64]; /* of the process */
    uint64_t instances, watches;
};

/* Those of the user who owns PID and, ALL being false, of its user namespace: malloced, *COUNT of them, most watches
 * (then most instances) first. *UNREAD more may not be looked at. */
struct inotify_user *inotify_users(pid_t pid, bool all, size_t *count, size_t *unread);

#endif
