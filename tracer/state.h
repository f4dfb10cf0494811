/* What the files of this room share of a running session: the threads it follows and what it is about to do. Nobody
 * else includes it; session.h is for them. */
#ifndef GLIBCTRACE_TRACER_STATE_H
#define GLIBCTRACE_TRACER_STATE_H

#include "breaks.h"
#include "memory.h"
#include "pin.h"
#include "session.h"
#include "signals.h"
#include "task.h"
#include "watch.h"

#include <probes/instruction.h>

struct wait {
    pid_t tid;
    int status;
};

enum { FORWARD_COUNT = 8, BURIED_MOST = 8, DECODED_MOST = 32, PREPARED_MOST = 8 };
struct decoded {
    uint8_t bytes[INSTRUCTION_LONGEST]; /* as they stand in memory */
    struct instruction instruction;
};
/* A signal that was sent to glibctrace and may be meant for the command. */
struct forward {
    int signal;
    pid_t sender;
    uint64_t due_ns; /* 0: unused */
};

struct session {
    const struct session_options *options;
    struct tasks tasks;
    struct call_index index;
    const struct syscall_desc **descs; /* of calls[], in its order */
    struct memory memory;
    struct memory clean; /* the same without our own traps */
    struct pin pin;
    struct wait *waits;                     /* drained, not yet dispatched */
    size_t wait_count, wait_cap, wait_next; /* the next one to be dispatched */
    unsigned rounds;                        /* of waiting */

    bool attach; /* leave them as they were when we go */
    bool plain;  /* no filter: every call stops, and the interesting ones are picked here */
    bool recording;
    bool detaching; /* each thread is let go of at its next stop */
    bool stop;      /* recording is to end */

    pid_t command;
    bool executed; /* the command's first execve has succeeded */
    bool ended;
    int status;    /* wait status of the command, where ended */
    int report_fd; /* launch: where the new process tells of failures before its execve, or -1 */

    uint64_t start_ns, deadline_ns, announce_ns; /* CLOCK_MONOTONIC; 0: none */
    struct forward forwards[FORWARD_COUNT];
    struct signal_note delivered; /* the last signal from outside that the command got by itself */
    uint64_t delivered_ns;

    struct memory_pages *pages;                /* made when first needed; */
    struct images *images;                     /* as well (watch.h) */
    struct files *files;                       /* as well */
    struct disassembler *disassembler;         /* made when first needed */
    struct break_code prepared[PREPARED_MOST]; /* breaks_memory.c: so many, of this thread's memory */
    size_t prepared_count;
    pid_t prepared_tid;
    struct decoded decoded[DECODED_MOST]; /* breaks.c: the newest, */
    size_t decodings;                     /* of so many */
    struct space *buried[BURIED_MOST];    /* of processes that ended lately (breaks.h) */
    size_t burials;
    uint64_t tickets; /* displace.h */
    bool waiting;     /* a thread may wait for a slot */

    uint64_t events, processes, threads, lost;
};

uint64_t clock_ns(void);

/* session.c: a session's own life, for launch.c and attach.c. */
struct session *session_create(const struct session_options *options, bool attach);
void session_destroy(struct session *session);
/* Follows and records until the end, --for or a signal. */
void session_record(struct session *session);
void session_tell(const struct session *session, struct session_result *ret);

