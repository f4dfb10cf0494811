/* The event: one thing that was seen, numbered, in the order in which it was seen.
 *
 * The tracer makes events while the process stands still and hands each to every sink at once (the model, the live
 * view, the log); readers of other tools' logs make the same events. Everything an event points at belongs to its maker
 * and is valid during the call only; a sink that keeps something copies it. */
#ifndef GLIBCTRACE_REPORTS_EVENT_H
#define GLIBCTRACE_REPORTS_EVENT_H

#include <probes/path.h>
#include <probes/stack.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct crash;
struct syscall_desc;

enum event_type {
    EVENT_SYSCALL,
    EVENT_SIGNAL,
    EVENT_PROCESS,
    EVENT_LOADER,
    EVENT_LOOKUP,
    EVENT_OUTPUT,
};

enum event_by {
    BY_UNKNOWN,
    BY_PROGRAM,
    BY_LOADER
}; /* whose code made the call: its instruction pointer lies in ld.so's mapping (glibc only; musl's loader is its libc)
    */

struct event_syscall {
    const struct syscall_desc *desc; /* reports/syscall.h, never NULL */
    uint64_t args[6];
    const char *text[6]; /* each argument as strace prints it; all NULL unless the session asked for texts */
    const char *string;  /* the call's main string argument as passed (path, link text…), or NULL */
    const char *path; /* that path made absolute in the process's own root and directory; NULL where there is none or it
                         could not be read */
    const char *const *argv; /* execve: the new argument vector, NULL-terminated, or NULL; bounded by the tracer */
    const char
        *result; /* readlink: what the link says; connect, bind: the address as the contract spells it ("unix:/run/x",
                    "127.0.0.1:80"); getsockopt of SO_ERROR: the errno's name, NULL for none; else NULL */
    uint64_t flags; /* open: flags (open_how's for openat2); access: mode; mmap: prot; clone, clone3: flags; else 0 */
    int64_t ret;    /* valid where returned */
    int error;      /* errno value, 0 where the call succeeded or has not returned */
    bool policy;    /* a seccomp filter that is not ours gave the answer, not the kernel's code for the call */
    bool returned; /* false: the call has no exit stop (exit_group, write to 2, a mmap whose result is not needed …) */
    enum event_by by;
    uint64_t ip_addr;
};

struct event_signal {
    int signal;
    int code;            /* si_code */
    uint64_t fault_addr; /* si_addr for SIGSEGV, SIGBUS, SIGILL, SIGFPE */
    int sender;          /* si_pid where a process sent it, else 0 */
    uint64_t ip_addr;
    bool fatal;          /* no handler, not blocked, default action ends the process (from /proc/PID/status) */
    struct crash *crash; /* crash.h: of a fatal one that programs bring upon themselves, or NULL; a sink that keeps it
                            takes a reference */
    /* What else siginfo says (sigaction(2)), for the live view; 0 where the signal has none of it. */
    unsigned uid;         /* of the sender or child */
    int child;            /* SIGCHLD: the child, … */
    int status;           /* … its exit status or signal … */
    int64_t utime, stime; /* … and its processor time in clock ticks */
    uint64_t value;       /* sent with SI_QUEUE or SI_TIMER */
    int timer, overrun;   /* SI_TIMER */
    int64_t band;         /* SIGIO: what is ready … */
    int fd;               /* … and where */
    int call;             /* SIGSYS: the number of the call that a filter refused, … */
    unsigned arch;        /* … and its AUDIT_ARCH_… */
};

/* A program image, as read from the process at its exec (or at attach). */
struct image {
    const char *exe;         /* absolute path inside the process's root (/proc/PID/exe, made relative to its root) */
    const char *const *argv; /* NULL-terminated */
    const char *const *env;  /* NULL-terminated; of the exec, which is what its loader reads */
    const char *const *env_left; /* of a log, or NULL: names of variables that were set, and were left out of it */
    const char *cwd;             /* at that time, inside the root */
    bool secure;                 /* AT_SECURE */
    struct cred cred;
    unsigned class, machine;          /* ELFCLASS…, EM_… of the process as it runs */
    bool musl;                        /* the loader is musl's, which is its libc: a call's address tells nothing */
    uint64_t loader_base, loader_end; /* mapping of ld.so, 0 where there is none */
};

