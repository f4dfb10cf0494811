/* The auxiliary vector of a process (getauxval(3), /proc/PID/auxv): where the kernel has put the program, its loader
 * and the vDSO. Looks only. */
#ifndef GLIBCTRACE_PROBES_AUXV_H
#define GLIBCTRACE_PROBES_AUXV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Each is 0 where the kernel gave none. */
struct auxv {
    uint64_t base;        /* AT_BASE: of the loader; 0 where the program has none or is one */
    uint64_t phdr, phnum; /* AT_PHDR, AT_PHNUM: the program's headers in its memory */
    uint64_t entry;       /* AT_ENTRY */
    uint64_t vdso;        /* AT_SYSINFO_EHDR */
    bool secure;          /* AT_SECURE */
};

/* One entry of it. */
void auxv_take(struct auxv *auxv, uint64_t type, uint64_t value);
/* WORD_SIZE: bytes of a pointer in that process. 0, or -1 where it cannot be read. */
int auxv_read(pid_t pid, unsigned word_size, struct auxv *ret);

#endif
