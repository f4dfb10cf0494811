/* Where in the program a cause was seen: the stack of its failing event, from the copy that was kept of it. Only what
 * has become a suspect is unwound, at the process's end, when all that was mapped is still there. */
#include "judge.h"

#include "crash.h"

#include <elf.h>
#include <string.h>

#include <probes/alloc.h>

enum {
    STACKS_MOST = 64, /* of one process */
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

/* A program that never began has the loader's stack only: where it made its error; else where it said so, or left. So
 * has one that is known by its words only. What
 * the program did is best told by its call, and where that shows in none (dlsym(3), musl), by the loader's error. */
static const struct shot *shot_of(const struct process *process, const struct suspect *suspect)
{
    bool start = suspect->at == AT_START;
    const uint64_t events[] = {start ? suspect->told_n : suspect->n, start ? suspect->n : suspect->told_n,
                               start || suspect->at == AT_VARIABLE ? process->leave_n : 0};
    const struct shot *shot = NULL;

    for (size_t i = 0; i < sizeof events / sizeof *events && !shot; i++)
        shot = events[i] ? process_shot(process, events[i]) : NULL;
    return shot;
}

/* One that a signal ended before it began was at that moment where it stood then. */
static void take_from_crash(const struct process *process, const struct suspect *suspect)
{
    const struct crash *crash = process->crash;
    const struct crash_thread *thread = crash && crash->thread_count ? &crash->threads[0] : NULL;

    if (suspect->at != AT_START || !process->signal || !thread || !thread->stack_count)
        return;
    suspect->cause->stack = frames_copy(thread->stack, thread->stack_count);
    suspect->cause->stack_count = thread->stack_count;
}

/* A reader who looks for the program's functions is told that there are none. */
static void tell_whose(const struct process *process, struct cause *cause)
{
    for (size_t i = 0; i < cause->stack_count; i++)
        if (cause->stack[i].ip_addr < process->loader_base || cause->stack[i].ip_addr >= process->loader_end)
            return;
    if (cause->stack_count)
        cause_fact(cause, "stack", "the loader's own: no function of the program is on it");
}

void judge_stacks(const struct model *model, struct process *process)
{
    struct process *owner = process_owner(process);
    struct stacks *stacks = NULL;
    const struct event *event = model->told;
    int told = 0;

    for (size_t i = 0; event && event->memory && i < owner->suspect_count && told < STACKS_MOST; i++) {
        const struct suspect *suspect = &owner->suspects[i];
        const struct shot *shot;
        struct strings later = {0};

        /* What did no harm is not told; of a child's act that is not known before its parent has ended. */
        if (suspect->actor != process || suspect->cause->stack_count ||
            (owner == process && suspect->cause->confidence <= 0))
            continue;
        if (!owner->executed) {
            cause_fact(suspect->cause, "stack", "none: nothing of it has run, glibctrace itself made that call for it");
            continue;
        }
        if (process->class == ELFCLASS32) {
            cause_fact(suspect->cause, "stack", "none: it is a 32-bit program, whose stack is not read");
            continue;
        }
        shot = shot_of(process, suspect);
        if (!shot) {
            take_from_crash(process, suspect);
            continue;
        }
        if (!stacks)
            stacks = stacks_create(event->tid, event->root);
        find_later(process, event->root, shot->n, &later);
        stacks_absent(stacks, later.v, later.n);
        suspect->cause->stack_count =
            stacks_unwind_snapshot(stacks, event->memory, shot->snapshot, FRAMES_KEPT, &suspect->cause->stack);
        strings_deinit(&later);
        if (suspect->at == AT_START)
            tell_whose(process, suspect->cause);
        told++;
    }
    stacks_destroy(stacks);
}

void judge_stacks_over(struct process *process)
{
    struct process *owner = process_owner(process);

    for (size_t i = 0; i < owner->suspect_count; i++) {
        struct suspect *suspect = &owner->suspects[i];
        const struct shot *shot = suspect->actor == process ? process_shot(process, suspect->n) : NULL;

        if (!shot || suspect->cause->stack_count)
            continue;
        suspect->cause->stack = frames_copy(shot->frames, shot->frame_count);
        suspect->cause->stack_count = shot->frame_count;
    }
}
