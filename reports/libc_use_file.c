/* Which C library a file would get: by its PT_INTERP and what that loader finds, as the shadow loader has it. */
#include "libc_use.h"

#include "check_parts.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/load.h>
#include <probes/runtime.h>

/* What is looked at; everything is borrowed. */
struct file {
    const struct libc_where *where;
    const char *path;
    const struct elffile *elf;
};

/* ---- with an interpreter ---- */

static const struct object *object_of(const struct load *load, const char *soname)
{
    for (size_t i = 0; i < load->object_count; i++)
        if (load->objects[i]->elf->soname && strcmp(load->objects[i]->elf->soname, soname) == 0)
            return load->objects[i];
    return NULL;
}

static const struct fault *fault_of(const struct load *load, enum fault_kind kind, const char *name)
{
    for (size_t i = 0; i < load->fault_count; i++)
        if (load->faults[i]->kind == kind && !load->faults[i]->batch &&
            (!name || strcmp(load->faults[i]->name, name) == 0))
            return load->faults[i];
    return NULL;
}

/* What ld.so and libc.so.6 ask each other for in vain: the first such fault, or NULL. */
static const struct fault *asked_in_vain(const struct load *load, const struct object *libc)
{
    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];

        if ((fault->kind == FAULT_VERSION || fault->kind == FAULT_SYMBOL) && !fault->warning && fault->provider &&
            ((fault->subject->why == OBJECT_INTERP && fault->provider == libc) ||
             (fault->subject == libc && fault->provider->why == OBJECT_INTERP)))
            return fault;
    }
    return NULL;
}

/* SAYS is of the file at PATH, which was found as HOW says. */
static void take_file(const struct file *file, const char *path, const char *how, unsigned sure, struct libc_use *use)
{
    struct libc_identity says;

    libc_identify(file->where->root, path, &says);
    if (says.release) {
        libc_use_says(use, &says, path);
        libc_use_known(use, "file", sure, "the banner in the file that %s", how);
    } else {
        use->least = libc_least_of_file(file->where->root, path);
        if (use->least)
            says.family = "glibc";
        libc_use_says(use, &says, path);
        if (use->least)
            libc_use_known(use, "versions", sure < 90 ? sure : 90,
                           "no banner is in the file that %s; the versions that it defines are a lower bound of the "
                           "release: at least %s",
                           how, use->least);
        else
            libc_use_known(use, "nothing", 0, "the file that %s does not say what it is", how);
    }
    libc_identity_deinit(&says);
}

static char *found_by(const struct object *libc)
{
    const char *by = libc->why == OBJECT_PRELOAD ? "LD_PRELOAD" : search_origin_text(libc->origin);

    return xasprintf("its loader finds (%s)", by);
}

static void tell_skew(struct libc_use *use, const struct fault *vain)
{
    CLEANUP_FREE char *what = !vain           ? NULL
                              : vain->lazy    ? xstrdup("GLIBC_PRIVATE") /* it is hardly that call that ends it */
                              : vain->version ? xasprintf("%s@%s", vain->name, vain->version)
                                              : xstrdup(vain->name);

    libc_use_skew(use, what, vain && vain->subject->why == OBJECT_INTERP);
}

/* What a run would be told of first: the program lacks a version of the libc.so.6 that somebody put before another. It
 * is the same difference of builds, and which of the two is found first is what a person must change. */
static void tell_shadowed(const struct file *file, struct libc_use *use)
{
    const struct check_request request = {.root = file->where->root, .env = file->where->env, .cwd = file->where->cwd};
    struct report *report = report_create();

    check_judge_loading(&request, file->path, NULL, file->elf, report);
    for (size_t i = 0; i < report->cause_count && !use->cause; i++)
        if (report->causes[i]->kind == CAUSE_LIBRARY_SHADOWED && report->causes[i]->provider &&
            strcmp(report->causes[i]->provider, use->libc.path) == 0) {
            use->cause = report->causes[i];
            report->causes[i] = report->causes[--report->cause_count];
        }
    report_destroy(report);
}

