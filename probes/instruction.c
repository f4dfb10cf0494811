#include "instruction.h"

#include "alloc.h"

#include <capstone/capstone.h>
#include <string.h>

struct disassembler {
    csh handle;
    cs_insn *scratch;
};

struct disassembler *disassembler_create(void)
{
    struct disassembler *disassembler = xcalloc(1, sizeof *disassembler);

    if (cs_open(CS_ARCH_X86, CS_MODE_64, &disassembler->handle) != CS_ERR_OK) {
        free(disassembler);
        return NULL;
    }
    cs_option(disassembler->handle, CS_OPT_DETAIL, CS_OPT_ON);
    disassembler->scratch = cs_malloc(disassembler->handle);
    if (!disassembler->scratch)
        alloc_failed();
    return disassembler;
}

void disassembler_destroy(struct disassembler *disassembler)
{
    if (!disassembler)
        return;
    cs_free(disassembler->scratch, 1);
    cs_close(&disassembler->handle);
    free(disassembler);
}

/* DWARF's number (System V ABI for AMD64, figure 3.36) of a register that is 8 or 4 bytes wide; its width in *WIDTH. */
static unsigned char register_number(x86_reg reg, unsigned *width)
{
    static const struct {
        x86_reg wide, narrow;
    } registers[] = {
        {X86_REG_RAX, X86_REG_EAX},  {X86_REG_RDX, X86_REG_EDX},  {X86_REG_RCX, X86_REG_ECX},
        {X86_REG_RBX, X86_REG_EBX},  {X86_REG_RSI, X86_REG_ESI},  {X86_REG_RDI, X86_REG_EDI},
        {X86_REG_RBP, X86_REG_EBP},  {X86_REG_RSP, X86_REG_ESP},  {X86_REG_R8, X86_REG_R8D},
        {X86_REG_R9, X86_REG_R9D},   {X86_REG_R10, X86_REG_R10D}, {X86_REG_R11, X86_REG_R11D},
        {X86_REG_R12, X86_REG_R12D}, {X86_REG_R13, X86_REG_R13D}, {X86_REG_R14, X86_REG_R14D},
        {X86_REG_R15, X86_REG_R15D}, {X86_REG_RIP, X86_REG_EIP},
    };

    for (unsigned char i = 0; i < sizeof registers / sizeof *registers; i++)
        if (reg == registers[i].wide || reg == registers[i].narrow) {
            *width = reg == registers[i].wide ? 8 : 4;
            return i;
        }
    *width = 0;
    return REGISTER_NONE;
}

/* 0, or -1 for an operand that only the processor can have: %fs:0, a vector register, half of an address register. */
static int operand_of(const cs_x86_op *op, struct operand *ret)
{
    unsigned width;

    *ret = (struct operand){.base = REGISTER_NONE, .index = REGISTER_NONE, .scale = 1};
    switch (op->type) {
    case X86_OP_REG:
        ret->kind = OPERAND_REGISTER;
        ret->base = register_number(op->reg, &width);
        return ret->base < REGISTER_IP && width == op->size ? 0 : -1;
    case X86_OP_IMM:
        ret->kind = OPERAND_IMMEDIATE;
        ret->value = op->imm;
        return 0;
    case X86_OP_MEM:
        ret->kind = OPERAND_MEMORY;
        ret->value = op->mem.disp;
        if (op->mem.segment != X86_REG_INVALID)
            return -1;
        if (op->mem.base != X86_REG_INVALID) {
            ret->base = register_number(op->mem.base, &width);
            if (width != 8)
                return -1;
        }
        if (op->mem.index != X86_REG_INVALID) {
            ret->index = register_number(op->mem.index, &width);
            ret->scale = (unsigned char)op->mem.scale;
            if (width != 8 || ret->index == REGISTER_IP)
                return -1;
        }
        return 0;
    default:
        return -1;
    }
}

