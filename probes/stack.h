/* Stacks: from a standing thread's registers and memory to frames with names.
 *
 * Looks through a struct mem and at files, never through ptrace. A name is only told where it is known: a stripped
 * object's nearest export is not a name. */
#ifndef GLIBCTRACE_PROBES_STACK_H
#define GLIBCTRACE_PROBES_STACK_H

#include "mem.h"

#include <stdbool.h>
#include <sys/types.h>

/* One frame; fields that are unknown are NULL or 0 and left out. All strings are malloced and the frame's. */
struct frame {
    uint64_t ip_addr;
    char *object;    /* path, "[vdso]", "[anon]" … */
    uint64_t offset; /* of ip_addr in the object, as its own virtual addresses count (addr2line(1) takes it) */
    char *symbol;
    uint64_t into; /* of ip_addr in the function, where that is known; 0 in inlined ones */
    bool inlined;  /* into the next frame, which has the same ip_addr */
    char *file;
    unsigned line;
    bool after_call; /* ip_addr is where a call returns to: the instruction before it is what is meant */
    char *build_id;  /* hexadecimal, of an object whose debug information is not at hand; or NULL */
};

/* What FRAME points at is freed. */
void frame_deinit(struct frame *frame);
void frames_free(struct frame *frames, size_t count);
/* malloced, for frames_free(); NULL where COUNT is 0. */
struct frame *frames_copy(const struct frame *frames, size_t count);

/* The general registers in the numbering of the machine's DWARF (x86-64: rax rdx rcx rbx rsi rdi rbp rsp r8…r15 rip).
 */
enum { STACK_REGISTERS = 17 };
enum { REGISTER_RESULT = 0, REGISTER_FP = 6, REGISTER_SP = 7, REGISTER_IP = 16 };
struct stack_registers {
    uint64_t ip_addr, sp_addr, fp_addr;
    uint64_t dwarf[STACK_REGISTERS];
};

/* What is known of one address space, kept between unwinds: modules, tables, names. */
struct stacks;
/* Of PID, whose files are opened inside ROOT ("" or "/proc/PID/root"); read when first needed. */
struct stacks *stacks_create(pid_t pid, const char *root);
void stacks_destroy(struct stacks *stacks);
/* Its mappings have changed (an object came or went, an execve): read again at the next unwind. */
void stacks_stale(struct stacks *stacks);
/* The stack of a standing thread, innermost first, at most LIMIT frames; *RET (malloced, frames_free()) and their
 * number. 0 with *RET NULL where nothing can be said. PID may be another process of the same space. */
size_t stacks_unwind(struct stacks *stacks, const struct mem *mem, const struct stack_registers *registers,
                     size_t limit, struct frame **ret);

/* What a stack was at some moment: enough to unwind it later, as long as the objects of that moment are still mapped.
 * Taking one costs one read; unwinding costs a thousand times that. */
enum { STACK_SNAPSHOT_MOST = 16 * 1024, STACK_SNAPSHOT_PAGES = 6, STACK_SNAPSHOT_PAGE = 4096 };
struct stack_snapshot {
    unsigned references;
    struct stack_registers registers;
    uint64_t base_addr; /* of the first SIZE of BYTES */
    size_t size;
    size_t page_count; /* of other stacks, behind those */
    uint64_t page_addr[STACK_SNAPSHOT_PAGES];
    unsigned char bytes[];
};
/* NULL where the memory at the stack pointer cannot be read. The caller's reference is to be dropped. */
struct stack_snapshot *stack_snapshot_take(const struct mem *mem, const struct stack_registers *registers);
/* The same with what an unwinding of it reads from other stacks (a goroutine's, below C code that it called). Costs an
 * unwinding, without names. */
struct stack_snapshot *stacks_snapshot(struct stacks *stacks, const struct mem *mem,
                                       const struct stack_registers *registers);
/* Whether ADDR lies in a Go function. */
bool stacks_is_go(struct stacks *stacks, const struct mem *mem, uint64_t addr);
struct stack_snapshot *stack_snapshot_keep(struct stack_snapshot *snapshot);
void stack_snapshot_drop(struct stack_snapshot *snapshot); /* NULL is none */
/* Objects that came after the moment of the snapshots that are unwound next, by the paths of their files: what stood at
 * their addresses then is not known, and a stack ends there. ABSENT is the caller's and must stay. */
void stacks_absent(struct stacks *stacks, char *const *absent, size_t count);
/* As stacks_unwind(). MEM, the process's memory, is read for code and tables; its writable memory has changed since and
 * is not believed, so a stack that is deeper than the snapshot ends where that ends. */
size_t stacks_unwind_snapshot(struct stacks *stacks, const struct mem *mem, const struct stack_snapshot *snapshot,
                              size_t limit, struct frame **ret);

#endif