static void of_glibc(const struct file *file, const struct load *load, struct libc_use *use)
{
    const struct object *libc = object_of(load, "libc.so.6");
    const struct fault *vain = libc ? asked_in_vain(load, libc) : NULL;
    struct libc_identity of_libc;

    libc_identify(file->where->root, load->interp, &use->loader_says);
    if (libc) {
        CLEANUP_FREE char *how = found_by(libc);

        take_file(file, libc->path, how, 97, use);
        libc_identify(file->where->root, libc->path, &of_libc);
        if (vain || libc_other_builds(&of_libc, &use->loader_says)) {
            tell_shadowed(file, use);
            tell_skew(use, vain);
        }
        libc_identity_deinit(&of_libc);
    } else if (fault_of(load, FAULT_NOT_FOUND, "libc.so.6")) {
        use->libc.family = xstrdup("glibc");
        libc_use_known(use, "needs", 60, "it needs libc.so.6, which its loader does not find");
    } else if (load->fault_count) {
        libc_use_known(use, "nothing", 0, "it cannot be loaded: %s is missing or cannot be used",
                       load->faults[0]->name);
    } else {
        use->libc.family = xstrdup("none");
        libc_use_known(use, "needs", 97, "it has a loader, but nothing in it needs a C library");
    }
}

/* The name is a convention, no more (ld-linux*.so.2, ld-musl-ARCH.so.1). */
static void of_absent_loader(const struct file *file, struct libc_use *use)
{
    bool musl = strncmp(path_base(file->elf->interp), "ld-musl-", 8) == 0;
    bool glibc = strncmp(path_base(file->elf->interp), "ld-linux", 8) == 0;

    use->libc.family = xstrdup(musl ? "musl" : glibc ? "glibc" : "unknown");
    libc_use_known(use, "name", musl || glibc ? 60 : 0,
                   "the name of the loader that it wants, %s, which is not there or cannot be used", file->elf->interp);
}

static int of_program(const struct file *file, struct libc_use *use, struct err *err)
{
    const struct load_request request = {
        .root = file->where->root, .program = file->path, .cwd = file->where->cwd, .env = file->where->env};
    struct load *load;

    if (load_create(&request, &load, err) < 0)
        return -1;
    use->to_be = true;
    use->loader = xstrdup_or_null(load->interp);
    if (fault_of(load, FAULT_INTERP, NULL) || !load->interp)
        of_absent_loader(file, use);
    else if (load->family == LOADER_MUSL)
        take_file(file, load->interp, "PT_INTERP names: musl's loader is its C library", 97, use);
    else
        of_glibc(file, load, use);
    load_destroy(load);
    return 0;
}

/* ---- without ---- */

static bool needs(const struct elffile *elf, const char *name, size_t n)
{
    for (size_t i = 0; i < elf->needed_count; i++)
        if (strncmp(elf->needed[i], name, n) == 0)
            return true;
    return false;
}

/* musl-gcc writes libc.so, Alpine's compilers libc.musl-ARCH.so.1. */
static const char *family_needed(const struct elffile *elf)
{
    for (size_t i = 0; i < elf->needed_count; i++)
        if (strcmp(elf->needed[i], "libc.so") == 0)
            return "musl";
    return needs(elf, "libc.musl-", 10) || needs(elf, "ld-musl-", 8) ? "musl"
           : needs(elf, "libc.so.6", 9) || needs(elf, "ld-linux", 8) ? "glibc"
                                                                     : NULL;
}

/* What this system has for such a library: the program that loads it may bring another. */
static bool of_system(const struct file *file, const char *family, struct libc_use *use)
{
    struct strings loaders = {0};
    bool found = false;

    libc_loaders(file->where->root, &loaders);
    for (size_t i = 0; i < loaders.n && !found; i++) {
        const struct elffile *elf = elffile_get_head(file->where->root, loaders.v[i]);
        struct libc_uses one = {0};
        struct libc_use *of = libc_uses_add(&one);

        if (elf->class == file->elf->class && elf->machine == file->elf->machine && elf->data == file->elf->data &&
            libc_use_loader(file->where, loaders.v[i], of) && strcmp(of->libc.family, family) == 0) {
            use->libc = of->libc;
            use->least = of->least;
            of->libc = (struct libc_facts){0};
            of->least = NULL;
            found = true;
        }
        elffile_put(elf);
        libc_uses_deinit(&one);
    }
    strings_deinit(&loaders);
    return found;
}

