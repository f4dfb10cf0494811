#include "check.h"

#include "against.h"
#include "check_parts.h"
#include "table.h"
#include "variant.h"

#include <probes/alloc.h>
#include <probes/execfile.h>
#include <probes/libc.h>
#include <probes/load.h>
#include <probes/mount.h>
#include <probes/tree.h>

#include <elf.h>
#include <string.h>

#define CALLED_LATER 0.8 /* it may never be called */

/* ---- what kind of file it is ---- */

/* A library's loader is that of the programs that open it: by the C library that it is linked to. */
char *check_loader_for(const struct elffile *elf)
{
    return variant_loader(elf, variant_family(elf));
}

bool check_ends_it(const struct fault *fault, bool library)
{
    if (fault->warning || fault->lazy)
        return false;
    return !(library && fault->kind == FAULT_SYMBOL && !fault->version);
}

struct load_request check_load_request(const struct check_request *request, const char *path)
{
    return (struct load_request){
        .root = request->root, .program = path, .cwd = request->cwd, .env = request->env, .guests = request->guests};
}

bool check_would_fail(const struct load *load, bool library)
{
    for (size_t i = 0; i < load->fault_count; i++)
        if (check_ends_it(load->faults[i], library))
            return true;
    return false;
}

size_t check_called_in_vain(const struct load *load, bool library, size_t batch)
{
    size_t count = 0;

    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];

        count += fault->lazy && fault->batch == batch && !(library && fault->kind == FAULT_SYMBOL && !fault->version);
    }
    return count;
}

void check_later(struct report *report, size_t from)
{
    for (size_t i = from; i < report->cause_count; i++) {
        struct cause *cause = report->causes[i];
        size_t length = cause->summary ? strlen(cause->summary) : 0;
        char *summary;

        if (!length)
            continue;
        summary = xasprintf("%.*s; it would start, and end where it first calls %s.",
                            (int)(cause->summary[length - 1] == '.' ? length - 1 : length), cause->summary,
                            cause->symbols.n > 1 ? "one of them" : "it");
        free(cause->summary);
        cause->summary = summary;
        if (cause->confidence > CALLED_LATER)
            cause->confidence = CALLED_LATER;
    }
}

/* Symbols that are left to others are no causes of a library's. */
static void drop_left(struct report *report, size_t from)
{
    size_t kept = from;

    for (size_t i = from; i < report->cause_count; i++) {
        struct cause *cause = report->causes[i];

        if (cause->kind == CAUSE_SYMBOL_MISSING && !strchr(cause->missing, '@'))
            cause_destroy(cause);
        else
            report->causes[kept++] = cause;
    }
    report->cause_count = kept;
}

/* The C library that it would get, of the first file that gets one. */
static void fill_libc(const struct check_request *request, const struct load *load, struct report *report)
{
    struct libc_identity identity;
    const char *path = NULL;

    for (size_t i = 0; i < load->object_count && !path; i++) {
        const char *soname = load->objects[i]->elf->soname;

        if (soname && strcmp(soname, "libc.so.6") == 0)
            path = load->objects[i]->path;
    }
    path = load->family == LOADER_MUSL ? load->interp : path;
    if (!path || report->libc.family)
        return;
    libc_identify(request->root, path, &identity);
    report->libc = (struct libc_facts){.family = xstrdup(identity.family),
                                       .version = steal_pointer(&identity.release),
                                       .path = xstrdup(path),
                                       .from = xstrdup("the words in the file that would be loaded"),
                                       .build = steal_pointer(&identity.build)};
    libc_identity_deinit(&identity);
}

static void put_all(const struct check_request *request, const struct load *load, struct report *report)
{
    check_put_objects(report, load);
    check_put_wants(report, load);
    check_put_notes(report, request, load);
    check_put_versions(report, load);
    check_put_symbols(report, load);
}

/* What another C library would lack; false where the judges of a run are to say it, as they can in a root. */
static bool judge_against(const struct check_request *request, const struct load *load, bool library,
                          struct report *report)
{
    bool root = request->against->kind == OFFER_ROOT;
    struct lacks lacks;

