/* On which mount a file is, and whether that forbids to execute it or to map it for execution (mount(8), noexec). */
#ifndef GLIBCTRACE_PROBES_MOUNT_H
#define GLIBCTRACE_PROBES_MOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The deepest directory above PATH (absolute, inside ROOT; no link in it) that is on another file system than its
 * parent, or PATH itself; malloced. */
char *mount_of(const char *root, const char *path);
/* Of the mount through which FD was opened. execve(2) answers EACCES then, mmap(2) with PROT_EXEC EPERM. */
bool mount_forbids_execution(int fd);

/* One mount as a process sees it (proc_pid_mountinfo(5)). OPTIONS are the mount's own, and "ro" where its file system
 * is: what a file system says of itself besides may name servers and users. */
struct mount_seen {
    char *point, *type, *options;
};
/* PID's, in the order in which they were made: malloced, *COUNT of them; NULL where they cannot be read. */
struct mount_seen *mount_list(pid_t pid, size_t *count);
void mount_list_free(struct mount_seen *mounts, size_t count);
/* Which of COUNT MOUNTS holds the absolute PATH: the last of the deepest, or NULL. */
const struct mount_seen *mount_holding(const struct mount_seen *mounts, size_t count, const char *path);

#endif
