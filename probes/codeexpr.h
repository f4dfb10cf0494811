/* Evaluates the expressions in which unwind tables say where a caller's registers are (DWARF 5, sections 2.5 and
 * 6.4). Bounded in steps and depth: they come from files that anybody wrote. */
#ifndef GLIBCTRACE_PROBES_CODEEXPR_H
#define GLIBCTRACE_PROBES_CODEEXPR_H

#include "unwind.h"

struct codeexpr_op {
    uint8_t atom;
    uint64_t number, number2;
    uint64_t offset; /* of the operation in the expression: jumps count in these */
};

struct codeexpr {
    const struct unwind *from; /* registers of the function that is to be left */
    const struct mem *mem;
    uint64_t cfa, bias;
};

struct codeexpr_value {
    uint64_t number;
    bool known;
    bool is_value; /* it is the value that is asked for, and not the address of it */
};

struct codeexpr_value codeexpr_evaluate(const struct codeexpr *expr, const struct codeexpr_op *ops, size_t count);

#endif
