/* Names of JavaScript functions on a stack of V8 (node, Electron, Chromium builds that keep them): read from the
 * engine's heap by the constants that it carries for debuggers after the fact ("v8dbg_…",
 * tools/gen-postmortem-metadata.py of V8), so that no version of it has to be known.
 *
 * The heap may have been moved since the frame was made; a function is believed only if the bytecode that it leads to
 * is the one that the frame executes. Only interpreted and baseline frames say that; optimised ones stay without a
 * name. */
#ifndef GLIBCTRACE_PROBES_V8STACK_H
#define GLIBCTRACE_PROBES_V8STACK_H

#include "mem.h"
#include "stack.h"

struct codefile;
struct v8stack;

/* Of the engine in FILE, loaded with BIAS; NULL where it has no such constants. */
struct v8stack *v8stack_create(struct codefile *file, uint64_t bias, const struct mem *mem);
void v8stack_destroy(struct v8stack *v8);
/* The function whose frame is at FP: its name and its script's (symbol and file of RET, malloced, NULL where it has
 * none). HEAP is the process's memory now, MEM that at the moment of the stack. False where it is no such frame. */
bool v8stack_name(const struct v8stack *v8, const struct mem *heap, const struct mem *mem, uint64_t fp_addr,
                  struct frame *ret);

#endif
