/* The memory of a process that runs and is not traced, by /proc/PID/mem (proc(5)): for what does not change while it
 * does, code and tables. Needs the rights that ptrace(2) needs. */
#ifndef GLIBCTRACE_PROBES_PROCMEM_H
#define GLIBCTRACE_PROBES_PROCMEM_H

#include "mem.h"

#include <stdbool.h>
#include <sys/types.h>

/* Must stay where it is while mem is used. */
struct procmem {
    int fd;
    struct mem mem;
};

/* False where it may not be read; then there is nothing to close. */
bool procmem_open(pid_t pid, unsigned word_size, struct procmem *ret);
void procmem_close(struct procmem *procmem);

#endif
