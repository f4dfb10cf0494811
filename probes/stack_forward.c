/* Out of a function that no table describes, by its own code: what it does to the stack from where it stands to its
 * return is followed, instruction by instruction. musl is built without unwind tables, and without frame pointers. */
#include "instruction.h"
#include "stack_parts.h"

#include <string.h>

enum {
    INSTRUCTIONS_MOST = 400, /* on one way */
    BRANCHES_MOST = 6,       /* that are tried both ways */
};

struct walk {
    const struct modules *modules;
    const struct mem *mem;
    struct disassembler *disassembler;
    int branches;
};

static bool kept_by_callees(unsigned number)
{
    return number == UNWIND_RBX || number == UNWIND_FP || number == UNWIND_SP || (number >= 12 && number <= 15);
}

static void forget(struct unwind *state, unsigned number)
{
    if (number < STACK_REGISTERS)
        state->known &= ~(UINT32_C(1) << number);
}

/* What OPERAND is worth: a constant, a register, or (LEA) an address. */
static bool value_of(const struct unwind *state, const struct operand *operand, uint64_t *ret)
{
    if (operand->kind == OPERAND_IMMEDIATE) {
        *ret = (uint64_t)operand->value;
        return true;
    }
    if (operand->kind == OPERAND_NONE || operand->base >= UNWIND_IP || !unwind_knows(state, operand->base) ||
        (operand->kind == OPERAND_MEMORY && operand->index != REGISTER_NONE))
        return false;
    *ret = state->value[operand->base] + (operand->kind == OPERAND_MEMORY ? (uint64_t)operand->value : 0);
    return true;
}

/* Registers after a MOVE, LEA, ADD or SUB. */
static void compute(const struct mem *mem, struct unwind *state, const struct instruction *in)
{
    uint64_t value = 0, old;
    bool known = value_of(state, &in->from, &value);

    if (in->to.kind != OPERAND_REGISTER)
        return;
    if (in->kind == INSTRUCTION_MOVE && in->from.kind == OPERAND_MEMORY)
        known = known && mem_read(mem, value, &value, 8) == 0;
    if (in->kind == INSTRUCTION_ADD || in->kind == INSTRUCTION_SUB) {
        known = known && in->from.kind != OPERAND_MEMORY && value_of(state, &in->to, &old);
        value = known ? (in->kind == INSTRUCTION_ADD ? old + value : old - value) : 0;
    }
    if (known && in->width == 8)
        unwind_set(state, in->to.base, value);
    else
        forget(state, in->to.base);
}

static bool pop(const struct mem *mem, struct unwind *state, uint64_t *ret)
{
    if (!unwind_knows(state, UNWIND_SP) || mem_read(mem, state->value[UNWIND_SP], ret, 8))
        return false;
    state->value[UNWIND_SP] += 8;
    return true;
}

/* Where a conditional jump at ADDR leads, 0 for any other instruction. */
static uint64_t branch_target(const uint8_t *bytes, unsigned size, uint64_t addr)
{
    int32_t far;

    if (size == 2 && (bytes[0] & 0xf0) == 0x70)
        return addr + 2 + (uint64_t)(int64_t)(int8_t)bytes[1];
    if (size != 6 || bytes[0] != 0x0f || (bytes[1] & 0xf0) != 0x80)
        return 0;
    memcpy(&far, bytes + 2, sizeof far);
    return addr + 6 + (uint64_t)(int64_t)far;
}

/* hlt, ud2, int3, and jumps to where a register says: here it is not to be followed. */
static bool dead_end(const uint8_t *bytes, unsigned size)
{
    unsigned at = (bytes[0] & 0xf0) == 0x40 || bytes[0] == 0x3e || bytes[0] == 0xf2;

    if (bytes[0] == 0xf4 || bytes[0] == 0xcc || (bytes[0] == 0x0f && bytes[1] == 0x0b))
        return true;
    return at + 1 < size && bytes[at] == 0xff && ((bytes[at + 1] >> 3 & 7) == 4 || (bytes[at + 1] >> 3 & 7) == 5);
}

