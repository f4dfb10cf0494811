#include "instruction.h"

#include "alloc.h"
#include "cpu.h"
#include "opcode.h"

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

    for (size_t i = 0; i < sizeof registers / sizeof *registers; i++)
        if (reg == registers[i].wide || reg == registers[i].narrow) {
            *width = reg == registers[i].wide ? 8 : 4;
            return (unsigned char)i;
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
        {X86_INS_MOVABS, INSTRUCTION_MOVE, 2}, {X86_INS_MOVSXD, INSTRUCTION_WIDEN, 2},
        {X86_INS_CDQE, INSTRUCTION_WIDEN, 0},  {X86_INS_LEA, INSTRUCTION_LEA, 2},
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
    if (ret->kind == INSTRUCTION_WIDEN && !count) /* cltq */
        ret->to = ret->from =
            (struct operand){.kind = OPERAND_REGISTER, .index = REGISTER_NONE, .scale = 1, .base = REGISTER_RESULT};
    if (!count)
        return true;
    if (count == 1)
        return operand_of(&x86->operands[0], one) == 0 && branch == (one->kind == OPERAND_IMMEDIATE) &&
               (branch || one->kind == OPERAND_REGISTER);
    if (operand_of(&x86->operands[0], &ret->to) < 0 || operand_of(&x86->operands[1], &ret->from) < 0)
        return false;
    ret->width = x86->operands[0].size;
    if (ret->kind == INSTRUCTION_WIDEN)
        return ret->width == 8 && x86->operands[1].size == 4;
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

static bool address_of(const cs_insn *insn, const x86_op_mem *mem, const uint64_t registers[REGISTER_IP + 1],
                       uint64_t *ret)
{
    unsigned width;
    unsigned char number;

    *ret = (uint64_t)mem->disp;
    if (mem->segment == X86_REG_FS || mem->segment == X86_REG_GS)
        return false;
    if (mem->base != X86_REG_INVALID) {
        number = register_number(mem->base, &width);
        if (number == REGISTER_NONE)
            return false;
        *ret += registers[number] + (number == REGISTER_IP ? insn->size : 0);
    }
    if (mem->index != X86_REG_INVALID && mem->index != X86_REG_RIZ && mem->index != X86_REG_EIZ) {
        number = register_number(mem->index, &width);
        if (number == REGISTER_NONE)
            return false;
        *ret += registers[number] * (uint64_t)mem->scale;
    }
    if (insn->detail->x86.addr_size == 4)
        *ret = (uint32_t)*ret;
    return true;
}

/* Those of the vector moves that want their address aligned say so in their names. */
static bool wants_alignment(const char *mnemonic, unsigned size)
{
    static const char *const names[] = {"movaps",  "movapd",  "movdqa",  "movntps",  "movntpd",  "movntdq",
                                        "vmovaps", "vmovapd", "vmovdqa", "vmovntps", "vmovntpd", "vmovntdq"};

    for (size_t i = 0; size >= 16 && i < sizeof names / sizeof *names; i++)
        if (strncmp(mnemonic, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* stos and movs write where rdi points; capstone 4 takes both operands for read. */
static bool string_target(const cs_insn *insn, const x86_op_mem *mem)
{
    return (strstr(insn->mnemonic, "stos") || strstr(insn->mnemonic, "movs")) && mem->base == X86_REG_RDI &&
           mem->segment == X86_REG_ES;
}

/* What push, call, pop, ret and leave do to the stack besides. */
static size_t touches_stack(const cs_insn *insn, const uint64_t registers[REGISTER_IP + 1], struct touched *ret)
{
    enum { FP = 6 };

    switch (insn->id) {
    case X86_INS_PUSH:
    case X86_INS_CALL:
        *ret = (struct touched){.addr = registers[REGISTER_SP] - 8, .size = 8, .writes = true};
        return 1;
    case X86_INS_POP:
    case X86_INS_RET:
        *ret = (struct touched){.addr = registers[REGISTER_SP], .size = 8, .reads = true};
        return 1;
    case X86_INS_LEAVE:
        *ret = (struct touched){.addr = registers[FP], .size = 8, .reads = true};
        return 1;
    default:
        return 0;
    }
}

size_t instruction_touches(struct disassembler *disassembler, const uint8_t *bytes, size_t n,
                           const uint64_t registers[REGISTER_IP + 1], struct touched ret[TOUCHED_MOST])
{
    const cs_insn *insn = disassembler->scratch;
    size_t count = 0;

    cs_option(disassembler->handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_INTEL);
    if (!next(disassembler, bytes, n, registers[REGISTER_IP]) || insn->id == X86_INS_LEA || insn->id == X86_INS_NOP)
        return 0;
    for (size_t i = 0; i < insn->detail->x86.op_count && count + 1 < TOUCHED_MOST; i++) {
        const cs_x86_op *op = &insn->detail->x86.operands[i];
        struct touched *one = &ret[count];

        if (op->type != X86_OP_MEM || !address_of(insn, &op->mem, registers, &one->addr))
            continue;
        one->size = op->size;
        one->writes = (op->access & CS_AC_WRITE) || string_target(insn, &op->mem);
        one->reads = (op->access & CS_AC_READ) && !string_target(insn, &op->mem);
        /* Of vector instructions capstone 4 does not know it; only the first operand can be the target. */
        one->reads |= !one->writes && !op->access && i > 0;
        one->aligned = wants_alignment(insn->mnemonic, op->size);
        count++;
    }
    return count + touches_stack(insn, registers, &ret[count]);
}

/* Capstone's groups, the most special first: an AVX-512 instruction on short vectors is in several. */
static const struct {
    unsigned group;
    const char *feature;
} groups[] = {
    {X86_GRP_ERI, "AVX512ER"}, {X86_GRP_PFI, "AVX512PF"}, {X86_GRP_CDI, "AVX512CD"},   {X86_GRP_DQI, "AVX512DQ"},
    {X86_GRP_BWI, "AVX512BW"}, {X86_GRP_VLX, "AVX512VL"}, {X86_GRP_AVX512, "AVX512F"}, {X86_GRP_XOP, "XOP"},
    {X86_GRP_FMA4, "FMA4"},    {X86_GRP_TBM, "TBM"},      {X86_GRP_3DNOW, "3DNOW"},    {X86_GRP_RTM, "RTM"},
    {X86_GRP_SGX, "SGX"},      {X86_GRP_SHA, "SHA"},      {X86_GRP_ADX, "ADX"},        {X86_GRP_FSGSBASE, "FSGSBASE"},
    {X86_GRP_SMAP, "SMAP"},    {X86_GRP_FMA, "FMA"},      {X86_GRP_F16C, "F16C"},      {X86_GRP_AVX2, "AVX2"},
    {X86_GRP_AVX, "AVX"},      {X86_GRP_AES, "AES"},      {X86_GRP_PCLMUL, "PCLMUL"},  {X86_GRP_BMI2, "BMI2"},
    {X86_GRP_BMI, "BMI1"},     {X86_GRP_SSE4A, "SSE4A"},  {X86_GRP_SSE42, "SSE4.2"},   {X86_GRP_SSE41, "SSE4.1"},
    {X86_GRP_SSSE3, "SSSE3"},  {X86_GRP_SSE3, "SSE3"},    {X86_GRP_SSE2, "SSE2"},      {X86_GRP_SSE1, "SSE"},
};

/* Instructions that are in no group. */
static const struct {
    unsigned id;
    const char *feature;
} singles[] = {
    {X86_INS_POPCNT, "POPCNT"}, {X86_INS_LZCNT, "LZCNT"},   {X86_INS_MOVBE, "MOVBE"},
    {X86_INS_RDRAND, "RDRAND"}, {X86_INS_RDSEED, "RDSEED"}, {X86_INS_XBEGIN, "RTM"},
    {X86_INS_XEND, "RTM"},      {X86_INS_XTEST, "RTM"},     {X86_INS_CRC32, "SSE4.2"},
};

const char *instruction_feature(struct disassembler *disassembler, const uint8_t *bytes, size_t n)
{
    const cs_insn *insn = disassembler->scratch;
    const char *newer = opcode_feature(bytes, n);

    /* One that is there may need another besides (AVX512VL). */
    if ((newer && cpu_has(newer) != 1) || !next(disassembler, bytes, n, 0))
        return newer;
    for (size_t i = 0; i < sizeof singles / sizeof *singles; i++)
        if (singles[i].id == insn->id)
            return singles[i].feature;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (cs_insn_group(disassembler->handle, insn, groups[i].group))
            return groups[i].feature;
    return newer;
}

bool instruction_privileged(struct disassembler *disassembler, const uint8_t *bytes, size_t n)
{
    return next(disassembler, bytes, n, 0) &&
           cs_insn_group(disassembler->handle, disassembler->scratch, X86_GRP_PRIVILEGE);
}

static unsigned bit_of(x86_reg reg)
{
    unsigned width;
    unsigned char number = register_number(reg, &width);

    return number < REGISTER_IP ? 1u << number : 0;
}

unsigned instruction_writes(struct disassembler *disassembler, const uint8_t *bytes, size_t n)
{
    cs_regs read, written;
    uint8_t read_count = 0, written_count = 0;
    unsigned mask = 0;

    if (!next(disassembler, bytes, n, 0) || cs_regs_access(disassembler->handle, disassembler->scratch, read,
                                                           &read_count, written, &written_count) != CS_ERR_OK)
        return ~0u; /* anything */
    for (unsigned i = 0; i < written_count; i++)
        mask |= bit_of((x86_reg)written[i]);
    return mask;
}

unsigned instruction_pointers(struct disassembler *disassembler, const uint8_t *bytes, size_t n, uint64_t addr)
{
    const cs_insn *insn = disassembler->scratch;
    unsigned mask = 0;

    if (!next(disassembler, bytes, n, addr) || insn->id == X86_INS_LEA || insn->id == X86_INS_NOP)
        return 0;
    for (size_t i = 0; i < insn->detail->x86.op_count; i++) {
        const cs_x86_op *op = &insn->detail->x86.operands[i];

        if (op->type == X86_OP_MEM)
            mask |= bit_of(op->mem.base) | bit_of(op->mem.index);
        else if (op->type == X86_OP_REG && (insn->id == X86_INS_CALL || insn->id == X86_INS_JMP))
            mask |= bit_of(op->reg);
    }
    return mask;
}

bool instruction_calls(struct disassembler *disassembler, const uint8_t *bytes, size_t n)
{
    return next(disassembler, bytes, n, 0) && disassembler->scratch->id == X86_INS_CALL;
}

bool instruction_jumps(struct disassembler *disassembler, const uint8_t *bytes, size_t n, uint64_t addr, uint64_t *ret)
{
    const cs_insn *insn = disassembler->scratch;
    const cs_x86_op *op;

    if (!next(disassembler, bytes, n, addr) || !cs_insn_group(disassembler->handle, insn, X86_GRP_JUMP))
        return false;
    op = &insn->detail->x86.operands[0];
    if (insn->detail->x86.op_count != 1 || op->type != X86_OP_IMM)
        return false;
    *ret = (uint64_t)op->imm;
    return true;
}

/* --- elsewhere ------------------------------------------------------------------------------------------------------
 */

/* The kernel is told by its address where a system call is to be made again; a step sets the trap flag, which flags
 * that are saved would show (and `syscall` in %r11); it waits for the next instruction behind a change of %ss; and a
 * transaction is ended by it. */
static bool bound_to_its_place(struct disassembler *disassembler, const cs_insn *insn)
{
    static const unsigned groups_bound[] = {X86_GRP_INT, X86_GRP_IRET, X86_GRP_RTM};
    static const unsigned ids[] = {
        X86_INS_SYSCALL, X86_INS_SYSENTER, X86_INS_SYSEXIT, X86_INS_SYSRET, X86_INS_PUSHF,
        X86_INS_PUSHFD,  X86_INS_PUSHFQ,   X86_INS_POPF,    X86_INS_POPFD,  X86_INS_POPFQ,
        X86_INS_LCALL,   X86_INS_LJMP,     X86_INS_RETF,    X86_INS_RETFQ,  X86_INS_LSS,
        X86_INS_INT1,    X86_INS_XBEGIN,   X86_INS_XEND,    X86_INS_XABORT, X86_INS_XTEST,
    };
    const cs_x86 *x86 = &insn->detail->x86;

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (insn->id == ids[i])
            return true;
    for (size_t i = 0; i < sizeof groups_bound / sizeof *groups_bound; i++)
        if (cs_insn_group(disassembler->handle, insn, groups_bound[i]))
            return true;
    return x86->op_count && x86->operands[0].type == X86_OP_REG && x86->operands[0].reg == X86_REG_SS;
}

/* ins, outs, movs, stos, lods, cmps, scas with a repeat prefix: one step is one turn. */
static bool repeats(const uint8_t *bytes, const cs_x86 *x86)
{
    uint8_t opcode = x86->opcode[0];
    bool string =
        (opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf);

    return string && (x86->prefix[0] == X86_PREFIX_REP || x86->prefix[0] == X86_PREFIX_REPNE || bytes[0] == 0xf2 ||
                      bytes[0] == 0xf3);
}

static bool is_legacy_prefix(uint8_t byte)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65};

    return memchr(prefixes, byte, sizeof prefixes);
}

/* Another register takes the place of %rip in the operand at DISP_OFFSET: one of %rsi, %rdi and %rbx that is neither in
 * the ModRM byte nor in VEX.vvvv; as an implied operand no instruction that has a ModRM byte for memory has them (the
 * kernel's uprobes do the same: riprel_analyze(), arch/x86/kernel/uprobes.c). */
static bool rebase(size_t disp_offset, struct displaced *ret)
{
    enum { REX = 0x40, VEX_2 = 0xc5, VEX_3 = 0xc4, EVEX = 0x62, XOP = 0x8f, XOP_MAPS = 8, X_AND_B = 0x60 };
    static const struct {
        uint8_t code;
        unsigned char dwarf;
    } stand_ins[] = {{6, 4}, {7, 5}, {3, 3}};
    uint8_t *modrm = &ret->bytes[disp_offset - 1], other = 8;
    size_t at = 0, i = 0;

    while (at + 1 < disp_offset && is_legacy_prefix(ret->bytes[at]))
        at++;
    if ((*modrm & 0xc7) != 5 || disp_offset < at + 2 ||
        (ret->bytes[at] == XOP && (ret->bytes[at + 1] & 0x1f) >= XOP_MAPS)) /* else it is a pop */
        return false;
    if (ret->bytes[at] == VEX_2)
        other = ~ret->bytes[at + 1] >> 3 & 7;
    else if (ret->bytes[at] == VEX_3 || ret->bytes[at] == EVEX)
        other = ~ret->bytes[at + 2] >> 3 & 7;
    while (stand_ins[i].code == (*modrm >> 3 & 7) || stand_ins[i].code == other)
        i++;
    if (ret->bytes[at] == VEX_3 || ret->bytes[at] == EVEX)
        ret->bytes[at + 1] |= X_AND_B; /* there they stand inverted */
    else if ((ret->bytes[at] & 0xf0) == REX)
        ret->bytes[at] &= ~1;
    *modrm = (uint8_t)(0x80 | (*modrm & 0x38) | stand_ins[i].code);
    ret->base = stand_ins[i].dwarf;
    return true;
}

/* An operand at %rip; false where it can have no other base. */
static bool rebase_operands(const cs_x86 *x86, struct displaced *ret)
{
    size_t at = x86->encoding.disp_offset;
    int32_t disp;

    for (size_t i = 0; i < x86->op_count; i++) {
        const cs_x86_op *op = &x86->operands[i];

        if (op->type != X86_OP_MEM || (op->mem.base != X86_REG_RIP && op->mem.base != X86_REG_EIP))
            continue;
        if (op->mem.base != X86_REG_RIP || ret->base != REGISTER_NONE || at < 2 || at + sizeof disp > ret->size)
            return false;
        memcpy(&disp, ret->bytes + at, sizeof disp);
        if (disp != op->mem.disp || !rebase(at, ret))
            return false;
    }
    return true;
}

void instruction_displace(struct disassembler *disassembler, const uint8_t *bytes, size_t n, uint64_t addr,
                          struct displaced *ret)
{
    enum { REX_W = 8 };
    const cs_insn *insn = disassembler->scratch;
    struct displaced plan = {.base = REGISTER_NONE, .relative = true};

    *ret = (struct displaced){.base = REGISTER_NONE};
    cs_option(disassembler->handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_INTEL);
    if (!next(disassembler, bytes, n, addr) || bound_to_its_place(disassembler, insn) ||
        repeats(bytes, &insn->detail->x86))
        return;
    const cs_x86 *x86 = &insn->detail->x86;
    bool jumps = cs_insn_group(disassembler->handle, insn, X86_GRP_JUMP);

    plan.calls = cs_insn_group(disassembler->handle, insn, X86_GRP_CALL);
    if (jumps || plan.calls)
        plan.relative = x86->op_count == 1 && x86->operands[0].type == X86_OP_IMM;
    else if (cs_insn_group(disassembler->handle, insn, X86_GRP_RET))
        plan.relative = false;
    /* Processors differ in what a branch of 16 bits is. */
    if ((plan.calls || (jumps && plan.relative)) && x86->prefix[2] && !(x86->rex & REX_W))
        return;
    plan.size = insn->size;
    memcpy(plan.bytes, bytes, insn->size);
    if (rebase_operands(x86, &plan))
        *ret = plan;
}
