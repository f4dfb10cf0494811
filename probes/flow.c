#include "flow.h"

#include "alloc.h"
#include "instruction.h"

#include <string.h>

enum {
    CODE_MOST = 16384, /* bytes between the two */
    SLOTS = 32,
    RESULT = 0, /* rax, in DWARF's numbers */
    FP = 6,
};

/* Registers by bit: the arguments of a call, and what a call may change (System V ABI for AMD64, 3.2). */
static const unsigned arguments = 1u << 5 | 1u << 4 | 1u << 1 | 1u << 2 | 1u << 8 | 1u << 9;
static const unsigned first_argument = 1u << 5;
static const unsigned scratch = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 4 | 1u << 5 | 0xfu << 8;

/* A place in memory: relative to the stack or frame pointer, or at a fixed address. */
struct slot {
    unsigned char base; /* REGISTER_SP, FP, or REGISTER_NONE */
    int64_t value;
};

struct trace {
    unsigned registers; /* that hold it */
    struct slot slots[SLOTS];
    size_t slot_count;
    bool tested;
};

static bool slot_of(const struct operand *operand, uint64_t next_addr, struct slot *ret)
{
    if (operand->kind != OPERAND_MEMORY || operand->index != REGISTER_NONE)
        return false;
    *ret = (struct slot){.base = operand->base, .value = operand->value};
    if (operand->base == REGISTER_IP) {
        ret->base = REGISTER_NONE;
        ret->value = (int64_t)next_addr + operand->value;
        return true;
    }
    return operand->base == REGISTER_SP || operand->base == FP;
}

static size_t slot_find(const struct trace *trace, const struct slot *slot)
{
    size_t i = 0;

    while (i < trace->slot_count && (trace->slots[i].base != slot->base || trace->slots[i].value != slot->value))
        i++;
    return i;
}

static void slot_set(struct trace *trace, const struct slot *slot, bool holds)
{
    size_t i = slot_find(trace, slot);

    if (!holds && i < trace->slot_count)
        trace->slots[i] = trace->slots[--trace->slot_count];
    else if (holds && i == trace->slot_count && i < SLOTS)
        trace->slots[trace->slot_count++] = *slot;
}

static bool register_holds(const struct trace *trace, unsigned char number)
{
    return number < REGISTER_IP && trace->registers >> number & 1;
}

/* Whether OPERAND, read, is the value, or the value and a displacement. */
static bool holds(const struct trace *trace, const struct operand *operand, uint64_t next_addr)
{
    struct slot slot;

    if (operand->kind == OPERAND_REGISTER)
        return register_holds(trace, operand->base);
    return slot_of(operand, next_addr, &slot) && slot_find(trace, &slot) < trace->slot_count;
}

static void assign(struct trace *trace, const struct operand *to, uint64_t next_addr, bool value)
{
    struct slot slot;

    if (to->kind == OPERAND_REGISTER && value)
        trace->registers |= 1u << to->base;
    else if (to->kind == OPERAND_REGISTER)
        trace->registers &= ~(1u << to->base);
    else if (slot_of(to, next_addr, &slot))
        slot_set(trace, &slot, value);
}

/* A pointer has eight bytes: what is cut to fewer (an int's result, -1) is not it. */
static void step(struct trace *trace, const struct instruction *one, unsigned written, uint64_t next_addr)
{
    switch (one->kind) {
    case INSTRUCTION_MOVE:
        assign(trace, &one->to, next_addr, one->width == 8 && holds(trace, &one->from, next_addr));
        return;
    case INSTRUCTION_LEA:
        assign(trace, &one->to, next_addr, one->width == 8 && register_holds(trace, one->from.base));
        return;
    case INSTRUCTION_ADD:
    case INSTRUCTION_SUB:
        if (one->from.kind == OPERAND_IMMEDIATE || one->to.kind != OPERAND_REGISTER)
            return;
        assign(trace, &one->to, next_addr, one->width == 8 && holds(trace, &one->to, next_addr));
        return;
    case INSTRUCTION_TEST:
    case INSTRUCTION_COMPARE:
        trace->tested |= holds(trace, &one->to, next_addr) || holds(trace, &one->from, next_addr);
        return;
    case INSTRUCTION_CALL:
        break;
    default:
        trace->registers &= ~written;
        return;
    }
    /* What a function makes of it is still its doing: dlsym() of a handle that is none. */
    bool result = trace->registers & first_argument;

    trace->registers &= ~scratch;
    if (result)
        trace->registers |= 1u << RESULT;
}

static bool arrives(const struct trace *trace, struct disassembler *disassembler, const uint8_t *bytes, size_t n,
                    uint64_t addr)
{
    unsigned used = instruction_pointers(disassembler, bytes, n, addr);

    return trace->registers & used;
}

static bool is_call(struct disassembler *disassembler, const uint8_t *bytes, size_t n)
{
    return instruction_calls(disassembler, bytes, n);
}

static enum flow walk(struct disassembler *disassembler, const uint8_t *bytes, size_t size, size_t code,
                      uint64_t from_addr, bool call)
{
    struct trace trace = {.registers = 1u << RESULT};
    struct instruction one;

    for (size_t at = 0; at < size; at += one.size) {
        bool calls = is_call(disassembler, bytes + at, code - at);
        unsigned written = instruction_writes(disassembler, bytes + at, code - at);

        instruction_decode(disassembler, bytes + at, code - at, from_addr + at, &one);
        if (!one.size)
            return FLOW_UNKNOWN;
        if (calls)
            one.kind = INSTRUCTION_CALL; /* through a register or memory, too */
        if (call && calls && at + one.size == size)
            return trace.registers & arguments ? FLOW_YES : trace.tested ? FLOW_TESTED : FLOW_NO;
        step(&trace, &one, written, from_addr + at + one.size);
        if (at + one.size > size)
            return FLOW_UNKNOWN; /* out of step */
    }
    if (call)
        return FLOW_UNKNOWN;
    return arrives(&trace, disassembler, bytes + size, code - size, from_addr + size) ? FLOW_YES
           : trace.tested                                                             ? FLOW_TESTED
                                                                                      : FLOW_NO;
}

enum flow flow_follow(const struct mem *mem, uint64_t from_addr, uint64_t to_addr, bool call)
{
    size_t size = to_addr - from_addr, want = size + INSTRUCTION_LONGEST;
    CLEANUP_FREE uint8_t *bytes = NULL;
    struct disassembler *disassembler;
    enum flow flow = FLOW_UNKNOWN;
    ssize_t got;

    if (to_addr < from_addr || size > CODE_MOST)
        return FLOW_UNKNOWN;
    bytes = xmalloc(want);
    got = mem->read(mem->ctx, from_addr, bytes, want);
    disassembler = disassembler_create();
    if (disassembler && got > 0 && (size_t)got >= size + (call ? 0 : 1))
        flow = walk(disassembler, bytes, size, (size_t)got, from_addr, call);
    disassembler_destroy(disassembler);
    return flow;
}
