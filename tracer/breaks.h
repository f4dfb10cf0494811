/* Breakpoints: places in a program's code at which it stops and we are told, without the program noticing.
 *
 * They belong to an address space: a fork copies them with the memory, a vfork shares them, an execve drops them. Only
 * programs that we launched have any (they end with us, so nobody is left with our trap in its code), and only those of
 * the native ABI. The instruction under a breakpoint is done by us (emulate.h) or at another place (displace.h); the
 * trap never leaves its place while others may come by, and no thread is stopped for another's sake. */
#ifndef GLIBCTRACE_TRACER_BREAKS_H
#define GLIBCTRACE_TRACER_BREAKS_H

#include "task.h"

#include <probes/instruction.h>
#include <probes/mem.h>

struct session;
struct breaks;

/* What stands in memory around an address, read at once: the word that it lies in, and behind it. */
enum { BREAK_WORD = 8 };
struct break_code {
    uint64_t start_addr;
    size_t size;
    uint8_t bytes[BREAK_WORD + INSTRUCTION_LONGEST + 1];
};

struct break_hit {
    uint64_t addr;
    const struct arch_registers *registers; /* before the instruction at ADDR */
    const struct mem *mem;                  /* of the thread that stands there */
};

struct break_handler {
    void (*hit)(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx);
    const void *ctx; /* constant: a fork copies the pointer */
};

/* Sets a breakpoint at ADDR, which must be the first byte of an instruction, in the space of TASK, which stands; or
 * adds a handler to the one that is there. False where that cannot be (other ABI, attached, not recording, memory that
 * cannot be read, an instruction that can be done nowhere else, which is noted). */
bool breaks_add(struct session *session, struct task *task, uint64_t addr, const struct break_handler *handler);

/* The COUNT breakpoints at ADDRS are about to be set in the space of TASK, which stands and stays as it is meanwhile:
 * what stands there is read at once. Until breaks_prepared(). */
void breaks_prepare(struct session *session, const struct task *task, const uint64_t *addrs, size_t count);
void breaks_prepared(struct session *session);

/* Takes HANDLER away again; the breakpoint goes with the last one. */
void breaks_remove(struct session *session, struct task *task, uint64_t addr, const struct break_handler *handler);

struct break_return {
    /* NULL HIT: it never comes (a longjmp passed it by, the thread has ended; SESSION may be NULL then). Frees DATA. */
    void (*back)(struct session *session, struct task *task, const struct break_hit *hit, void *data);
    void *data;
    bool keep; /* the same call will return there often: the breakpoint stays */
};
/* TASK stands at the first instruction of a function (HIT): RET->back is called once, when that call has returned to
 * its caller. False, with DATA left to the caller of this, where the caller's code cannot have a breakpoint. */
bool breaks_at_return(struct session *session, struct task *task, const struct break_hit *hit,
                      const struct break_return *ret);

/* TASK stands before a SIGTRAP: whether that is a breakpoint's. Then all has been done, and TASK is to go on without
 * it; *SENT: with it, as it is the program's own as well and blocked again. */
bool breaks_hit(struct session *session, struct task *task, bool *sent);

/* Takes all breakpoints out of TASK's space, which stands, for good. */
void breaks_lift(struct session *session, struct task *task);
/* The same for all spaces, whose threads may run; what cannot be had now is left to breaks_lift() at a stop. */
void breaks_lift_all(struct session *session);
/* The first stop of a forked child, TASK: what its memory has is compared with what it should have. */
void breaks_recheck(struct session *session, struct task *task);
/* TID, of which no task is made, is a copy of PARENT's memory (NULL: of one that is to be found) and is about to be let
 * go of. */
void breaks_clean(struct session *session, const struct space *parent, pid_t tid);
/* The space whose breakpoints stand in the memory of TID, of whose making nobody could tell; or NULL. */
struct space *breaks_origin(struct session *session, pid_t tid);
/* SPACE's last process has ended; its children may yet turn up. */
void breaks_bury(struct session *session, struct space *space);
void breaks_unbury(struct session *session);

/* breaks_hide.c: BUF is what stands at ADDR in memory with BREAKS; makes of it what the program itself has there. */
void breaks_hide(const struct breaks *breaks, uint64_t addr, void *buf, size_t n);

bool breaks_closed(const struct breaks *breaks);
struct breaks *breaks_copy(const struct breaks *breaks);
void breaks_destroy(struct breaks *breaks);
/* TASK waits for no returns any more. */
void breaks_forget(struct task *task);

#endif
