#include "build.h"

#include "check_archive.h"
#include "check_host.h"
#include "vsix.h"

#include <probes/alloc.h>
#include <probes/tree.h>

#include <ctype.h>
#include <elf.h>
#include <string.h>

struct build_file {
    char *path;
    const struct elffile *elf;
    enum family family;
    struct load *load; /* as it is here; made when it is asked for */
};

struct build {
    const struct check_request *request;
    struct check_inside *inside; /* of an archive; or NULL */
    char *path, *name, *version;
    struct build_file *files;
    size_t count, cap;
    struct variants *glibc, *musl;
    bool own_libc; /* its programs bring the C library along that all in it is for */
};

/* ---- what is in it ---- */

/* The first number with a dot in it, without what stands around it. */
static char *version_in(const char *name)
{
    for (const char *p = name; *p; p++) {
        size_t n = strspn(p, "0123456789.");

        while (n && p[n - 1] == '.')
            n--;
        if (isdigit((unsigned char)*p) && memchr(p, '.', n))
            return xstrndup(p, n);
        if (n)
            p += n - 1;
    }
    return NULL;
}

static bool is_object(const struct elffile *elf)
{
    return (elf->state == ELFFILE_OK || elf->state == ELFFILE_TRUNCATED || elf->state == ELFFILE_MALFORMED) &&
           (elf->type == ET_EXEC || elf->type == ET_DYN) && !(elf->interp && !*elf->interp);
}

static void add_file(struct build *build, const char *path)
{
    const struct elffile *elf = elffile_get(check_root(build->request), path);
    struct build_file *file;

    if (!is_object(elf) || variant_family(elf) == FAMILY_OTHER) {
        elffile_put(elf);
        return;
    }
    file = array_add(&build->files, &build->count, &build->cap, sizeof *file);
    *file = (struct build_file){.path = xstrdup(path), .elf = elf, .family = variant_family(elf)};
}

static void drop_file(struct build_file *file)
{
    load_destroy(file->load);
    elffile_put(file->elf);
    free(file->path);
}

/* Where some are for this machine, the others are for those who have another. */
static void drop_foreign(struct build *build)
{
    struct here here;
    size_t kept = 0, fit = 0;

    here_read(build->request->root, &here);
    for (size_t i = 0; i < build->count; i++)
        fit += here_fits_machine(&here, build->files[i].elf);
    for (size_t i = 0; fit && i < build->count; i++)
        if (here_fits_machine(&here, build->files[i].elf))
            build->files[kept++] = build->files[i];
        else
            drop_file(&build->files[i]);
    if (fit)
        build->count = kept;
}

static const char *below(const struct build *build, const char *path)
{
    const char *rest = path + strlen(build->path);

    return rest + strspn(rest, "/");
}

static void sort_variants(struct build *build)
{
    build->glibc = variants_create();
    build->musl = variants_create();
    for (size_t i = 0; i < build->count; i++) {
        if (build->files[i].family == FAMILY_GLIBC)
            variants_add(build->glibc, below(build, build->files[i].path));
        if (build->files[i].family == FAMILY_MUSL)
            variants_add(build->musl, below(build, build->files[i].path));
    }
}

static int read_tree(struct build *build, struct err *err)
{
    struct tree tree;
    int status = tree_read(check_root(build->request), build->path, true, &tree, err);

    for (size_t i = 0; status == 0 && i < tree.count; i++)
        if (tree.files[i].elf)
            add_file(build, tree.files[i].path);
    tree_deinit(&tree);
    return status;
}

/* PATH, where KIND is no ARCHIVE_NOT, is BUILD's archive, and BUILD from then on what that unpacks to. */
static int open_archive(struct build *build, const char *path, enum archive_kind kind, struct err *err)
{
    build->inside = xcalloc(1, sizeof *build->inside);
    if (check_inside_open(build->request, path, kind, build->inside, err) < 0) {
        free(build->inside);
        build->inside = NULL;
        return -1;
    }
    if (build->inside->unpacked.unread)
        return err_set(err, "%s cannot be looked into: %s", path, build->inside->unpacked.unread);
    build->request = &build->inside->request;
    free(build->path);
    build->path = xstrdup(build->inside->unpacked.directory);
    return read_tree(build, err);
}

static enum archive_kind kind_at(const struct check_request *request, const char *path)
{
    int kind = archives_at(check_root(request), path);

    return kind < 0 ? ARCHIVE_NOT : (enum archive_kind)kind;
}

