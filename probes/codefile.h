/* What an ELF file tells of the code at an address: how to get from a function to its caller (.eh_frame, .debug_frame),
 * what it is called (.symtab, .dynsym, DWARF), in which line of which file, and what was inlined there.
 *
 * Addresses are the file's own virtual ones. Files are read with pread(2) and never mapped: one that is cut short by
 * somebody else meanwhile would end us with SIGBUS. A name is told only for an address inside the symbol's own
 * [value, value + size). */
#ifndef GLIBCTRACE_PROBES_CODEFILE_H
#define GLIBCTRACE_PROBES_CODEFILE_H

#include "unwind.h"

struct codefile;

/* The file at FD (taken over), or NULL where it is no 64-bit ELF file of this machine. */
struct codefile *codefile_open(int fd);
/* A file that is in memory, malloced and taken over. */
struct codefile *codefile_image(void *bytes, size_t size);
void codefile_close(struct codefile *file);

/* Bytes of its build-id, 0 where it has none. */
size_t codefile_build_id(const struct codefile *file, const uint8_t **ret);
/* Whether it has a symbol table and DWARF of its own, so that no separate file is to be looked for. */
bool codefile_complete(const struct codefile *file);
/* The name in its .gnu_debuglink, malloced, or NULL; *CRC is that of the file meant. */
char *codefile_debuglink(const struct codefile *file, uint32_t *crc);
/* Takes FD as its separate debug information, if it is: the same build-id, or, where there is none, the CRC of its
 * debuglink. 0, or -1. */
int codefile_add_debug(struct codefile *file, int fd);
/* Where its section NAME is to be found in memory; false where there is none. */
bool codefile_section(const struct codefile *file, const char *name, uint64_t *addr, uint64_t *size);

/* The addresses of the data symbols NAMES (COUNT of them), 0 for those that it does not have. */
void codefile_objects(const struct codefile *file, const char *const *names, size_t count, uint64_t *ret);

/* From the function at ADDR to its caller; BIAS is what is added to the file's addresses in that process. */
enum unwind_step codefile_unwind(struct codefile *file, uint64_t addr, uint64_t bias, const struct mem *mem,
                                 struct unwind *unwind);
/* The functions at ADDR, innermost first: one, and one more for each that is inlined into the next. Fills in at
 * most LIMIT of FRAMES (symbol, file, line, and "into" of the last with the function's own address); how many. 0 where
 * nothing is known. */
size_t codefile_names(struct codefile *file, uint64_t addr, struct frame *frames, size_t limit);
/* The function at ADDR by the symbol tables alone: malloced, or NULL; *START is where it begins. */
char *codefile_symbol(struct codefile *file, uint64_t addr, uint64_t *start);

/* Where the function NAME begins, by the symbol tables; false where there is none. */
bool codefile_function(struct codefile *file, const char *name, uint64_t *addr);

#endif
