#include "repro_reduce.h"

#include "shrink.h"
#include "text.h"

#include <probes/alloc.h>

#include <dlfcn.h>
#include <string.h>

/* One asking takes about a millisecond. A number of tries is the bound, not a time: the same log gives the same bytes.
 */
enum { TRIES = 400, MOST = 1000, REAL_TRIES = 60 };

/* ---- the judge ---- */

static const char *base(const struct object *object)
{
    return object ? path_base(object->path) : "-";
}

static void add_fault(struct text *text, const struct fault *fault)
{
    const struct search *search = &fault->search;
    bool searched = fault->kind == FAULT_NOT_FOUND || fault->kind == FAULT_INTERP;

    text_addf(text, "%s%d %s asks %s for %s@%s", fault->warning ? "warns " : "", (int)fault->kind, base(fault->subject),
              base(fault->provider), fault->name ? path_base(fault->name) : "-", fault->version ? fault->version : "-");
    if (searched && search->count == 0) /* then the loader has no errno to tell of either */
        text_add(text, ", looks nowhere");
    if (searched && search->fault >= 0)
        text_addf(text, ", finds %s in state %d", path_base(search->places[search->fault].path),
                  (int)search->places[search->fault].state);
    text_addc(text, '\n');
}

/* What the loader would say: it warns as it goes, and ends with the first that is missing, but tells of all missing
 * versions at once (_dl_check_all_versions in elf/dl-version.c). */
static void add_faults(struct text *text, const struct load *load)
{
    const struct fault *first = NULL;

    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];

        if (fault->warning) {
            add_fault(text, fault);
            continue;
        }
        if (first && !(first->kind == FAULT_VERSION && fault->kind == FAULT_VERSION && fault->batch == first->batch))
            return;
        first = first ? first : fault;
        add_fault(text, fault);
    }
}

/* A file that is forbidden, or on a mount that forbids execution, is so only while repro.sh runs: then the answer is
 * that the loader comes by it. */
static void add_banned(struct text *text, const struct plan *plan, const char *directory, const struct load *load)
{
    const char *file = plan->forbidden ? plan->forbidden : plan->sealed;

    for (size_t i = 0; file && i < load->object_count; i++) {
        CLEANUP_FREE char *real = realpath(load->objects[i]->path, NULL);
        CLEANUP_FREE char *path = xasprintf("%s/root/%s", directory, file);

        if (real && strcmp(real, path) == 0)
            text_add(text, "loads what is banned\n");
    }
}

/* The answer for repro.sh, or for control.sh; malloced, NULL where there is none. Not failing is "". */
static char *answer(const struct plan *plan, const char *directory, bool control)
{
    bool mended = control && !plan->control_in_root;
    const char *program = mended && plan->mended_program ? "mended" : "root";
    const char *path = mended ? plan->control_library_path : plan->library_path;
    CLEANUP_FREE char *file = xasprintf("%s/%s/bin/%s", directory, program, plan->program);
    CLEANUP_FREE char *cwd = xasprintf("%s/%s", directory, mended ? "mended" : "root");
    CLEANUP_FREE char *libraries = xasprintf("LD_LIBRARY_PATH=%s", path ? path : "");
    CLEANUP_FREE char *preload =
        xasprintf("LD_PRELOAD=%s", mended && plan->control_preload ? plan->control_preload : "");
    const char *const env[] = {libraries, preload, NULL};
    const struct load_request request = {.program = file, .cwd = cwd, .env = env};
    const struct load_open open = {
        .file = plan->scenario->objects[0]->opens, .mode = RTLD_NOW, .space = LOAD_SPACE_CALLER};
    struct text text = {0};
    struct load *load;

    if (load_create(&request, &load, NULL) < 0)
        return NULL;
    text_add(&text, "");
    if (open.file && load->fault_count == 0)
        load_dlopen(load, &open, NULL);
    add_faults(&text, load);
    if (!control)
        add_banned(&text, plan, directory, load);
    load_destroy(load);
    return text.v ? text.v : xstrdup("");
}

/* What repro.sh meets, and what it would meet without its LD_LIBRARY_PATH: a wrong copy that is put first shadows a
 * good one only where that would be found then. Malloced, or NULL. */
static char *failing_answer(const struct plan *plan, const char *directory)
{
    CLEANUP_FREE char *failing = answer(plan, directory, false), *bare = NULL;
    struct plan without = *plan;

    if (!failing || !*failing || !plan->library_path || plan->sealed)
        return steal_pointer(&failing);
    without.library_path = NULL;
    bare = answer(&without, directory, false);
    return bare ? xasprintf("%swithout LD_LIBRARY_PATH:\n%s", failing, bare) : NULL;
}

/* ---- what can be taken away ---- */

