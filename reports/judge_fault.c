/* What a fault of the shadow loader is called: which kind of cause it is, and what is missing then. */
#include "environment.h"

#include <string.h>

#include <probes/alloc.h>
#include <probes/mount.h>

static enum cause_kind kind_of_place(const struct candidate *place)
{
    switch (place->state) {
    case CANDIDATE_WRONG_CLASS:
    case CANDIDATE_WRONG_BYTE_ORDER:
    case CANDIDATE_WRONG_MACHINE:
        return CAUSE_WRONG_ARCHITECTURE;
    case CANDIDATE_BAD_FILE:
        return CAUSE_OBJECT_CORRUPT;
    case CANDIDATE_DANGLING:
        return CAUSE_SYMLINK_DANGLING;
    case CANDIDATE_LOOP:
        return CAUSE_SYMLINK_LOOP;
    case CANDIDATE_DENIED:
        return CAUSE_PERMISSION_DENIED;
    case CANDIDATE_ISA_LEVEL:
        return CAUSE_CPU_LEVEL_TOO_LOW;
    case CANDIDATE_NOEXEC:
        return CAUSE_NOEXEC_MOUNT;
    default:
        return CAUSE_LIBRARY_MISSING;
    }
}

static char *elsewhere_of(const struct process *process, const struct load *load, const struct fault *fault)
{
    const char *near[2] = {load->objects[0]->path, fault->subject->path};

    if (strchr(fault->name, '/'))
        return NULL;
    char *found = NULL;

    if (process->guests) { /* what they brought, first */
        found = search_elsewhere(process->guests->from, fault->name, fault->subject->elf, near, 2, NULL);
        if (found && !guests_own(process->guests, found))
            free(steal_pointer(&found));
    }
    if (!found)
        found = search_elsewhere(process->root, fault->name, fault->subject->elf, near, 2, process->cwd);
    if (found && process->within && strncmp(found, process->within, strlen(process->within)) != 0)
        free(steal_pointer(&found));
    return found;
}

/* OWNED takes what FINDING points to from now on. */
static void find_bad_place(struct finding *finding, const struct candidate *place, char **owned)
{
    finding->place = place;
    finding->elf = place->elf;
    finding->walk = &place->walk;
    finding->provider = place->walk.reason == PATH_OK ? place->path : NULL;
    finding->missing = place->path;
    switch (finding->kind) {
    case CAUSE_WRONG_ARCHITECTURE:
        finding->missing = elffile_machine_name(finding->fault->subject->elf);
        break;
    case CAUSE_SYMLINK_DANGLING:
        finding->missing = place->walk.target ? place->walk.target : place->path;
        break;
    case CAUSE_CPU_LEVEL_TOO_LOW:
        finding->missing = load_isa_level_name(place->elf->isa_needed);
        break;
    case CAUSE_NOEXEC_MOUNT:
        finding->missing = *owned = mount_of(finding->process->root, place->walk.final);
        break;
    default:
        break;
    }
}

static void find_not_found(struct finding *finding, char **owned)
{
    const struct fault *fault = finding->fault;
    const struct candidate *place = fault->search.fault >= 0 ? &fault->search.places[fault->search.fault] : NULL;

    finding->missing = fault->name;
    finding->kind = place ? kind_of_place(place) : CAUSE_LIBRARY_MISSING;
    if (finding->kind != CAUSE_LIBRARY_MISSING) {
        find_bad_place(finding, place, owned);
        return;
    }
    finding->elsewhere = *owned = elsewhere_of(finding->process, finding->load, fault);
    finding->kind = *owned ? CAUSE_LIBRARY_OFF_PATH : CAUSE_LIBRARY_MISSING;
}

static bool offers(const struct elffile *elf, const struct fault *fault)
{
    if (fault->kind == FAULT_VERSION)
        return elffile_defines_version(elf, fault->name);
    return elffile_lookup(elf, fault->name, fault->version) != NULL;
}

enum { OWN_ORIGINS = 1u << ORIGIN_LIBRARY_PATH | 1u << ORIGIN_RPATH | 1u << ORIGIN_RUNPATH };