/* An extension says it itself, and a package's name has it behind its own ("python3.11_3.11.2-6_amd64.deb"). */
static char *version_of(const char *path, bool folder, enum archive_kind kind)
{
    char *version = folder || kind == ARCHIVE_ZIP ? vsix_version(path, folder) : NULL;
    const char *name = path_base(path), *behind = kind == ARCHIVE_DEB ? strchr(name, '_') : NULL;

    return version ? version : version_in(behind ? behind : name);
}

static int open_file(struct build *build, const char *path, enum archive_kind kind, struct err *err)
{
    if (kind != ARCHIVE_NOT)
        return open_archive(build, path, kind, err);
    add_file(build, path);
    return build->count
               ? 0
               : err_set(err, "%s is neither an ELF file nor a directory nor an archive: there is nothing to load",
                         path);
}

/* libc.so.6 can be run, but that is not what it is for. */
static bool is_program(const struct build_file *file)
{
    return file->elf->interp && !file->elf->soname;
}

static void find_own_libc(struct build *build)
{
    size_t programs = 0, own = 0;

    for (size_t i = 0; i < build->count; i++) {
        const struct build_file *file = &build->files[i];

        programs += is_program(file);
        own += is_program(file) && !load_systems_own(file->elf->interp);
    }
    build->own_libc = programs && own == programs;
}

int build_open(const struct check_request *request, const char *path, struct build **ret, struct err *err)
{
    struct build *build = xcalloc(1, sizeof *build);
    enum archive_kind kind = ARCHIVE_NOT;
    struct stat st;
    int status = path_stat(check_root(request), path, &st);

    *build = (struct build){.request = request, .path = path_join(path, ""), .name = xstrdup(path_base(path))};
    if (status < 0)
        status = err_errno(err, -status, "%s", path);
    else if (S_ISDIR(st.st_mode))
        status = read_tree(build, err);
    else
        status = open_file(build, path, kind = kind_at(request, path), err);
    if (status == 0 && !*check_root(request))
        build->version = version_of(path, S_ISDIR(st.st_mode), kind);
    drop_foreign(build);
    sort_variants(build);
    find_own_libc(build);
    *ret = status == 0 ? build : NULL;
    if (status < 0)
        build_close(build);
    return status;
}

void build_close(struct build *build)
{
    if (!build)
        return;
    for (size_t i = 0; i < build->count; i++)
        drop_file(&build->files[i]);
    free(build->files);
    variants_destroy(build->glibc);
    variants_destroy(build->musl);
    if (build->inside)
        check_inside_close(build->inside);
    free(build->inside);
    free(build->path);
    free(build->name);
    free(build->version);
    free(build);
}

const char *build_name(const struct build *build)
{
    return build->name;
}

void build_rename(const struct build *build, struct report *report)
{
    if (build->inside)
        check_inside_rename(build->inside, 0, report);
}

const char *build_version(const struct build *build)
{
    return build->version;
}

size_t build_files(const struct build *build)
{
    return build->count;
}

/* ---- how it goes ---- */

/* Why the file is not asked about, or NULL. */
static const char *left_aside(const struct build *build, const struct build_file *file, const struct offer *offer)
{
    bool glibc = file->family == FAMILY_GLIBC, musl = file->family == FAMILY_MUSL;

    if (build->own_libc && !is_program(file))
        return "for the C library that the programs beside it bring along";
    if (offer->musl ? glibc && variants_beside(build->musl, below(build, file->path))
                    : musl && variants_beside(build->glibc, below(build, file->path)))
        return "for another C library; one for this stands beside it";
    return NULL;
}

static bool has_file_called(const struct build *build, const char *name)
{
    for (size_t i = 0; i < build->count; i++)
        if (strcmp(path_base(build->files[i].path), name) == 0)
            return true;
    return false;
}

/* Of a library that misses another of the same build, whose directory it does not name itself: its program does. */
static void drop_brought(const struct build *build, const struct build_file *file, struct lacks *lacks)
{
    size_t kept = 0;

    if (!elffile_is_library(file->elf))
        return;
    for (size_t i = 0; i < lacks->n; i++) {
        struct lack *lack = &lacks->v[i];

        if (lack->kind == CAUSE_LIBRARY_MISSING && has_file_called(build, path_base(lack->missing)))
            lack_deinit(lack);
        else
            lacks->v[kept++] = *lack;
    }
    lacks->n = kept;
}

