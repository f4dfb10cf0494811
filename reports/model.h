/* The model: what the processes of a session tried, and how each attempt ended.
 *
 * Fed with events in their order (it is a sink), it keeps per process what the judges need and no more: the attempts
 * that failed, grouped into episodes; the objects that the loader opened; the last words on descriptor 2; how the
 * process ended. It is bounded: a program that fails a million times costs what one that fails four thousand times
 * does. It decides nothing; judge.h does. */
#ifndef GLIBCTRACE_REPORTS_MODEL_H
#define GLIBCTRACE_REPORTS_MODEL_H

#include "event.h"
#include "report.h"
#include "answers.h"

#include <uthash.h>

/* One failing call, or equal ones by the same thread in a row. */
struct attempt {
    uint64_t n, last_n; /* event numbers of the first and the last */
    uint64_t t_ns;
    uint64_t count;
    pid_t tid;
    const struct syscall_desc *desc;
    char *string; /* as passed */
    char *path;   /* absolute */
    char *cwd;    /* at that time, or NULL */
    char *root;   /* as in struct event */
    int error;
    enum event_by by;
    bool execution;      /* execve, execveat */
    char *argv0;         /* of executions: what was to be run, as it was called */
    char *argv_rest;     /* the arguments behind it, a line each; NULL where they are not known */
    struct sight *sight; /* what a log notes of it, or NULL */
};

/* All attempts of one process at one file name, wherever it was looked for. */
struct episode {
    char *name;                /* the last component */
    char *key;                 /* of the hash: 'x' for executions or 'f', and the name */
    struct attempt **attempts; /* oldest first */
    size_t count, cap;
    uint64_t dropped; /* older attempts that are no longer kept */
    uint64_t last_n;  /* of the newest failing attempt */
    uint64_t found_n; /* the first success for that name after the last failure; 0: never */
    char *found_path;
    UT_hash_handle hh;
};

/* A failing call whose error is about no file's name (those are attempts): a limit, a refusal, a connection. Equal ones
 * are kept once: the same call with the same error, and on the network to the same address. */
struct failure {
    uint64_t n, last_n; /* event numbers of the first and the last */
    uint64_t t_ns;
    uint64_t count;
    pid_t tid; /* of the last */
    const struct syscall_desc *desc;
    uint64_t args[6]; /* of the first, as its text is */
    uint64_t flags;   /* as in struct event_syscall */
    char *text;       /* the arguments as strace prints them: "3, \"/x\", IN_MODIFY" */
    char *target;     /* what it was about: an address as the contract spells it, an absolute path; or NULL */
    int error;
    enum event_by by;
    bool policy;                     /* a seccomp filter that is not ours gave the answer */
    uint64_t done_n;                 /* the first success of such a call after the last failure; 0: never */
    const struct syscall_desc *next; /* what its thread called next, of what is followed; or NULL */
    struct limit *limit;             /* limit.h: that it has met, or NULL */
};

/* A descriptor that is a socket. */
struct socket {
    int fd;
    int type;         /* SOCK_…, 0 where it was not seen */
    char *target;     /* of a connect whose outcome is not known yet, or NULL … */
    uint64_t n, t_ns; /* … and its event */
};

/* A server that was reached. */
struct service {
    char *target;
    uint64_t n; /* event number of the last time */
};

/* A file that the dynamic loader opened, or tried to and failed at every place: in the order of the calls. */
struct load_act {
    uint64_t n, t_ns;
    pid_t tid;
    char *name; /* the last component */
    char *path; /* that was opened, or of the last failure */
    unsigned tries;
    int error;             /* 0: opened */
    bool single;           /* the only place tried: a path was asked for */
    struct sight *sight;   /* what a log notes of the file at PATH, or NULL; … */
    struct strings needed; /* … and which libraries it needs */
};

/* One error in the dynamic loader's own words (LOADER_ERROR), or equal ones. All strings but OBJECT, BY and OCCASION
 * are as the loader passed them, in no language. */
struct loader_error {
    uint64_t n, last_n, t_ns; /* event numbers of the first and the last; time of the first */
    uint64_t count;
    pid_t tid;
    char *object, *by; /* or NULL; see struct event_loader */
    char *format;      /* never NULL */
    char *args[6];
    char *occasion, *message; /* or NULL */
    char *level, *mount;      /* of a log: what is noted of the object; or NULL */
    int error;
    enum loader_outcome outcome;
};

