/* Inside of the reader of strace's lines: what is known of the processes that they tell of. Nobody but read_strace.c
 * and the strace_*.c files includes this.
 *
 * The events are those that the tracer would have made: the tracer reads a process, here all comes from the text, and
 * what the text does not have (an image's environment, a working directory that nobody has named) is not known. */
#ifndef GLIBCTRACE_REPORTS_READ_STRACE_H
#define GLIBCTRACE_REPORTS_READ_STRACE_H

#include "read_text.h"
#include "strace_line.h"

#include <uthash.h>

/* What a process may have so much of (getrlimit(2)): those of which a log can tell. */
enum strace_resource {
    STRACE_NOFILE,
    STRACE_NPROC,
    STRACE_AS,
    STRACE_DATA,
    STRACE_MEMLOCK,
    STRACE_FSIZE,
    STRACE_LIMITS,
};

struct strace_limit {
    bool known;
    uint64_t soft, hard;
};

enum { STRACE_THREADS = 4096 };
enum { STRACE_FDS = 64, STRACE_LIBRARIES = 64, STRACE_FAILED = 32, STRACE_SEEN = 64, STRACE_ERRORS = 8 };

/* What a descriptor is, as far as it matters. */
enum strace_fd_is { FD_OTHER, FD_STDOUT, FD_STDERR, FD_NULL };

struct strace_fd {
    enum strace_fd_is is;
    char *path; /* that was opened, or NULL */
};

/* Paths as they were passed to calls that failed: the last ones. */
struct strace_failed {
    char *names[STRACE_FAILED];
    int errors[STRACE_FAILED];
    uint64_t order[STRACE_FAILED]; /* among those of all processes */
    size_t count;                  /* all there were */
};

/* What calls have shown to stand somewhere. */
struct strace_seen {
    char *path;   /* "" once it is gone */
    size_t size;  /* of it */
    char *target; /* absolute; or NULL */
    bool link, executable;
};

enum { STRACE_BATCH = 64 };

/* A library that the loader has opened. */
struct strace_object {
    char *path, *first; /* FIRST: where it was looked for at first, in vain; or NULL */
    uint64_t base, size;
    bool ready; /* its relocations are done */
    bool cut;   /* what was mapped of it lies behind the file's end */
};

/* What the loader is at work on (strace_load.c). */
struct strace_load {
    struct strace_object objects[STRACE_BATCH]; /* of one dlopen, or of the start */
    size_t count;
    pid_t tid;          /* whose dlopen it is: other threads go on meanwhile */
    bool over;          /* it is done: what comes next is another one */
    bool started;       /* the program's relocations are done */
    char *refused;      /* that was taken out again, the last dlopen's first; or NULL */
    bool opening;       /* the last one is open … */
    int fd;             /* … here, … */
    int64_t size;       /* … and has so many bytes; -1: not known */
    char *sought;       /* what was looked for in vain until now, or NULL … */
    char *first, *last; /* … and where at first, and at last */
    int error;          /* the errno value there */
    char *lost;         /* that was not found anywhere, or NULL … */
    char *lost_needer;  /* … and what needs it, where that can be told */
    char *told;         /* what the last error was about that was told, or NULL */
};

/* An execve(2) that failed, and what was seen of its file. */
struct strace_execution {
    bool waits;                      /* it has not been told of yet */
    const struct syscall_desc *desc; /* NULL: there was none */
    char *path, *string;
    struct strings argv;
    int error;
    int64_t ret;
    bool there, absent;  /* by calls that came after it, or before */
    int64_t size;        /* -1: not known */
    const char *verdict; /* as struct sight has it, by what stands in the file; or NULL … */
    char *needs;         /* … likewise */
};

