/* Extensions of x86-64 by the encodings of their instructions, for those that are newer than the disassembler or that
 * it has in no group: from prefix, map, opcode and ModRM byte alone. What is no instruction of an extension in the
 * table is not known here; nothing is said of older ones. */
#ifndef GLIBCTRACE_PROBES_OPCODE_H
#define GLIBCTRACE_PROBES_OPCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the instruction that the N bytes at BYTES begin with needs, as cpu.h calls it, or NULL. */
const char *opcode_feature(const uint8_t *bytes, size_t n);
/* It is one that a processor refuses outside the kernel as if it did not know it (#UD, not #GP). */
bool opcode_is_of_kernel(const uint8_t *bytes, size_t n);

#endif
