/* Displaced steps: an instruction under a breakpoint that we cannot do ourselves (emulate.h) is done by the processor
 * at another place, one thread at a time for each slot there, while the trap stays where it is.
 *
 * The slots lie in the space's own memory, between the end of the loader's code (else the program's) and the end of its
 * last page: bytes of no segment, in a private mapping that may be executed, to which nothing refers. A thread that
 * finds them all taken stands until one is free; nobody is stopped for its sake. Whatever stops a thread meanwhile,
 * from there on it is as if its instruction stood at its own place: it has been done or it has not, and nobody sees a
 * slot's address. */
#ifndef GLIBCTRACE_TRACER_DISPLACE_H
#define GLIBCTRACE_TRACER_DISPLACE_H

#include "task.h"

#include <stdbool.h>
#include <stdint.h>

struct arch_registers;
struct break_code;
struct breakpoint;
struct breaks;
struct displaced;
struct displace; /* of a space: its slots */
struct step;     /* of a thread: from its hit to the end of its step */
struct stop;

/* Whether POINT's instruction can be done elsewhere in TASK's space. CODE is what stands around it. */
bool displace_can(struct session *session, struct task *task, struct breakpoint *point, const struct break_code *code);
/* TASK has hit POINT, displace_can() being true, with REGISTERS (its address in them): it steps as soon as it is
 * restarted, or waits. SENT: it is to get the SIGTRAP of this stop afterwards. False, with nothing done, where that
 * fails. */
bool displace_begin(struct session *session, struct task *task, const struct breakpoint *point,
                    const struct arch_registers *registers, bool sent);
/* TASK, which has a step, is at STOP. Below zero: that is dispatched like any other; else it is the step's own affair,
 * and TASK goes on with that signal (0: none). */
int displace_stop(struct session *session, struct task *task, const struct stop *stop);
/* TASK, which has a step, is to go on: whether all has been done for that. LEAVING: we are about to let go of it. */
bool displace_restart(struct task *task, bool leaving);
/* A thread that has waited and may go on now, to be restarted; NULL: no more. */
struct task *displace_next(struct session *session);
/* TASK ends, or its memory does. */
void displace_forget(struct task *task);

/* REGISTERS of a thread that steps over PLAN's instruction at SLOT_ADDR become what they would be were it at ADDR, its
 * own place; BASE is what the register PLAN->base holds. Whether it has been done: it has where TRAPPED. Where it
 * calls, what it left on the stack is the caller's to put right. */
bool displace_settle(const struct displaced *plan, uint64_t addr, uint64_t slot_addr, uint64_t base, bool trapped,
                     struct arch_registers *registers);

/* In the memory of TID, all slots but those in which a thread of BREAKS' space steps are as they were. */
void displace_restore(struct session *session, const struct breaks *breaks, pid_t tid);
struct displace *displace_copy(const struct displace *displace);
void displace_destroy(struct displace *displace);

#endif