/* Whether somebody put OBJECT where it is found: a variable or a run path, not the system. */
static bool put_there(const struct object *object)
{
    return object->why == OBJECT_PRELOAD || (object->why == OBJECT_NEEDED && 1u << object->origin & OWN_ORIGINS);
}

static bool good(const struct process *process, const struct fault *fault, const struct object *bad, const char *path)
{
    const struct elffile *elf = elffile_get(process->root, path);
    bool fits = elf->state == ELFFILE_OK && elf->class == bad->elf->class && elf->machine == bad->elf->machine &&
                strcmp(path, bad->path) != 0 && elf->st.st_ino != bad->elf->st.st_ino && offers(elf, fault);

    elffile_put(elf);
    return fits;
}

/* The search without the origins in IGNORE: what would have been taken, if it is good. */
static char *good_elsewhere(const struct finding *finding, const struct object *bad, const char *name, unsigned ignore)
{
    struct search search;
    char *path = NULL;

    load_search(finding->load, name, finding->fault->subject, ignore, &search);
    if (search.found >= 0 && good(finding->process, finding->fault, bad, search.places[search.found].path))
        path = xstrdup(search.places[search.found].path);
    search_deinit(&search);
    return path;
}

/* A later directory of the list that the bad copy was found by; $ORIGIN is the directory of OF. */
static char *good_in_list(const struct finding *finding, const struct object *bad, const char *name, const char *list,
                          const struct object *of)
{
    CLEANUP_FREE char *origin = path_dir(of->path);

    for (const char *p = list; p; p = *p ? p + 1 : NULL) {
        size_t n = strcspn(p, ":;");
        size_t token = strncmp(p, "$ORIGIN", 7) == 0 ? 7 : strncmp(p, "${ORIGIN}", 9) == 0 ? 9 : 0;
        CLEANUP_FREE char *path = token ? xasprintf("%s%.*s/%s", origin, (int)(n - token), p + token, name)
                                        : xasprintf("%.*s/%s", (int)n, p, name);

        if (path[0] == '/' && good(finding->process, finding->fault, bad, path))
            return steal_pointer(&path);
        p += n;
    }
    return NULL;
}

/* A copy further down the search than BAD that would have done: then the place that put the wrong one first is at
 * fault. */
static char *good_copy(const struct finding *finding, const struct object *bad)
{
    const struct object *asker = bad->loader ? bad->loader : finding->load->objects[0];
    const char *name = bad->elf->soname ? bad->elf->soname : path_base(bad->path);
    const char *list = bad->origin == ORIGIN_LIBRARY_PATH ? process_env(finding->process, "LD_LIBRARY_PATH")
                       : bad->origin == ORIGIN_RUNPATH    ? asker->elf->runpath
                       : bad->origin == ORIGIN_RPATH      ? asker->elf->rpath
                                                          : NULL;
    char *path = good_elsewhere(finding, bad, name, bad->why == OBJECT_PRELOAD ? 0 : 1u << bad->origin);

    if (!path && bad->why != OBJECT_PRELOAD)
        path = good_in_list(finding, bad, name, list, asker);
    return path ? path : good_elsewhere(finding, bad, name, OWN_ORIGINS);
}

/* The object that hides a good copy: the one that was asked, or, for a symbol without a version, any that was put
 * there. */
static char *shadowing(struct finding *finding)
{
    const struct fault *fault = finding->fault;

    if (fault->provider)
        return put_there(fault->provider) ? good_copy(finding, fault->provider) : NULL;
    for (size_t i = 0; fault->kind == FAULT_SYMBOL && i < finding->load->object_count; i++) {
        const struct object *object = finding->load->objects[i];
        char *path = put_there(object) ? good_copy(finding, object) : NULL;

        if (path) {
            finding->shadow = object;
            return path;
        }
    }
    return NULL;
}

static void find_unresolved(struct finding *finding, char **owned)
{
    const struct fault *fault = finding->fault;

    finding->provider = fault->provider ? fault->provider->path : NULL;
    finding->kind = fault->kind == FAULT_VERSION ? CAUSE_SYMBOL_VERSION_MISSING : CAUSE_SYMBOL_MISSING;
    finding->shadow = fault->provider;
    finding->elsewhere = *owned = shadowing(finding);
    if (finding->elsewhere) {
        finding->kind = CAUSE_LIBRARY_SHADOWED;
        finding->provider = finding->shadow->path;
    }
}

