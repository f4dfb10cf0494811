/* What the kernel puts on the stack of a new program image: arguments, environment and auxiliary vector (System V ABI,
 * "Process Initialization"), read at once before the program has run; /proc tells the same at three times the price. */
#ifndef GLIBCTRACE_PROBES_STARTSTACK_H
#define GLIBCTRACE_PROBES_STARTSTACK_H

#include "auxv.h"

/* From the memory behind the descriptor MEM_FD, STACK_ADDR being the stack pointer, WORD_SIZE the bytes of a pointer.
 * 0 with ARGV and ENV malloced and NULL-terminated, or -1 where not all of it was there. */
int startstack_read(int mem_fd, uint64_t stack_addr, unsigned word_size, char ***argv, char ***env, struct auxv *auxv);

#endif
