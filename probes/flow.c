#include "flow.h"

#include "alloc.h"
#include "instruction.h"

#include <string.h>

enum {
    SLOTS = 32,
    JUMP_MOST = 2048, /* bytes in which a jump out of the function is looked for */
    RESULT = 0,       /* rax, in DWARF's numbers */
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

static enum flow answer(const struct trace *trace, unsigned used)
{
    return trace->registers & used ? FLOW_YES : trace->tested ? FLOW_TESTED : FLOW_NO;
}

/* A piece of code, read once. */
struct code {
    struct disassembler *disassembler;
    uint8_t *bytes;
    size_t size;
    uint64_t addr;
};

static bool code_read(struct code *code, const struct mem *mem, uint64_t addr, size_t size)
{
    ssize_t got;

    *code = (struct code){.addr = addr, .bytes = xmalloc(size)};
    got = mem->read(mem->ctx, addr, code->bytes, size);
    code->size = got > 0 ? (size_t)got : 0;
    code->disassembler = code->size ? disassembler_create() : NULL;
    return code->disassembler != NULL;
}

static void code_deinit(struct code *code)
{
    disassembler_destroy(code->disassembler);
    free(code->bytes);
}

/* One step at AT; its size, 0 where there is no instruction. */
static unsigned code_step(const struct code *code, size_t at, struct trace *trace, bool *calls)
{
    const uint8_t *bytes = code->bytes + at;
    size_t left = code->size - at;
    unsigned written = instruction_writes(code->disassembler, bytes, left);
    struct instruction one;

    *calls = instruction_calls(code->disassembler, bytes, left);
    instruction_decode(code->disassembler, bytes, left, code->addr + at, &one);
    if (*calls)
        one.kind = INSTRUCTION_CALL; /* through a register or memory, too */
    if (one.size)
        step(trace, &one, written, code->addr + at + one.size);
    return one.size;
}

static unsigned pointers_at(const struct code *code, size_t at)
{
    return instruction_pointers(code->disassembler, code->bytes + at, code->size - at, code->addr + at);
}

static enum flow walk(const struct code *code, size_t size, struct trace trace, enum flow_use use)
{
    unsigned length;

    for (size_t at = 0; at < size; at += length) {
        const struct trace before = trace;
        bool calls;

        length = code_step(code, at, &trace, &calls);
        if (!length || at + length > size)
            return FLOW_UNKNOWN; /* no code, or out of step */
        if (calls && at + length == size && use != FLOW_POINTER)
            return answer(&before, use == FLOW_ARGUMENTS ? arguments : pointers_at(code, at));
    }
    return use == FLOW_POINTER ? answer(&trace, pointers_at(code, size)) : FLOW_UNKNOWN;
}

static enum flow follow(const struct mem *mem, uint64_t from_addr, uint64_t to_addr, enum flow_use use,
                        const struct trace *trace)
{
    size_t size = to_addr - from_addr;
    enum flow flow = FLOW_UNKNOWN;
    struct code code;

    if (to_addr < from_addr || size > FLOW_MOST)
        return FLOW_UNKNOWN;
    if (code_read(&code, mem, from_addr, size + INSTRUCTION_LONGEST) &&
        code.size >= size + (use == FLOW_POINTER ? 1 : 0))
        flow = walk(&code, size, *trace, use);
    code_deinit(&code);
    return flow;
}

enum flow flow_follow(const struct mem *mem, uint64_t from_addr, uint64_t to_addr, enum flow_use use)
{
    return follow(mem, from_addr, to_addr, use, &(struct trace){.registers = 1u << RESULT});
}

size_t flow_jumps(const struct mem *mem, uint64_t from_addr, uint64_t ret[FLOW_JUMPS])
{
    struct trace trace = {0};
    struct code code;
    size_t count = 0;
    unsigned length = 1;

    if (code_read(&code, mem, from_addr, JUMP_MOST))
        for (size_t at = 0; length && at < code.size && count < FLOW_JUMPS; at += length) {
            bool calls;

            if (instruction_jumps(code.disassembler, code.bytes + at, code.size - at, code.addr + at, &ret[count]))
                count++;
            length = code_step(&code, at, &trace, &calls);
        }
    code_deinit(&code);
    return count;
}

enum flow flow_leave(const struct mem *mem, uint64_t from_addr, uint64_t target_addr, uint64_t to_addr,
                     enum flow_use use)
{
    struct trace trace = {.registers = 1u << RESULT};
    enum flow flow = FLOW_UNKNOWN;
    struct code code;
    unsigned length = 1;
    bool found = false;

    if (code_read(&code, mem, from_addr, JUMP_MOST))
        for (size_t at = 0; length && at < code.size && !found; at += length) {
            uint64_t target = 0;
            bool direct =
                     instruction_jumps(code.disassembler, code.bytes + at, code.size - at, code.addr + at, &target),
                 calls;

            found = target == target_addr && (direct || target_addr == 0);
            if (found && direct)
                flow = to_addr ? follow(mem, target_addr, to_addr, use, &trace) : answer(&trace, arguments);
            else if (found && pointers_at(&code, at) & trace.registers)
                flow = FLOW_YES;
            found = found && (direct || flow == FLOW_YES);
            length = code_step(&code, at, &trace, &calls);
        }
    code_deinit(&code);
    return flow;
}

bool flow_begins_between(const struct memimage *image, uint64_t from_addr, uint64_t to_addr)
{
    struct trace trace = {0};
    struct code code;
    bool begins = false;
    unsigned length = 1;

    if (code_read(&code, &image->mem, from_addr, to_addr - from_addr + INSTRUCTION_LONGEST))
        for (size_t at = 0; length && !begins && at < code.size && code.addr + at <= to_addr; at += length) {
            bool calls;

            begins = at && memimage_begins_function(image, code.addr + at);
            length = code_step(&code, at, &trace, &calls);
        }
    code_deinit(&code);
    return begins || !length;
}
