/* Unwind tables and DWARF of an open ELF file, for codefile.c. The one user of libdw (elfutils).
 *
 * Not of libdwfl: it maps the files that it opens (one that is cut short meanwhile would end us with SIGBUS), and its
 * archive starts a debuginfod client, which wants dlopen(3), as soon as it is linked. So debug information comes from
 * files only, never from a debuginfod server. */
#ifndef GLIBCTRACE_PROBES_CODEDWARF_H
#define GLIBCTRACE_PROBES_CODEDWARF_H

#include "unwind.h"

struct Elf; /* libelf's */
struct codedwarf;

/* Of the code in ELF; WITH_INFO is the file that has its DWARF, which may be the same one, or NULL. Both stay open for
 * as long as this is used. */
struct codedwarf *codedwarf_create(struct Elf *elf, struct Elf *with_info);
/* Its DWARF is in WITH_INFO. */
void codedwarf_add(struct codedwarf *file, struct Elf *with_info);
void codedwarf_destroy(struct codedwarf *file);
/* As codefile_unwind() and codefile_names(). */
enum unwind_step codedwarf_unwind(struct codedwarf *file, uint64_t addr, uint64_t bias, const struct mem *mem,
                                  struct unwind *unwind);
size_t codedwarf_names(struct codedwarf *file, uint64_t addr, struct frame *frames, size_t limit);

#endif
