/* Which processes there are, and which have come from which (proc(5)). Those whose parent has ended are nobody's any
 * more: they have been given to another one (PR_SET_CHILD_SUBREAPER of prctl(2)). */
#ifndef GLIBCTRACE_PROBES_PROC_TREE_H
#define GLIBCTRACE_PROBES_PROC_TREE_H

#include <stddef.h>
#include <sys/types.h>

/* PID and all that it has started and those have, parents before their children; 0: all that there are. malloced,
 * *COUNT of them; NULL where there is none. */
pid_t *proc_tree(pid_t pid, size_t *count);

#endif
