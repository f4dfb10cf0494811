/* One instruction done by the tracer in the processor's place (x86-64): registers and memory of a standing thread are
 * changed as the instruction would change them. Knows no ptrace; memory comes through callbacks. */
#ifndef GLIBCTRACE_TRACER_EMULATE_H
#define GLIBCTRACE_TRACER_EMULATE_H

#include "arch.h"

#include <probes/instruction.h>
#include <probes/mem.h>

struct emulate_memory {
    const struct mem *mem;
    /* Writes the WIDTH (8 or 4) low bytes of VALUE: 0, or below zero where that memory cannot be written. */
    int (*write)(void *ctx, uint64_t addr, uint64_t value, unsigned width);
    void *ctx;
};

/* INSTRUCTION, which stands at ADDR. False, with nothing changed, where it is of INSTRUCTION_OTHER or needs memory that
 * is not there (the processor would fault). */
bool emulate(const struct instruction *instruction, uint64_t addr, const struct emulate_memory *memory,
             struct arch_registers *registers);

#endif
