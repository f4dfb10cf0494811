/* What the loader said and the model does not explain: in its own words (events), or as a program passes them on
 * (dlerror(3) in an exception, a log line, a traceback).
 *
 * A dlsym() that finds nothing makes no system call; whether static TLS is used up, or the stack may be made
 * executable, cannot be seen from outside. Such words are believed where the files agree: no object of the process has
 * the symbol; the object does want a block at a fixed place, an executable stack, a higher level; its mount does forbid
 * execution.
 */
#include "judge.h"

#include "told.h"

#include <string.h>

#include <probes/alloc.h>
#include <probes/mount.h>

static const struct object *object_named(const struct load *load, const char *name)
{
    const struct object *object = name && name[0] == '/' ? load_find(load, name) : NULL;

    for (size_t i = 0; !object && name && i < load->object_count; i++)
        if (strcmp(path_base(load->objects[i]->path), path_base(name)) == 0)
            object = load->objects[i];
    return object;
}

static bool defined_anywhere(const struct load *load, const struct told *told)
{
    for (size_t i = 0; i < load->object_count; i++)
        if (elffile_lookup(load->objects[i]->elf, told->symbol, told->version))
            return true;
    return false;
}

/* A library that is missing where OBJECT was to be loaded may have brought whatever symbol is missed. */
static bool library_missing(const struct load *load, const struct object *object)
{
    size_t batch = object ? object->batch : 0;

    for (size_t i = 0; i < load->fault_count; i++)
        if (load->faults[i]->kind == FAULT_NOT_FOUND && !load->faults[i]->warning && load->faults[i]->batch == batch)
            return true;
    return false;
}

struct saying {
    struct process *process;
    const struct maps *maps;
    const struct load *load;
    const struct told *told;
    uint64_t n, t_ns;
};

/* A log has cut the symbol's name (strace -s): the files know which one it lacks, if it is one; half a name is none. */
static struct suspect *suspect_cut(const struct saying *saying, const struct object *object)
{
    const struct load *load = saying->load;
    const struct fault *only = NULL;

    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];

        if (fault->kind != FAULT_SYMBOL || fault->warning || (object && fault->subject != object))
            continue;
        if (only && strcmp(only->name, fault->name) != 0)
            return NULL;
        only = fault;
    }
    return only ? suspect_fault(saying->process, AT_DLOPEN, load, only, saying->n, saying->t_ns) : NULL;
}

static struct suspect *suspect_symbol(const struct saying *saying)
{
    const struct told *told = saying->told;
    const struct object *object = object_named(saying->load, told->object);
    CLEANUP_FREE char *missing = NULL;
    struct fault fault = {.kind = FAULT_SYMBOL,
                          .subject = object ? object : saying->load->objects[0],
                          .name = told->symbol,
                          .version = told->version,
                          .lazy = true};
    struct finding finding = {
        .subject = fault.subject->path, .process = saying->process, .load = saying->load, .fault = &fault};

    if (told->symbol && strstr(told->symbol, "..."))
        return suspect_cut(saying, object);
    if (!told->symbol || library_missing(saying->load, object) ||
        (object ? elffile_lookup(object->elf, told->symbol, told->version) != NULL
                : defined_anywhere(saying->load, told)))
        return NULL;
    missing = told->version ? xasprintf("%s@%s", told->symbol, told->version) : xstrdup(told->symbol);
    finding.kind = CAUSE_SYMBOL_MISSING;
    finding.missing = missing;
    return suspect_add(saying->process, AT_DLOPEN, &finding, saying->n, saying->t_ns);
}

/* The file that is meant: an object of the model, or what stands at the path. */
static char *path_of(const struct saying *saying, const struct object *object)
{
    if (object)
        return xstrdup(object->path);
    return strchr(saying->told->object, '/')
               ? path_join(saying->process->cwd ? saying->process->cwd : "/", saying->told->object)
               : NULL;
}

/* The mount that forbids to execute the file at PATH, or NULL; malloced. */
static char *sealing_mount(const struct process *process, const char *path)
{
    CLEANUP_CLOSE int fd = path_open(process->root, path);
    struct path_walk walk;
    char *mount = NULL;

    if (fd < 0 || !mount_forbids_execution(fd))
        return NULL;
    path_walk(process->root, process->cwd, path, NULL, &walk);
    if (walk.reason == PATH_OK)
        mount = mount_of(process->root, walk.final);
    path_walk_deinit(&walk);
    return mount;
}

