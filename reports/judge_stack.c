/* Where in the program a cause was seen: the stack of its failing event, from the copy that was kept of it. Only what
 * has become a suspect is unwound, at the process's end, when all that was mapped is still there. */
#include "judge.h"

#include <probes/alloc.h>

enum {
    FRAMES_MOST = 64,
    STACKS_MOST = 16, /* of one process */
};

void judge_stacks(const struct model *model, struct process *process)
{
    struct process *owner = process_owner(process);
    struct stacks *stacks = NULL;
    const struct event *event = model->told;
    int told = 0;

    for (size_t i = 0; event && event->memory && i < owner->suspect_count && told < STACKS_MOST; i++) {
        const struct suspect *suspect = &owner->suspects[i];
        const struct stack_snapshot *snapshot;

        /* A program that never began has no stack but the loader's. What did no harm is not told; of a child's act that
         * is not known before its parent has ended. */
        if (suspect->actor != process || suspect->cause->stack_count || suspect->at == AT_START ||
            (owner == process && suspect->cause->confidence <= 0))
            continue;
        snapshot = process_shot(process, suspect->n);
        if (!snapshot)
            continue;
        if (!stacks)
            stacks = stacks_create(event->tid, event->root);
        suspect->cause->stack_count =
            stacks_unwind_snapshot(stacks, event->memory, snapshot, FRAMES_MOST, &suspect->cause->stack);
        told++;
    }
    stacks_destroy(stacks);
}