enum part {
    PART_FILE,
    PART_NEEDED,
    PART_NEED,
    PART_UNDEFINED,
    PART_DEF,
    PART_DEFINED,
    PART_RUNPATH,
    PART_VERSIONED,
    PART_LIBC,
    PART_LOADER,
    PART_ISA,
    PART_TLS,
    PART_STACK,
    PART_PATH,         /* of repro.sh … */
    PART_CONTROL_PATH, /* … and of control.sh */
    PART_PRELOAD,
};

struct atom {
    enum part part;
    size_t file, at; /* of the plan; in the list of that part */
};

struct reduction {
    struct plan *plan, whole; /* as it is tried, and as it was */
    const char *directory;
    const struct repro_judge *judge;
    size_t runs; /* of the judge's */
    int (*write)(void *ctx);
    void *ctx;
    int status; /* of the last write */
    char *wanted;
    struct atom *atoms;
    size_t count, cap;
};

static void add(struct reduction *reduction, enum part part, size_t file, size_t count)
{
    for (size_t at = 0; at < count; at++)
        *(struct atom *)array_add(&reduction->atoms, &reduction->count, &reduction->cap, sizeof *reduction->atoms) =
            (struct atom){part, file, at};
}

/* The file that the failure is about stays. */
static bool is_kept(const struct plan *plan, const struct plan_file *file)
{
    const char *const kept[] = {plan->forbidden, plan->sealed, plan->shown};

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (kept[i] && strncmp(file->path, "root/", 5) == 0 && strcmp(file->path + 5, kept[i]) == 0)
            return true;
    return false;
}

static void collect_file(struct reduction *reduction, size_t i)
{
    const struct plan_file *file = &reduction->whole.files[i];
    struct mini_object *object = file->object;

    /* Versions that only symbols name are listed too: a symbol can go without its version, and the other way round. */
    for (size_t k = 0; k < object->undefined_count; k++)
        if (object->undefined[k].version && object->undefined[k].file)
            mini_object_need_version(object, object->undefined[k].file, object->undefined[k].version);
    for (size_t k = 0; k < object->defined_count; k++)
        if (object->defined[k].version)
            mini_object_define_version(object, object->defined[k].version);
    object->versioned = object->versioned || object->def_count;
    add(reduction, PART_FILE, i, !is_kept(&reduction->whole, file));
    add(reduction, PART_NEEDED, i, object->needed.n);
    add(reduction, PART_NEED, i, object->need_count);
    add(reduction, PART_UNDEFINED, i, object->undefined_count);
    add(reduction, PART_VERSIONED, i, object->versioned);
    add(reduction, PART_DEF, i, object->def_count);
    add(reduction, PART_DEFINED, i, object->defined_count);
    add(reduction, PART_RUNPATH, i, file->runpath != NULL);
    /* What one glibc's loader wants of its C library another's does not: of the mended one all stays. */
    add(reduction, PART_LIBC, i, stub_is_libc(object) && !file->mended);
    add(reduction, PART_LOADER, i, object->loader_version != NULL);
    add(reduction, PART_ISA, i, object->isa_needed != 0);
    add(reduction, PART_TLS, i, object->tls_size != 0);
    add(reduction, PART_STACK, i, object->execstack);
}

static void collect(struct reduction *reduction)
{
    const struct plan *plan = &reduction->whole;

    for (size_t i = 0; i < plan->file_count; i++)
        collect_file(reduction, i);
    add(reduction, PART_PATH, 0, plan->library_path && !plan->sealed);
    add(reduction, PART_CONTROL_PATH, 0, plan->control_library_path != NULL);
    add(reduction, PART_PRELOAD, 0, plan->control_preload != NULL);
}

static bool lists(const struct mini_version *versions, size_t count, const char *file, const char *name)
{
    for (size_t i = 0; name && i < count; i++)
        if (strcmp(versions[i].name, name) == 0 && (!file || strcmp(versions[i].file, file) == 0))
            return true;
    return false;
}

/* Without a version that went before. */
static void put_symbol(struct mini_object *to, const struct mini_symbol *symbol, bool undefined)
{
    if (!undefined)
        mini_object_define(to, symbol->name,
                           lists(to->defs, to->def_count, NULL, symbol->version) ? symbol->version : NULL);
    else if (!symbol->version || (symbol->file && lists(to->needs, to->need_count, symbol->file, symbol->version)))
        mini_object_undefined(to, symbol->name, symbol->version, symbol->file);
    else
        mini_object_undefined(to, symbol->name, NULL, NULL);
}

/* What ATOM is of FROM, into TO, which is a copy of FROM without its lists. */
static void put_atom(struct mini_object *to, const struct mini_object *from, const struct atom *atom)
{
    switch (atom->part) {
    case PART_NEEDED:
        mini_object_need(to, from->needed.v[atom->at]);
        break;
    case PART_NEED:
        mini_object_need_version(to, from->needs[atom->at].file, from->needs[atom->at].name);
        break;
    case PART_UNDEFINED:
        put_symbol(to, &from->undefined[atom->at], true);
        break;
    case PART_DEF:
        if (to->versioned)
            mini_object_define_version(to, from->defs[atom->at].name);
        break;
    case PART_DEFINED:
        put_symbol(to, &from->defined[atom->at], false);
        break;
    default:
        break;
    }
}

