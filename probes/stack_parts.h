/* For stack.c and its parts. */
#ifndef GLIBCTRACE_PROBES_STACK_PARTS_H
#define GLIBCTRACE_PROBES_STACK_PARTS_H

#include "modules.h"
#include "unwind.h"

/* stack_memory.c: */
struct stack_pages {
    size_t count;
    uint64_t addr[STACK_SNAPSHOT_PAGES];
    unsigned char bytes[STACK_SNAPSHOT_PAGES][STACK_SNAPSHOT_PAGE];
};

struct stack_window {
    const struct mem *under; /* the process */
    const struct modules *modules;
    const unsigned char *bytes; /* of the stack */
    uint64_t base;
    size_t size;
    const struct stack_snapshot *past; /* all is of an earlier moment, or NULL */
    struct stack_pages *pages;         /* what is read from other stacks is noted here, or NULL */
};
/* Reads WINDOW, which must outlive it. */
struct mem stack_window_mem(struct stack_window *window);
struct stack_snapshot *stack_snapshot_add(struct stack_snapshot *taken, const struct stack_pages *pages);

/* stack_step.c: code that no table describes. */
/* A signal handler's return address: the code there hands the interrupted registers back to the kernel. */
enum unwind_step step_signal(const struct mem *mem, struct unwind *unwind);
/* Whether a call can return to ADDR: code, with a call before it. */
bool step_can_return_to(const struct modules *modules, const struct mem *mem, uint64_t addr);
/* stack_forward.c: by what the code itself does from here to its return. DISASSEMBLER may be NULL. */
struct disassembler;
enum unwind_step step_forward(const struct modules *modules, const struct mem *mem, struct disassembler *disassembler,
                              struct unwind *unwind);
/* By the chain of frame pointers, if what it leads to can be a call. */
enum unwind_step step_frame_pointer(const struct modules *modules, const struct mem *mem, struct unwind *unwind);

#endif