    against_find(request->against, load, library, &lacks);
    if (root && lacks.n && lacks.v[0].kind == CAUSE_LIBC_FAMILY_MISMATCH)
        root = false;
    if (!root)
        against_tell(request->against, load, &lacks, report);
    lacks_deinit(&lacks);
    return !root;
}

static const char *what_it_is(const char *path, const struct elffile *elf)
{
    if (elffile_is_library(elf) || (elf->state != ELFFILE_OK && tree_called_library(path)))
        return "library";
    return elf->interp || elf->state != ELFFILE_OK ? "program" : "static program";
}

/* No program could map it where it stands; the shell is one of them. */
static void check_mount(const struct check_request *request, const char *path, struct report *report)
{
    CLEANUP_CLOSE int fd = *request->root || request->copied ? -1 : path_open(request->root, path);
    size_t first = report->cause_count;
    struct check_host shell = {.path = xstrdup("/bin/sh")};

    if (fd >= 0 && mount_forbids_execution(fd)) {
        shell.elf = elffile_get(request->root, shell.path);
        check_judge_opening(request, &shell, path, report);
        elffile_put(shell.elf);
    }
    for (size_t i = first; i < report->cause_count; i++)
        check_drop_asker(report->causes[i], shell.path);
    free(shell.path);
}

/* Parts of glibc that lack something of each other do not wait for its first call: what they share is not the same. */
static bool skewed_from(const struct report *report, size_t first)
{
    bool skewed = false;

    for (size_t i = first; i < report->cause_count; i++)
        skewed |= report->causes[i]->kind == CAUSE_LOADER_LIBC_SKEW;
    return skewed;
}

static void check_elf(const struct check_request *request, const char *path, const struct elffile *elf,
                      bool unpermitted, struct report *report)
{
    bool library = elffile_is_library(elf);
    CLEANUP_FREE char *loader = library ? against_loader(request->against, elf) : NULL;
    struct load_request asked = check_load_request(request, path);
    size_t first = report->cause_count, later = 0;
    struct load *load;

    asked.loader = loader;
    asked.secure = !library && check_is_secure(request, path);
    if (load_create(&asked, &load, NULL) < 0)
        return;
    if (!(request->against && judge_against(request, load, library, report))) {
        bool fails = check_would_fail(load, library);

        later = fails ? 0 : check_called_in_vain(load, library, 0);
        if (fails || later)
            check_judge_loading(request, path, loader, elf, report);
    }
    if (library)
        drop_left(report, first);
    if (library && report->cause_count == first && !request->against && !request->guests)
        check_mount(request, path, report);
    if (later && skewed_from(report, first))
        later = 0;
    else if (later)
        check_later(report, first);
    if (unpermitted && report->cause_count == first)
        check_put_refused(report, path, elf, true, 0);
    else
        check_put_file(report, path, what_it_is(path, elf), load, later, report->cause_count - first);
    if (!library && !request->brief && !request->against)
        check_judge_ignored(request, load, report);
    fill_libc(request, load, report);
    if (!library && request->seen)
        request->seen(request->ctx, load);
    if (!request->brief)
        put_all(request, load, report);
    check_put_opened(report, request, load, request->brief);
    load_destroy(load);
}

void check_put_made_of(const struct check_request *request, const char *path, const struct elffile *elf,
                       struct report *report)
{
    CLEANUP_FREE char *loader = check_loader_for(elf);
    const struct load_request asked = {
        .root = request->root, .loader = loader, .program = path, .cwd = request->cwd, .env = request->env};
    struct load *load;

    if (load_create(&asked, &load, NULL) < 0)
        return;
    fill_libc(request, load, report);
    put_all(request, load, report);
    check_put_opened(report, request, load, false);
    load_destroy(load);
}

const char *check_root(const struct check_request *request)
{
    return request->guests ? request->guests->from : request->root;
}

const char *check_root_of(const struct check_request *request, const char *path)
{
    return guests_own(request->guests, path) ? request->guests->from : request->root;
}

/* A guest's program is one that it brings, or one of the system that it comes to. */
static void check_guest_script(const struct check_request *request, const char *path, const char *program,
                               struct report *report)
{
    struct stat st;

