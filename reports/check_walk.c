#include "check_walk.h"

#include "build.h"
#include "check_host.h"
#include "check_parts.h"
#include "stub.h"
#include "variant.h"

#include <probes/alloc.h>
#include <probes/execfile.h>
#include <probes/tree.h>

#include <dlfcn.h>
#include <elf.h>
#include <string.h>
#include <uthash.h>

enum {
    OPENERS = 8,           /* programs that are asked whether they could open a library */
    SCRIPT_MOST = 1 << 18, /* bytes of a script that are read */
};

/* A library of the tree that a program of the tree needs, by its file. */
struct loaded {
    struct {
        dev_t dev;
        ino_t ino;
    } key;
    char *by;
    bool bad;
    UT_hash_handle hh;
};

enum kind { KIND_SCRIPT, KIND_PROGRAM, KIND_LIBRARY, KIND_NOTHING };

struct member {
    const char *path;
    const struct elffile *elf; /* or NULL: a script */
    enum kind kind;
    enum family family;
    bool foreign, executable;
};

struct walk {
    const struct check_request *request;
    struct report *report;
    const char *top;
    struct member *members;
    size_t count;
    struct here here;
    struct check_host host;
    bool host_sought;
    struct variants *variants;
    struct loaded *loaded;
    struct strings sound;
    const char *setter; /* the script that may set LD_LIBRARY_PATH */
    bool setter_sought;
};

/* ---- what the files are ---- */

static enum kind kind_of(const char *path, const struct elffile *elf)
{
    if (elf->type == ET_REL || elf->type == ET_CORE || (elf->interp && !*elf->interp))
        return KIND_NOTHING;
    if (elf->state == ELFFILE_NOT_REGULAR || elf->state == ELFFILE_UNREADABLE)
        return KIND_NOTHING;
    if (elf->state == ELFFILE_EMPTY || elf->state == ELFFILE_NOT_ELF || elf->state == ELFFILE_SHORT)
        return tree_called_library(path) ? KIND_LIBRARY : elf->state == ELFFILE_SHORT ? KIND_PROGRAM : KIND_NOTHING;
    /* libc.so.6 can be run, but that is not what it is for */
    if (elf->interp && elf->soname && elf->type == ET_DYN && !(elf->dt_flags_1 & DF_1_PIE))
        return KIND_LIBRARY;
    /* of another system's nothing more may be known than its header */
    return elffile_is_library(elf) || (elf->type == ET_DYN && !elf->interp && !elf->entry) ? KIND_LIBRARY
                                                                                           : KIND_PROGRAM;
}

static const char *below(const struct walk *walk, const char *path)
{
    const char *rest = path + strlen(walk->top);

    return rest + strspn(rest, "/");
}

static void classify(struct walk *walk, const struct tree *tree)
{
    walk->members = xcalloc(tree->count + 1, sizeof *walk->members);
    for (size_t i = 0; i < tree->count; i++) {
        struct member *member = &walk->members[walk->count++];
        const struct tree_file *file = &tree->files[i];

        *member = (struct member){.path = file->path, .executable = file->executable};
        if (!file->elf)
            continue;
        member->elf = elffile_get(check_root(walk->request), file->path);
        member->kind = kind_of(member->path, member->elf);
        member->family = variant_family(member->elf);
        member->foreign = member->kind != KIND_NOTHING && member->elf->class &&
                          here_is_foreign(&walk->here, member->elf, member->family, member->kind == KIND_LIBRARY);
        if (member->kind != KIND_NOTHING && !member->foreign)
            variants_add(walk->variants, below(walk, file->path));
    }
}

/* ---- what loads what ---- */

/* OBJECT is loaded by the file BY, in the batch of LOAD that it belongs to. */
static void note_object(struct walk *walk, const struct load *load, const struct object *object, const char *by)
{
    struct loaded *loaded = xcalloc(1, sizeof *loaded), *before;

    loaded->key.dev = object->elf->st.st_dev;
    loaded->key.ino = object->elf->st.st_ino;
    for (size_t k = 0; k < load->fault_count; k++)
        loaded->bad |= load->faults[k]->subject == object && check_ends_it(load->faults[k], false);
    HASH_FIND(hh, walk->loaded, &loaded->key, sizeof loaded->key, before);
    if (before && before->bad && !loaded->bad) { /* one that can is enough for it to be sound */
        HASH_DEL(walk->loaded, before);
        free(before->by);
        free(before);
        before = NULL;
    }
    if (before) {
        free(loaded);
        return;
    }
    loaded->by = xstrdup(by);
    HASH_ADD(hh, walk->loaded, key, sizeof loaded->key, loaded);
}

