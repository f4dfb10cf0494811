/* Go code in a module: its functions by .gopclntab, the way from one to its caller, and over the border that cgo makes
 * between the goroutine's stack and the thread's. */
#ifndef GLIBCTRACE_PROBES_GOSTACK_H
#define GLIBCTRACE_PROBES_GOSTACK_H

#include "unwind.h"

struct codefile;
struct gostack;

/* Of the object FILE, loaded with BIAS; NULL where it holds no Go code that we can read. */
struct gostack *gostack_create(const struct codefile *file, uint64_t bias, const struct mem *mem);
void gostack_destroy(struct gostack *go);
/* From the Go function at the unwind's address to its caller; UNWIND_NONE where no Go function is there. TABLES is the
 * process's memory now, MEM that at the moment of the stack. */
enum unwind_step gostack_unwind(const struct gostack *go, const struct mem *tables, const struct mem *mem,
                                struct unwind *unwind);
bool gostack_holds(const struct gostack *go, const struct mem *mem, uint64_t addr);
/* Symbol, file and line for ADDR (in memory), RET->into the address of the function: false where no Go function is
 * there. */
bool gostack_name(const struct gostack *go, const struct mem *mem, uint64_t addr, struct frame *ret);

#endif