enum process_what {
    PROCESS_START,    /* a process is seen for the first time: launched, attached, or forked (parent set). image for
                         attached ones */
    PROCESS_EXEC,     /* an execve has succeeded: image set */
    PROCESS_THREAD,   /* a thread of pid was started; tid is the new one */
    PROCESS_EXITING,  /* the last thread stands at its exit (PTRACE_EVENT_EXIT), memory and root are still there. status
                         set */
    PROCESS_EXIT,     /* it has ended and was reaped. status set */
    PROCESS_DETACHED, /* we let go of it */
    PROCESS_NOTE,     /* something that we did not see or could not do: text set ("seccomp filter of its own", "lost 3
                         events") */
    PROCESS_THREAD_EXIT, /* the thread tid has ended, others of pid live on. status set */
};

struct event_process {
    enum process_what what;
    pid_t parent;        /* START: of a forked child, else 0 */
    int status;          /* EXITING, EXIT: wait status (waitpid(2)) */
    bool by_loader;      /* EXITING: exit_group was called from ld.so's code */
    bool heard;          /* EXITING: from its start on each exception that its loader made was told as LOADER_ERROR */
    struct crash *crash; /* EXITING: of a signal that the program had caught before it ended, or NULL */
    bool forgotten;      /* DETACHED: the reader of a log has no room for it any more: nothing else will come of it */
    bool by_words;       /* START: all that is known of it somebody has pasted, no call of it was seen */
    const struct image *image;
    const char *text;
};

struct event_output {
    int fd;
    const char *data;
    size_t size;  /* bytes at data */
    size_t whole; /* bytes the program wrote (more than size where the rest was not read) */
    enum event_by by;
};

enum loader_what {
    LOADER_ERROR,    /* the loader's own words: one error, once, however often it is raised again on its way out */
    LOADER_LOADED,   /* an object has come into the link map */
    LOADER_UNLOADED, /* it has left it */
    LOADER_CALL,     /* dlopen, dlmopen, dlsym, dlvsym or dlclose, when it has returned */
};

enum loader_outcome {
    LOADER_OPEN,   /* not known */
    LOADER_WARNED, /* said, and gone on */
    LOADER_CAUGHT, /* given back to the caller of a dlopen or dlsym */
    LOADER_FATAL,  /* the loader ended the process */
};

enum object_reason {
    REASON_UNKNOWN,
    REASON_PROGRAM,
    REASON_LOADER,
    REASON_VDSO,
    REASON_PRELOADED,
    REASON_NEEDED,   /* by "by" */
    REASON_DLOPENED, /* by "by" with "flags" */
};

struct event_loader {
    enum loader_what what;
    const char *object; /* ERROR: the object that the message is about, or NULL; LOADED, UNLOADED: its path; CALL: the
                           object whose code called */
    const char *by;     /* LOADED: see object_reason; ERROR, caught: the object whose dlopen or dlsym it was; or NULL */
    /* ERROR: */
    const char *format;  /* as passed, untranslated */
    const char *args[6]; /* its arguments, NULL where absent */
    const char *occasion;
    const char *message; /* as the loader would print it, without the program's name; or NULL */
    int error;           /* errno value or 0 */
    enum loader_outcome outcome;
    /* LOADED, UNLOADED: */
    uint64_t base_addr; /* l_addr */
    unsigned space;     /* number of the namespace (dlmopen(3)), 0 for the program's own */
    enum object_reason reason;
    /* CALL: */
    const char *name;                    /* "dlopen", … */
    const char *file, *symbol, *version; /* what it was asked for, or NULL */
    uint64_t handle;                     /* dlsym, dlvsym, dlclose; dlmopen: the number of the namespace */
    uint64_t ret;                        /* a handle, an address, or dlclose's int */
    uint64_t flags;                      /* dlopen's; LOADED: those of the dlopen that brought it */
};

