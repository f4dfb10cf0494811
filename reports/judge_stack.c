/* Where in the program a cause was seen: the stack of its failing event, from the copy that was kept of it. Only what
 * has become a suspect is unwound, at the process's end, when all that was mapped is still there. */
#include "judge.h"

#include <string.h>

#include <probes/alloc.h>

enum {
    FRAMES_MOST = 64,
    STACKS_MOST = 16, /* of one process */
    LATER_MOST = 256,
};

static bool opened_before(const struct process *process, const char *path, uint64_t n)
{
    for (size_t i = 0; i < process->act_count && process->acts[i].n < n; i++)
        if (!process->acts[i].error && strcmp(process->acts[i].path, path) == 0)
            return true;
    return false;
}

/* Objects that the loader opened after event N for the first time, by the paths that they are mapped with. */
static void find_later(const struct process *process, const char *root, uint64_t n, struct strings *ret)
{
    for (size_t i = process->act_count; i-- > 0 && process->acts[i].n > n && ret->n < LATER_MOST;) {
        const struct load_act *act = &process->acts[i];
        struct path_walk walk;

        if (act->error || opened_before(process, act->path, n))
            continue;
        path_walk(root, NULL, act->path, NULL, &walk);
        if (walk.final)
            strings_add(ret, xstrdup(walk.final));
        path_walk_deinit(&walk);
    }
}

void judge_stacks(const struct model *model, struct process *process)
{
    struct process *owner = process_owner(process);
    struct stacks *stacks = NULL;
    const struct event *event = model->told;
    int told = 0;

    for (size_t i = 0; event && event->memory && i < owner->suspect_count && told < STACKS_MOST; i++) {
        const struct suspect *suspect = &owner->suspects[i];
        const struct stack_snapshot *snapshot;
        struct strings later = {0};

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
        find_later(process, event->root, suspect->n, &later);
        stacks_absent(stacks, later.v, later.n);
        suspect->cause->stack_count =
            stacks_unwind_snapshot(stacks, event->memory, snapshot, FRAMES_MOST, &suspect->cause->stack);
        strings_deinit(&later);
        told++;
    }
    stacks_destroy(stacks);
}
