/* Words alone, and the files at hand: what the loader said somebody has pasted, of a program whose own file may not be
 * known ("./prog"). What it missed can be looked for all the same, and what it was refused be looked at. */
#include "judge.h"

#include "sight.h"

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/search.h>

#include <string.h>

static const char *const directories[] = {
    "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"};
enum { DIRECTORY_COUNT = sizeof directories / sizeof *directories };

bool judge_is_searched(const char *path)
{
    CLEANUP_FREE char *directory = path_dir(path);

    for (size_t i = 0; i < DIRECTORY_COUNT; i++)
        if (strcmp(directories[i], directory) == 0)
            return true;
    return false;
}

/* A file of the program's kind: itself, where it is known; else the shell of that system stands for it. */
static const struct elffile *model_of(const struct finding *finding)
{
    const char *const files[] = {finding->subject, finding->process->exe, "/bin/sh", "/bin/busybox"};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const struct elffile *elf =
            files[i] && files[i][0] == '/' ? elffile_get(finding->process->at_hand, files[i]) : NULL;

        if (elf && elf->state == ELFFILE_OK)
            return elf;
        if (elf)
            elffile_put(elf);
    }
    return NULL;
}

static bool not_there(const struct finding *finding, char *owned[2])
{
    struct path_walk walk;

    if (!strchr(finding->missing, '/')) {
        const struct elffile *model = model_of(finding);
        const char *near[2] = {finding->subject, finding->process->exe};
        size_t count = near[0] && near[0][0] == '/' ? near[1] && near[1][0] == '/' ? 2 : 1 : 0;

        owned[0] =
            model ? search_elsewhere(finding->process->at_hand, finding->missing, model, near, count, NULL) : NULL;
        if (model)
            elffile_put(model);
        if (owned[0] && judge_is_searched(owned[0])) /* it has come there since, or that was another system */
            free(steal_pointer(&owned[0]));
        return owned[0] != NULL;
    }
    path_walk(finding->process->at_hand, "/", finding->missing, NULL, &walk);
    if (walk.reason == PATH_DANGLING && walk.target)
        owned[1] = xstrdup(walk.target);
    path_walk_deinit(&walk);
    return owned[1] != NULL;
}

static bool defines(const struct elffile *elf, const char *version)
{
    for (size_t i = 0; elf->state == ELFFILE_OK && i < elf->def_count; i++)
        if (strcmp(elf->defs[i].name, version) == 0)
            return true;
    return false;
}

/* A copy that has the version, where the loader looks by itself: the one that was taken stands in its way. */
static char *better_copy(const struct finding *finding)
{
    const char *root = finding->process->at_hand;
    char *found = NULL;

    for (size_t i = 0; !found && i < DIRECTORY_COUNT; i++) {
        CLEANUP_FREE char *path = path_join(directories[i], path_base(finding->provider));
        const struct elffile *elf = elffile_get(root, path);

        if (!path_same_file(root, finding->provider, path) && defines(elf, finding->missing))
            found = steal_pointer(&path);
        elffile_put(elf);
    }
    return found;
}

/* What is there does not have what it is said to lack, as far as can be seen. */
static bool version_agrees(const struct finding *finding)
{
    const struct elffile *elf = elffile_get(finding->process->at_hand, finding->provider);
    bool agrees = elf->state == ELFFILE_OK && !defines(elf, finding->missing);

    elffile_put(elf);
    return agrees;
}

size_t judge_beside(struct finding *finding, char *owned[2])
{
    if (!finding->process->at_hand || !finding->missing)
        return 0;
    if (finding->kind == CAUSE_LIBRARY_MISSING && not_there(finding, owned)) {
        finding->kind = owned[0] ? CAUSE_LIBRARY_OFF_PATH : CAUSE_SYMLINK_DANGLING;
        finding->elsewhere = owned[0];
        finding->missing = owned[1] ? owned[1] : finding->missing;
    } else if (finding->kind == CAUSE_SYMBOL_VERSION_MISSING && finding->provider && finding->provider[0] == '/' &&
               version_agrees(finding)) {
        finding->elsewhere = owned[0] = better_copy(finding);
        if (owned[0])
            finding->kind = CAUSE_LIBRARY_SHADOWED;
    }
    return 2;
}