/* An object that is in the link map (LOADER_LOADED), in the order in which they came. */
struct loaded {
    uint64_t n; /* of the event */
    char *path; /* as the process names it; or "linux-vdso.so.1" */
    uint64_t base_addr;
    unsigned space; /* number of its namespace */
    enum object_reason reason;
    char *by;                        /* who needs it or has opened it, or NULL */
    uint64_t flags;                  /* of the dlopen that brought it, 0 at the start */
    char *soname, *level;            /* of a log, as struct sight has them; or NULL */
    struct strings needed, versions; /* of a log */
};

/* An object that has left the link map. */
struct unloaded {
    uint64_t base_addr;
    char *path;
};

/* Thread TID came back from a call of the loader with event N. */
struct loader_return {
    pid_t tid;
    uint64_t n;
};

/* A dlopen or dlmopen that gave no handle. (A dlsym that gives NULL is nothing: symbols may be optional.) */
struct loader_call {
    uint64_t n, t_ns; /* of its return */
    uint64_t begin_n; /* it began after that: the last return from the loader that its thread had */
    pid_t tid;
    char *object, *file; /* who called, and for what; or NULL */
    uint64_t flags;
};

struct output_line {
    uint64_t n;
    char *text; /* without the newline, bytes as written */
    enum event_by by;
};

/* When a process came to harm, and by which act. */
enum suspicion {
    AT_START,     /* the loader ended it before the program's first instruction, or at a lazy binding */
    AT_DLOPEN,    /* an object could not be loaded while it ran */
    AT_EXECUTION, /* a file that exists could not be executed */
    AT_COMMAND,   /* a program was looked for on PATH and is not there */
    AT_OPEN,      /* the program's own call on a file failed */
    AT_CALL,      /* another call of the program's own failed (struct failure) */
    AT_CRASH,     /* a signal that the program brought upon itself ended it */
    AT_VARIABLE,  /* a variable of its environment, by its words or the loader's */
};

/* A cause in the making: what failed is known when it fails, whether it did harm only when the process whose image it
 * was has ended. */
struct suspect {
    enum suspicion at;
    struct cause *cause;
    struct process *actor;  /* that made the call: the process itself or a child that it forked to execute something */
    uint64_t n;             /* event number of the failure */
    uint64_t last_n;        /* of its last repetition */
    uint64_t told_n;        /* at the start: of the loader's own words, 0 where they were not heard */
    struct strings needles; /* how the program would name it in its own words, most telling first */
    bool certain;           /* the harm needs no words to be believed (the loader ended the process) */
    bool last_act;          /* nothing of note came between it and the first words */
    uint64_t said_n;        /* event number of the words that name it, 0 where there are none */
    bool coped;             /* the program found another way */
    bool warned;            /* all that it said of it is a warning */
    bool dependency;        /* AT_DLOPEN: what was asked for is there, what it needs is not */
    bool lived_with;        /* it went on without; what it ended of, if it did, is another matter */
    bool tried;             /* COMMAND: it was to be executed, not only looked for */
    bool renamed;           /* another suspect tells of the same by a better name: not to be told at all */
    bool quiet;             /* nothing was said of it: it counts where the harm reaches the end only */
    bool unsaid;            /* COMMAND: nothing at all was said since (then quiet, too) */
    bool muted;      /* its process ended badly and said so to /dev/null: whoever sent the words there may cope */
    char *server;    /* of a connection: as struct failure has it, or NULL */
    char *argv_rest; /* COMMAND: as struct attempt has it, or NULL */
    bool doubtful;   /* by a log: another limit may have been met; a link may be there that points at nothing */
    double sure;     /* confidence, where the judge that made it knows best; else 0 */
    double most;     /* confidence at most, or 0: what it takes to be sure is not known */
};

/* A file that a process could not have and said nothing of: perhaps it told another process, and that one says so. */
struct untold {
    struct suspect suspect; /* its bearer is the one who tells; the stack is that of the call */
    struct attempt *attempt;
};