static void walk_forget(struct walk *walk)
{
    struct loaded *loaded, *next;

    HASH_ITER(hh, walk->loaded, loaded, next)
    {
        HASH_DEL(walk->loaded, loaded);
        free(loaded->by);
        free(loaded);
    }
}

static void note_load(void *ctx, const struct load *load)
{
    struct walk *walk = ctx;

    char *runtime = walk->host.path ? NULL : check_node_runtime(load);

    if (runtime)
        check_host_init(&walk->host, check_root(walk->request), load->objects[0]->path, runtime);
    for (size_t i = 1; i < load->object_count; i++)
        note_object(walk, load, load->objects[i], load->objects[0]->path);
}

/* A program of the tree, which whoever starts it may have on PATH. */
static bool brings(void *ctx, const char *name)
{
    const struct walk *walk = ctx;

    for (size_t i = 0; i < walk->count; i++)
        if (walk->members[i].executable && strcmp(path_base(walk->members[i].path), name) == 0)
            return true;
    return false;
}

static const struct loaded *find_loaded(const struct walk *walk, const struct elffile *elf)
{
    struct loaded key = {0}, *found;

    key.key.dev = elf->st.st_dev;
    key.key.ino = elf->st.st_ino;
    HASH_FIND(hh, walk->loaded, &key.key, sizeof key.key, found);
    return found;
}

/* ---- what lies in the tree, where only somebody else knows it ---- */

static const struct member *member_called(const struct walk *walk, const char *name)
{
    for (size_t i = 0; i < walk->count; i++)
        if (walk->members[i].kind == KIND_LIBRARY && !walk->members[i].foreign &&
            strcmp(path_base(walk->members[i].path), name) == 0)
            return &walk->members[i];
    return NULL;
}

/* All that it misses lies in the tree: whoever loads it may know where. The first such library's path, or NULL. */
static const char *misses_of_tree(const struct walk *walk, const struct load *load, bool library)
{
    const char *found = NULL;

    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];
        const struct member *member = NULL;

        if (!check_ends_it(fault, library))
            continue;
        if (fault->kind == FAULT_NOT_FOUND)
            member = member_called(walk, path_base(fault->name));
        if (!member)
            return NULL;
        if (!found)
            found = member->path;
    }
    return found;
}

/* The first script of the tree that has the variable's name in it, or NULL: it may start programs so. */
static const char *setter_of_path(struct walk *walk)
{
    static const char name[] = "LD_LIBRARY_PATH";

    for (size_t i = 0; i < walk->count && !walk->setter_sought; i++) {
        CLEANUP_CLOSE int fd =
            walk->members[i].kind == KIND_SCRIPT ? path_open(check_root(walk->request), walk->members[i].path) : -1;
        CLEANUP_FREE char *text = fd >= 0 ? xmalloc(SCRIPT_MOST) : NULL;
        ssize_t n = fd >= 0 ? pread(fd, text, SCRIPT_MOST, 0) : 0;

        if (n > 0 && memmem(text, (size_t)n, name, sizeof name - 1)) {
            walk->setter = walk->members[i].path;
            break;
        }
    }
    walk->setter_sought = true;
    return walk->setter;
}

/* ---- programs and scripts, and what is for others ---- */

static const char *whose_is(const struct walk *walk, const struct member *member)
{
    return here_fits_machine(&walk->here, member->elf) ? variant_system(member->elf)
                                                       : elffile_machine_name(member->elf);
}

static bool put_other(struct walk *walk, const struct member *member)
{
    bool beside = variants_beside(walk->variants, below(walk, member->path));

    /* What is not to be executed is data of some kind: firmware, a test's. */
    if (!beside && (member->kind == KIND_LIBRARY || member->executable))
        return false;
    CLEANUP_FREE char *verdict =
        xasprintf("for %s%s", whose_is(walk, member), beside ? "; one for this system stands beside it" : "");

    check_put_row(walk->report, member->path, member->kind == KIND_LIBRARY ? "library" : "program", member->elf,
                  TABLE_PLAIN, verdict);
    return true;
}