    if (*program == '/' && path_stat(check_root_of(request, program), program, &st) < 0)
        check_tell_script(path, program, report);
}

/* Something of an ELF file is there; of one that is named by itself, or called a library, that nothing is, too. */
static bool is_loadable(const struct check_request *request, const char *path, const struct elffile *elf)
{
    switch (elf->state) {
    case ELFFILE_OK:
    case ELFFILE_TRUNCATED:
    case ELFFILE_MALFORMED:
        /* One that holds debug information alone has the headers of its program, and nothing behind them. */
        return !(elf->interp && !*elf->interp && (request->brief || elf->hollow));
    case ELFFILE_SHORT:
        return true;
    case ELFFILE_EMPTY:
        return tree_called_library(path) || (!request->brief && (elf->st.st_mode & 0111));
    case ELFFILE_NOT_ELF:
        return tree_called_library(path) && !tree_is_linker_script(elf->starts);
    default:
        return false;
    }
}

bool check_file(const struct check_request *request, const char *path, struct report *report)
{
    const char *root = check_root(request);
    CLEANUP_CLOSE int fd = path_open(root, path);
    CLEANUP_FREE char *script = fd >= 0 ? execfile_script_program(fd) : NULL;
    const struct elffile *elf = elffile_get(root, path);
    bool loadable = is_loadable(request, path, elf),
         executed = script || elf->interp || elf->interp_bad || elf->type == ET_EXEC;
    enum check_execution execution = EXECUTION_GOES;
    size_t first = report->cause_count;

    if (script && request->guests)
        check_guest_script(request, path, script, report);
    else if (executed && (script || loadable))
        execution = check_execution(request, path, elf, script != NULL, report);
    if (script && execution == EXECUTION_GOES && !request->against && !request->guests)
        check_script(request, path, report);
    if (script || (loadable && execution == EXECUTION_REFUSED))
        check_put_refused(report, path, script ? NULL : elf, execution == EXECUTION_UNPERMITTED,
                          report->cause_count - first);
    else if (loadable)
        check_elf(request, path, elf, execution == EXECUTION_UNPERMITTED, report);
    elffile_put(elf);
    return loadable || script;
}

static void add_later(struct report *report, size_t later)
{
    CLEANUP_FREE char *said = steal_pointer(&report->headline);

    report->headline =
        xasprintf("%.*s; %zu call%s what nobody defines.", (int)strlen(said) - 1, said, later, later == 1 ? "s" : "");
}

void check_headline(struct report *report, const struct offer *against)
{
    const struct table *files = table_find(report, "files");
    struct table *wants = table_find(report, "wants");
    size_t count = files ? table_rows(files) : 0, bad = 0, later = 0;
    CLEANUP_FREE char *where = against ? xasprintf("on %s", against->name) : xstrdup("here");

    for (size_t i = 0; i < count; i++) {
        const struct table_cell *verdict = table_at(files, i, files->column_count - 1);

        bad += verdict->mark == TABLE_BAD;
        later += strstr(verdict->text, CHECK_LATER) != NULL;
    }
    if (count == 0)
        report->headline = xstrdup("There is nothing that could load: no ELF file, no script that may be executed.");
    else if (count == 1 && table_at(files, 0, files->column_count - 1)->mark == TABLE_PLAIN)
        report->headline = xasprintf("%s: %s.", path_base(table_at(files, 0, 0)->text),
                                     table_at(files, 0, files->column_count - 1)->text);
    else if (count == 1)
        report->headline =
            xasprintf("%s %s %s%s.", path_base(table_at(files, 0, 0)->text), bad ? "would not load" : "loads", where,
                      later ? ", but calls what nobody defines" : "");
    else if (bad)
        report->headline = xasprintf("%zu files were looked at: %zu would not load %s.", count, bad, where);
    else
        report->headline = xasprintf("%zu files were looked at: all load %s.", count, where);
    if (count > 1 && later)
        add_later(report, later);
    if (count > 1 && wants) { /* whose they are */
        free(wants->columns[0].head);
        wants->columns[0].head = xstrdup("file");
    }
}
