/* What breaks.c and breaks_memory.c share: one space's breakpoints, and the bytes in memory. Not for other files. */
#ifndef GLIBCTRACE_TRACER_BREAKS_TABLE_H
#define GLIBCTRACE_TRACER_BREAKS_TABLE_H

#include "breaks.h"

#include <probes/instruction.h>

enum { HANDLERS_MOST = 4, TRAP_ACTION_WORDS = 4 /* the kernel's struct sigaction */ };

struct breakpoint {
    uint64_t addr;
    struct instruction first; /* what stands there, where decoded */
    bool decoded;
    struct displaced displaced; /* the same for another place, where planned (displace.h) */
    bool planned;
    bool refused; /* that it can have no trap has been told */
    bool armed;   /* the trap is in memory */
    bool kept;    /* it stays when nobody waits */
    unsigned char original;
    unsigned waiting; /* calls that will return here */
    unsigned handler_count;
    struct break_handler handlers[HANDLERS_MOST];
    UT_hash_handle hh;
};

struct breaks {
    struct breakpoint *by_addr; /* for good: a thread may have come by just before one was taken out */
    struct displace *displace;  /* displace.h, or NULL */
    bool closed;                /* no more are set */
    bool handled;               /* the program has a handler of SIGTRAP: */
    uint64_t action[TRAP_ACTION_WORDS];
};

/* False where not even the byte at ADDR can be read. */
bool break_code_read(const struct mem *mem, uint64_t addr, struct break_code *ret);
/* As it was read by breaks_prepare(), or now. */
bool break_code_of(struct session *session, pid_t tid, uint64_t addr, struct break_code *ret);

struct breakpoint *break_find(const struct breaks *breaks, uint64_t addr);
/* Whether anybody wants to be told of it. */
bool break_wanted(const struct breakpoint *point);
/* The memory of TID, by way of the session's own struct memory. */
struct mem break_mem(struct session *session, pid_t tid);
/* Puts the trap in, where CODE is what has been read at this stop: 0, or -1 where memory is not as it was. And takes it
 * out; where something else stands by now, the object is gone and with it our trap. TID is a thread of that memory and
 * stands, for preference. */
int break_arm(struct session *session, pid_t tid, struct breakpoint *point, const struct break_code *code);
void break_disarm(struct session *session, pid_t tid, struct breakpoint *point);
/* N bytes, a multiple of BREAK_WORD, at ADDR: 0, or -1. */
int break_put(pid_t tid, uint64_t addr, const void *bytes, size_t n);
/* For emulate.h; CTX points at the pid_t. */
int break_write(void *ctx, uint64_t addr, uint64_t value, unsigned width);

#endif