/* A script whose program comes in the same package. */
static bool put_script(struct walk *walk, const struct member *member)
{
    const char *top = walk->request->installed;
    CLEANUP_CLOSE int fd = top ? path_open(check_root(walk->request), member->path) : -1;
    CLEANUP_FREE char *program = fd >= 0 ? execfile_script_program(fd) : NULL;
    struct stat st;

    if (!program || *program != '/' || path_stat(top, program, &st) < 0)
        return false;
    check_put_row(walk->report, member->path, "script", NULL, TABLE_GOOD, "loads");
    return true;
}

/* One that lacks nothing but what lies in the tree, where a script may tell the loader so. */
static bool put_wrapped(struct walk *walk, const struct member *member)
{
    const struct load_request asked = check_load_request(walk->request, member->path);
    const char *setter = setter_of_path(walk), *missed = NULL;
    struct load *load;

    if (!setter || load_create(&asked, &load, NULL) < 0)
        return false;
    if (check_would_fail(load, false))
        missed = misses_of_tree(walk, load, false);
    load_destroy(load);
    if (!missed)
        return false;
    CLEANUP_FREE char *verdict =
        xasprintf("loads where LD_LIBRARY_PATH leads to %s, which %s may see to", missed, setter);

    check_put_row(walk->report, member->path, "program", member->elf, TABLE_WARNING, verdict);
    return true;
}

static void check_programs(struct walk *walk)
{
    for (size_t i = 0; i < walk->count; i++) {
        const struct member *member = &walk->members[i];

        if (member->kind == KIND_SCRIPT || member->kind == KIND_PROGRAM)
            if (!(member->foreign && put_other(walk, member)) &&
                !(member->kind == KIND_SCRIPT ? put_script(walk, member) : put_wrapped(walk, member)))
                check_file(walk->request, member->path, walk->report);
    }
}

/* ---- libraries ---- */

/* Whether opening it ends badly, in the last batch of LOAD. LIBRARY: it may leave symbols to others. */
static bool batch_fails(const struct load *load, size_t batch, bool library)
{
    for (size_t i = 0; i < load->fault_count; i++)
        if (load->faults[i]->batch == batch && check_ends_it(load->faults[i], library))
            return true;
    return false;
}

/* PROGRAM opens the file at PATH, and all goes well. NOTE: it is a node that opens an add-on, so that nobody else
 * brings symbols, and what the file needs is loaded by it. *LATER: how many of its calls are in vain. */
static bool opens(struct walk *walk, const char *program, const char *path, bool note, size_t *later)
{
    const struct load_request asked = check_load_request(walk->request, program);
    const struct load_open open = {.file = path, .mode = RTLD_LAZY, .space = LOAD_SPACE_CALLER};
    struct load *load;
    size_t batch;
    bool well;

    if (load_create(&asked, &load, NULL) < 0)
        return false;
    batch = load->family != LOADER_NONE ? load_dlopen(load, &open, NULL) : 0;
    well = batch && !batch_fails(load, batch, !note);
    *later = well ? check_called_in_vain(load, !note, batch) : 0;
    for (size_t i = 0; batch && note && i < load->object_count; i++)
        if (load->objects[i]->batch == batch && strcmp(load->objects[i]->path, path) != 0)
            note_object(walk, load, load->objects[i], path);
    load_destroy(load);
    return well;
}

static bool fits_host(const struct walk *walk, const struct elffile *elf)
{
    return walk->host.path && elf->class == walk->host.elf->class && elf->machine == walk->host.elf->machine;
}

