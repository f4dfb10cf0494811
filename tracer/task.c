#include "task.h"

#include "objects.h"
#include "watch.h"

#include <probes/alloc.h>
#include <probes/stack.h>
#include <reports/crash.h>

#include <stdlib.h>

struct task *task_find(const struct tasks *tasks, pid_t tid)
{
    struct task *task;

    HASH_FIND_INT(tasks->by_tid, &tid, task);
    return task;
}

struct group *group_find(const struct tasks *tasks, pid_t pid)
{
    struct group *group;

    HASH_FIND_INT(tasks->by_pid, &pid, group);
    return group;
}

struct task *task_create(struct tasks *tasks, pid_t tid)
{
    struct task *task = xcalloc(1, sizeof *task);

    task->tid = tid;
    HASH_ADD_INT(tasks->by_tid, tid, task);
    tasks->unplaced++;
    return task;
}

void task_place(struct tasks *tasks, struct task *task, struct group *group, struct place *place)
{
    if (!task->group)
        tasks->unplaced--;
    task->group = group;
    task->place = place;
    group->tasks++;
    group->running++;
}

void task_destroy(struct tasks *tasks, struct task *task)
{
    if (task->group) {
        breaks_forget(task);
        task->group->tasks--;
        if (!task->leaving)
            task->group->running--;
    } else {
        tasks->unplaced--;
    }
    errors_destroy(task->errors);
    HASH_DEL(tasks->by_tid, task);
    pending_clear(&task->pending);
    place_put(task->place);
    free(task);
}

struct group *group_create(struct tasks *tasks, pid_t pid, struct space *space)
{
    struct group *group = xcalloc(1, sizeof *group);

    group->pid = pid;
    group->space = space;
    HASH_ADD_INT(tasks->by_pid, pid, group);
    return group;
}

void group_destroy(struct tasks *tasks, struct group *group)
{
    struct task *task, *next;

    HASH_ITER(hh, tasks->by_tid, task, next)
    if (task->group == group)
        task_destroy(tasks, task);
    HASH_DEL(tasks->by_pid, group);
    space_put(group->space);
    crash_put(group->caught);
    free(group);
}

struct task *task_rename(struct tasks *tasks, struct task *from, pid_t to)
{
    struct group *group = from->group;
    struct task *task, *next;

    HASH_ITER(hh, tasks->by_tid, task, next)
    if (task->group == group && task != from)
        task_destroy(tasks, task);
    HASH_DEL(tasks->by_tid, from);
    from->tid = to;
    HASH_ADD_INT(tasks->by_tid, tid, from);
    return from;
}

void tasks_deinit(struct tasks *tasks)
{
    struct group *group, *next_group;
    struct task *task, *next;

    HASH_ITER(hh, tasks->by_pid, group, next_group)
    group_destroy(tasks, group);
    HASH_ITER(hh, tasks->by_tid, task, next)
    task_destroy(tasks, task);
}

void pending_clear(struct pending *pending)
{
    if (!pending->call)
        return;
    for (size_t i = 0; pending->argv && pending->argv[i]; i++)
        free(pending->argv[i]);
    for (size_t i = 0; i < 6; i++)
        free(pending->text[i]);
    free(pending->argv);
    free(pending->string);
    free(pending->path);
    *pending = (struct pending){0};
}

struct space *space_create(void)
{
    struct space *space = xcalloc(1, sizeof *space);

    space->references = 1;
    return space;
}

struct space *space_get(struct space *space)
{
    space->references++;
    return space;
}

void space_put(struct space *space)
{
    if (!space || --space->references)
        return;
    breaks_destroy(space->breaks);
    stacks_destroy(space->stacks);
    watch_destroy(space->watch);
    objects_destroy(space->objects);
    free(space);
}

struct place *place_create(char *root, char *cwd)
{
    struct place *place = xcalloc(1, sizeof *place);

    place->references = 1;
    place->root = root;
    place->cwd = cwd;
    return place;
}

struct place *place_get(struct place *place)
{
    place->references++;
    return place;
}

void place_put(struct place *place)
{
    if (!place || --place->references)
        return;
    free(place->root);
    free(place->cwd);
    free(place);
}
