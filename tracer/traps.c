#include "traps.h"

#include "breaks_table.h"
#include "state.h"

#include <probes/proc.h>

#include <signal.h>

enum { CAPABILITY_SYS_PTRACE = 19 }; /* linux/capability.h */

static uint64_t bit(int signal)
{
    return (uint64_t)1 << (signal - 1);
}

void traps_action(struct session *session, struct task *task, uint64_t action_addr)
{
    struct breaks *breaks = task->group->space->breaks;
    struct mem mem = break_mem(session, task->tid);
    uint64_t handler; /* the first member of the kernel's struct sigaction */

    if (!breaks || breaks->closed || !action_addr || mem_read(&mem, action_addr, &handler, sizeof handler) < 0)
        return;
    breaks->handled = handler != (uintptr_t)SIG_DFL && handler != (uintptr_t)SIG_IGN;
    /* Within the handler SIGTRAP is blocked, and with lookups the first call of any function is a breakpoint. */
    if (handler != (uintptr_t)SIG_IGN && !(breaks->handled && session->options->lookups))
        return;
    breaks_lift(session, task);
    session_note(session, task, "%s SIGTRAP, which breakpoints would change: %s seen from here on",
                 breaks->handled ? "handles" : "ignores",
                 breaks->handled ? "neither lookups nor the loader's own words are" : "the loader's own words are not");
}

void traps_closing(struct session *session, struct task *task)
{
    const struct breaks *breaks = task->group->space->breaks;

    if (!breaks || breaks->closed || proc_capable(CAPABILITY_SYS_PTRACE))
        return;
    breaks_lift(session, task);
    session_note(session, task,
                 "closes its memory (prctl, PR_SET_DUMPABLE): the loader's own words are not seen from here on");
}

/* Whoever blocks all other signals has blocked this one, too; a set that spares it spares SIGSEGV and its like. */
static bool was_blocked(uint64_t mask)
{
    const uint64_t standard = bit(32) - 1, never = bit(SIGKILL) | bit(SIGSTOP);

    return (mask & standard) == (standard & ~never & ~bit(SIGTRAP));
}

void traps_mend(struct session *session, struct task *task)
{
    struct breaks *breaks = task->group->space->breaks;
    uint64_t mask;

    if (ptrace_signal_mask(task->tid, &mask) < 0 || !was_blocked(mask))
        return;
    ptrace_set_signal_mask(task->tid, mask | bit(SIGTRAP));
    if (!breaks->handled)
        return;
    breaks->handled = false;
    session_note(session, task, "has lost its handler of SIGTRAP to a breakpoint while it blocked that signal");
}
