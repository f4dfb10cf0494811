/* Which system calls are of interest, decided by their arguments too, and how each is handled. One const table; the
 * seccomp filter is made from it, and with plain syscall stops it is asked directly, so that both give the same
 * events. */
#ifndef GLIBCTRACE_TRACER_CALLS_H
#define GLIBCTRACE_TRACER_CALLS_H

#include "arch.h"

#include <reports/syscall.h>

enum call_kind {
    CALL_PLAIN,    /* described wholly by its row */
    CALL_DETAIL,   /* the same, but it decides nothing: only where every event is to be told (-t, a bundle's trace) */
    CALL_OPENAT2,  /* flags lie in a struct open_how */
    CALL_READLINK, /* the answer is a string */
    CALL_CONNECT,  /* the argument is an address */
    CALL_OUTCOME,  /* an errno value lies in memory */
    CALL_EXECVE,
    CALL_EXECVEAT,
    CALL_CHDIR,  /* changes the working directory */
    CALL_ROOT,   /* changes the root or the mount namespace */
    CALL_CLONE,  /* may make a thread or process */
    CALL_CLONE3, /* its flags lie in memory */
    CALL_WRITE,  /* to descriptor 2: an output event */
    CALL_WRITEV,
    CALL_SPOKEN, /* to descriptor 1: an output event where it complains */
    CALL_SENDMSG,
    CALL_RULES,     /* changes what calls the process may make */
    CALL_PTRACE,    /* it wants to be, or to have, a tracer */
    CALL_AFFINITY,  /* looks at or sets the processors that a thread may run on */
    CALL_SIGACTION, /* of SIGTRAP */
    CALL_DUMPABLE,  /* may close its memory to a tracer without rights */
    CALL_LIMIT,     /* sets a limit of memory */
    CALL_CLOSE,     /* too frequent to stop each: only its failures, in processes that are watched closely (close.h) */
    CALL_LEAVE,     /* exit, exit_group: told at the exit stop, where the whole process stands */
};

struct call_condition {
    unsigned arg;
    uint64_t mask, value; /* holds where (args[arg] & mask) == value, with a mask of 0: where args[arg] >= value */
};

struct call {
    const char *row; /* in reports/syscall.h */
    enum call_kind kind;
    bool exit_stop; /* its result is wanted */
    struct call_condition conditions[2];
};

/* The rows of one call stand one after the other. */
extern const struct call calls[];
extern const size_t call_count;

/* What the filter puts into SECCOMP_RET_DATA: that it is ours. The same for all calls, which are found by their number
 * as at plain stops: libseccomp takes a time that grows with the square of the number of different actions. 0 is left
 * out: a filter of the program's own may say SECCOMP_RET_TRACE with it. */
enum { CALL_DATA = 0x6700 };

/* Finds the call of NUMBER under ABI with ARGS among the const table. */
struct call_index {
    short *first[ABI_COUNT]; /* by number: 1 + index of the first call of that row; 0 where none is wanted */
    size_t size[ABI_COUNT];
    bool full; /* CALL_DETAIL is found, too */
};
void call_index_init(struct call_index *index, const struct arch *arch, bool full);
void call_index_deinit(struct call_index *index);
/* Among all of them; whether it would have made the filter stop. */
const struct call *call_find_any(const struct call_index *index, enum abi abi, uint64_t number, const uint64_t args[6]);
bool call_is_filtered(const struct call_index *index, const struct call *call);
const struct call *call_find(const struct call_index *index, enum abi abi, uint64_t number, const uint64_t args[6]);

#endif