/* The newest release of glibc that it asks for by its versions, or NULL. */
static char *wanted(const struct elffile *elf)
{
    CLEANUP_FREE const char **names = xcalloc(elf->need_count + 1, sizeof *names);

    for (size_t i = 0; i < elf->need_count; i++)
        names[i] = elf->needs[i].name;
    return libc_least(names, elf->need_count);
}

static void of_library(const struct file *file, struct libc_use *use)
{
    const char *family = family_needed(file->elf);
    CLEANUP_FREE char *least = wanted(file->elf);

    use->to_be = true;
    if (!family && !least) {
        use->libc.family = xstrdup("none");
        libc_use_known(use, "needs", 80, "it needs no C library itself: it gets that of the program that loads it");
        return;
    }
    family = family ? family : "glibc";
    if (of_system(file, family, use))
        libc_use_known(use, "system", 70,
                       "it is a library, and gets that of the program that loads it: here is the system's own");
    else {
        use->libc.family = xstrdup(family);
        libc_use_known(use, "needs", 90, "what it needs: this system has no such C library for its machine");
    }
    use->wants = steal_pointer(&least);
}

void libc_use_static(struct libc_use *use, const char *root, const char *path)
{
    CLEANUP_FREE char *go = runtime_go(root, path);

    use->libc.family = xstrdup("none");
    if (go)
        libc_use_known(use, "static", 99, "the program is static: it has no PT_INTERP (a Go program, %s)", go);
    else
        libc_use_known(use, "static", 99, "the program is static: it has no PT_INTERP%s",
                       runtime_glibc(root, path) ? " (a glibc is linked into it)" : "");
}

/* ---- the C library itself, or its loader ---- */

static bool starts_with(const char *text, const char *beginning)
{
    return text && strncmp(text, beginning, strlen(beginning)) == 0;
}

/* musl's builds may have neither a soname nor a PT_INTERP; both C libraries start programs by the same function. */
static bool is_libc(const struct elffile *elf)
{
    const struct elf_symbol *start = elffile_lookup_any(elf, "__libc_start_main");

    return elf->type == ET_DYN && start && start->defined;
}

static bool is_loader(const struct elffile *elf)
{
    return elf->type == ET_DYN && (starts_with(elf->soname, "ld-linux") || starts_with(elf->soname, "ld64.so") ||
                                   starts_with(elf->soname, "ld.so."));
}

bool libc_use_loader(const struct libc_where *where, const char *loader, struct libc_use *use)
{
    const struct load_request request = {
        .root = where->root, .loader = loader, .program = loader, .cwd = "/", .env = where->env};
    const struct elffile *elf = elffile_get(where->root, loader);
    const struct file file = {.where = where, .path = loader, .elf = elf};
    bool musl = is_libc(elf);
    struct libc_identity libc;
    struct search search;
    struct err unused;
    struct load *load;

    if (elf->state != ELFFILE_OK || load_create(&request, &load, &unused) < 0) {
        elffile_put(elf);
        return false;
    }
    use->loader = xstrdup(loader);
    use->machine = xstrdup_or_null(elffile_machine_known(elf->class, elf->machine, elf->data));
    use->to_be = true;
    if (musl) {
        take_file(&file, loader, "is the loader: musl's is its C library", 97, use);
    } else {
        libc_identify(where->root, loader, &use->loader_says);
        load_search(load, "libc.so.6", NULL, 0, &search);
        if (search.found >= 0) {
            const struct candidate *place = &search.places[search.found];
            CLEANUP_FREE char *how = xasprintf("the loader finds (%s)", search_origin_text(place->origin));

            take_file(&file, place->path, how, 97, use);
            libc_identify(where->root, place->path, &libc);
            if (libc_other_builds(&libc, &use->loader_says))
                libc_use_skew(use, NULL, false);
            libc_identity_deinit(&libc);
        } else {
            use->libc.family = xstrdup(use->loader_says.family);
            use->libc.version = xstrdup_or_null(use->loader_says.release);
            libc_use_known(use, "loader", 70, "the words of the loader, which finds no libc.so.6");
        }
        search_deinit(&search);
    }
    load_destroy(load);
    elffile_put(elf);
    return true;
}

