/* The programs concerned: which releases they are, what they need of the C library, and whether they would load here.
 */
#include "doctor_parts.h"

#include "check.h"
#include "remedy.h"
#include "text.h"
#include "wording.h"

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/path.h>
#include <probes/releases.h>

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { MODULES_MOST = 200, ENTRIES_MOST = 200000, DEPTH_MOST = 16, VERSIONS_MOST = 512, NAMES_TOLD = 5 };

static const char *const kinds[PROGRAM_KINDS] = {[PROGRAM_DESKTOP] = "VS Code", [PROGRAM_SERVER] = "VS Code's server",
                                                 [PROGRAM_NODE] = "node",       [PROGRAM_GO] = "go",
                                                 [PROGRAM_GOPLS] = "gopls",     [PROGRAM_DELVE] = "delve"};

/* What one program's files came to. */
struct outcome {
    const char *versions[VERSIONS_MOST]; /* of the C library and the compiler's, that they need */
    size_t version_count;
    const struct elffile *kept[MODULES_MOST + 1]; /* whose strings those are */
    size_t kept_count;
    size_t files, failing, foreign;
    struct text names;         /* of the failing */
    const struct cause *first; /* why the first of the failing does not load, of the worst ones; of REPORT */
    enum table_mark worst;
    struct report *report;
};

static void need(struct outcome *outcome, const struct elffile *elf)
{
    if (outcome->kept_count > MODULES_MOST) {
        elffile_put(elf);
        return;
    }
    outcome->kept[outcome->kept_count++] = elf;
    for (size_t i = 0; i < elf->need_count && outcome->version_count < VERSIONS_MOST; i++)
        if (release_knows(elf->needs[i].name))
            outcome->versions[outcome->version_count++] = elf->needs[i].name;
}

/* A module that only wants a library which nobody has installed is one that few need (VS Code's for Kerberos, or for
 * signing in by a browser): without, all else works. */
static enum table_mark weigh(const struct cause *cause, bool module)
{
    return module && (cause->kind == CAUSE_LIBRARY_MISSING || cause->kind == CAUSE_LIBRARY_OFF_PATH) ? TABLE_WARNING
                                                                                                     : TABLE_BAD;
}

static void look_at(const struct doctor *doctor, struct outcome *outcome, const char *path, bool module)
{
    const struct check_request request = {.root = "", .env = doctor->request->env, .cwd = "/"};
    size_t before = outcome->report->cause_count;

    need(outcome, elffile_get("", path));
    outcome->files++;
    check_file(&request, path, outcome->report);
    if (outcome->report->cause_count == before)
        return;
    if (outcome->failing++ < NAMES_TOLD)
        text_addf(&outcome->names, "%s%s", outcome->names.n ? ", " : "", path_base(path));
    else if (outcome->failing == NAMES_TOLD + 1)
        text_add(&outcome->names, ", …");
    for (size_t i = before; i < outcome->report->cause_count; i++) {
        const struct cause *cause = outcome->report->causes[i];

        if (weigh(cause, module) <= outcome->worst)
            continue;
        outcome->first = cause;
        outcome->worst = weigh(cause, module);
    }
}

/* Packages carry modules for all machines and C libraries, of which one is taken: others need not load. */
static bool is_for_here(const struct elffile *elf, const struct elffile *program)
{
    bool musl = false;

    if (elf->state != ELFFILE_OK)
        return elf->state == ELFFILE_TRUNCATED || elf->state == ELFFILE_EMPTY;
    for (size_t i = 0; i < elf->needed_count; i++)
        musl |= strncmp(elf->needed[i], "libc.musl-", 10) == 0 || strcmp(elf->needed[i], "libc.so") == 0;
    if (!program || !program->interp)
        return !musl && elf->machine == EM_X86_64;
    return elf->machine == program->machine && elf->class == program->class &&
           musl == (strstr(program->interp, "ld-musl-") != NULL);
}

struct walk {
    const struct doctor *doctor;
    struct outcome *outcome;
    const struct elffile *program;
    size_t entries, modules;
};

