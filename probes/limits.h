/* What bounds a process, and how much of it is used up: getrlimit(2), cgroups(7), sysctls of its namespaces. Looks
 * only; says neither that a limit was met nor whose fault that is. Sizes are in bytes. */
#ifndef GLIBCTRACE_PROBES_LIMITS_H
#define GLIBCTRACE_PROBES_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LIMITS_INFINITE UINT64_MAX

/* The soft and hard limit of RESOURCE (RLIMIT_…); false where they cannot be read. */
bool limits_get(pid_t pid, int resource, uint64_t *soft, uint64_t *hard);
/* How many descriptors PID has open, 0 where that cannot be read. */
uint64_t limits_descriptors(pid_t pid);
/* How many threads the processes of real user UID have, and all together, as far as /proc shows them. STAYING: of the
 * user's only those that are not about to end; until they are waited for, the others count for the kernel as well. */
void limits_tasks(uid_t uid, bool staying, uint64_t *of_user, uint64_t *all);
/* How many mappings it has. */
uint64_t limits_mappings(pid_t pid);

struct limits_memory {
    uint64_t size, data, locked, stack, peak; /* VmSize, VmData, VmLck, VmStk, VmPeak of proc(5) */
};
bool limits_memory_read(pid_t pid, struct limits_memory *ret);

/* The number in /proc/sys/NAME ("fs/file-max"), as PID's user namespace has it where PID is not 0 and is in another one
 * than this process. */
bool limits_sysctl(pid_t pid, const char *name, uint64_t *ret);
/* PID's user namespace is not this process's. */
bool limits_other_user_namespace(pid_t pid);

/* A limit of the control group of PID, or of one above it, that is used up: the directory, malloced; or NULL. */
char *limits_cgroup_pids(pid_t pid, uint64_t *max);
/* How many processes the kernel has killed for want of memory in the control groups of PID and all above it. */
uint64_t limits_memory_kills(pid_t pid);
/* A control group of PID, or one above it, whose memory limit was reached and in which the kernel has killed so; *NAME
 * is the file that holds the limit ("memory.max"). malloced, or NULL. */
char *limits_cgroup_memory(pid_t pid, uint64_t *max, const char **name);

/* The file system of an open file or a directory has no room left for this user. */
enum limits_room { ROOM_LEFT, ROOM_NO_BLOCKS, ROOM_NO_INODES };
enum limits_room limits_room_at(const char *path, uint64_t *size);

#endif
