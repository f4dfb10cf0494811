/* Where a function's result goes: a walk through the machine code of its caller, from where the call returned to a
 * later place in the same function.
 *
 * The walk is straight, as if no jump were taken, and knows moves between registers, the stack and fixed addresses;
 * what it does not know ends the trace. It answers "does this pointer come from that call?" where the code is plain,
 * and otherwise no. */
#ifndef GLIBCTRACE_PROBES_FLOW_H
#define GLIBCTRACE_PROBES_FLOW_H

#include "mem.h"

#include <stdbool.h>

enum flow {
    FLOW_UNKNOWN, /* not one piece of code, or it cannot be read */
    FLOW_NO,
    FLOW_TESTED, /* it is compared with something on the way, and does not arrive */
    FLOW_YES,
};

/* FROM: the address that a call returned to, with the result in the register of results. TO: the address of an
 * instruction that uses memory through a register or jumps to one, or (CALL) the address behind a call, whose arguments
 * are meant. */
enum flow flow_follow(const struct mem *mem, uint64_t from_addr, uint64_t to_addr, bool call);

#endif