static void take_module(struct walk *walk, const char *path)
{
    const struct elffile *elf = elffile_get_head("", path);
    bool broken = elf->state == ELFFILE_TRUNCATED || elf->state == ELFFILE_EMPTY, here = false;

    elffile_put(elf);
    elf = elffile_get("", path);
    here = broken || is_for_here(elf, walk->program);
    elffile_put(elf);
    if (!here)
        walk->outcome->foreign++;
    else if (walk->modules++ < MODULES_MOST)
        look_at(walk->doctor, walk->outcome, path, true);
}

static void find_modules(struct walk *walk, const char *directory, int depth)
{
    DIR *dir = depth < DEPTH_MOST ? opendir(directory) : NULL;
    const struct dirent *entry;

    while (dir && walk->entries++ < ENTRIES_MOST && (entry = readdir(dir))) {
        size_t n = strlen(entry->d_name);
        CLEANUP_FREE char *path = NULL;
        struct stat st;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            (entry->d_type == DT_REG && (n < 6 || strcmp(entry->d_name + n - 5, ".node") != 0)))
            continue;
        path = path_join(directory, entry->d_name);
        if (lstat(path, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode))
            find_modules(walk, path, depth + 1);
        else if (S_ISREG(st.st_mode) && n > 5 && strcmp(entry->d_name + n - 5, ".node") == 0)
            take_module(walk, path);
    }
    if (dir)
        closedir(dir);
}

/* --- one line for each --- */

static const char *newest(const struct outcome *outcome, const char *family)
{
    const char *best = NULL;
    size_t n = strlen(family);

    for (size_t i = 0; i < outcome->version_count; i++)
        if (strncmp(outcome->versions[i], family, n) == 0 && (!best || strverscmp(best, outcome->versions[i]) < 0))
            best = outcome->versions[i];
    return best;
}

static void add_need(struct text *text, const struct outcome *outcome)
{
    const char *glibc = releases_glibc(outcome->versions, outcome->version_count);
    const char *cxx = newest(outcome, "GLIBCXX_");

    if (glibc)
        text_addf(text, "; needs glibc %s", glibc);
    else if (outcome->kept_count && outcome->kept[0]->state == ELFFILE_OK)
        text_add(text, "; needs no glibc");
    if (cxx)
        text_addf(text, " and %s", cxx);
}

static char *advise(const struct outcome *outcome)
{
    const struct cause *cause = outcome->first;

    if (!cause)
        return NULL;
    if (cause->remedy_count)
        return xstrdup(cause->remedies[0].title);
    return xstrdup("the whole story");
}

static char *command(const struct outcome *outcome)
{
    const struct cause *cause = outcome->first;
    CLEANUP_FREE char *word = cause && cause->subject ? remedy_word(cause->subject) : NULL;

    if (!cause)
        return NULL;
    if (cause->remedy_count && cause->remedies[0].commands.n)
        return xstrdup(cause->remedies[0].commands.v[0]);
    return word ? xasprintf("glibctrace check %s", word) : NULL;
}

static void add_verdict(struct text *text, const struct outcome *outcome, const struct program_found *program)
{
    CLEANUP_FREE char *summary = outcome->first ? wording_summary(outcome->first) : NULL;
    size_t modules = outcome->files - (program->path != NULL);

    if (!outcome->failing && !program->path)
        text_add(text, program->kind == PROGRAM_SERVER ? "; runs on whichever node starts it"
                                                       : "; its program was not found there");
    else if (!outcome->failing)
        text_add(text, "; loads here");
    else if (outcome->worst == TABLE_WARNING)
        text_addf(text, "; loads here, but for %zu of its %zu native modules (%s): %s", outcome->failing, modules,
                  outcome->names.v, summary);
    else if (outcome->files == 1)
        text_addf(text, "; would not load here: %s", summary);
    else
        text_addf(text, "; %zu of its %zu file%s would not load here (%s): %s", outcome->failing, outcome->files,
                  outcome->files == 1 ? "" : "s", outcome->names.v, summary);
    if (!outcome->failing && modules)
        text_addf(text, ", and so do%s %zu native module%s", modules == 1 ? "es its" : " all its", modules,
                  modules == 1 ? "" : "s");
}

