/* A limit that a call has met: found out while the process stands where it met it, since a moment later descriptors are
 * closed, memory is given back and temporary files are deleted. What it means is judge_limit.c's to say. */
#ifndef GLIBCTRACE_REPORTS_LIMIT_H
#define GLIBCTRACE_REPORTS_LIMIT_H

#include "model.h"

struct limit {
    char *name;     /* as the contract spells it: "RLIMIT_NOFILE", "ENOSPC:/tmp", "fs.inotify.max_user_watches" */
    uint64_t value; /* of the limit */
    uint64_t used, wanted; /* how much of it was in use and asked for besides; 0: not known */
    uint64_t hard;         /* of a resource limit: how far the process could raise it itself */
    const char *unit;      /* static: "descriptors", "bytes" */
    char *place;           /* a control group's directory, a file, or NULL */
    struct strings users;  /* who uses it up, one phrase each, greatest first */
    bool sure;             /* what is in use shows that it is this one */
    bool eased;            /* it was no longer reached when the process left: it had given something back */
};

/* Which limit FAILURE of PROCESS, which stands in the call, has met; NULL where none is known. */
struct limit *limit_find(const struct process *process, const struct failure *failure);
/* The limit that PROCESS, which stands, has met in a call that is not followed (write(2), fcntl(2)), if it has just
 * SAID so and the limit is found used up: descriptors, room in a file system that it writes to. NULL where there is
 * none. */
struct limit *limit_find_said(const struct process *process, const char *said, size_t size);
/* The limit by which the kernel has ended PROCESS, or NULL. */
struct limit *limit_find_kill(const struct process *process);
/* Whether PROCESS, which stands at its end, has room again in the limit that FAILURE met: limits of which that can be
 * told. */
bool limit_has_eased(const struct process *process, const struct failure *failure);
/* As it was noted in a log: NULL where SIGHT has none. */
struct limit *limit_noted(const struct sight *sight);
void limit_destroy(struct limit *limit);

#endif
