/* Roots and working directories of followed processes: read from /proc when they may have changed, never per event. */
#include "state.h"

#include <probes/alloc.h>
#include <probes/proc.h>

#include <string.h>

struct place *place_read(pid_t pid)
{
    return place_create(proc_root(pid), proc_cwd(pid));
}

struct place *place_of_child(const struct place *place, pid_t child)
{
    char *root = place->root[0] ? xasprintf("/proc/%d/root", (int)child) : xstrdup("");
    struct place *copy = place_create(root, xstrdup_or_null(place->cwd));

    copy->stale = place->stale;
    return copy;
}

void place_refresh(struct task *task)
{
    struct place *place = task->place;

    free(place->root);
    free(place->cwd);
    place->root = proc_root(task->tid);
    place->cwd = proc_cwd(task->tid);
    place->stale = false;
}

const char *place_cwd(struct task *task)
{
    if (task->place->stale)
        place_refresh(task);
    return task->place->cwd;
}
