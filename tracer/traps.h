/* A program's own way with SIGTRAP, beside our breakpoints.
 *
 * The kernel forces a breakpoint's signal (force_sig_info_to_task(), kernel/signal.c): where the thread blocks SIGTRAP
 * it is unblocked and its handler taken away, where the program ignores it, it is ignored no longer. The thread's mask
 * is put back, and a handler by a call that the thread makes (inject.h); a program that ignores SIGTRAP gets no
 * breakpoints. */
#ifndef GLIBCTRACE_TRACER_TRAPS_H
#define GLIBCTRACE_TRACER_TRAPS_H

#include "task.h"

struct session;

/* TASK is about to make rt_sigaction(SIGTRAP, ACTION_ADDR, …): its breakpoints go where it is to be ignored. */
void traps_action(struct session *session, struct task *task, uint64_t action_addr);
/* TASK is about to make its memory undumpable (prctl(2), PR_SET_DUMPABLE), which closes it to a tracer of no more
 * rights than its own: the breakpoints go while they can. */
void traps_closing(struct session *session, struct task *task);
/* TASK has hit a breakpoint: its mask is what it was before, as far as that can be known. *SENT: the stop is of a
 * SIGTRAP of the program's own as well, which was blocked; false afterwards where it waits again. */
void traps_mend(struct session *session, struct task *task, bool *sent);

#endif