/* The runtimes that say why they end a program, in a shape of their own. */
enum last_words {
    WORDS_NONE,
    WORDS_GO,     /* a panic or fatal error, then goroutines */
    WORDS_NODE,   /* FATAL ERROR: … */
    WORDS_CXX,    /* terminate called … */
    WORDS_PYTHON, /* Fatal Python error: … */
    WORDS_JAVA,
    WORDS_RUST,
    WORDS_LIBC, /* assert(3), malloc(3), FORTIFY_SOURCE and the stack protector */
};

/* The stack of an event. */
struct shot {
    uint64_t n;    /* of the event */
    unsigned name; /* of what it is about, hashed */
    bool words;    /* it is of output */
    struct stack_snapshot *snapshot;
    struct frame *frames; /* of a program that may be replaced before it is asked about; else NULL */
    size_t frame_count;
};

enum {
    SHOTS_KEPT = 256, /* of a process; 16 KB each at most */
    SHOTS_KEPT_OF_ALL = 1536,
    FRAMES_KEPT = 64, /* of one stack */
    OUTPUT_KEPT = 64 * 1024,
    ATTEMPTS_KEPT = 4096,
    FAILURES_KEPT = 256,
    WRITTEN_KEPT = 8,
    LISTED_KEPT = 24,
    ACTS_KEPT = 16384,
    LINES_KEPT = 512,
    ERRORS_KEPT = 256,
    CALLS_KEPT = 256,
    LOADED_KEPT = 4096,
    UNLOADED_KEPT = 1024,
    RETURNS_KEPT = 256,
    LAST_WORDS_KEPT = 64,
};

/* Nothing was run, so that no words name the symbol that a call was not bound to: each counts. Of a library those
 * without a version may come from whoever loads it. */
enum ahead { AHEAD_NOT, AHEAD_PROGRAM, AHEAD_LIBRARY };

struct process {
    pid_t pid;
    bool has_children;      /* it was seen to fork */
    struct process *parent; /* NULL: launched or attached to, or not seen being forked */
    uint64_t start_n, exec_n, end_n;
    uint64_t start_ns, end_ns;
    bool executed; /* has an image of its own (else it runs its parent's) */
    char *exe, *cwd, *root;
    struct strings argv, env;
    struct strings env_left; /* of a log: names of variables that it has not */
    struct strings env_by;   /* who put each of env there: a program's path, "" where it was inherited from the start */
    bool secure;
    struct cred cred;
    unsigned class, machine;
    bool has_image;
    bool has_cred; /* and no image: CRED is of one that has executed nothing */
    bool musl;     /* the loader is musl's: its calls cannot be told from the program's by their address */

    struct episode *episodes; /* hash by key */
    size_t attempt_count;
    struct load_act *acts;
    size_t act_count, act_cap;
    struct failure *failures; /* oldest first */
    size_t failure_count, failure_cap;
    struct socket *sockets;
    size_t socket_count, socket_cap;
    char *written[WRITTEN_KEPT]; /* files that it opened to write, the last ones, oldest first */
    size_t written_count;
    struct strings listed; /* directories that it opened to read them, the last ones, oldest first */
    char *policy_by;       /* the program that put a seccomp filter on it, or NULL: none, or not seen */
    struct limit *said;    /* a limit that it had met when it said so, or NULL … */
    uint64_t said_n;       /* … in this event */

    struct loader_error *errors; /* in the order of the events */
    size_t error_count, error_cap;
    uint64_t errors_dropped;
    struct loader_call *calls; /* that failed */
    size_t call_count, call_cap;
    struct loaded *loaded; /* a fork that has executed nothing has what process_owner() has besides */
    size_t loaded_count, loaded_cap;
    struct unloaded *unloaded; /* oldest first */
    size_t unloaded_count, unloaded_cap;
    struct loader_return *returns; /* the last of each thread */
    size_t return_count, return_cap;

