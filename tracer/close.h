/* Watching closely: processes in which every system call stops, at its entry and exit, besides what the filter asks
 * for.
 *
 * A seccomp filter that is not ours answers before ours is heard (seccomp(2): of several filters the most restrictive
 * action counts, and SECCOMP_RET_TRACE is less so than SECCOMP_RET_ERRNO): the calls that it refuses have no seccomp
 * stop, and that they have none is how its answer is told from the kernel's own. A limit of memory is met by calls
 * (mmap(2), brk(2)) that are too frequent to stop in every program. Such processes are watched so for a bounded number
 * of calls. */
#ifndef GLIBCTRACE_TRACER_CLOSE_H
#define GLIBCTRACE_TRACER_CLOSE_H

#include "task.h"

struct session;

/* TASK's process has put a filter on. */
void close_filter(struct session *session, struct task *task);
/* TASK's process may have a limit of memory: looks, and watches it closely if so. */
void close_limits(struct session *session, struct task *task);
/* CHILD is a fork of PARENT (a pid). */
void close_inherit(const struct session *session, pid_t parent, struct group *child);
/* Entry and exit of any call of TASK, where the exit is of one that the filter did not stop for. */
void close_entry(struct session *session, struct task *task, const struct syscall_stop *stop);
void close_exit(struct session *session, struct task *task, const struct syscall_stop *stop);

#endif
