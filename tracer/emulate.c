#include "emulate.h"

/* Intel SDM vol. 1, 3.4.3.1 */
enum { FLAG_CARRY = 1 << 0, FLAG_PARITY = 1 << 2, FLAG_AUXILIARY = 1 << 4, FLAG_ZERO = 1 << 6, FLAG_SIGN = 1 << 7 };
enum { FLAG_OVERFLOW = 1 << 11, WORD = 8 };

static uint64_t narrow(uint64_t value, unsigned width)
{
    return width == 4 ? (uint32_t)value : value;
}

static uint64_t address_of(const struct operand *operand, uint64_t next, const struct arch_registers *r)
{
    uint64_t addr = (uint64_t)operand->value;

    if (operand->base == REGISTER_IP)
        addr += next;
    else if (operand->base != REGISTER_NONE)
        addr += r->dwarf[operand->base];
    if (operand->index != REGISTER_NONE)
        addr += r->dwarf[operand->index] * operand->scale;
    return addr;
}

static bool load(const struct operand *operand, unsigned width, uint64_t next, const struct emulate_memory *memory,
                 const struct arch_registers *r, uint64_t *ret)
{
    uint64_t value = 0;

    if (operand->kind == OPERAND_REGISTER)
        value = r->dwarf[operand->base];
    else if (operand->kind == OPERAND_IMMEDIATE)
        value = (uint64_t)operand->value;
    else if (mem_read(memory->mem, address_of(operand, next, r), &value, width) < 0)
        return false;
    *ret = narrow(value, width);
    return true;
}

static bool store(const struct operand *operand, unsigned width, uint64_t next, const struct emulate_memory *memory,
                  struct arch_registers *r, uint64_t value)
{
    if (operand->kind == OPERAND_REGISTER) {
        r->dwarf[operand->base] = narrow(value, width);
        return true;
    }
    return operand->kind == OPERAND_MEMORY &&
           memory->write(memory->ctx, address_of(operand, next, r), value, width) == 0;
}

static bool top_bit(uint64_t value, unsigned width)
{
    return value >> (width * 8 - 1) & 1;
}

/* The flags of A OPERATION B = RESULT, Intel SDM vol. 2 under each instruction. */
static uint64_t flags_of(enum instruction_kind kind, uint64_t a, uint64_t b, uint64_t result, unsigned width)
{
    bool sum = kind == INSTRUCTION_ADD, difference = kind == INSTRUCTION_SUB || kind == INSTRUCTION_COMPARE;
    uint64_t flags = 0;

    if (!__builtin_parity((unsigned)(result & 0xff)))
        flags |= FLAG_PARITY;
    if (!result)
        flags |= FLAG_ZERO;
    if (top_bit(result, width))
        flags |= FLAG_SIGN;
    if (!sum && !difference)
        return flags;
    if (sum ? result < a : a < b)
        flags |= FLAG_CARRY;
    if ((a ^ b ^ result) & 0x10)
        flags |= FLAG_AUXILIARY;
    if (top_bit(sum ? ~(a ^ b) & (a ^ result) : (a ^ b) & (a ^ result), width))
        flags |= FLAG_OVERFLOW;
    return flags;
}

static bool calculate(const struct instruction *i, uint64_t next, const struct emulate_memory *memory,
                      struct arch_registers *r)
{
    const uint64_t all = FLAG_CARRY | FLAG_PARITY | FLAG_AUXILIARY | FLAG_ZERO | FLAG_SIGN | FLAG_OVERFLOW;
    uint64_t a, b, result;

    if (!load(&i->to, i->width, next, memory, r, &a) || !load(&i->from, i->width, next, memory, r, &b))
        return false;
    switch (i->kind) {
    case INSTRUCTION_ADD:
        result = a + b;
        break;
    case INSTRUCTION_OR:
        result = a | b;
        break;
    case INSTRUCTION_XOR:
        result = a ^ b;
        break;
    case INSTRUCTION_AND:
    case INSTRUCTION_TEST:
        result = a & b;
        break;
    default:
        result = a - b;
        break;
    }
    result = narrow(result, i->width);
    if (i->kind != INSTRUCTION_COMPARE && i->kind != INSTRUCTION_TEST &&
        !store(&i->to, i->width, next, memory, r, result))
        return false;
    r->flags = (r->flags & ~all) | flags_of(i->kind, a, b, result, i->width);
    return true;
}

static bool push(uint64_t value, const struct emulate_memory *memory, struct arch_registers *r)
{
    if (memory->write(memory->ctx, r->dwarf[REGISTER_SP] - WORD, value, WORD) < 0)
        return false;
    r->dwarf[REGISTER_SP] -= WORD;
    return true;
}

static bool pop(const struct emulate_memory *memory, struct arch_registers *r, uint64_t *ret)
{
    if (mem_read(memory->mem, r->dwarf[REGISTER_SP], ret, WORD) < 0)
        return false;
    r->dwarf[REGISTER_SP] += WORD;
    return true;
}

/* NEXT: where it goes on, which is changed by those that jump. */
static bool perform(const struct instruction *i, const struct emulate_memory *memory, struct arch_registers *r,
                    uint64_t *next)
{
    uint64_t value, behind = *next;

    switch (i->kind) {
    case INSTRUCTION_OTHER:
        return false;
    case INSTRUCTION_NOTHING:
        return true;
    case INSTRUCTION_PUSH:
        return push(r->dwarf[i->from.base], memory, r);
    case INSTRUCTION_POP:
        return pop(memory, r, &value) && store(&i->to, WORD, behind, memory, r, value);
    case INSTRUCTION_RET:
        return pop(memory, r, next);
    case INSTRUCTION_JUMP:
        *next = (uint64_t)i->from.value;
        return true;
    case INSTRUCTION_CALL:
        *next = (uint64_t)i->from.value;
        return push(behind, memory, r);
    case INSTRUCTION_MOVE:
        return load(&i->from, i->width, behind, memory, r, &value) && store(&i->to, i->width, behind, memory, r, value);
    case INSTRUCTION_WIDEN:
        return load(&i->from, 4, behind, memory, r, &value) &&
               store(&i->to, WORD, behind, memory, r, (uint64_t)(int64_t)(int32_t)value);
    case INSTRUCTION_LEA:
        return store(&i->to, i->width, behind, memory, r, address_of(&i->from, behind, r));
    default:
        return calculate(i, behind, memory, r);
    }
}

bool emulate(const struct instruction *instruction, uint64_t addr, const struct emulate_memory *memory,
             struct arch_registers *registers)
{
    struct arch_registers changed = *registers;
    uint64_t next = addr + instruction->size;

    if (!perform(instruction, memory, &changed, &next))
        return false;
    changed.dwarf[REGISTER_IP] = next;
    *registers = changed;
    return true;
}