    struct output_line *lines; /* complete ones, oldest first */
    size_t line_count, line_cap;
    size_t line_bytes;
    char *partial;
    size_t partial_size;
    uint64_t partial_n;
    enum event_by partial_by;
    uint64_t first_output_n, last_output_n;
    enum last_words words_kind; /* what a runtime said of the end, from its first line on */
    struct strings words;
    uint64_t words_n;
    bool has_stdout; /* what descriptor 1 was when it began: */
    dev_t stdout_dev;
    ino_t stdout_ino;
    bool stdout_pipe;
    struct output_line *spoken; /* the newest lines on standard output that complain */
    size_t spoken_count, spoken_cap;
    struct output_line *hushed; /* lines written while descriptor 2 was /dev/null: nobody was to read them */
    size_t hushed_count, hushed_cap;
    bool muted;         /* all that it said went there, and it ended badly: that is in LINES now (model_unhush()) … */
    bool captured;      /* … and another process reads its standard output */
    bool provided_for;  /* the shell that started it provides for its failure (judge_shell.c) */
    bool stderr_null;   /* at its end descriptor 2 was /dev/null */
    bool stderr_known;  /* the two were looked at */
    bool stderr_shared; /* at its end, else when it first wrote there, it was the same file as the session's own */

    uint64_t stdout_n, stdout_count; /* the last write to standard output, and how many there were … */
    uint64_t stdout_before;          /* … before the call at last_work_n */
    uint64_t last_file_n;            /* newest file call of the program itself, failing or not … */
    uint64_t last_work_n;            /* … that was on no device, nor on a file that is read for its last words */
    struct attempt *last_work;       /* if that one failed; else NULL */
    uint64_t last_done_n;            /* the newest of these that succeeded */
    struct attempt *last_file;       /* if the one at last_file_n failed; else NULL */
    struct attempt *before_words;    /* what last_file was at the first output */
    uint64_t leave_n;                /* of its exit_group(2) */
    bool by_loader;                  /* the end came from ld.so's code */
    bool heard;                      /* all that its loader had to say is among the errors */
    bool ended;
    int status;
    struct crash *crash;     /* crash.h, or NULL */
    int signal_sender;       /* pid that sent it, 0 for the kernel */
    int signal, signal_code; /* the fatal one, 0 for none */
    uint64_t signal_n, signal_addr, signal_ip;
    bool signal_by_loader;
    bool judged;
    bool by_words;  /* as in struct event_process */
    bool forgotten; /* likewise: no more will come of it, and how it ended is not known */
    unsigned held;  /* by how many others; model_prune.c's */
    bool assumed;   /* the last of env is what its loader's searches imply (judge_assumed.c) */
    uint64_t loader_base, loader_end;

    struct shot *shots; /* oldest first */
    size_t shot_count, shot_cap;

    struct libc_facts libc;           /* filled in by judge_system() */
    struct surroundings *around;      /* surroundings.h: while it stood; NULL where it was not asked */
    const char *within;               /* as the model has it */
    const struct load_guests *guests; /* as the model has it */
    enum ahead ahead;                 /* likewise */
    const char *at_hand;              /* likewise */
    struct answers *seen;             /* the model's */
    const char *context;
    char *distribution;
    struct strings ancestry;          /* what was executed before in this process and its ancestors, first first */
    struct strings ruled_out;         /* judge_ruled_out(), … */
    struct strings quoted, looked_in; /* … and with it: as struct report has them */
    struct strings copies;            /* of a log: where libraries stand that would have done */
    struct suspect *suspects;
    size_t suspect_count, suspect_cap;
    struct untold *untold; /* judge_untold() */
    size_t untold_count, untold_cap;
    UT_hash_handle hh;
};