static void tell_program(struct doctor *doctor, const struct program_found *program)
{
    struct outcome *outcome = xcalloc(1, sizeof *outcome);
    const struct elffile *elf = program->path ? elffile_get("", program->path) : NULL;
    struct walk walk = {.doctor = doctor, .outcome = outcome, .program = elf};
    struct text found = {0};

    outcome->report = report_create();
    outcome->worst = TABLE_GOOD;
    if (program->path)
        look_at(doctor, outcome, program->path, false);
    if (program->library)
        need(outcome, elffile_get("", program->library));
    if (program->directory)
        find_modules(&walk, program->directory, 0);
    text_addf(&found, "%s", program->script ? "a script" : program->version ? program->version : "of unknown release");
    if (program->built && (!program->version || strcmp(program->built, program->version) != 0))
        text_addf(&found, " (built by %s)", program->built);
    text_addf(&found, ", %s, %s", program->directory ? program->directory : program->path, program->way);
    if (program->nameless && !outcome->failing)
        text_add(&found, "; it does not say what it is");
    if (program->script && !outcome->failing) {
        text_add(&found, "; what it starts is not looked into");
    } else {
        add_need(&found, outcome);
        add_verdict(&found, outcome, program);
    }
    doctor_line(doctor, (program->script || program->nameless) && !outcome->failing ? TABLE_PLAIN : outcome->worst,
                program->name, (struct doctor_line){found.v, advise(outcome), command(outcome)});
    for (size_t i = 0; i < outcome->kept_count; i++)
        elffile_put(outcome->kept[i]);
    if (elf)
        elffile_put(elf);
    report_destroy(outcome->report);
    text_deinit(&outcome->names);
    free(outcome);
}

/* --- what they need of each other --- */

/* The N of "go1.N"; -1 where it says none. */
static int minor_of(const char *version, const char *prefix)
{
    int minor;

    if (!version || strncmp(version, prefix, strlen(prefix)) != 0 ||
        sscanf(version + strlen(prefix), "%d", &minor) != 1)
        return -1;
    return minor;
}

/* Delve knows Go up to the release that its own number is of: 1.8 and 1.9 up to 1.18 and 1.19, 1.20 and later that of
 * their own (pkg/goversion/compat.go). What is built by a newer one it debugs with a warning, and wrongly. */
static void tell_delve(struct doctor *doctor)
{
    const struct program_found *go = doctor_program(doctor, PROGRAM_GO), *delve = doctor_program(doctor, PROGRAM_DELVE);
    int go_minor = go ? minor_of(go->version, "go1.") : -1, most = -1;

    if (!go || !delve || !delve->version)
        return;
    most = minor_of(delve->version, delve->version[0] == 'v' ? "v1." : "1.");
    most = most == 8 || most == 9 ? most + 10 : most < 20 ? -1 : most;
    if (most < 0 || go_minor < 0 || go_minor <= most)
        return;
    doctor_line(
        doctor, TABLE_WARNING, "delve and go",
        (struct doctor_line){xasprintf("delve %s knows Go up to 1.%d, and go is %s: breakpoints and variables may "
                                       "be wrong",
                                       delve->version, most, go->version),
                             xstrdup("install a delve that is as new as go"),
                             xstrdup("go install github.com/go-delve/delve/cmd/dlv@latest")});
}

static void tell_go(struct doctor *doctor)
{
    const struct program_found *gopls = doctor_program(doctor, PROGRAM_GOPLS);

    if (gopls && !doctor_program(doctor, PROGRAM_GO))
        doctor_line(doctor, TABLE_BAD, "gopls and go",
                    (struct doctor_line){xstrdup("gopls asks go for every module, and no go was found"),
                                         xstrdup("install go, or put the directory of its program on PATH"), NULL});
}

static void tell_absent(struct doctor *doctor)
{
    struct text text = {0};

    for (size_t i = 0; i < PROGRAM_KINDS; i++)
        if (!doctor_program(doctor, (enum program_kind)i))
            text_addf(&text, "%s%s", text.n ? ", " : "", kinds[i]);
    if (text.n)
        doctor_line(doctor, TABLE_PLAIN, "not found", (struct doctor_line){text.v, NULL, NULL});
}

void doctor_programs(struct doctor *doctor)
{
    doctor_section(doctor, "programs", "Programs");
    for (size_t kind = 0; kind < PROGRAM_KINDS; kind++)
        for (size_t i = 0; i < doctor->program_count; i++)
            if (doctor->programs[i].kind == kind)
                tell_program(doctor, &doctor->programs[i]);
    tell_delve(doctor);
    tell_go(doctor);
    tell_absent(doctor);
}
