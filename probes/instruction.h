/* Machine instructions of x86-64: how long one is and how it reads, and what it does where that is simple.
 *
 * The only file that knows capstone. It looks at bytes that its caller has read; whatever they are, it says so or says
 * that it does not know. */
#ifndef GLIBCTRACE_PROBES_INSTRUCTION_H
#define GLIBCTRACE_PROBES_INSTRUCTION_H

#include "stack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INSTRUCTION_LONGEST = 15 }; /* bytes, on x86 */

/* What a tracer can do itself in place of the processor: what functions begin with, and what follows a call. */
enum instruction_kind {
    INSTRUCTION_OTHER,
    INSTRUCTION_NOTHING, /* nop, endbr64 where nobody checks for it */
    INSTRUCTION_PUSH,    /* from */
    INSTRUCTION_POP,     /* to */
    INSTRUCTION_RET,
    INSTRUCTION_JUMP,  /* to the address from.value */
    INSTRUCTION_CALL,  /* the function at from.value */
    INSTRUCTION_MOVE,  /* to = from */
    INSTRUCTION_WIDEN, /* to (8 bytes) = from (4), sign-extended */
    INSTRUCTION_LEA,   /* to = address of from */
    INSTRUCTION_ADD,   /* to = to + from, and the flags of that */
    INSTRUCTION_SUB,
    INSTRUCTION_AND,
    INSTRUCTION_OR,
    INSTRUCTION_XOR,
    INSTRUCTION_COMPARE, /* the flags of to - from */
    INSTRUCTION_TEST,    /* the flags of to & from */
};

enum operand_kind { OPERAND_NONE, OPERAND_REGISTER, OPERAND_IMMEDIATE, OPERAND_MEMORY };

enum {
    REGISTER_NONE = 255,
};

struct operand {
    enum operand_kind kind;
    unsigned char base, index; /* as DWARF numbers them (stack.h), REGISTER_NONE: none; REGISTER: base is the one.
                                  REGISTER_IP is the address behind the instruction */
    unsigned char scale;
    int64_t value; /* IMMEDIATE: sign-extended; MEMORY: displacement */
};

struct instruction {
    enum instruction_kind kind;
    unsigned size;  /* bytes, 0: no instruction at all */
    unsigned width; /* bytes of each operand, 8 or 4; writing 4 to a register clears the others (Intel SDM vol. 1,
                       3.4.1.1) */
    struct operand to, from;
};

struct disassembler;
/* NULL where the library does not know this machine. */
struct disassembler *disassembler_create(void);
void disassembler_destroy(struct disassembler *disassembler);
/* The first instruction of the N bytes at BYTES, which stand at ADDR. */
void instruction_decode(struct disassembler *disassembler, const uint8_t *bytes, size_t n, uint64_t addr,
                        struct instruction *ret);
/* Its length and how it reads in AT&T syntax (*TEXT, malloced); 0 with *TEXT NULL where it is none, or cut off. */
unsigned instruction_text(struct disassembler *disassembler, const uint8_t *bytes, size_t n, uint64_t addr,
                          char **text);

/* Memory that an instruction touches, worked out from the registers that it meets. */
struct touched {
    uint64_t addr;
    unsigned size; /* bytes, 0: not known */
    bool reads, writes;
    bool aligned; /* ADDR must be a multiple of SIZE */
};
enum { TOUCHED_MOST = 4 };
/* REGISTERS in DWARF's numbers, the instruction's own address among them. How many places RET has; operands relative to
 * %fs and %gs and those of vector addressing are left out. */
size_t instruction_touches(struct disassembler *disassembler, const uint8_t *bytes, size_t n,
                           const uint64_t registers[REGISTER_IP + 1], struct touched ret[TOUCHED_MOST]);
/* General registers by bit, in DWARF's numbers: those that it writes in whole or in their lower half, … */
unsigned instruction_writes(struct disassembler *disassembler, const uint8_t *bytes, size_t n);
/* … and those through which it reads or writes memory, or jumps. */
unsigned instruction_pointers(struct disassembler *disassembler, const uint8_t *bytes, size_t n, uint64_t addr);
/* A jump, conditional or not, to the fixed address *RET. */
bool instruction_jumps(struct disassembler *disassembler, const uint8_t *bytes, size_t n, uint64_t addr, uint64_t *ret);
bool instruction_calls(struct disassembler *disassembler, const uint8_t *bytes, size_t n);
/* What only some processors have and the instruction needs, as cpu.h calls it, or NULL. */
const char *instruction_feature(struct disassembler *disassembler, const uint8_t *bytes, size_t n);
/* Only the kernel may execute it. */
bool instruction_privileged(struct disassembler *disassembler, const uint8_t *bytes, size_t n);

/* An instruction as it can be done at another place than its own, by stepping over it there. */
struct displaced {
    unsigned size; /* bytes, as long as the original; 0: only its own place will do */
    uint8_t bytes[INSTRUCTION_LONGEST];
    unsigned char base; /* register, in DWARF's numbers, that must hold the address behind the original meanwhile, or
                           REGISTER_NONE */
    bool relative;      /* where it goes on counts from where it stands */
    bool calls;         /* it leaves the address behind itself on the stack */
};
/* What makes system calls, changes or saves the flags that a step needs, or has more than one step, is refused; so is
 * what this library does not know. */
void instruction_displace(struct disassembler *disassembler, const uint8_t *bytes, size_t n, uint64_t addr,
                          struct displaced *ret);

#endif
