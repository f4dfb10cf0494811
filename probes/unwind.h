/* One step outwards from a function: the registers as its caller has them. What knows how (codefile.h, gostack.h,
 * stack_step.c) differs by the code; the registers are the same for all. For stack.c and its parts. */
#ifndef GLIBCTRACE_PROBES_UNWIND_H
#define GLIBCTRACE_PROBES_UNWIND_H

#include "mem.h"
#include "stack.h"

#include <stdbool.h>

/* Numbers of registers in the DWARF of x86-64 (System V ABI, figure 3.36). */
enum { UNWIND_RBX = 3, UNWIND_FP = 6, UNWIND_SP = 7, UNWIND_IP = 16 };

struct unwind {
    uint64_t value[STACK_REGISTERS];
    uint32_t known; /* bit N: value[N] is what that register holds */
    bool exact;     /* the ip is where the thread stands, not where a call returns to */
};

enum unwind_step {
    UNWIND_NONE, /* this way of unwinding does not know that code */
    UNWIND_OK,
    UNWIND_END, /* it knows: nobody called it */
};

static inline bool unwind_knows(const struct unwind *unwind, unsigned number)
{
    return number < STACK_REGISTERS && (unwind->known >> number & 1);
}

static inline void unwind_set(struct unwind *unwind, unsigned number, uint64_t value)
{
    unwind->value[number] = value;
    unwind->known |= UINT32_C(1) << number;
}

/* The address to look the function up with: a call may be its last instruction, so that what it returns to is the next
 * function's. */
static inline uint64_t unwind_lookup(const struct unwind *unwind)
{
    return unwind->value[UNWIND_IP] - (unwind->exact ? 0 : 1);
}

#endif
