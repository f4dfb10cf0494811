/* The memory of a standing thread as a struct mem (probes/mem.h): process_vm_readv(2), and /proc/PID/mem where a kernel
 * or a policy forbids that. One system call a read in the common case. */
#ifndef GLIBCTRACE_TRACER_MEMORY_H
#define GLIBCTRACE_TRACER_MEMORY_H

#include <probes/mem.h>

/* Pages read once and looked at often, as in a walk through tables: for one stop of one thread, then they are dropped.
 */
struct memory_pages;

struct breaks;

struct memory {
    pid_t tid;
    const struct breaks *breaks; /* whose traps are not to be seen in it, or NULL */
    int fallback;                /* errno of process_vm_readv(2) where it does not work here, else 0 */
    struct memory_pages *pages;  /* or NULL: every read is the kernel's */
};

struct memory_pages *memory_pages_create(void);
void memory_pages_destroy(struct memory_pages *pages);
void memory_pages_drop(struct memory_pages *pages);

/* MEM reads MEMORY, which must outlive it; set MEMORY->tid before each use. */
struct mem memory_mem(struct memory *memory, unsigned word_size);
/* A string of at most LIMIT bytes, malloced, or NULL: most strings in one read, where mem_read_string() knows nothing
 * of pages. */
char *memory_string(const struct mem *mem, uint64_t addr, size_t limit);

#endif