/* An add-on, as node opens it; false where there is no node to ask. */
static bool check_addon(struct walk *walk, const struct member *member)
{
    size_t first = walk->report->cause_count, causes, later;

    if (find_loaded(walk, member->elf) || !check_is_addon(member->path, member->elf))
        return false;
    if (!walk->host_sought && !walk->host.path)
        check_host_on_path(&walk->host, walk->request);
    walk->host_sought = true;
    if (!fits_host(walk, member->elf))
        return false;
    if (!opens(walk, walk->host.path, member->path, true, &later) || later)
        check_judge_opening(walk->request, &walk->host, member->path, walk->report);
    else
        check_addon_abi(&walk->host, check_root(walk->request), member->path, member->elf, walk->report);
    if (later)
        check_later(walk->report, first);
    causes = walk->report->cause_count - first;
    CLEANUP_FREE char *verdict =
        later ? xasprintf("loads in %s, but %zu symbol%s " CHECK_LATER, walk->host.path, later, later == 1 ? "" : "s")
        : causes ? xasprintf("%s cannot open it: %zu cause%s", walk->host.path, causes, causes == 1 ? "" : "s")
                 : xasprintf("loads in %s", walk->host.path);

    check_put_row(walk->report, member->path, "add-on", member->elf,
                  later    ? TABLE_WARNING
                  : causes ? TABLE_BAD
                           : TABLE_GOOD,
                  verdict);
    return true;
}

bool check_lone_addon(const struct check_request *request, const char *path, struct report *report)
{
    struct walk walk = {.request = request, .report = report};
    const struct member member = {.path = path, .elf = elffile_get(request->root, path)};
    bool told = member.elf->state == ELFFILE_OK && elffile_is_library(member.elf) && check_addon(&walk, &member);

    if (told)
        check_put_made_of(request, path, member.elf, report);
    elffile_put(member.elf);
    check_host_deinit(&walk.host);
    walk_forget(&walk);
    return told;
}

/* A program of the tree that could open it; NULL: none of those that were asked. */
static const char *opener_of(struct walk *walk, const struct member *library)
{
    size_t asked = 0, later;

    for (size_t i = 0; i < walk->count && asked < OPENERS; i++) {
        const struct member *member = &walk->members[i];

        if (member->kind != KIND_PROGRAM || member->foreign || !member->elf->interp ||
            member->elf->machine != library->elf->machine || member->elf->class != library->elf->class)
            continue;
        asked++;
        if (opens(walk, member->path, library->path, false, &later))
            return member->path;
    }
    return NULL;
}

/* How it loads by itself: NULL: as check_file() tells it; else what is to be said, in malloced words. */
static char *only_with_others(struct walk *walk, const struct member *member)
{
    CLEANUP_FREE char *loader = check_loader_for(member->elf);
    struct load_request asked = check_load_request(walk->request, member->path);
    const char *opener, *missed = NULL;
    char *said = NULL;
    struct load *load;

    asked.loader = loader;
    if (load_create(&asked, &load, NULL) < 0)
        return NULL;
    if (check_would_fail(load, true)) {
        opener = opener_of(walk, member);
        missed = opener ? NULL : misses_of_tree(walk, load, true);
        said = opener   ? xasprintf("loads where %s opens it", opener)
               : missed ? xasprintf("loads where its program has %s in its search path", missed)
                        : NULL;
    }
    load_destroy(load);
    return said;
}

/* No program of this system could have it in its address space. */
static void tell_machine(struct walk *walk, const struct member *member)
{
    const struct elffile *elf = member->elf;
    const char *machine = elffile_machine_name(elf), *base = path_base(member->path);
    const char *wanted = elffile_machine_known(walk->here.class, walk->here.machine, walk->here.data);
    struct cause *cause = cause_create(CAUSE_WRONG_ARCHITECTURE);

    cause->impact = IMPACT_FATAL;
    cause->confidence = 0.97;
    cause->seconds = -1;
    cause->subject = xstrdup(member->path);
    cause->missing = xstrdup(wanted ? wanted : "this machine");
    strings_add(&cause->chain, xstrdup(member->path));
    cause->summary =
        xasprintf("%s is for %s, but the programs that could load it here are for %s.", base, machine, cause->missing);
    cause->detail = xasprintf("its header says %s, and no file for %s stands beside it", machine, cause->missing);
    cause_remedy(cause, PROOF_KNOWN, "install the %s build of %s", cause->missing, base);
    report_add_cause(walk->report, cause);
}

