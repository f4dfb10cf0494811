/* Stacks of events that may turn out to be causes (part of model.h): a copy of the stack each, no frames yet. */
#include "model_parts.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <probes/alloc.h>

static unsigned hash(const char *name)
{
    unsigned ret = 5381;

    while (*name)
        ret = ret * 33 + (unsigned char)*name++;
    return ret;
}

/* What an event is about: two of one episode have the same. */
static unsigned name_of(const struct event *event)
{
    if (event->type == EVENT_SYSCALL && event->syscall.path)
        return hash(path_base(event->syscall.path));
    return (unsigned)event->n;
}

static bool has_newer(const struct process *process, size_t which)
{
    for (size_t i = which + 1; i < process->shot_count; i++)
        if (process->shots[i].name == process->shots[which].name)
            return true;
    return false;
}

static void forget(struct shot *shot)
{
    stack_snapshot_drop(shot->snapshot);
    frames_free(shot->frames, shot->frame_count);
}

/* The oldest words, where there are many: a program may talk more than it fails. */
static bool oldest_words(const struct process *process, size_t *ret)
{
    size_t count = 0;

    for (size_t i = process->shot_count; i-- > 0;)
        if (process->shots[i].words) {
            *ret = i;
            count++;
        }
    return count > SHOTS_KEPT / 4;
}

/* Makes room: one of the oldest that has a newer one of its episode, else the oldest. */
static void drop_one(struct model *model, struct process *process)
{
    enum { LOOKED_AT = 8 };
    size_t victim = 0;
    bool words = oldest_words(process, &victim);

    if (!words)
        victim = 0;
    while (!words && victim < LOOKED_AT && victim < process->shot_count && !has_newer(process, victim))
        victim++;
    if (!words && (victim == LOOKED_AT || victim == process->shot_count))
        victim = 0;
    forget(&process->shots[victim]);
    process->shot_count--;
    memmove(&process->shots[victim], &process->shots[victim + 1],
            (process->shot_count - victim) * sizeof *process->shots);
    model->shots--;
}

/* execvp(3) and shells give a file that is no executable to /bin/sh, in the same process: its stack is gone then. A
 * script without #! is none of our business. */
static bool refused_elf(const struct event *event)
{
    char magic[SELFMAG];

    if (event->type != EVENT_SYSCALL || event->syscall.error != ENOEXEC || !event->syscall.path)
        return false;
    CLEANUP_CLOSE int fd = path_open(event->root, event->syscall.path);

    return fd >= 0 && read(fd, magic, sizeof magic) == sizeof magic && memcmp(magic, ELFMAG, SELFMAG) == 0;
}

static void unwind_now(const struct event *event, struct shot *shot)
{
    struct stacks *stacks = stacks_create(event->tid, event->root);

    shot->frame_count = stacks_unwind_snapshot(stacks, event->memory, shot->snapshot, FRAMES_KEPT, &shot->frames);
    stacks_destroy(stacks);
}

void model_shot(struct model *model, struct process *process, const struct event *event)
{
    struct process *most = process, *other, *next;
    struct shot *shot;

    if (!event->snapshot)
        return;
    if (process->shot_count >= SHOTS_KEPT) {
        drop_one(model, process);
    } else if (model->shots >= SHOTS_KEPT_OF_ALL) {
        HASH_ITER(hh, model->processes, other, next)
        if (other->shot_count > most->shot_count)
            most = other;
        if (most->shot_count)
            drop_one(model, most);
    }
    shot = array_add(&process->shots, &process->shot_count, &process->shot_cap, sizeof *shot);
    *shot = (struct shot){.n = event->n,
                          .name = name_of(event),
                          .words = event->type == EVENT_OUTPUT,
                          .snapshot = stack_snapshot_keep(event->snapshot)};
    if (event->memory && refused_elf(event))
        unwind_now(event, shot);
    model->shots++;
}

void model_forget_shots(struct model *model, struct process *process)
{
    for (size_t i = 0; i < process->shot_count; i++)
        forget(&process->shots[i]);
    model->shots -= process->shot_count;
    free(process->shots);
    process->shots = NULL;
    process->shot_count = process->shot_cap = 0;
}

const struct shot *process_shot(const struct process *process, uint64_t n)
{
    for (size_t i = 0; i < process->shot_count; i++)
        if (process->shots[i].n == n)
            return &process->shots[i];
    return NULL;
}

const struct shot *process_shot_about(const struct process *process, const char *name)
{
    unsigned wanted = hash(name);

    for (size_t i = 0; i < process->shot_count; i++)
        if (process->shots[i].name == wanted && !process->shots[i].words)
            return &process->shots[i];
    return NULL;
}
