/* Which objects a process has loaded, and why each is there (part of model.h). Bounded: what comes after the first
 * LOADED_KEPT is not kept. */
#include "model_parts.h"

#include <probes/alloc.h>

#include <string.h>

static void loaded_deinit(struct loaded *loaded)
{
    free(loaded->path);
    free(loaded->by);
    free(loaded->soname);
    free(loaded->level);
    strings_deinit(&loaded->needed);
    strings_deinit(&loaded->versions);
}

static void take(struct strings *list, const char *const *from)
{
    for (size_t i = 0; from && from[i]; i++)
        strings_add(list, xstrdup(from[i]));
}

static void add(struct process *process, const struct event *event)
{
    const struct event_loader *said = &event->loader;
    struct loaded *loaded;

    if (process->loaded_count >= LOADED_KEPT)
        return;
    loaded = array_add(&process->loaded, &process->loaded_count, &process->loaded_cap, sizeof *loaded);
    *loaded = (struct loaded){.n = event->n,
                              .path = xstrdup(said->object),
                              .base_addr = said->base_addr,
                              .space = said->space,
                              .reason = said->reason,
                              .by = xstrdup_or_null(said->by),
                              .flags = said->flags};
    if (!event->sight)
        return;
    loaded->soname = xstrdup_or_null(event->sight->soname);
    loaded->level = xstrdup_or_null(event->sight->level);
    take(&loaded->needed, event->sight->needed);
    take(&loaded->versions, event->sight->versions);
}

static void drop(struct process *process, const struct event_loader *said)
{
    for (size_t i = process->loaded_count; i-- > 0;) {
        struct loaded *loaded = &process->loaded[i];

        if (loaded->base_addr != said->base_addr || loaded->space != said->space ||
            strcmp(loaded->path, said->object) != 0)
            continue;
        loaded_deinit(loaded);
        process->loaded_count--;
        memmove(loaded, loaded + 1, (process->loaded_count - i) * sizeof *loaded);
        return;
    }
}

void model_object(struct process *process, const struct event *event)
{
    if (!event->loader.object)
        return;
    if (event->loader.what == LOADER_LOADED)
        add(process, event);
    else if (event->loader.what == LOADER_UNLOADED)
        drop(process, &event->loader);
}

void model_forget_objects(struct process *process)
{
    for (size_t i = 0; i < process->loaded_count; i++)
        loaded_deinit(&process->loaded[i]);
    process->loaded_count = 0;
}
