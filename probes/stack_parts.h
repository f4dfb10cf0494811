/* For stack.c and its parts. */
#ifndef GLIBCTRACE_PROBES_STACK_PARTS_H
#define GLIBCTRACE_PROBES_STACK_PARTS_H

#include "modules.h"
#include "unwind.h"

/* stack_step.c: code that no table describes. */
/* A signal handler's return address: the code there hands the interrupted registers back to the kernel. */
enum unwind_step step_signal(const struct mem *mem, struct unwind *unwind);
/* By the chain of frame pointers, if what it leads to can be a call. */
enum unwind_step step_frame_pointer(const struct modules *modules, const struct mem *mem, struct unwind *unwind);

#endif