static void take_atom(struct plan *plan, struct plan_file *file, enum part part)
{
    struct mini_object *object = file->object;

    switch (part) {
    case PART_RUNPATH:
        file->runpath = NULL;
        break;
    case PART_VERSIONED:
        object->versioned = false;
        break;
    case PART_LIBC:
        object->bare = true;
        break;
    case PART_ISA:
        object->isa_needed = 0;
        break;
    case PART_TLS:
        object->tls_size = 0;
        break;
    case PART_STACK:
        object->execstack = false;
        break;
    case PART_PATH:
        plan->library_path = NULL;
        break;
    case PART_CONTROL_PATH:
        plan->control_library_path = NULL;
        break;
    case PART_PRELOAD:
        plan->control_preload = NULL;
        break;
    default:
        break;
    }
}

/* ---- trying ---- */

/* The plan without what is GONE. */
static void cut(struct reduction *reduction, const bool *gone)
{
    const struct plan *whole = &reduction->whole;
    struct plan *plan = reduction->plan;
    CLEANUP_FREE struct plan_file *files = xcalloc(whole->file_count + 1, sizeof *files);
    CLEANUP_FREE bool *without = xcalloc(whole->file_count + 1, sizeof *without);

    plan_drop_files(plan);
    *plan = *whole;
    plan->files = NULL;
    plan->file_count = plan->file_cap = 0;
    for (size_t i = 0; i < whole->file_count; i++) {
        files[i] = whole->files[i];
        files[i].path = xstrdup(files[i].path);
        files[i].object = mini_object_copy_bare(whole->files[i].object);
    }
    for (size_t i = 0; i < reduction->count; i++) {
        const struct atom *atom = &reduction->atoms[i];

        if (!gone[i])
            put_atom(files[atom->file].object, whole->files[atom->file].object, atom);
        else if (atom->part == PART_FILE)
            without[atom->file] = true;
        else
            take_atom(plan, &files[atom->file], atom->part);
    }
    for (size_t i = 0; i < whole->file_count; i++) {
        if (without[i]) {
            free(files[i].path);
            mini_object_destroy(files[i].object);
            continue;
        }
        *(struct plan_file *)array_add(&plan->files, &plan->file_count, &plan->file_cap, sizeof *plan->files) =
            files[i];
    }
}

static int write_cut(struct reduction *reduction, const bool *gone)
{
    cut(reduction, gone);
    for (size_t i = 0; i < reduction->whole.file_count; i++) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", reduction->directory, reduction->whole.files[i].path);
        CLEANUP_FREE char *directory = path_dir(path);

        unlink(path);
        rmdir(directory);
    }
    reduction->status = reduction->write(reduction->ctx);
    return reduction->status;
}

static bool runs_alike(struct reduction *reduction)
{
    return !reduction->judge || (reduction->runs++ < REAL_TRIES && reduction->judge->alike(reduction->judge->ctx));
}

static bool holds(void *ctx, const bool *gone)
{
    struct reduction *reduction = ctx;
    CLEANUP_FREE char *failing = NULL, *control = NULL;

    if (write_cut(reduction, gone) < 0)
        return false;
    failing = failing_answer(reduction->plan, reduction->directory);
    if (!failing || strcmp(failing, reduction->wanted) != 0)
        return false;
    control = answer(reduction->plan, reduction->directory, true);
    return control && !*control && runs_alike(reduction);
}

/* With the plan's own files as the whole ones, which end here. */
static void reduce(struct reduction *reduction)
{
    CLEANUP_FREE bool *gone = NULL;
    struct plan *plan = reduction->plan;

    collect(reduction);
    if (reduction->count > MOST)
        return;
    gone = xcalloc(reduction->count + 1, sizeof *gone);
    plan->files = NULL;
    plan->file_count = plan->file_cap = 0;
    if (!reduction->judge || (write_cut(reduction, gone) == 0 && runs_alike(reduction)))
        shrink(reduction->count, gone, holds, reduction, TRIES);
    write_cut(reduction, gone);
    plan_drop_files(&reduction->whole);
    if (!plan->control_preload)
        free(reduction->whole.control_preload);
}

int repro_reduce(struct plan *plan, const char *directory, const struct repro_judge *judge, int (*write)(void *ctx),
                 void *ctx)
{
    struct reduction reduction = {
        .plan = plan, .whole = *plan, .directory = directory, .judge = judge, .write = write, .ctx = ctx};
    CLEANUP_FREE char *control = answer(plan, directory, true);

    reduction.wanted = failing_answer(plan, directory);
    /* Where the model sees no failure, or one in the mended copy too, it is no judge. */
    if (reduction.wanted && *reduction.wanted && control && !*control)
        reduce(&reduction);
    free(reduction.wanted);
    free(reduction.atoms);
    return reduction.status;
}
