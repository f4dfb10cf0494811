/* The memory of a standing thread as a struct mem (probes/mem.h): process_vm_readv(2), and /proc/PID/mem where a kernel
 * or a policy forbids that. One system call a read in the common case. */
#ifndef GLIBCTRACE_TRACER_MEMORY_H
#define GLIBCTRACE_TRACER_MEMORY_H

#include <probes/mem.h>

struct memory {
    pid_t tid;
    int fallback; /* errno of process_vm_readv(2) where it does not work here, else 0 */
};

/* MEM reads MEMORY, which must outlive it; set MEMORY->tid before each use. */
struct mem memory_mem(struct memory *memory, unsigned word_size);
/* A string of at most LIMIT bytes, malloced, or NULL: most strings in one read, where mem_read_string() knows nothing
 * of pages. */
char *memory_string(const struct mem *mem, uint64_t addr, size_t limit);

#endif
