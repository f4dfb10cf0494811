/* What was around a process that failed: limits, sysctls, mounts, the programs concerned and their versions. Looked at
 * while it stands, told by system.json and by the page. What could not be read is not in it. */
#ifndef GLIBCTRACE_REPORTS_SURROUNDINGS_H
#define GLIBCTRACE_REPORTS_SURROUNDINGS_H

#include <probes/mount.h>

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

struct process;
struct report;

struct limit_seen {
    const char *name; /* "RLIMIT_NOFILE" */
    uint64_t soft, hard;
};
struct sysctl_seen {
    const char *name; /* "fs.inotify.max_user_watches" */
    uint64_t value;
};
struct program_seen {
    char *name;    /* "node", "Visual Studio Code", "golang.org/x/tools/gopls", "golang.go" (an extension) */
    char *version; /* or NULL */
    char *built;   /* Go's release that built it, or NULL */
    char *commit;  /* VS Code's, or NULL */
    char *path;    /* the file that says so */
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
    struct program_seen *programs;
    size_t program_count, program_cap;
};

/* Of PID, which stands still, in the root ROOT (path.h); all mounts, no programs. */
struct surroundings *surroundings_read(pid_t pid, const char *root);
/* What of SEEN matters to REPORT: the mounts that its causes' paths lie on, and the programs that they name, read from
 * files in the root of PROCESS, whose surroundings SEEN are. */
struct surroundings *surroundings_pick(const struct surroundings *seen, const struct report *report,
                                       const struct process *process);
void surroundings_destroy(struct surroundings *surroundings);

/* programs.c: those of REPORT's causes into SURROUNDINGS. */
void programs_find(struct surroundings *surroundings, const struct report *report, const struct process *process);

#endif