/* One binding: FROM asks for SYMBOL, TO defines it. */
struct event_lookup {
    const char *symbol, *version; /* VERSION: NULL where the reference has none */
    const char *from, *to;        /* paths; TO: NULL where no object in the scope defines it */
    const char *instead;          /* TO is NULL: "libm.so.6 defines fmod@GLIBC_2.2.5", or NULL */
};

/* What stood where something happened, for those who cannot look any more: the readers of a log. The tracer makes none,
 * whoever is told of an event then can look (sight.h); the writer of a log does. NULL or 0: it is as the event itself
 * lets one expect, or nobody has looked. */
struct sight {
    const char *walk, *at, *target; /* a failed call's path: path_walk.reason by name, where, and what the link says */
    const char *verdict, *fault, *needs; /* a file that could not be executed: execfile.verdict by name, the file at
                                            fault, and what it wants: an interpreter, a machine, or its mount */
    const char *elf;                     /* a library that the loader opened and cannot take: "empty", "aarch64", … */
    const char *soname;                  /* of a loaded object, … */
    const char *const *needed, *const *versions; /* … its DT_NEEDED, and the newest version of each series it defines */
    const char *level;                           /* … the processor level that it asks for, above the first */
    const char *mount;              /* the loader could not map the object, and it lies on this noexec mount */
    const char *limit, *limit_unit; /* that a failed call, or one that is complained of, has met, … */
    uint64_t limit_value, limit_used, limit_wanted, limit_hard; /* … as struct limit has it */
    bool limit_sure;
    /* At a process's end: where else a library that it lacked stands, which would do; variables that led it astray. */
    const char *const *copies, *const *variables;
    const char *const *seen; /* what was asked of files until then: answers.h */
    bool hushed;             /* what was written went to /dev/null */
    /* Where descriptor 2 of a process led, at an output and at its end: "null", "shared" (the session's own), "other".
     */
    const char *words_to;
};

struct event {
    uint64_t n;    /* from 1 */
    uint64_t t_ns; /* nanoseconds since the session began (CLOCK_MONOTONIC) */
    pid_t pid, tid;
    const char
        *root; /* the process's root as a prefix that we can open files with (path.h); "" for our own. Never NULL */
    const char *cwd;           /* the process's working directory inside that root, or NULL where unknown */
    const struct frame *stack; /* probes/stack.h, innermost first; NULL where none was wanted or could be had */
    size_t stack_count;
    struct stack_snapshot *snapshot; /* of the stack, for whom it may matter later, or NULL; a sink that keeps it takes
                                        a reference */
    const struct mem *memory;        /* of the process while the event is told, or NULL */
    const struct sight *sight;       /* of a log, or NULL: nothing was noted */
    enum event_type type;
    union {
        struct event_syscall syscall;
        struct event_signal signal;
        struct event_process process;
        struct event_output output;
        struct event_loader loader;
        struct event_lookup lookup;
    };
};

/* Takes events. The maker calls every sink it was given, in order. */
struct sink {
    void (*event)(void *ctx, const struct event *event);
    void *ctx;
};

/* An errno value's name ("ENOENT"), or NULL where the kernel has none. And back: 0 for an unknown name. */
const char *errno_name(int error);
int errno_value(const char *name);
const char *signal_name(int signal); /* "SIGSEGV", "SIGRT_3" as strace spells it */
int signal_value(const char *name);

/* Whether a line of DATA, SIZE bytes that a program writes to standard output, complains of something: all else there
 * is what it is there to print, and no event. */
bool output_complains(const char *data, size_t size);

#endif
