#include "codeexpr.h"

enum {
    OPS_MOST = 1000,
    OPS_STACK = 64,
};

/* DWARF 5, section 7.7.1. */
enum {
    OP_addr = 0x03,
    OP_deref = 0x06,
    OP_const1u = 0x08,
    OP_const1s = 0x09,
    OP_const2u = 0x0a,
    OP_const2s = 0x0b,
    OP_const4u = 0x0c,
    OP_const4s = 0x0d,
    OP_const8u = 0x0e,
    OP_const8s = 0x0f,
    OP_constu = 0x10,
    OP_consts = 0x11,
    OP_dup = 0x12,
    OP_drop = 0x13,
    OP_and = 0x1a,
    OP_minus = 0x1c,
    OP_mul = 0x1e,
    OP_neg = 0x1f,
    OP_not = 0x20,
    OP_or = 0x21,
    OP_plus = 0x22,
    OP_plus_uconst = 0x23,
    OP_shl = 0x24,
    OP_shr = 0x25,
    OP_shra = 0x26,
    OP_xor = 0x27,
    OP_bra = 0x28,
    OP_eq = 0x29,
    OP_ge = 0x2a,
    OP_gt = 0x2b,
    OP_le = 0x2c,
    OP_lt = 0x2d,
    OP_ne = 0x2e,
    OP_skip = 0x2f,
    OP_lit0 = 0x30,
    OP_lit31 = 0x4f,
    OP_reg0 = 0x50,
    OP_reg31 = 0x6f,
    OP_breg0 = 0x70,
    OP_breg31 = 0x8f,
    OP_regx = 0x90,
    OP_bregx = 0x92,
    OP_deref_size = 0x94,
    OP_nop = 0x96,
    OP_call_frame_cfa = 0x9c,
    OP_stack_value = 0x9f,
};

struct machine {
    const struct codeexpr *expr;
    uint64_t stack[OPS_STACK];
    size_t depth;
    bool failed, is_value;
};

static void push(struct machine *m, uint64_t value)
{
    if (m->depth < OPS_STACK)
        m->stack[m->depth++] = value;
    else
        m->failed = true;
}

static uint64_t pop(struct machine *m)
{
    if (m->depth)
        return m->stack[--m->depth];
    m->failed = true;
    return 0;
}

static void push_register(struct machine *m, uint64_t number, uint64_t offset)
{
    if (number < STACK_REGISTERS && unwind_knows(m->expr->from, (unsigned)number))
        push(m, m->expr->from->value[number] + offset);
    else
        m->failed = true;
}

static void dereference(struct machine *m, uint64_t size)
{
    uint64_t value = 0, addr = pop(m);

    if (m->failed || size == 0 || size > 8 || mem_read(m->expr->mem, addr, &value, size))
        m->failed = true;
    push(m, value);
}

static uint64_t shift_signed(uint64_t a, uint64_t b)
{
    uint64_t sign = a >> 63 ? UINT64_MAX : 0;

    if (b > 63)
        return sign;
    return b ? a >> b | sign << (64 - b) : a;
}

static uint64_t binary(struct machine *m, unsigned atom, uint64_t a, uint64_t b)
{
    switch (atom) {
    case OP_and:
        return a & b;
    case OP_or:
        return a | b;
    case OP_xor:
        return a ^ b;
    case OP_plus:
        return a + b;
    case OP_minus:
        return a - b;
    case OP_mul:
        return a * b;
    case OP_shl:
        return b < 64 ? a << b : 0;
    case OP_shr:
        return b < 64 ? a >> b : 0;
    case OP_shra:
        return shift_signed(a, b);
    case OP_eq:
        return a == b;
    case OP_ne:
        return a != b;
    case OP_lt:
        return (int64_t)a < (int64_t)b;
    case OP_le:
        return (int64_t)a <= (int64_t)b;
    case OP_gt:
        return (int64_t)a > (int64_t)b;
    case OP_ge:
        return (int64_t)a >= (int64_t)b;
    default:
        m->failed = true;
        return 0;
    }
}

static void operate(struct machine *m, const struct codeexpr_op *op)
{
    unsigned atom = op->atom;
    uint64_t top;

    if (atom >= OP_lit0 && atom <= OP_lit31) {
        push(m, atom - OP_lit0);
        return;
    }
    if (atom >= OP_breg0 && atom <= OP_breg31) {
        push_register(m, atom - OP_breg0, op->number);
        return;
    }
    if (atom >= OP_reg0 && atom <= OP_reg31) { /* its place is a register: its value is what is asked for */
        push_register(m, atom - OP_reg0, 0);
        m->is_value = true;
        return;
    }
    switch (atom) {
    case OP_const1u:
    case OP_const1s:
    case OP_const2u:
    case OP_const2s:
    case OP_const4u:
    case OP_const4s:
    case OP_const8u:
    case OP_const8s:
    case OP_constu:
    case OP_consts:
        push(m, op->number);
        break;
    case OP_addr:
        push(m, op->number + m->expr->bias);
        break;
    case OP_bregx:
        push_register(m, op->number, op->number2);
        break;
    case OP_regx:
        push_register(m, op->number, 0);
        m->is_value = true;
        break;
    case OP_call_frame_cfa:
        push(m, m->expr->cfa);
        break;
    case OP_plus_uconst:
        push(m, pop(m) + op->number);
        break;
    case OP_stack_value:
        m->is_value = true;
        break;
    case OP_deref:
        dereference(m, 8);
        break;
    case OP_deref_size:
        dereference(m, op->number);
        break;
    case OP_dup:
        top = pop(m);
        push(m, top);
        push(m, top);
        break;
    case OP_drop:
        pop(m);
        break;
    case OP_neg:
        push(m, -pop(m));
        break;
    case OP_not:
        push(m, ~pop(m));
        break;
    case OP_nop:
        break;
    default:
        top = pop(m);
        push(m, binary(m, atom, pop(m), top));
        break;
    }
}

/* The index of the operation that a jump from OPS[AT] leads to; COUNT where it leads to the end or nowhere. */
static size_t jump(const struct codeexpr_op *ops, size_t count, size_t at)
{
    uint64_t target = ops[at].offset + 3 + (uint64_t)(int64_t)(int16_t)ops[at].number;

    for (size_t i = 0; i < count; i++)
        if (ops[i].offset == target)
            return i;
    return count;
}

struct codeexpr_value codeexpr_evaluate(const struct codeexpr *expr, const struct codeexpr_op *ops, size_t count)
{
    struct machine m = {.expr = expr};
    size_t at = 0;

    for (int steps = 0; at < count && !m.failed; steps++) {
        if (steps >= OPS_MOST)
            return (struct codeexpr_value){0};
        if (ops[at].atom == OP_skip || (ops[at].atom == OP_bra && pop(&m))) {
            at = jump(ops, count, at);
        } else {
            if (ops[at].atom != OP_bra)
                operate(&m, &ops[at]);
            at++;
        }
    }
    uint64_t number = pop(&m);

    return (struct codeexpr_value){m.failed ? 0 : number, !m.failed, m.is_value};
}
