/* What stands at a path, seen from inside a root directory, and if nothing does: why, at which component.
 *
 * A root is a prefix: "" (our own root), a directory, or /proc/PID/root. Symbolic links are followed as a
 * process inside that root would follow them (an absolute target starts again at the root, ".." stops there).
 * Paths are bytes. At most 40 links are followed, as in Linux (MAXSYMLINKS, path_resolution(7)). */
#ifndef GLIBCTRACE_PROBES_PATH_H
#define GLIBCTRACE_PROBES_PATH_H

#include "err.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

enum path_reason {
    PATH_OK,
    PATH_ABSENT,        /* a component is not there and no link led to it */
    PATH_DANGLING,      /* a symbolic link on the way points at something that is not there */
    PATH_LOOP,          /* ELOOP: links that lead back to themselves, or more than 40 */
    PATH_NOT_DIRECTORY, /* ENOTDIR: a component before the last is not a directory */
    PATH_DENIED,        /* EACCES: a directory on the way may not be searched (by us, or by CRED) */
    PATH_TOO_LONG,      /* ENAMETOOLONG */
    PATH_FAILED,        /* any other error: see path_walk.error */
    PATH_UNKNOWN,       /* the root is PATH_NOWHERE: nobody can look */
};

/* The root of a file system that is not at hand, that of the machine that a log was made on: whatever is asked of it,
 * nothing is known. No file can have a path in it (ENOTDIR), so that none of this machine's is ever taken for one. */
#define PATH_NOWHERE "/dev/null/nowhere"
bool path_nowhere(const char *root);

/* Whose permission bits count. NULL in the calls below: those of this process, as the kernel answers. */
struct cred {
    uid_t uid; /* file system user and group (credentials(7)) */
    gid_t gid;
    gid_t *groups;
    size_t group_count;
    bool override; /* has CAP_DAC_OVERRIDE: mode bits do not bind, but executing needs one x bit */
    bool unknown;  /* whose they are nobody knows: OVERRIDE is set, and sight.h reads refusals as a stranger's */
};

struct path_walk {
    enum path_reason reason;
    int error; /* errno value that the kernel would give; 0 for PATH_OK */
    char *at;  /* the component in question as an absolute path inside the root (for LOOP: the first link of the loop;
                  for DANGLING: the link itself); NULL for PATH_OK */
    char *target;   /* DANGLING: the absolute path inside the root, not there, that the link leads to; LOOP: what the
                       first link says */
    char *final;    /* PATH_OK: the path inside the root with all links resolved */
    char *nearest;  /* the deepest directory on the way that exists (for "what else of nearly that name is there"); or
                       NULL */
    struct stat st; /* PATH_OK: of what was found */
    char **links;   /* every symbolic link met, in order, as "path -> text" */
    size_t link_count;
};

const char *path_reason_text(enum path_reason reason); /* "not there", "dangling link", … */

/* Walks PATH (relative ones start at CWD, an absolute path inside ROOT). Follows a link at the end. Never fails: the
 * reason is the answer. RET is filled in whole; path_walk_deinit() frees what it owns. */
void path_walk(const char *root, const char *cwd, const char *path, const struct cred *cred, struct path_walk *ret);
void path_walk_deinit(struct path_walk *walk);

/* Opens PATH inside ROOT, read-only, close-on-exec, never blocking on a FIFO and never taking a device: a descriptor,
 * or -errno (ENODATA in PATH_NOWHERE). Uses openat2(RESOLVE_IN_ROOT) where the kernel has it, else the walk above. */
int path_open(const char *root, const char *path);
/* As stat(2) inside ROOT: 0, or -errno (as above). */
int path_stat(const char *root, const char *path, struct stat *ret);
/* Whether both are there inside ROOT and one file, by whatever links. */
bool path_same_file(const char *root, const char *one, const char *other);
/* Joins and cleans lexically ("//", "." — never ".." since a link may stand before it). malloced. */
char *path_join(const char *directory, const char *name);
/* PATH, absolute and inside ROOT, without "." and ".." where that names the same file (no link on the way makes a
 * difference), else as it is; malloced. */
char *path_tidy(const char *root, const char *path);
const char *path_base(const char *path);
/* The next directory of *LIST, a list as PATH is one, which is moved behind it; malloced, "" where there is none
 * between two colons (the working directory to a shell). NULL, when *LIST is NULL: there was no more. */
char *path_list_next(const char **list);
/* The first regular file called NAME that we may execute in the directories of LIST, which are joined by colons, an
 * empty one being the working directory (execvp(3)); malloced. NULL where there is none, or LIST is NULL. */
char *path_program(const char *list, const char *name);
char *path_dir(const char *path); /* malloced; "/" for "/x", "." for "x" */
/* Whether CRED may do all of MODE (R_OK|W_OK|X_OK, unistd.h) with an object that has ST's owner and bits. ACLs are not
 * seen. */
bool path_permits(const struct stat *st, const struct cred *cred, int mode);
/* The names in the directory of PATH that look most like its last component (small edit distance, other case, other
 * version digits), best first, at most LIMIT; malloced array of malloced absolute paths, *COUNT of them. */
char **path_nearby(const char *root, const char *path, size_t limit, size_t *count);

#endif
