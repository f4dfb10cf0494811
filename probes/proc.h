/* What /proc/PID tells of a process: its image, root, directory, credentials, threads and who traces it. Looks only;
 * knowledge from proc(5). PID may be the number of any thread. Strings given back are malloced. */
#ifndef GLIBCTRACE_PROBES_PROC_H
#define GLIBCTRACE_PROBES_PROC_H

#include "auxv.h"
#include "err.h"
#include "path.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* A program image in a process. proc_image_read() fills in what can be read and leaves the rest empty. */
struct proc_image {
    char *exe;   /* absolute, inside the process's root; NULL where it cannot be read (a kernel thread) */
    char **argv; /* NULL-terminated, never NULL; bounded */
    char **env;
    char *cwd; /* absolute, inside the root; or NULL */
    bool secure;
    struct auxv auxv;
    uint64_t ignored; /* signals, bit n-1 for signal n */
    struct cred cred;
    unsigned class, machine; /* ELFCLASS…, EM_… of the file that runs, 0 where unknown */
    struct stat file;        /* that runs; st_ino 0 where unknown */
    uint64_t loader_base, loader_end;
    bool musl; /* the loader is musl's, which is its libc as well */
};
/* ROOT (as proc_root() gives it) and CWD are what the caller knows already, NULL where it does not; STACK_ADDR the
 * stack pointer where the image has not run yet, else 0. 0, or -1 where the process is not there any more. */
int proc_image_read(pid_t pid, const char *root, const char *cwd, uint64_t stack_addr, struct proc_image *ret);
void proc_image_deinit(struct proc_image *image);

/* The root of a process as a prefix to open its files with: "" where root and mount namespace are those of this
 * process, else "/proc/PID/root". */
char *proc_root(pid_t pid);
/* A path as the kernel spells it in PID's links and maps (as seen from the reader's root), malloced, made what the
 * process itself would say: its root is taken off the front. One that is not below its root stays as it is. Takes PATH
 * over; NULL gives NULL. */
char *proc_inside_root(pid_t pid, char *path);
/* Its working directory inside its root, or NULL. */
char *proc_cwd(pid_t pid);
/* What its descriptor FD is, inside its root where it is a path; or NULL. */
char *proc_fd_path(pid_t pid, int fd);
/* Whether what it writes to FD is thrown away by its own will: null(4), opened by it or by another that is followed,
 * not handed down from this process's own OWN_FD (kcmp(2); where the kernel does not tell, null(4) is enough). */
bool proc_fd_hushed(pid_t pid, int fd, int own_fd);

/* It holds a pipe or a socket besides its standard descriptors, by which it may tell others what became of its work. */
bool proc_has_channel(pid_t pid);

struct proc_status {
    char name[64];
    char state; /* R S D T t Z X I … */
    pid_t group, parent, tracer;
    bool kernel_thread; /* has no memory of its own */
    struct cred cred;
    uid_t user;                        /* the real one */
    uint64_t capable;                  /* bit n for capability number n (capabilities(7)), effective */
    uint64_t blocked, ignored, caught; /* signal sets, bit n-1 for signal n; blocked: of that thread */
};
/* 0, or -1 with errno set (ENOENT, ESRCH: there is no such process). */
int proc_status_read(pid_t pid, struct proc_status *ret);
void proc_status_deinit(struct proc_status *status);

/* The threads of PID: malloced, *COUNT of them, NULL where there is no such process. */
pid_t *proc_threads(pid_t pid, size_t *count);
/* kernel.yama.ptrace_scope (Documentation/admin-guide/LSM/Yama.rst), or -1 where this kernel has no Yama. */
int proc_yama_scope(void);
/* Whether this process has CAP number CAPABILITY (capabilities(7)) in its effective set. */
bool proc_capable(unsigned capability);
/* The value of NAME in ENV, entries "NAME=VALUE" up to a NULL, the first where it is there twice; or NULL. ENV may be
 * NULL. */
const char *env_value(const char *const *env, const char *name);
/* How many of the SIZE bytes at AT of the file FD there are, in BYTES: fewer at its end, and where it cannot be read.
 */
size_t proc_read_at(int fd, uint64_t at, void *bytes, size_t size);
/* A whole file of at most LIMIT bytes, NUL-terminated besides, or NULL with errno set. *SIZE may be NULL. */
char *proc_read(const char *path, size_t limit, size_t *size);

#endif