/* One instruction that is no jump: false where it cannot be followed. */
static bool apply(const struct walk *walk, struct unwind *state, const struct instruction *in, const uint8_t *bytes)
{
    uint64_t value;

    switch (in->kind) {
    case INSTRUCTION_PUSH:
        state->value[UNWIND_SP] -= 8;
        return true;
    case INSTRUCTION_POP:
        if (!pop(walk->mem, state, &value) || in->to.kind != OPERAND_REGISTER || in->to.base == UNWIND_SP)
            return false;
        unwind_set(state, in->to.base, value);
        return true;
    case INSTRUCTION_CALL:
        for (unsigned i = 0; i < UNWIND_IP; i++)
            if (!kept_by_callees(i))
                forget(state, i);
        return true;
    case INSTRUCTION_MOVE:
    case INSTRUCTION_LEA:
    case INSTRUCTION_ADD:
    case INSTRUCTION_SUB:
        compute(walk->mem, state, in);
        return unwind_knows(state, UNWIND_SP);
    case INSTRUCTION_AND:
    case INSTRUCTION_OR:
    case INSTRUCTION_XOR:
        if (in->to.kind == OPERAND_REGISTER)
            forget(state, in->to.base);
        return unwind_knows(state, UNWIND_SP);
    default:
        break;
    }
    if (bytes[0] == 0xc9) { /* leave */
        if (!unwind_knows(state, UNWIND_FP))
            return false;
        state->value[UNWIND_SP] = state->value[UNWIND_FP];
        return pop(walk->mem, state, &state->value[UNWIND_FP]);
    }
    return !dead_end(bytes, in->size);
}

static bool returned(const struct walk *walk, struct unwind *state)
{
    uint64_t ip;

    if (!pop(walk->mem, state, &ip) || !step_can_return_to(walk->modules, walk->mem, ip))
        return false;
    for (unsigned i = 0; i < UNWIND_IP; i++)
        if (!kept_by_callees(i))
            forget(state, i);
    unwind_set(state, UNWIND_IP, ip);
    state->exact = false;
    return true;
}

/* The depth of calls is that of BRANCHES_MOST. */
static bool follow(struct walk *walk, uint64_t addr, struct unwind *state)
{
    uint8_t bytes[INSTRUCTION_LONGEST + 1];

    for (int i = 0; i < INSTRUCTIONS_MOST; i++) {
        struct instruction in;
        ssize_t n = walk->mem->read(walk->mem->ctx, addr, bytes, INSTRUCTION_LONGEST);
        uint64_t target;

        if (n < 2)
            return false;
        memset(bytes + n, 0, sizeof bytes - (size_t)n);
        instruction_decode(walk->disassembler, bytes, (size_t)n, addr, &in);
        if (!in.size)
            return false;
        if (in.kind == INSTRUCTION_RET)
            return returned(walk, state);
        target = branch_target(bytes, in.size, addr);
        if (target && walk->branches < BRANCHES_MOST) {
            struct unwind other = *state;

            walk->branches++;
            if (follow(walk, addr + in.size, &other)) {
                *state = other;
                return true;
            }
            addr = target;
        } else if (in.kind == INSTRUCTION_JUMP) {
            addr = (uint64_t)in.from.value;
        } else {
            if (!apply(walk, state, &in, bytes))
                return false;
            addr += in.size;
        }
    }
    return false;
}

enum unwind_step step_forward(const struct modules *modules, const struct mem *mem, struct disassembler *disassembler,
                              struct unwind *unwind)
{
    struct walk walk = {modules, mem, disassembler, 0};
    struct unwind state = *unwind;

    if (!disassembler || !follow(&walk, unwind->value[UNWIND_IP], &state))
        return UNWIND_NONE;
    *unwind = state;
    return UNWIND_OK;
}
