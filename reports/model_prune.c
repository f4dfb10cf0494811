/* Which processes the model forgets, where there are too many of them: a log of a day's builds has a million.
 *
 * One that ended well, of which nobody has anything to say, goes first, the oldest first; then one that ended badly and
 * left no suspect; then, of those with suspects, what lies between the first ones and the newest. One that is
 * somebody's parent, or whose act somebody else answers for, stays while that one does. Of living ones none goes: their
 * number is the tracer's matter, or the log reader's (event.h, forgotten). */
#include "model_parts.h"

enum {
    KEPT = 4096,          /* processes; above that a quarter of them goes */
    FIRST_SUSPECTED = 256 /* these with suspects stay, however old they are */
};

enum worth { WORTH_NOTHING, WORTH_LITTLE, WORTH_MUCH, WORTH_ALL };

static size_t count_of(const struct model *model)
{
    return HASH_COUNT(model->processes) + model->retired_count;
}

static enum worth worth_of(const struct model *model, const struct process *process)
{
    if (process == model->first)
        return WORTH_ALL;
    if (!process->judged || (!process->ended && !process->forgotten))
        return model->live ? WORTH_ALL : WORTH_MUCH;
    if (process->suspect_count || process->untold_count)
        return WORTH_MUCH;
    return process_failed(process) || process->forgotten ? WORTH_LITTLE : WORTH_NOTHING;
}

static void hold(struct process *process, int by)
{
    if (process->parent)
        process->parent->held += (unsigned)by;
    for (size_t i = 0; i < process->suspect_count; i++)
        if (process->suspects[i].actor && process->suspects[i].actor != process)
            process->suspects[i].actor->held += (unsigned)by;
    for (size_t i = 0; i < process->untold_count; i++)
        if (process->untold[i].suspect.actor && process->untold[i].suspect.actor != process)
            process->untold[i].suspect.actor->held += (unsigned)by;
}

static void count_holds(struct model *model)
{
    struct process *process, *next;

    for (int pass = 0; pass < 2; pass++) {
        HASH_ITER(hh, model->processes, process, next)
        if (pass)
            hold(process, 1);
        else
            process->held = 0;
        for (size_t i = 0; i < model->retired_count; i++)
            if (pass)
                hold(model->retired[i], 1);
            else
                model->retired[i]->held = 0;
    }
}

/* What a sweep is about. */
struct sweep {
    struct model *model;
    enum worth most; /* what is worth more stays */
    size_t spared;   /* of the first with suspects */
    size_t left;     /* to go yet */
};

static bool goes(struct sweep *sweep, struct process *process)
{
    enum worth worth = worth_of(sweep->model, process);

    if (!sweep->left || process->held || worth > sweep->most ||
        (worth == WORTH_MUCH && sweep->spared++ < FIRST_SUSPECTED))
        return false;
    hold(process, -1);
    sweep->left--;
    sweep->model->forgotten++;
    return true;
}

/* The oldest first: those whose number another has taken, then in the order in which they came. */
static void sweep(struct sweep *sweep)
{
    struct model *model = sweep->model;
    struct process *process, *next;
    size_t stay = 0;

    for (size_t i = 0; i < model->retired_count; i++) {
        if (goes(sweep, model->retired[i]))
            process_free(model, model->retired[i]);
        else
            model->retired[stay++] = model->retired[i];
    }
    model->retired_count = stay;
    HASH_ITER(hh, model->processes, process, next)
    {
        if (!goes(sweep, process))
            continue;
        HASH_DEL(model->processes, process);
        process_free(model, process);
    }
}

void model_prune(struct model *model)
{
    struct sweep plan = {.model = model, .left = KEPT / 4};

    if (count_of(model) < KEPT || count_of(model) < model->prune_at)
        return;
    count_holds(model);
    for (enum worth most = WORTH_NOTHING; most < WORTH_ALL && plan.left; most++) {
        plan.most = most;
        plan.spared = 0;
        sweep(&plan);
    }
    model->prune_at = count_of(model) + KEPT / 4; /* where little could go, not again at once */
}