/* FILE on OFFER. *LOAD is FILE's own, or the caller's to destroy (returned true). */
static bool judge_file(struct build *build, struct build_file *file, const struct offer *offer, struct load **load,
                       struct lacks *lacks)
{
    struct check_request request = *build->request;
    bool library = elffile_is_library(file->elf), own;
    CLEANUP_FREE char *loader = library ? against_loader(offer, file->elf) : NULL;
    struct load_request asked = {.program = file->path, .loader = loader, .env = request.env, .cwd = request.cwd};
    struct guest guest;

    request.against = offer;
    guest_enter(&guest, build->path, &request);
    own = request.guests != NULL;
    asked.root = request.root;
    asked.guests = request.guests;
    *load = file->load;
    *lacks = (struct lacks){0};
    if ((own || !*load) && load_create(&asked, load, NULL) < 0)
        *load = NULL;
    if (!own)
        file->load = *load;
    if (*load)
        against_find(offer, *load, library, lacks);
    drop_brought(build, file, lacks);
    guest_deinit(&guest);
    return own;
}

static void take_outcome(const struct lacks *lacks, struct lack *best, struct build_outcome *ret)
{
    const struct lack *lack;
    CLEANUP_FREE char *words = lacks_deciding(lacks, &lack);

    if (!words || (ret->words && lack_compare(lack, best) <= 0))
        return;
    build_outcome_deinit(ret);
    ret->words = steal_pointer(&words);
    ret->subject = xstrdup(lack->subject->path);
    ret->missing = xstrdup(lack->missing);
    ret->provider = xstrdup_or_null(lack->provider);
    ret->kind = lack->kind;
    *best = (struct lack){.kind = lack->kind, .warning = lack->warning, .missing = ret->missing};
}

void build_judge(struct build *build, const struct offer *offer, struct build_outcome *ret)
{
    struct lack best = {0};

    *ret = (struct build_outcome){0};
    for (size_t i = 0; i < build->count; i++) {
        struct build_file *file = &build->files[i];
        struct lacks lacks;
        struct load *load;
        bool own;

        if (left_aside(build, file, offer))
            continue;
        own = judge_file(build, file, offer, &load, &lacks);
        ret->asked++;
        ret->fails |= lacks_fatal(&lacks) > 0;
        ret->warned |= lacks.n > 0;
        take_outcome(&lacks, &best, ret);
        lacks_deinit(&lacks);
        if (own)
            load_destroy(load);
    }
}

void build_outcome_deinit(struct build_outcome *outcome)
{
    free(outcome->words);
    free(outcome->subject);
    free(outcome->missing);
    free(outcome->provider);
    outcome->words = outcome->subject = outcome->missing = outcome->provider = NULL;
}

static bool same_words(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* One of a library was told already where it was loaded by another file. */
static void drop_repeated(struct report *report, size_t first)
{
    size_t kept = first;

    for (size_t i = first; i < report->cause_count; i++) {
        struct cause *cause = report->causes[i];
        bool repeated = false;

        for (size_t k = 0; k < first && !repeated; k++)
            repeated = report->causes[k]->kind == cause->kind &&
                       same_words(report->causes[k]->subject, cause->subject) &&
                       same_words(report->causes[k]->missing, cause->missing) &&
                       same_words(report->causes[k]->provider, cause->provider);
        if (repeated)
            cause_destroy(cause);
        else
            report->causes[kept++] = cause;
    }
    report->cause_count = kept;
}

void build_tell(struct build *build, const struct offer *offer, struct report *report)
{
    for (size_t i = 0; i < build->count; i++) {
        struct build_file *file = &build->files[i];
        const char *aside = left_aside(build, file, offer);
        size_t first = report->cause_count;
        struct lacks lacks;
        struct load *load;
        bool own;

        if (aside) {
            check_put_row(report, file->path, elffile_is_library(file->elf) ? "library" : "program", file->elf,
                          TABLE_PLAIN, aside);
            continue;
        }
        own = judge_file(build, file, offer, &load, &lacks);
        if (load) {
            against_tell(offer, load, &lacks, report);
            check_put_file(report, file->path, elffile_is_library(file->elf) ? "library" : "program", load,
                           report->cause_count > first ? 0
                                                       : check_called_in_vain(load, elffile_is_library(file->elf), 0),
                           report->cause_count - first);
            drop_repeated(report, first);
        }
        lacks_deinit(&lacks);
        if (own)
            load_destroy(load);
    }
}