/* A process: what its threads share. */
struct strace_group {
    unsigned guessed; /* how many generations of its parents are guesses */
    pid_t pid;
    unsigned threads;
    char *cwd, *exe;                   /* or NULL */
    struct strings argv;               /* of its last execve, which has not been told of yet where exec_waits */
    struct strings env;                /* likewise, where the text shows it */
    bool exec_waits;                   /* an execve has succeeded; what comes next says of which C library it is */
    bool loading;                      /* the dynamic loader is at work before the program's first instruction */
    uint64_t cache_addr;               /* where it has mapped ld.so.cache, or 0 */
    int cache_fd;                      /* or -1 */
    char *libraries[STRACE_LIBRARIES]; /* paths that it opened, … */
    size_t library_count;              /* … of so many the last ones */
    struct text line;                  /* of its words, not ended yet */
    bool in_line;                      /* its last words were cut within a line, or at its end */
    bool leaving, left_by_loader;      /* exit_group(2) was called … */
    int leave_status;                  /* … with this */
    struct strace_failed failed;
    int errors[STRACE_ERRORS]; /* of calls that failed, whatever they were about, … */
    size_t error_count;        /* … the last ones, likewise */
    struct strings sought;     /* directories in which one command was looked for, one after the other */
    char *sought_name;         /* its name, or NULL */
    bool narrow;               /* its calls are those of 32-bit x86 */
    bool refused;              /* a call has failed since it last printed something */
    bool ended;
    struct strace_limit limits[STRACE_LIMITS];
    int top_fd;              /* the highest number that a descriptor has had */
    uint64_t mappings;       /* how many were made, at least */
    bool out_of_files;       /* it has met the limit of its descriptors */
    int full_fd;             /* to which there was no room to write, or -1 */
    int lacked;              /* the errno value of a limit that its next words may tell of, or 0 … */
    char *lacked_name;       /* … and as struct sight has it; or NULL */
    const char *lacked_unit; /* static */
    struct strace_fd fds[STRACE_FDS];
    struct strace_load load;
    struct strace_execution execution;
    bool musl; /* it runs on that C library */
};

struct strace_thread {
    pid_t tid;
    uint64_t line; /* number of the last line that was its */
    struct strace_group *group;
    char call[48];                       /* that is unfinished, "" for none … */
    bool forks;                          /* … which makes a process or thread */
    struct text pending;                 /* … and its arguments so far */
    const struct strace_name *last_call; /* its last call, or NULL */
    int signal;                          /* the last one that came, … */
    struct text signal_told;             /* … and what was said of it */
    UT_hash_handle hh;
};

/* What is done about a call. */
enum strace_handling {
    HANDLE_NOTHING,
    HANDLE_PLAIN, /* an event of its row */
    HANDLE_OPEN,
    HANDLE_CLOSE,
    HANDLE_DUP, /* dup2, dup3: the new number is an argument; dup, fcntl: the result */
    HANDLE_DUPPED,
    HANDLE_READ,
    HANDLE_WRITE,
    HANDLE_WRITEV,
    HANDLE_SENDMSG,
    HANDLE_EXECVE,
    HANDLE_CLONE,
    HANDLE_LEAVE,
    HANDLE_CHDIR,
    HANDLE_FCHDIR,
    HANDLE_GETCWD,
    HANDLE_CONNECT,
    HANDLE_OUTCOME,
    HANDLE_MMAP,
    HANDLE_MUNMAP,
    HANDLE_LIMIT,
    HANDLE_READLINK,
};

struct strace_name {
    const char *name;
    size_t size;
    const struct syscall_desc *desc; /* or NULL */
    enum strace_handling handling;
};
enum { STRACE_NAMES = 1024 };

/* A call that has been read whole. */
struct strace_call {
    const struct strace_name *name;
    char *text[6];
    unsigned count;
    struct strace_result result;
    char *end; /* behind the arguments, or NULL */
};

/* A library that the loader has opened: told of when it is known what it read there. */
struct strace_opened {
    struct strace_thread *thread; /* NULL: there is none */
    const struct syscall_desc *desc;
    char *path, *string;
    uint64_t flags;
    int64_t fd;
    uint64_t now_ns;
    bool read;       /* its beginning: … */
    const char *elf; /* … what it is, as struct sight has it, or NULL */
};

enum { STRACE_EARLY = 16 };

