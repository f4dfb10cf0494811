/* Memory of another process, behind a callback: probes/ and the decoders in reports/ read through this and
 * never know whether it is ptrace, process_vm_readv(2), a core file or a test's array. */
#ifndef GLIBCTRACE_PROBES_MEM_H
#define GLIBCTRACE_PROBES_MEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mem {
    /* Reads up to N bytes at ADDR of the other process into BUF. Returns how many were read from the start
     * on (short where the mapping ends), or -1 where none could be. */
    ssize_t (*read)(void *ctx, uint64_t addr, void *buf, size_t n);
    void *ctx;
    unsigned word_size; /* 8 or 4: bytes of a pointer in that process */
};

/* All N bytes or nothing: 0, or -1. */
int mem_read(const struct mem *mem, uint64_t addr, void *buf, size_t n);
/* A NUL-terminated string of at most LIMIT bytes (without the NUL), malloced, or NULL where it cannot be read.
 * *TRUNCATED (may be NULL) tells that LIMIT ended it. */
char *mem_read_string(const struct mem *mem, uint64_t addr, size_t limit, int *truncated);
/* One pointer-sized word of that process, widened: 0, or -1. */
int mem_read_word(const struct mem *mem, uint64_t addr, uint64_t *ret);

#endif