/* Kinds by capstone's number and how many operands each has there. */
static enum instruction_kind kind_of(unsigned id, unsigned *operands)
{
    static const struct {
        unsigned id;
        enum instruction_kind kind;
        unsigned operands;
    } kinds[] = {
        {X86_INS_PUSH, INSTRUCTION_PUSH, 1},   {X86_INS_POP, INSTRUCTION_POP, 1},
        {X86_INS_RET, INSTRUCTION_RET, 0},     {X86_INS_JMP, INSTRUCTION_JUMP, 1},
        {X86_INS_CALL, INSTRUCTION_CALL, 1},   {X86_INS_MOV, INSTRUCTION_MOVE, 2},
        {X86_INS_MOVABS, INSTRUCTION_MOVE, 2}, {X86_INS_LEA, INSTRUCTION_LEA, 2},
        {X86_INS_ADD, INSTRUCTION_ADD, 2},     {X86_INS_SUB, INSTRUCTION_SUB, 2},
        {X86_INS_AND, INSTRUCTION_AND, 2},     {X86_INS_OR, INSTRUCTION_OR, 2},
        {X86_INS_XOR, INSTRUCTION_XOR, 2},     {X86_INS_CMP, INSTRUCTION_COMPARE, 2},
        {X86_INS_TEST, INSTRUCTION_TEST, 2},
    };

    *operands = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].id == id) {
            *operands = kinds[i].operands;
            return kinds[i].kind;
        }
    return INSTRUCTION_OTHER;
}

/* Operands of one width, and of a shape that the kind can have. */
static bool fill_operands(const cs_x86 *x86, unsigned count, struct instruction *ret)
{
    bool branch = ret->kind == INSTRUCTION_JUMP || ret->kind == INSTRUCTION_CALL;
    struct operand *one = ret->kind == INSTRUCTION_POP ? &ret->to : &ret->from;

    if (x86->op_count != count)
        return false;
    ret->width = 8;
    if (!count)
        return true;
    if (count == 1)
        return operand_of(&x86->operands[0], one) == 0 && branch == (one->kind == OPERAND_IMMEDIATE) &&
               (branch || one->kind == OPERAND_REGISTER);
    if (operand_of(&x86->operands[0], &ret->to) < 0 || operand_of(&x86->operands[1], &ret->from) < 0)
        return false;
    ret->width = x86->operands[0].size;
    if (ret->kind == INSTRUCTION_LEA)
        return ret->from.kind == OPERAND_MEMORY && (ret->width == 8 || ret->width == 4);
    return (ret->width == 8 || ret->width == 4) &&
           (ret->from.kind == OPERAND_IMMEDIATE || x86->operands[1].size == ret->width);
}

/* A prefix (lock, a segment, another operand or address size) makes it another instruction. */
static bool prefixed(const cs_x86 *x86)
{
    return x86->prefix[0] || x86->prefix[1] || x86->prefix[2] || x86->prefix[3];
}

static bool is_nothing(const uint8_t *bytes, const cs_insn *insn)
{
    static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};

    return (insn->size == sizeof endbr64 && memcmp(bytes, endbr64, sizeof endbr64) == 0) || insn->id == X86_INS_NOP;
}

static bool next(struct disassembler *disassembler, const uint8_t *bytes, size_t n, uint64_t addr)
{
    size_t left = n < INSTRUCTION_LONGEST ? n : INSTRUCTION_LONGEST;

    return cs_disasm_iter(disassembler->handle, &bytes, &left, &addr, disassembler->scratch);
}

void instruction_decode(struct disassembler *disassembler, const uint8_t *bytes, size_t n, uint64_t addr,
                        struct instruction *ret)
{
    const cs_insn *insn = disassembler->scratch;
    const uint8_t *first = bytes;
    unsigned operands;

    *ret = (struct instruction){.kind = INSTRUCTION_OTHER};
    /* Intel's order of operands: the destination is the first. */
    cs_option(disassembler->handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_INTEL);
    if (!next(disassembler, bytes, n, addr))
        return;
    ret->size = insn->size;
    if (is_nothing(first, insn)) {
        ret->kind = INSTRUCTION_NOTHING;
        return;
    }
    ret->kind = kind_of(insn->id, &operands);
    if (ret->kind == INSTRUCTION_OTHER || prefixed(&insn->detail->x86) ||
        !fill_operands(&insn->detail->x86, operands, ret))
        *ret = (struct instruction){.kind = INSTRUCTION_OTHER, .size = insn->size};
}

unsigned instruction_text(struct disassembler *disassembler, const uint8_t *bytes, size_t n, uint64_t addr, char **text)
{
    const cs_insn *insn = disassembler->scratch;

    *text = NULL;
    cs_option(disassembler->handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
    if (!next(disassembler, bytes, n, addr))
        return 0;
    *text = insn->op_str[0] ? xasprintf("%s %s", insn->mnemonic, insn->op_str) : xstrdup(insn->mnemonic);
    return insn->size;
}