/* Whether the file bears out what is said of it. */
static bool agrees(const struct saying *saying, const struct elffile *elf, const char *path, struct finding *finding,
                   char **owned)
{
    if (elf->state != ELFFILE_OK)
        return false;
    finding->missing = path;
    switch (saying->told->what) {
    case TOLD_NO_TLS:
        finding->kind = CAUSE_STATIC_TLS_EXHAUSTED;
        return elf->tls_size > 0;
    case TOLD_NO_STACK:
        finding->kind = CAUSE_EXECSTACK_REFUSED;
        return elf->execstack;
    case TOLD_LEVEL:
        finding->kind = CAUSE_CPU_LEVEL_TOO_LOW;
        finding->missing = load_isa_level_name(elf->isa_needed);
        return elf->isa_needed > 1;
    case TOLD_NOT_MAPPED:
        finding->kind = CAUSE_NOEXEC_MOUNT;
        finding->missing = *owned = sealing_mount(saying->process, path);
        return *owned != NULL;
    default:
        return false;
    }
}

/* An object that the loader refused. What was asked of it, and by whom, the model knows where it has it. */
static struct suspect *suspect_refused(const struct saying *saying)
{
    const struct object *object = object_named(saying->load, saying->told->object);
    CLEANUP_FREE char *path = saying->told->object ? path_of(saying, object) : NULL, *owned = NULL;
    const struct object *asker = object && object->loader ? object->loader : saying->load->objects[0];
    struct fault fault = {.kind = saying->told->what == TOLD_NO_TLS ? FAULT_STATIC_TLS : FAULT_NOT_FOUND,
                          .subject = asker,
                          .name = path,
                          .provider = object};
    struct finding finding = {
        .subject = asker->path, .provider = path, .process = saying->process, .load = saying->load, .fault = &fault};
    struct suspect *suspect = NULL;

    if (!path)
        return NULL;
    finding.elf = elffile_get(saying->process->root, path);
    if (agrees(saying, finding.elf, path, &finding, &owned))
        suspect = suspect_add(saying->process, AT_DLOPEN, &finding, saying->n, saying->t_ns);
    elffile_put(finding.elf);
    if (suspect)
        strings_add(&suspect->needles, xstrdup(path_base(path)));
    return suspect;
}

static struct suspect *suspect_told(const struct saying *saying)
{
    const struct told *told = saying->told;
    struct suspect *suspect = told->what == TOLD_SYMBOL    ? suspect_symbol(saying)
                              : told->what == TOLD_VERSION ? judge_replaced(saying->process, saying->maps, saying->load,
                                                                            told, saying->n, saying->t_ns)
                                                           : suspect_refused(saying);

    if (suspect && saying->told->symbol)
        strings_add(&suspect->needles, xstrdup(saying->told->symbol));
    return suspect;
}

bool judge_told(struct process *process, const struct maps *maps, const struct load *load,
                const struct loader_error *error)
{
    struct told told;
    struct saying saying = {process, maps, load, &told, error->n, error->t_ns};
    struct suspect *suspect;

    told_by_loader(error, &told);
    suspect = told.what == TOLD_NOTHING ? NULL : suspect_told(&saying);
    if (suspect && error->outcome == LOADER_FATAL)
        suspect->certain = true;
    else if (suspect)
        suspect_dlopen(suspect, process, error->object ? error->object : "", error->n);
    told_deinit(&told);
    return suspect != NULL;
}

void judge_said(struct process *process, const struct maps *maps, const struct load *load)
{
    for (size_t i = process->line_count; i-- > 0;) {
        const struct output_line *line = &process->lines[i];
        struct told told;
        struct saying saying = {process, maps, load, &told, line->n, process->end_ns};
        struct suspect *suspect = NULL;
        bool counts;

        told_in_line(line->text, &told);
        /* what the loader itself printed of a symbol, judge_start() has dealt with; a symbol that a program misses and
         * lives without is its own business */
        counts = told.what != TOLD_NOTHING &&
                 (told.what != TOLD_SYMBOL || (line->by != BY_LOADER && process_failed(process)));
        if (counts)
            suspect = suspect_told(&saying);
        if (suspect && line->by == BY_LOADER && process_failed(process))
            suspect->certain = true;
        told_deinit(&told);
        if (counts)
            return; /* the last words count */
    }
}