/* ---- what is no program ---- */

/* Debug information that was split off has the program's headers, but none of what they point at. */
static bool is_split_off(const struct elffile *elf)
{
    return elf->interp && !*elf->interp;
}

static const char *no_program(const struct elffile *elf)
{
    return elf->type == ET_REL    ? "an object file that is not linked yet"
           : elf->type == ET_CORE ? "a core dump: give the program that made it"
           : is_split_off(elf)    ? "debug information that was split off: give the program that it is of"
           : elf->type != ET_EXEC && elf->type != ET_DYN ? "an ELF file of a kind that nothing runs"
                                                         : NULL;
}

static int refused(const struct file *file, struct err *err)
{
    const struct elffile *elf = file->elf;

    switch (elf->state) {
    case ELFFILE_UNREADABLE:
        return err_errno(err, elf->error, "%s", file->path);
    case ELFFILE_NOT_REGULAR:
        return err_set(err, "%s is no regular file", file->path);
    case ELFFILE_EMPTY:
        return err_set(err, "%s is empty: no ELF file", file->path);
    case ELFFILE_NOT_ELF:
        return strncmp(elf->starts, "#!", 2) == 0
                   ? err_set(err, "%s is a script, no ELF file: ask for the program that its first line names",
                             file->path)
                   : err_set(err, "%s is no ELF file", file->path);
    default:
        return err_set(err, "%s is an ELF file that no loader takes: %s", file->path,
                       elf->why ? elf->why : elffile_loader_words(elf));
    }
}

/* ---- alike ---- */

/* A program that asks for the C library itself, and has no path of its own, gets the one that its loader finds first:
 * what it needs is loaded before what that needs (breadth first). Where a variable puts other objects before it, it is
 * not known without a look. */
char *libc_use_kind(const struct libc_where *where, const struct elffile *elf)
{
    for (size_t i = 0; where->env && where->env[i]; i++)
        if (strncmp(where->env[i], "LD_PRELOAD=", 11) == 0)
            return NULL;
    if (elf->state != ELFFILE_OK || elf->rpath || elf->runpath || is_libc(elf) || is_loader(elf) || no_program(elf))
        return NULL;
    if (elf->interp && needs(elf, "libc.so.6", 9))
        return xasprintf("%u %u %s", elf->class, elf->machine, elf->interp);
    if (elffile_is_library(elf) && family_needed(elf))
        return xasprintf("%u %u %s", elf->class, elf->machine, family_needed(elf));
    return NULL;
}

char *libc_use_wants(const struct elffile *elf)
{
    return !elf->interp ? wanted(elf) : NULL;
}

/* ---- one file ---- */

static int look(const struct file *file, struct libc_use *use, struct err *err)
{
    const struct elffile *elf = file->elf;

    use->of = xstrdup(file->path);
    use->kind = libc_use_kind(file->where, elf);
    use->root = xstrdup(file->where->root);
    use->machine = xstrdup_or_null(elffile_machine_known(elf->class, elf->machine, elf->data));
    if (is_loader(elf)) {
        free(use->machine);
        return libc_use_loader(file->where, file->path, use) ? 0 : err_set(err, "%s cannot be read", file->path);
    }
    if (is_libc(elf)) {
        take_file(file, file->path, "was asked about", 99, use);
        use->to_be = false;
        return 0;
    }
    if (elf->interp)
        return of_program(file, use, err);
    if (elffile_is_library(elf)) {
        of_library(file, use);
        return 0;
    }
    use->to_be = true;
    libc_use_static(use, file->where->root, file->path);
    return 0;
}

int libc_use_file(const struct libc_where *where, const char *path, struct libc_uses *uses, struct err *err)
{
    struct file file = {.where = where, .path = path, .elf = elffile_get(where->root, path)};
    const char *why = file.elf->state == ELFFILE_OK ? no_program(file.elf) : NULL;
    int result = why ? err_set(err, "%s is %s", path, why) : file.elf->state == ELFFILE_OK ? 0 : refused(&file, err);

    if (result == 0)
        result = look(&file, libc_uses_add(uses), err);
    elffile_put(file.elf);
    return result;
}