struct strace {
    struct text_reading *reading;
    struct strace_name names[STRACE_NAMES]; /* hashed */
    struct strace_thread *threads;          /* hash by tid; STRACE_THREADS at most, and some */
    size_t forking;                         /* of them are within a fork(2) or the like */
    struct strace_thread *last;             /* whose line was the last */
    struct strace_thread *nameless;         /* of lines without a number, or NULL */
    bool executes;                          /* the line that is read is of an execve */
    bool forks;                             /* the log shows calls that make processes */
    pid_t coming;                           /* announced, and not yet known whose child it is; or 0 */
    pid_t early[STRACE_EARLY];              /* the last that ended while a call that makes a process had not returned */
    size_t early_count;
    bool has_start, has_ended; /* of the clock; of the process that the text is about, held back … */
    uint64_t start_ns, now_ns;
    struct event end; /* … until something else comes */
    struct text held; /* a call that its line has cut, … */
    pid_t held_pid;
    unsigned held_lines;
    bool all_calls; /* what every program does is in it, not only calls that somebody has chosen (-e) */
    bool begun;     /* a call has been read */
    bool in_errno;  /* the line before ended within the words of its errno */
    struct strace_opened opened;
    uint64_t failures;                    /* so many calls on a file have failed */
    struct strace_seen seen[STRACE_SEEN]; /* of so many the last ones: */
    size_t seen_count;
    struct strings library_path;                  /* directories that a variable has put first, as a search shows */
    struct strace_failed executions;              /* of whomever: a parent may tell of what its child failed at */
    struct text path, data, result, limit, place; /* of the event in the making */
};

/* read_strace.c */
const struct strace_name *strace_name(const struct strace *strace, const char *name, size_t size);
/* CALL is one of LIST, which a NULL ends. */
bool strace_is_call(const struct strace_call *call, const char *const *list);
/* Its argument I as a number; -1: it has none. */
int64_t strace_argument(const struct strace_call *call, unsigned i);
/* The size of a file that it has found out, -1: none. */
int64_t strace_file_size(const struct strace_call *call);
/* Hands EVENT of THREAD on. */
void strace_event(struct strace *strace, struct strace_thread *thread, struct event *event);

/* strace_process.c */
/* The thread TID (0: the line says none), made where it is not known. */
struct strace_thread *strace_thread(struct strace *strace, pid_t tid);
/* THREAD's call NAME is unfinished; SIZE 0: none is. */
void strace_set_call(struct strace *strace, struct strace_thread *thread, const char *name, size_t size);
/* A clone(2) and the like by THREAD has given CHILD. */
void strace_cloned(struct strace *strace, struct strace_thread *thread, pid_t child, bool is_thread);
/* An execve(2) of PATH by THREAD has succeeded; its group's argv and env are set. */
void strace_executed(struct strace *strace, struct strace_thread *thread, const char *path);
/* Tells of an execve that waits. NEXT: the call that comes next, or NULL. */
void strace_tell_exec(struct strace *strace, struct strace_thread *thread, const struct strace_call *next);
/* THREAD has ended, STATUS as waitpid(2) packs it. */
void strace_ended(struct strace *strace, struct strace_thread *thread, int status);
/* Where the words of GROUP go, as struct sight has it. */
const char *strace_words_to(const struct strace_group *group);
/* The text is over: ends what ended without a line that says so. */
void strace_finish_processes(struct strace *strace);

/* strace_call.c */
void strace_call(struct strace *strace, struct strace_thread *thread, struct strace_call *call);

/* strace_limit.c */
/* A call that says how much of something a process may have. */
void strace_limit_told(struct strace_group *group, const struct strace_call *call);
/* What a call that succeeds takes of what there is. */
void strace_limit_used(struct strace_group *group, const struct strace_call *call);
/* The limit that CALL, which failed, has met, noted in RET; or NULL. PATH: what it was about, or NULL. */
const struct sight *strace_limit_met(struct strace *strace, struct strace_group *group, const struct strace_call *call,
                                     const char *path, struct sight *ret);
/* Of a call that makes no event: it is kept until words tell of it. */
void strace_limit_wait(struct strace *strace, struct strace_group *group, const struct strace_call *call,
                       const char *path);
