/* What was around a process that failed: limits, sysctls, mounts, the programs concerned and their versions. Looked at
 * while it stands, told by system.json and by the page. What could not be read is not in it. */
#ifndef GLIBCTRACE_REPORTS_SURROUNDINGS_H
#define GLIBCTRACE_REPORTS_SURROUNDINGS_H

#include "programs.h"

#include <probes/mount.h>

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

struct model;
struct report;

struct limit_seen {
    const char *name; /* "RLIMIT_NOFILE" */
    uint64_t soft, hard;
};
struct sysctl_seen {
    const char *name; /* "fs.inotify.max_user_watches" */
    uint64_t value;
};
enum { SYSCTLS_MOST = 8 };
struct surroundings {
    unsigned cpu_level; /* x86-64-vN; 0: not known */
    char *container;    /* system_container(), or NULL */
    struct limit_seen limits[RLIM_NLIMITS];
    size_t limit_count;
    struct sysctl_seen sysctls[SYSCTLS_MOST];
    size_t sysctl_count;
    struct mount_seen *mounts;
    size_t mount_count;
    struct program_list programs;
};

/* Of PROCESS, which stands still: all its mounts, and the programs that it and its suspects' causes name. */
struct surroundings *surroundings_read(const struct process *process, struct programs *programs);
/* What matters to REPORT, whose first cause is of the process that has SEEN: of the mounts those that its causes' paths
 * lie on, and the programs of all processes of MODEL that have a cause. */
struct surroundings *surroundings_pick(const struct surroundings *seen, const struct report *report,
                                       const struct model *model);
void surroundings_destroy(struct surroundings *surroundings);

#endif