/* For another system, and there is none for this one: this system's programs would not take it. */
static void check_foreign(struct walk *walk, const struct member *member)
{
    struct check_host shell;
    size_t first = walk->report->cause_count, causes;

    if (here_fits_machine(&walk->here, member->elf)) { /* the shell stands for any of them */
        check_host_init(&shell, walk->request->root, "/bin/sh", NULL);
        check_judge_opening(walk->request, &shell, member->path, walk->report);
        check_host_deinit(&shell);
    } else {
        tell_machine(walk, member);
    }
    causes = walk->report->cause_count - first;
    for (size_t i = first; i < walk->report->cause_count; i++)
        check_drop_asker(walk->report->causes[i], "/bin/sh");
    CLEANUP_FREE char *verdict = xasprintf("for %s: %s", whose_is(walk, member),
                                           causes ? "does not load here" : "none for this system stands beside it");

    check_put_row(walk->report, member->path, "library", member->elf, causes ? TABLE_BAD : TABLE_WARNING, verdict);
}

static void check_library(struct walk *walk, const struct member *member)
{
    const struct loaded *loaded = find_loaded(walk, member->elf);
    CLEANUP_FREE char *said = NULL;

    if (loaded) {
        said = xasprintf(loaded->bad ? "would not load in %s" : "loads in %s", loaded->by);
        check_put_row(walk->report, member->path, "library", member->elf, loaded->bad ? TABLE_BAD : TABLE_GOOD, said);
        return;
    }
    if (member->foreign) {
        check_foreign(walk, member);
        return;
    }
    said = only_with_others(walk, member);
    if (said)
        check_put_row(walk->report, member->path, "library", member->elf, TABLE_WARNING, said);
    else
        check_file(walk->request, member->path, walk->report);
}

/* ---- all of it ---- */

static void tell_unseen(const struct tree *tree, struct report *report)
{
    if (tree->cut)
        strings_addf(
            &report->unseen,
            "the tree is larger than what is walked (%d files that could load, %d levels): the rest was not looked at",
            TREE_FILES, TREE_DEPTH);
    if (tree->unread)
        strings_addf(&report->unseen, "%zu file%s or director%s of the tree could not be read", tree->unread,
                     tree->unread == 1 ? "" : "s", tree->unread == 1 ? "y" : "ies");
}

static void walk_deinit(struct walk *walk)
{
    walk_forget(walk);
    for (size_t i = 0; i < walk->count; i++)
        if (walk->members[i].elf)
            elffile_put(walk->members[i].elf);
    free(walk->members);
    strings_deinit(&walk->sound);
    variants_destroy(walk->variants);
    check_host_deinit(&walk->host);
}

static int check_build(const struct check_request *request, const char *directory, struct report *report,
                       struct err *err)
{
    struct build *build;

    if (build_open(request, directory, &build, err) < 0)
        return -1;
    build_tell(build, request->against, report);
    build_close(build);
    return 0;
}

int check_tree(const struct check_request *request, const char *directory, bool modes, struct report *report,
               struct err *err)
{
    if (request->against && request->against->kind != OFFER_ROOT) /* nothing but a C library is known */
        return check_build(request, directory, report, err);

    struct walk walk = {.report = report, .top = directory, .variants = variants_create()};
    struct check_request each = *request;
    struct tree tree;
    int result = tree_read(check_root(request), directory, modes, &tree, err);
    size_t count = 0;

    each.brief = true;
    each.seen = note_load;
    each.brings = brings;
    each.sound = &walk.sound;
    each.ctx = &walk;
    walk.request = &each;
    here_read(request->root, &walk.here);
    classify(&walk, &tree);
    if (result == 0)
        check_programs(&walk);
    for (size_t i = 0; i < walk.count; i++) {
        struct member *member = &walk.members[i];

        count += member->kind != KIND_NOTHING;
        if (member->kind == KIND_LIBRARY &&
            ((member->foreign && put_other(&walk, member)) || check_addon(&walk, member)))
            member->kind = KIND_NOTHING; /* told of; what they need comes after them */
    }
    for (size_t i = 0; i < walk.count; i++)
        if (walk.members[i].kind == KIND_LIBRARY)
            check_library(&walk, &walk.members[i]);
    if (result == 0)
        tell_unseen(&tree, report);
    if (result == 0 && !count)
        strings_addf(&report->unseen, "%s: nothing in it is an ELF file or a script that may be executed", directory);
    walk_deinit(&walk);
    tree_deinit(&tree);
    return result;
}
