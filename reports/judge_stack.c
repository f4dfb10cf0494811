/* Where in the program a cause was seen: the stack of its failing event, from the copy that was kept of it. Only what
 * has become a suspect is unwound, at the process's end, when all that was mapped is still there. */
#include "judge.h"

#include "crash.h"

#include <elf.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/procmem.h>

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
                               start || suspect->at == AT_VARIABLE || suspect->at == AT_CALL ? process->leave_n : 0};
    const struct shot *shot = NULL;

    for (size_t i = 0; i < sizeof events / sizeof *events && !shot; i++)
        shot = events[i] ? process_shot(process, events[i]) : NULL;
    for (size_t i = 0; i < suspect->needles.n && !shot; i++) {
        shot = process_shot_about(process, path_base(suspect->needles.v[i]));
        if (shot)
            cause_fact(suspect->cause, "stack", "of another failure of the same search: there were too many to keep");
    }
    return shot;
}

/* One that a signal ended before it began was at that moment where it stood then. */
static void take_from_crash(const struct process *process, const struct suspect *suspect)
{
    const struct crash *crash = process->crash;
    const struct crash_thread *thread = crash && crash->thread_count ? &crash->threads[0] : NULL;

    if ((suspect->at != AT_START && suspect->at != AT_CALL) || !process->signal || !thread || !thread->stack_count)
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

/* A process that stands while an event is told, or one that goes on untraced: its stacks were copied, and its code and
 * tables can still be read. */
struct scene {
    pid_t tid;
    const char *root;
    const struct mem *memory; /* NULL: there is none */
    struct procmem running;
    bool opened;
    struct stacks *stacks; /* made when first needed */
};

static void scene_set(struct scene *scene, const struct model *model, const struct process *process)
{
    const struct event *event = model->told;

    *scene = (struct scene){.tid = event ? event->tid : process->pid,
                            .root = event ? event->root : process->root,
                            .memory = event ? event->memory : NULL};
    if (!event && model->live && !process->ended)
        scene->opened = procmem_open(process->pid, sizeof(uint64_t), &scene->running);
    if (scene->opened)
        scene->memory = &scene->running.mem;
}

static void scene_clear(struct scene *scene)
{
    stacks_destroy(scene->stacks);
    if (scene->opened)
        procmem_close(&scene->running);
}

static void unwind(struct scene *scene, const struct process *process, const struct shot *shot, struct cause *cause)
{
    struct strings later = {0};

    if (!scene->stacks)
        scene->stacks = stacks_create(scene->tid, scene->root);
    find_later(process, scene->root, shot->n, &later);
    stacks_absent(scene->stacks, later.v, later.n);
    cause->stack_count =
        stacks_unwind_snapshot(scene->stacks, scene->memory, shot->snapshot, FRAMES_KEPT, &cause->stack);
    strings_deinit(&later);
}

/* True where that took an unwinding. */
static bool give_stack(struct scene *scene, struct process *process, const struct suspect *suspect)
{
    struct cause *cause = suspect->cause;
    const struct shot *shot;

    if (!process_owner(process)->executed) {
        cause_fact(cause, "stack", "none: nothing of it has run, glibctrace itself made that call for it");
        return false;
    }
    if (process->class == ELFCLASS32) {
        cause_fact(cause, "stack", "none: it is a 32-bit program, whose stack is not read");
        return false;
    }
    shot = shot_of(process, suspect);
    if (!shot) {
        take_from_crash(process, suspect);
        return false;
    }
    unwind(scene, process, shot, cause);
    if (suspect->at == AT_START)
        tell_whose(process, cause);
    return true;
}

/* The stacks of PROCESS's acts that HOLDER is suspected of; at most MOST. Returns how many took an unwinding. */
static int give_stacks(struct scene *scene, struct process *process, const struct process *holder, int most)
{
    int told = 0;

    for (size_t i = 0; scene->memory && i < holder->suspect_count && told < most; i++) {
        const struct suspect *suspect = &holder->suspects[i];

        /* What did no harm is not told; of a child's act that is not known before its parent has ended. */
        if (suspect->actor == process && !suspect->cause->stack_count &&
            (holder != process || suspect->cause->confidence > 0))
            told += give_stack(scene, process, suspect);
    }
    return told;
}

void judge_stack_of(const struct model *model, struct process *process, const struct suspect *suspect)
{
    struct scene scene;

    scene_set(&scene, model, process);
    if (scene.memory && !suspect->cause->stack_count)
        give_stack(&scene, process, suspect);
    scene_clear(&scene);
}

void judge_stacks(const struct model *model, struct process *process)
{
    struct process *owner = process_owner(process);
    struct scene scene;
    int told;

    scene_set(&scene, model, process);
    told = give_stacks(&scene, process, owner, STACKS_MOST);
    if (owner != process)
        give_stacks(&scene, process, process, STACKS_MOST - told);
    scene_clear(&scene);
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