/* The object itself is what the loader refuses. */
static void find_refused(struct finding *finding)
{
    const struct fault *fault = finding->fault;

    finding->elf = fault->subject->elf;
    switch (fault->kind) {
    case FAULT_PROGRAM:
        finding->kind = CAUSE_OBJECT_CORRUPT;
        finding->missing = finding->provider = fault->subject->path;
        break;
    case FAULT_ISA_LEVEL:
        finding->kind = CAUSE_CPU_LEVEL_TOO_LOW;
        finding->provider = fault->subject->path;
        break;
    case FAULT_EXECSTACK:
    case FAULT_STATIC_TLS:
        finding->kind = fault->kind == FAULT_EXECSTACK ? CAUSE_EXECSTACK_REFUSED : CAUSE_STATIC_TLS_EXHAUSTED;
        finding->provider = fault->provider->path;
        finding->elf = fault->provider->elf;
        break;
    default:
        finding->kind = CAUSE_INTERPRETER_MISSING;
        finding->path = fault->subject->path;
        finding->interpreter = fault->name;
        break;
    }
}

static void find_kind(struct finding *finding, char **owned, char **versioned)
{
    const struct fault *fault = finding->fault;

    if (fault->kind == FAULT_NOT_FOUND) {
        find_not_found(finding, owned);
    } else if (fault->kind != FAULT_VERSION && fault->kind != FAULT_SYMBOL) {
        find_refused(finding);
    } else {
        bool skewed = judge_skewed(finding);

        fault = finding->fault;
        finding->missing = fault->name;
        if (fault->kind == FAULT_SYMBOL && fault->version)
            finding->missing = *versioned = xasprintf("%s@%s", fault->name, fault->version);
        if (skewed && fault->lazy && finding->process->ahead) /* other differences end it before it calls that */
            finding->missing = "GLIBC_PRIVATE";
        if (!skewed)
            find_unresolved(finding, owned);
    }
    judge_family(finding);
}

/* Where one thing is wrong with all of an object, the loader complains of whatever it met first. */
static void add_needles(struct suspect *suspect, const struct finding *finding, const struct fault *fault)
{
    strings_add(&suspect->needles, xstrdup(finding->fault->name));
    strings_add(&suspect->needles, xstrdup(fault->name));
    if (strchr(fault->name, '/')) /* the program may have named it by another path: "./x.so" */
        strings_add(&suspect->needles, xstrdup(path_base(fault->name)));
    if (finding->kind == CAUSE_LOADER_LIBC_SKEW || fault->asserts) /* an assertion names no symbol */
        strings_add(&suspect->needles, xstrdup("Inconsistency detected by ld.so"));
    if (finding->kind != CAUSE_LIBC_FAMILY_MISMATCH)
        return;
    for (size_t i = 0; i < finding->load->fault_count && suspect->needles.n < 16; i++) {
        const struct fault *other = finding->load->faults[i];

        if (other != fault && other->subject == fault->subject && other->batch == fault->batch)
            strings_add(&suspect->needles, xstrdup(other->name));
    }
}

struct suspect *suspect_fault(struct process *process, enum suspicion at, const struct load *load,
                              const struct fault *fault, uint64_t n, uint64_t t_ns)
{
    CLEANUP_FREE char *owned = NULL, *versioned = NULL;
    struct finding finding = {
        .subject = fault->subject->path, .process = process, .load = load, .fault = fault, .missing = fault->name};
    struct suspect *suspect;
    struct lead lead = {0};

    find_kind(&finding, &owned, &versioned);
    if (finding.kind == CAUSE_LIBRARY_OFF_PATH)
        judge_led_library(&finding, &lead);
    suspect = suspect_add(process, at, &finding, n, t_ns);
    lead_deinit(&lead);
    if (!suspect)
        return NULL;
    add_needles(suspect, &finding, fault);
    return suspect;
}
