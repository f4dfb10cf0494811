/* The system as the failing process saw it: its C library, distribution, and what kind of root it lived in. */
#include "judge.h"
#include "surroundings.h"

#include <string.h>

#include <probes/alloc.h>
#include <probes/libc_memory.h>
#include <probes/system.h>

static const struct load_act *libc_act(const struct process *process)
{
    for (size_t i = 0; i < process->act_count; i++)
        if (process->acts[i].error == 0 && strcmp(process->acts[i].name, "libc.so.6") == 0)
            return &process->acts[i];
    return NULL;
}

/* PT_INTERP says which family before anything is opened; static programs have none. */
static char *loader_of(const struct process *process, bool *is_static)
{
    const struct elffile *elf = process->exe ? elffile_get_head(process->root, process->exe) : NULL;
    char *interp = NULL;

    *is_static = elf && elf->state == ELFFILE_OK && !elf->interp;
    if (elf && elf->interp)
        interp = xstrdup(elf->interp);
    if (elf)
        elffile_put(elf);
    return interp;
}

/* libc.so.6 beside the loader, all links resolved: where a program that never came to open it would have found it. */
static char *beside_loader(const struct process *process, const char *interp)
{
    struct path_walk walk;
    char *path = NULL;

    path_walk(process->root, "/", interp, NULL, &walk);
    if (walk.reason == PATH_OK) {
        CLEANUP_FREE char *directory = path_dir(walk.final);

        path = path_join(directory, "libc.so.6");
    }
    path_walk_deinit(&walk);
    return path;
}

/* The first of the files that says which C library it is of. */
static void identify(struct process *process, const char *opened, const char *interp)
{
    CLEANUP_FREE char *beside = interp ? beside_loader(process, interp) : NULL;
    const struct {
        const char *path, *how;
    } ways[] = {{opened, "the banner in the file that the loader opened"},
                {interp, "the words in the loader that PT_INTERP names"},
                {beside, "the banner in the file beside the loader that PT_INTERP names"}};
    struct libc_facts *libc = &process->libc;

    for (size_t i = 0; i < sizeof ways / sizeof *ways && !libc->version; i++) {
        struct libc_identity identity;

        if (!ways[i].path)
            continue;
        libc_identify(process->root, ways[i].path, &identity);
        if (identity.release) {
            libc->family = xstrdup(identity.family);
            libc->version = steal_pointer(&identity.release);
            libc->path = xstrdup(ways[i].path);
            libc->from = xstrdup(ways[i].how);
            libc->build = steal_pointer(&identity.build);
        }
        libc_identity_deinit(&identity);
    }
}

/* As the loader called the file that is PATH, where it is the same one: it may have been asked for by a link. */
static char *loaders_name(const struct process *process, const struct load_act *act, const char *path)
{
    struct stat a, b;

    return act && path_stat(process->root, act->path, &a) == 0 && path_stat(process->root, path, &b) == 0 &&
                   a.st_ino == b.st_ino
               ? xstrdup(act->path)
               : xstrdup(path);
}

/* What runs, whatever its file has become meanwhile. A process that has ended before its C library was there is told by
 * the loader. */
static void identify_running(struct process *process, const struct load_act *act)
{
    struct libc_facts *libc = &process->libc;
    struct libc_memory memory;
    struct libc_part *part;

    libc_memory_read(process->pid, process->root, &memory);
    part = memory.libc.says.release ? &memory.libc : &memory.loader;
    if (memory.read && part->says.release) {
        bool replaced = part->file == LIBC_FILE_OTHER || part->file == LIBC_FILE_GONE;

        libc->family = xstrdup(part->says.family);
        libc->version = steal_pointer(&part->says.release);
        libc->path = part->path ? loaders_name(process, act, part->path) : NULL;
        libc->build = steal_pointer(&part->says.build);
        libc->from = xstrdup(replaced ? "the banner in its memory; the file has been replaced since it was loaded"
                                      : "the banner in its memory");
    }
    libc_memory_deinit(&memory);
}

void judge_system(const struct model *model, struct process *process)
{
    bool live = model->live;
    const struct load_act *act = libc_act(process);
    struct libc_facts *libc = &process->libc;
    struct system_facts facts;
    bool is_static;
    CLEANUP_FREE char *interp = loader_of(process, &is_static);

    if (libc->family)
        return;
    system_facts_read(process->root, &facts);
    process->context = live ? system_context_of(process->pid, process->root) : facts.context;
    process->distribution = steal_pointer(&facts.distribution);
    system_facts_deinit(&facts);
    if (live) {
        identify_running(process, act);
        process->around = surroundings_read(process, model->programs);
    }
    if (!libc->family)
        identify(process, act ? act->path : NULL, interp);
    if (libc->family)
        return;
    libc->family = xstrdup(is_static ? "none" : "unknown");
    libc->from = xstrdup(is_static ? "the program is static: it has no PT_INTERP"
                                   : "no file that says which it is could be read");
}

static void copy_libc(const struct libc_facts *from, struct libc_facts *to)
{
    to->family = xstrdup(from->family ? from->family : "unknown");
    to->version = xstrdup_or_null(from->version);
    to->path = xstrdup_or_null(from->path);
    to->from = xstrdup_or_null(from->from);
    to->build = xstrdup_or_null(from->build);
}

void report_fill_system(const struct model *model, struct report *report)
{
    const struct process *process = model->first;
    struct system_facts facts;

    if (report->cause_count && model_process(model, report->causes[0]->pid))
        process = model_process(model, report->causes[0]->pid);
    if (process && !process->libc.family)
        process = model->first;
    system_facts_read("", &facts);
    report->kernel = steal_pointer(&facts.kernel);
    report->machine = steal_pointer(&facts.machine);
    report->context = xstrdup(process && process->context ? process->context : facts.context);
    report->distribution =
        process && process->distribution ? xstrdup(process->distribution) : steal_pointer(&facts.distribution);
    system_facts_deinit(&facts);
    copy_libc(process ? &process->libc : &(struct libc_facts){0}, &report->libc);
    if (process && process->around)
        report->around = surroundings_pick(process->around, report, model);
}
