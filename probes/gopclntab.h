/* Go's own table of functions, files, lines and frame sizes, .gopclntab: every Go program has it, a stripped one as
 * well, since the runtime itself needs it (go1.16 and later; src/runtime/symtab.go and src/debug/gosym/pclntab.go of
 * Go).
 *
 * It is read where it lies in memory, so that its addresses are relocated. Hostile: every offset is held against the
 * table's size, every loop has an end. */
#ifndef GLIBCTRACE_PROBES_GOPCLNTAB_H
#define GLIBCTRACE_PROBES_GOPCLNTAB_H

#include "mem.h"

#include <stdbool.h>

struct gopclntab {
    uint64_t addr, size;
    uint64_t text_addr; /* what the functions' addresses count from; 0: from 0 (go1.16), or not in the header
                           (go1.26): then the caller sets it before anything is looked up */
    bool absolute;      /* go1.16, 1.17: functions are told by address */
    bool has_start;     /* go1.20: one more word in a function's record */
    uint64_t count;     /* functions */
    uint64_t names, units, files, values, functions; /* offsets of its parts in it */
};

struct gofunction {
    uint64_t entry_addr;
    uint64_t record; /* offset in the table */
    uint32_t name, frame, file, line, unit;
};

/* Reads the header at ADDR. 0, or -1 where there is no table that we know. */
int gopclntab_open(const struct mem *mem, uint64_t addr, uint64_t size, struct gopclntab *ret);
/* The function that holds ADDR: 0, or -1 where none does. */
int gopclntab_function(const struct gopclntab *table, const struct mem *mem, uint64_t addr, struct gofunction *ret);
/* "main.(*Server).open", malloced; NULL where it cannot be read. */
char *gopclntab_name(const struct gopclntab *table, const struct mem *mem, const struct gofunction *function);
/* The file that ADDR was compiled from, malloced, and *LINE; NULL where it is not told. */
char *gopclntab_line(const struct gopclntab *table, const struct mem *mem, const struct gofunction *function,
                     uint64_t addr, unsigned *line);
/* How many bytes above the stack pointer the return address lies while the thread is at ADDR: 0, or -1. */
int gopclntab_frame(const struct gopclntab *table, const struct mem *mem, const struct gofunction *function,
                    uint64_t addr, uint64_t *ret);

#endif