struct model {
    struct process *processes; /* hash by pid; ended ones stay (slim) until their pid comes again */
    struct process **retired;  /* ended processes whose pid was taken by another */
    size_t retired_count, retired_cap;
    struct process *first; /* the program launched or first attached to */
    uint64_t events, failed, process_count, thread_count, lost;
    uint64_t forgotten; /* processes of which nothing is kept any more: model_prune() */
    size_t prune_at;
    const struct load_guests *guests; /* of another root, as if they were in the processes'; or NULL */
    enum ahead ahead;                 /* nothing was run: what its processes would end of is asked */
    char *within;        /* a library that stands outside this directory is not on this system; or NULL: it is */
    char *complaint;     /* what the command is known to say as it fails, whatever its exit status; or NULL */
    const char *at_hand; /* of a log: the root in which the files are that it tells of, or NULL */
    struct strings unseen;
    struct answers seen; /* what the judges have asked of files */
    struct service *services;
    size_t service_count, service_cap;
    /* Called when a process stands at its end, all of it still there (and for those that live at the session's end):
     * judge.c's. */
    void (*at_end)(struct model *model, struct process *process);
    /* Called when a process has executed something, before what its old image tried is forgotten. */
    void (*at_exec)(struct model *model, struct process *process);
    /* Called when a call has failed in a new way, and after words on descriptor 2, while the process stands: judge.c's.
     */
    void (*at_failure)(const struct process *process, struct failure *failure);
    void (*at_words)(struct process *process, const struct event *event);
    /* Called when a process calls exit_group(2), with all its threads and descriptors still there: judge.c's. */
    void (*at_leave)(struct process *process);
    struct programs *programs; /* programs.h */
    uint64_t memory_kills;     /* in its control groups, before the first program ran (probes/limits.h) */
    bool live; /* the processes are there and stand still during an event: /proc may be asked about them */
    const struct event *told; /* what is being told now, or NULL */
    size_t shots;             /* of all processes */
    /* What descriptor 2 of the first process was when it began. */
    bool has_stderr;
    dev_t stderr_dev;
    ino_t stderr_ino;
};

struct model *model_create(void);
void model_destroy(struct model *model);
/* A sink's callback; CTX is the model. */
void model_event(void *ctx, const struct event *event);
/* Frees what SUSPECT has. */
void suspect_deinit(struct suspect *suspect);
/* A copy of ATTEMPT; attempt_free(). */
struct attempt *attempt_copy(const struct attempt *attempt);
void attempt_free(struct attempt *attempt);
/* The session is over: processes that still live are handed to at_end. */
void model_finish(struct model *model);

struct process *model_process(const struct model *model, pid_t pid);
/* The process whose image PROCESS runs: itself, or the nearest ancestor that executed something. */
struct process *process_owner(struct process *process);
/* Whose permissions count in PROCESS, or NULL where they are not known (the command itself before it was executed):
 * then this process's. */
const struct cred *process_cred(const struct process *process);
/* Whether any process reached the server at TARGET (as struct failure has it), on whichever way, after event N. */
bool model_reached(const struct model *model, const char *target, uint64_t n);
/* What is the same on all ways to the server at TARGET; malloced. */
char *connection_service(const char *target);
/* The value of an environment variable of PROCESS's image, or NULL. */
const char *process_env(const struct process *process, const char *name);
/* It was set, but the log has left its value out. */
bool process_env_unknown(const struct process *process, const char *name);
/* The newest complete or partial line on descriptor 2 in which NEEDLE stands as a word of its own (not within a longer
 * name), or NULL. */
const struct output_line *process_says(const struct process *process, const char *needle);
/* A library by its name: "libx.so", "libx.so.1", "x.node". */
bool library_like(const char *path);
/* A script by its name: "x.py". What the kernel reads of it is a #! line. */
bool script_like(const char *path);
/* The next place in LINE, at FROM or behind it, where NEEDLE so stands; or NULL. */
const char *line_finds(const char *line, const char *from, const char *needle);
/* The line of what a runtime said of the end (process.words) that begins with PREFIX, or NULL. */
const char *process_last_words(const struct process *process, const char *prefix);
/* As process_says(), of what it has said on standard output. */
const struct output_line *process_spoke(const struct process *process, const char *needle);
/* Whether it named NEEDLE in words that it sent to /dev/null. */
bool process_hushed(const struct process *process, const char *needle);
/* Those words become PROCESS's lines, where it has no others. */
void model_unhush(struct process *process);
/* The noexec mount that the object at PATH stands on, as a log notes it of what the loader said; or NULL. */
const char *process_mount(const struct process *process, const char *path);
/* The stack of event number N, or NULL. */
const struct shot *process_shot(const struct process *process, uint64_t n);
/* One of an event about a file called NAME, or NULL. */
const struct shot *process_shot_about(const struct process *process, const char *name);
bool process_failed(const struct process *process); /* ended, by a signal or with a status other than 0 */
/* It failed for a reason of its own: nobody asked it to end by a signal, nor stopped to read what it wrote. */
bool process_gave_up(const struct process *process);

#endif
