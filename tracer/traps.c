#include "traps.h"

#include "breaks_table.h"
#include "inject.h"
#include "state.h"

#include <probes/proc.h>

#include <signal.h>
#include <string.h>

enum { CAPABILITY_SYS_PTRACE = 19 }; /* linux/capability.h */

static uint64_t bit(int signal)
{
    return (uint64_t)1 << (signal - 1);
}

void traps_action(struct session *session, struct task *task, uint64_t action_addr)
{
    struct breaks *breaks = task->group->space->breaks;
    struct mem mem = break_mem(session, task->tid);
    uint64_t action[TRAP_ACTION_WORDS]; /* handler, flags, restorer, mask */

    if (!breaks || breaks->closed || !action_addr || mem_read(&mem, action_addr, action, sizeof action) < 0)
        return;
    breaks->handled = action[0] != (uintptr_t)SIG_DFL && action[0] != (uintptr_t)SIG_IGN;
    memcpy(breaks->action, action, sizeof action);
    if (action[0] != (uintptr_t)SIG_IGN)
        return;
    breaks_lift(session, task);
    session_note(session, task,
                 "ignores SIGTRAP, which breakpoints would change: the loader's own words are not seen "
                 "from here on");
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

/* Whether the program's handler is gone, as it is where SIGTRAP was blocked. */
static bool has_lost(const struct task *task)
{
    struct proc_status status;
    bool lost = proc_status_read(task->tid, &status) == 0 && !(status.caught & bit(SIGTRAP));

    proc_status_deinit(&status);
    return lost;
}

void traps_mend(struct session *session, struct task *task, bool *sent)
{
    struct breaks *breaks = task->group->space->breaks;
    bool lost = breaks->handled && has_lost(task);
    uint64_t mask;

    if (ptrace_signal_mask(task->tid, &mask) < 0 || !(lost || *sent || was_blocked(mask)))
        return;
    ptrace_set_signal_mask(task->tid, mask | bit(SIGTRAP));
    if (!lost)
        return;
    if (inject_sigaction(session, task, SIGTRAP, breaks->action, sizeof breaks->action) == 0) {
        /* The stop that it could have been handed on from is over. */
        if (*sent)
            tgkill(task->group->pid, task->tid, SIGTRAP);
        *sent = false;
        return;
    }
    breaks->handled = false;
    session_note(session, task, "has lost its handler of SIGTRAP to a breakpoint while it blocked that signal");
}
