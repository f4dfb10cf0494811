/* Threads, processes and address spaces, kept apart: a thread stops and makes calls, a process (thread group) starts
 * and ends, memory belongs to a space that several processes can share (vfork(2), CLONE_VM), root and working directory
 * to a struct place that threads share (CLONE_FS). */
#ifndef GLIBCTRACE_TRACER_TASK_H
#define GLIBCTRACE_TRACER_TASK_H

#include "calls.h"
#include "ptrace.h"

#include <sched.h>
#include <stdint.h>
#include <uthash.h>

struct breaks;
struct break_hit;
struct stacks;
struct errors;
struct objects;
struct session;
struct step;
struct task;
struct watch;

struct space {
    unsigned references;
    bool known;                       /* whether code of the loader can be told from the program's */
    uint64_t loader_base, loader_end; /* mapping of ld.so, 0 where there is none */
    bool ignores_trap;                /* the program does, from its execve on: it gets no breakpoints (traps.h) */
    struct breaks *breaks;            /* breaks.h, or NULL */
    struct watch *watch;              /* watch.h, or NULL */
    struct objects *objects;          /* objects.h, or NULL */
    bool recheck;                     /* a fork's copy of the memory, not yet looked at */
    struct stacks *stacks;            /* backtrace.c's, or NULL */
    bool go_known, go;                /* whether the program is one of Go's */
};

struct place {
    unsigned references;
    char *root; /* as struct event wants it: "" or "/proc/PID/root" */
    char *cwd;  /* absolute, inside the root; NULL: unknown */
    bool stale; /* to be read again before it is used */
};

/* A system call between its entry and its exit. */
struct pending {
    const struct call *call; /* NULL: none */
    const struct syscall_desc *desc;
    uint64_t args[6];
    uint64_t ip_addr;
    enum abi abi;
    uint64_t flags;
    char *string, *path;
    char **argv;
    char *text[6];
    uint64_t clone_flags;
    bool policy;           /* a filter that is not ours answered it */
    uint64_t changed_addr; /* clone3: where a flag was cleared for the time of the call; clone: 1; else 0 */
};

struct group;
struct crash;

/* A call whose return is waited for (breaks.h). */
struct awaited {
    uint64_t addr;    /* where it returns to … */
    uint64_t sp_addr; /* … and where that address stands, which tells one call from another */
    void (*back)(struct session *session, struct task *task, const struct break_hit *hit, void *data);
    void *data;
};

struct task {
    pid_t tid;
    struct group *group; /* NULL: newly seen, and its creator has not told of it yet */
    struct place *place;
    struct pending pending;
    bool in_call;              /* between entry and exit: to be restarted so that the exit stops */
    struct syscall_stop asked; /* close.h: the entry of a call that has not been told of; op SYSCALL_NONE: none */
    bool seen;                 /* plain stops: between entry and exit of any call */
    bool leaving;              /* past its exit stop */
    bool stopped;              /* in a group stop */
    bool released;             /* another tracer is to have it */
    bool told;                 /* its PROCESS_START or PROCESS_THREAD has been emitted */
    bool pinned;               /* to the tracer's processor (pin.h); its own affinity is kept in: */
    cpu_set_t affinity;
    bool unpinnable;
    struct errors *errors; /* watch_errors.c: of the loader, held back; or NULL */
    struct awaited *awaited;
    size_t awaited_count, awaited_cap;
    uint64_t passed_addr;             /* the breakpoint that it went on from last */
    struct step *step;                /* displace.h: it is between a hit and the end of its instruction; or NULL */
    uint64_t told_addr, told_sp_addr; /* a hit that has been told, whose instruction is still to be done; or 0 */
    uint64_t shot;                    /* backtrace.c: which call its last copy of the stack is of */
    int held;                         /* wait status of a first stop that came before its creator's event */
    UT_hash_handle hh;
};

/* A thread group. */
struct group {
    pid_t pid;
    struct space *space;
    enum abi abi;      /* of its image */
    unsigned tasks;    /* threads that have not been reaped */
    unsigned running;  /* threads that are not past their exit stop */
    bool told_start;   /* PROCESS_START has been emitted */
    bool told_exiting; /* PROCESS_EXITING has been emitted */
    bool exit_by_loader;
    bool refused;         /* a call has failed since it was last told of that something was printed */
    bool leader_left;     /* its first thread is past its exit stop: /proc/PID/root is gone */
    int exit_status;      /* of the exit stop seen last */
    struct crash *caught; /* of the last signal like SIGSEGV that a handler got, or NULL */
    bool close;           /* watched closely (close.h): every call of its stops … */
    unsigned close_left;  /* … until that many have */
    bool crash_told;      /* a crash record has been emitted, … */
    pid_t crash_tid;      /* … of this thread, … */
    uint64_t crash_addr;  /* … and of a fault at this instruction, or 0 */
    UT_hash_handle hh;
};

struct tasks {
    struct task *by_tid;
    struct group *by_pid;
    unsigned unplaced; /* tasks without a group */
};

struct task *task_find(const struct tasks *tasks, pid_t tid);
struct group *group_find(const struct tasks *tasks, pid_t pid);
/* A thread not known before, without a group. */
struct task *task_create(struct tasks *tasks, pid_t tid);
/* Makes TASK a thread of GROUP; takes over a reference to PLACE. */
void task_place(struct tasks *tasks, struct task *task, struct group *group, struct place *place);
/* Forgets TASK; its group lives on until group_destroy(). */
void task_destroy(struct tasks *tasks, struct task *task);
/* Takes over a reference to SPACE. */
struct group *group_create(struct tasks *tasks, pid_t pid, struct space *space);
void group_destroy(struct tasks *tasks, struct group *group);
/* A thread that was not the leader has made an execve and is now known as TO (ptrace(2), "execve(2) under ptrace"):
 * what was known of the thread FROM becomes that of TO, and the others are forgotten. */
struct task *task_rename(struct tasks *tasks, struct task *from, pid_t to);
void tasks_deinit(struct tasks *tasks);

void pending_clear(struct pending *pending);

struct space *space_create(void);
struct space *space_get(struct space *space);
void space_put(struct space *space);
/* Takes both strings over. */
struct place *place_create(char *root, char *cwd);
struct place *place_get(struct place *place);
void place_put(struct place *place);

#endif