/* What waits, where what is SAID tells of it; or NULL. */
const struct sight *strace_limit_said(struct strace_group *group, const char *said, size_t size, struct sight *ret);

/* strace_seen.c */
/* What CALL, which has succeeded, shows. */
void strace_see(struct strace *strace, const struct strace_group *group, const struct event_syscall *call);
/* What was seen where CALL has failed, noted in RET; or NULL. */
const struct sight *strace_seen_of(struct strace *strace, const struct event_syscall *call, struct sight *ret);
void strace_seen_deinit(struct strace *strace);

/* strace_loader.c */
/* Whose CALL of GROUP it is; PATH: that it is about, or NULL. */
enum event_by strace_by(struct strace_group *group, const struct strace_call *call, const char *path);
/* A library that the loader has opened waits to be told of; false: CALL opens none. */
bool strace_opens(struct strace *strace, struct strace_thread *thread, const struct event_syscall *call);
/* A read of THREAD's: what the loader found at the beginning of the library that it opened. */
void strace_read(struct strace *strace, const struct strace_thread *thread, const struct strace_call *call);
/* EVENT of THREAD is of what the loader does between it and the next one. */
bool strace_opened_waits(const struct strace *strace, const struct strace_thread *thread, const struct event *event);
/* Tells of the library that waits. */
void strace_tell_opened(struct strace *strace);

/* Whether CALL, which opens PATH, is the loader's search for a library. */
bool strace_seeks(const struct strace_group *group, const struct strace_call *call, const char *path);

/* strace_load.c */
/* Before CALL is told of: STRACE->path and STRACE->data are its. */
void strace_load_follows(struct strace *strace, struct strace_thread *thread, const struct strace_call *call);
/* THREAD is the last of its group, which ends with STATUS. */
void strace_load_ends(struct strace *strace, struct strace_thread *thread, int status);
/* Tells of an ERROR of the loader's. */
void strace_tell_refused(struct strace *strace, struct strace_thread *thread, const struct event_loader *error);
/* The last error that was told was about NAME. */
bool strace_has_told(const struct strace_group *group, const char *name);
/* Which object needs NAME, which was not found, where that can be told; or NULL. */
const char *strace_needer(const struct strace_group *group, const char *name);
/* ADDRESS lies in a library that the loader is at work on. */
bool strace_load_has(const struct strace_group *group, uint64_t address);
/* CALL asks of a file by its descriptor: the loader does, of the one that it has opened. */
bool strace_load_measures(struct strace_group *group, const struct strace_call *call);
void strace_load_deinit(struct strace_load *load);

/* strace_execution.c */
/* CALL has executed nothing, and what is told of it later has more; false: it may be told of now. */
bool strace_execution_waits(struct strace *strace, struct strace_group *group, const struct event_syscall *call);
/* A CALL of GROUP's about PATH (or NULL) that follows. */
void strace_execution_follows(struct strace_group *group, const struct strace_call *call, const char *path);
/* THREAD has read from the file at PATH (or NULL). */
void strace_execution_read(struct strace *strace, struct strace_thread *thread, const struct strace_call *call,
                           const char *path);
void strace_tell_execution(struct strace *strace, struct strace_thread *thread);
void strace_execution_deinit(struct strace_execution *execution);

/* strace_refusal.c */
/* Stands for a name, or its end, that the text does not have. */
enum { STRACE_UNKNOWN = 1 };

/* strace_cut.c */
void strace_failed_add(struct strace *strace, struct strace_failed *failed, const char *name, int error);
void strace_failed_deinit(struct strace_failed *failed);
/* A name or a text for an error may begin behind C. */
bool strace_boundary(char c);
/* Makes the words of GROUP at the end of OUT, from FROM on, WHOLE bytes in truth, whole; false: nothing is known to
 * have stood there. */
bool strace_complete(struct strace *strace, struct strace_group *group, struct text *out, size_t from, size_t whole);

/* strace_words.c */
/* What the call writes, decoded, into STRACE->data. */
void strace_written(struct strace *strace, struct strace_group *group, const struct strace_call *call);
/* What a loader says in that, as its errors. */
void strace_said(struct strace *strace, struct strace_thread *thread);

#endif
