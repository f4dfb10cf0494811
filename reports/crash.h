/* A crash record: what a thread was doing when a signal that ends programs came to it, looked at while it stood.
 *
 * The tracer fills in what only it can know (registers, siginfo, the stacks of the threads that stand) and
 * crash_look() works out the rest through probes/: which instruction, what the address is, what it needs of the
 * processor. It says what is there, not whose fault it is; judge_crash.c does that. */
#ifndef GLIBCTRACE_REPORTS_CRASH_H
#define GLIBCTRACE_REPORTS_CRASH_H

#include <probes/address.h>
#include <probes/instruction.h>
#include <probes/stack.h>

enum { CRASH_CODE = 64, CRASH_CODE_BEFORE = 32, CRASH_REGISTERS = 20, CRASH_THREADS = 64, CRASH_FRAMES = 64 };

struct crash_register {
    char name[8];
    uint64_t value;
};

struct crash_line {
    uint64_t addr;
    char *text; /* AT&T syntax */
    bool here;  /* the one that faulted */
};

struct crash_thread {
    pid_t tid;
    char *name; /* as the process calls it, or NULL */
    bool crashed;
    struct frame *stack;
    size_t stack_count;
    char *unread; /* why it has no stack, or NULL */
};

/* How the memory at the address was used. */
enum crash_use { USE_UNKNOWN, USE_READ, USE_WRITE, USE_EXECUTE };

/* What a signal without a bad address means. */
enum crash_trap {
    TRAP_NONE,
    TRAP_UD,         /* ud2 or its like: put there to end the program */
    TRAP_BREAKPOINT, /* int3 */
    TRAP_ABSENT,     /* an instruction that this processor does not have: feature */
    TRAP_PRIVILEGED,
    TRAP_UNALIGNED, /* the instruction wants its address aligned */
    TRAP_NO_INSTRUCTION,
};

struct crash {
    unsigned references;
    /* Raw: */
    pid_t pid, tid;
    char *thread_name;
    uint64_t n; /* of the event, 0: none */
    int signal, code;
    bool by_itself;     /* sent by the process to itself */
    int sender;         /* pid that sent it, 0: the kernel */
    char *sender_name;  /* its command, or NULL */
    bool caught;        /* a handler of the program's got it first */
    bool in_handler;    /* … and the process ended in that */
    uint64_t info_addr; /* si_addr */
    uint64_t ip_addr, sp_addr;
    bool has_general;
    struct stack_registers general;
    struct crash_register registers[CRASH_REGISTERS];
    size_t register_count;
    uint8_t code_bytes[CRASH_CODE]; /* around ip_addr … */
    size_t code_before, code_after; /* … as many before it and from it on */
    /* Worked out: */
    bool has_addr;
    bool computed; /* from the instruction and its registers: the kernel tells no address for such a fault */
    uint64_t addr;
    enum crash_use use;
    enum address_what what;
    uint64_t distance;
    pid_t stack_of;    /* what is BELOW_STACK or STACK */
    char *address;     /* in words */
    char *gone;        /* an object that was there and is not any more, or NULL */
    char *object;      /* what is mapped at ip_addr, or NULL */
    char *file;        /* that is mapped there or just before, or NULL */
    int64_t file_size; /* as it is now, -1: not known */
    uint64_t file_offset;
    enum crash_trap trap;
    const char *feature; /* static, or FEATURE_READ: what the instruction needs of the processor, or NULL */
    char *feature_read;  /* from a log, or NULL */
    struct crash_line *lines;
    size_t line_count;
    struct crash_thread *threads; /* the crashed one first */
    size_t thread_count;
    size_t threads_left; /* more than are kept */
    char *call;          /* SIGSYS: the system call that a seccomp filter answered so, or NULL */
    char *message;       /* the C library's own last words (__abort_msg), or NULL */
};

struct crash *crash_create(void);
struct crash *crash_get(struct crash *crash);
void crash_put(struct crash *crash);
/* Whether SIGNAL is one that programs bring upon themselves. */
bool crash_signal(int signal);
/* Works out the rest while the process stands. ROOT: where its files are opened. */
void crash_look(struct crash *crash, const struct mem *mem, const char *root);
/* Whether IP_ADDR is where a handler of the signal finds that the thread was. */
bool crash_stood_at(const struct crash *crash, uint64_t ip_addr);
/* Whether the handler that got CRASH has not been left: its signal frame, in which the kernel put the registers of
 * then (struct ucontext, sigreturn(2)), lies above SP_ADDR. */
bool crash_in_handler(const struct crash *crash, const struct mem *mem, uint64_t sp_addr);
/* The instruction that faulted, in words, or NULL. */
const char *crash_instruction(const struct crash *crash);

#endif