/* session.c: numbers EVENT, fills in what is common and hands it to the sinks. TASK's process is the one concerned. */
void session_emit(struct session *session, const struct task *task, struct event *event);
/* A PROCESS_NOTE about TASK's process. */
void session_note(struct session *session, const struct task *task, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Acts on signals, forwards and deadlines; called when signals_rang(). */
void session_attend(struct session *session);
/* The command itself is stopped by SIGNAL, or goes on (SIGCONT): so does the process the user waits for. */
void session_job(struct session *session, const struct task *task, int signal);

/* The command has been reaped with wait status STATUS. */
void session_command_ended(struct session *session, int status);

/* loop.c: follows until no thread is left or session->stop. */
void loop_run(struct session *session);
/* One round of that: waits, then dispatches all that came. False where nothing is left to wait for. */
bool loop_step(struct session *session);
/* Acts on a stop of TASK that was waited for. */
void loop_dispatch(struct session *session, pid_t tid, int status);
/* Lets go of all threads, each at its next stop, with what it was about to get. */
void loop_detach(struct session *session);

/* follow.c: life and death. */
/* A process is new to us: a group and its first thread. A launched one is told of at once, one that was attached to at
 * its first stop. */
struct task *follow_first(struct session *session, pid_t pid);
/* A thread of GROUP was there already when we attached. */
void follow_found(struct session *session, pid_t tid, struct group *group);
/* The first stop of TASK, which was attached to. */
void follow_attached(struct session *session, struct task *task);
void follow_clone(struct session *session, struct task *creator, pid_t child);
/* The thread that goes on under TID, or NULL where nothing is known of it. */
struct task *follow_exec(struct session *session, pid_t tid);
/* TASK is about to be let go of. */
void follow_detach(struct session *session, struct task *task);
void follow_exit_stop(struct session *session, struct task *task);
void follow_end(struct session *session, struct task *task, int status);
void follow_signal(struct session *session, struct task *task, int signal);
/* Threads whose creator will not tell of them any more find their place by /proc. */
void follow_orphans(struct session *session);

/* decode.c: system calls. */
/* At its entry: reads what is needed; true where its exit is wanted (else all has been told). */
bool decode_entry(struct session *session, struct task *task, const struct call *call, const struct syscall_stop *stop);
void decode_exit(struct session *session, struct task *task, int64_t ret, bool failed);
/* Its clone has made CHILD, so the result is known before its exit: true where that is wanted all the same. */
bool decode_cloned(struct session *session, struct task *task, pid_t child);
/* exit, exit_group, from the registers at the exit stop: whether it ends the whole process. */
bool decode_leave(struct session *session, struct task *task, const struct arch_state *state);
enum event_by decode_by(const struct task *task, uint64_t ip_addr);

/* decode_args.c: the arguments that are more than a number. */
void args_read(struct session *session, struct task *task, const struct mem *mem);
char **args_vector(const struct mem *mem, uint64_t addr);
char *args_address(const struct mem *mem, uint64_t addr, uint64_t size);
/* What is written, at most EVENT_OUTPUT_LIMIT bytes, malloced; *SIZE of them, of *WHOLE. */
char *args_output(const struct mem *mem, const struct call *call, const uint64_t args[6], size_t *size, size_t *whole);

/* crash.c: crash records. */
/* At the delivery of a signal: a record where it is FATAL and the program's own doing, which is the caller's to put;
 * else NULL, and what is needed of it is kept until the process ends. */
struct crash *crash_at_signal(struct session *session, struct task *task, const siginfo_t *info, bool fatal);
/* At any thread's exit stop: one that made no exit(2) is killed with all the others, whose stops may come later, and
 * what had been caught is looked at now. */
void crash_at_thread_exit(struct session *session, struct task *task);
/* At the exit stop with which a process ends: the record of a signal that it had caught, or that was not told. NULL
 * where there is none. */
struct crash *crash_at_exit(struct session *session, struct task *task, int status);

/* backtrace.c: stacks. */
/* What EVENT of TASK is to carry: the process's memory, a copy of the stack where a judge may ask for it later, its
 * frames where somebody wants them now. To be given back by backtrace_release(). MEMORY is for as long as the event is
 * told. */
struct backtrace_memory {
    struct memory memory;
    struct mem mem;
    struct frame *frames;
    struct stack_snapshot *snapshot;
};
void backtrace_attach(struct session *session, struct task *task, struct event *event, struct backtrace_memory *memory);
void backtrace_release(struct event *event, struct backtrace_memory *memory);

/* place.c: roots and directories. */
struct place *place_read(pid_t pid);
struct place *place_of_child(const struct place *place, pid_t child);
void place_refresh(struct task *task);
const char *place_cwd(struct task *task);

#endif
