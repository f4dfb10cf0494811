/* On which mount a file is, and whether that forbids to execute it or to map it for execution (mount(8), noexec). */
#ifndef GLIBCTRACE_PROBES_MOUNT_H
#define GLIBCTRACE_PROBES_MOUNT_H

#include <stdbool.h>

/* The deepest directory above PATH (absolute, inside ROOT; no link in it) that is on another file system than its
 * parent, or PATH itself; malloced. */
char *mount_of(const char *root, const char *path);
/* Of the mount through which FD was opened. execve(2) answers EACCES then, mmap(2) with PROT_EXEC EPERM. */
bool mount_forbids_execution(int fd);

#endif
