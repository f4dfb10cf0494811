/* What another tool's log leaves open of a process whose files are at hand, as far as what its loader did there tells:
 * the directories that LD_LIBRARY_PATH must have had, and that somebody ran it who may not read everything.
 *
 * strace shows the environment only when it is asked to (-v). Where the loader then took a library from a directory
 * that it does not search by itself, the variable has named it (ld.so(8)): nothing else is left but LD_PRELOAD, which
 * names files that nobody needs. What is assumed so is said. */
#include "judge.h"

#include "sight.h"
#include "text.h"

#include <probes/alloc.h>
#include <probes/load.h>

#include <errno.h>
#include <string.h>

enum { DIRECTORIES_MOST = 16, ROUNDS_MOST = 4 };

static bool same_file(const struct process *process, const char *one, const char *other)
{
    return strcmp(one, other) == 0 || path_same_file(process->root, one, other);
}

/* LOAD says that ACT's library comes from elsewhere, or from nowhere. */
static bool contradicts(const struct process *process, const struct load *load, const struct load_act *act)
{
    for (size_t i = 0; i < load->object_count; i++)
        if (strcmp(path_base(load->objects[i]->path), act->name) == 0)
            return !same_file(process, load->objects[i]->path, act->path);
    for (size_t i = 0; i < load->fault_count; i++)
        if (load->faults[i]->kind == FAULT_NOT_FOUND && strcmp(load->faults[i]->name, act->name) == 0)
            return true;
    return false;
}

/* The directory that was searched: the loader looks below it for builds for this processor (ld.so(8), glibc-hwcaps). */
static char *searched(const char *path)
{
    char *directory = path_dir(path), *below = strstr(directory, "/glibc-hwcaps/");

    if (below)
        *below = '\0';
    return directory;
}

/* Adds to LIST what the loader's acts show and LOAD does not; false: there is nothing. */
static bool add_directories(const struct process *process, const struct load *load, struct strings *list)
{
    size_t before = list->n;

    for (size_t i = 0; i < process->act_count && list->n < DIRECTORIES_MOST; i++) {
        const struct load_act *act = &process->acts[i];
        CLEANUP_FREE char *directory = NULL;
        bool known = false;

        if (act->error || act->path[0] != '/' || !contradicts(process, load, act))
            continue;
        directory = searched(act->path);
        for (size_t k = 0; k < list->n; k++)
            known |= strcmp(list->v[k], directory) == 0;
        if (!known)
            strings_add(list, steal_pointer(&directory));
    }
    return list->n > before;
}

static char *joined(const struct strings *list)
{
    struct text text = {0};

    for (size_t i = 0; i < list->n; i++)
        text_addf(&text, "%s%s", i ? ":" : "", list->v[i]);
    return text.v;
}

void judge_assume_path(struct process *process, struct load **load)
{
    struct strings list = {0};
    struct load *again;

    for (int round = 0; round < ROUNDS_MOST && !process->env.n && add_directories(process, *load, &list); round++) {
        CLEANUP_FREE char *path = joined(&list);
        const struct load_change change = {.variable = "LD_LIBRARY_PATH", .value = path};

        if (load_again(*load, &change, &again, NULL) < 0)
            break;
        load_destroy(*load);
        *load = again;
    }
    if (list.n) {
        CLEANUP_FREE char *path = joined(&list);

        strings_addf(&process->env, "LD_LIBRARY_PATH=%s", path);
        strings_add(&process->env_by, xstrdup(""));
        process->assumed = true;
    }
    strings_deinit(&list);
}

const struct cred *judge_assume_cred(const struct process *process)
{
    const struct cred *cred = process_cred(process);
    const struct episode *episode, *next;

    if (!cred || !cred->unknown)
        return cred;
    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = 0; i < episode->count; i++)
        if (episode->attempts[i]->error == EACCES && !episode->attempts[i]->execution &&
            library_like(episode->attempts[i]->path))
            return sight_stranger();
    return cred;
}

void judge_assumed_tell(const struct process *process)
{
    for (size_t i = 0; process->assumed && i < process->suspect_count; i++) {
        struct cause *cause = process->suspects[i].cause;
        char *detail;

        if (cause->kind != CAUSE_LIBRARY_SHADOWED && cause->kind != CAUSE_LIBRARY_OFF_PATH)
            continue;
        detail =
            xasprintf("%s%sThe log does not have the environment: that it is %s follows from where the loader looked.",
                      cause->detail ? cause->detail : "", cause->detail ? " " : "", process->env.v[process->env.n - 1]);
        free(cause->detail);
        cause->detail = detail;
    }
}
