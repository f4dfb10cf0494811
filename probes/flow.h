/* Where a function's result goes: a walk through the machine code of its caller, from where the call returned to a
 * later place in the same function.
 *
 * The walk is straight, as if no jump were taken, and knows moves between registers, the stack and fixed addresses;
 * what it does not know ends the trace. It answers "does this pointer come from that call?" where the code is plain,
 * and otherwise no. */
#ifndef GLIBCTRACE_PROBES_FLOW_H
#define GLIBCTRACE_PROBES_FLOW_H

#include "memimage.h"

#include <stdbool.h>

enum flow {
    FLOW_UNKNOWN, /* not one piece of code, or it cannot be read */
    FLOW_NO,
    FLOW_TESTED, /* it is compared with something on the way, and does not arrive */
    FLOW_YES,
};

enum flow_use {
    FLOW_POINTER,   /* TO is the address of an instruction that uses memory through a register, or jumps to one */
    FLOW_ARGUMENTS, /* TO is the address behind a call, whose arguments are meant */
    FLOW_TARGET,    /* TO is the address behind a call, and where that went is meant */
};
enum { FLOW_MOST = 16384 /* bytes from FROM to TO; beyond that nothing is known */ };

/* FROM: the address that a call returned to, with the result in the register of results. */
enum flow flow_follow(const struct mem *mem, uint64_t from_addr, uint64_t to_addr, enum flow_use use);

/* Where the code from FROM on jumps to, at fixed addresses: how many. */
enum { FLOW_JUMPS = 32 };
size_t flow_jumps(const struct mem *mem, uint64_t from_addr, uint64_t ret[FLOW_JUMPS]);
/* As flow_follow(), for a function that is left by a jump to TARGET before the place in question: by a tail call, whose
 * arguments are meant (TO is 0), or to a part of it that stands elsewhere (TO lies there). TARGET 0: a jump through
 * that pointer itself. */
enum flow flow_leave(const struct mem *mem, uint64_t from_addr, uint64_t target_addr, uint64_t to_addr,
                     enum flow_use use);
/* Whether a function of IMAGE begins after FROM and not after TO; true as well where that cannot be said. */
bool flow_begins_between(const struct memimage *image, uint64_t from_addr, uint64_t to_addr);

#endif
