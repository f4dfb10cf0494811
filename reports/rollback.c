#include "rollback.h"

#include "rollback_parts.h"

#include "check_archive.h"
#include "check_host.h"
#include "check_walk.h"
#include "json_walk.h"
#include "table.h"
#include "text.h"
#include "utf8.h"
#include "vsix.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/proc.h>

#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { BUILDS = 2000, OBSOLETE_MOST = 1 << 20 };

/* ---- what is there ---- */

struct build {
    struct vsix vsix;
    char *id; /* "publisher.name", or the file's name where it does not say */
    bool looked, loads;
    bool fits;    /* it is for this machine and C library */
    bool taken;   /* … and the user's VS Code is of a release that takes it */
    bool removed; /* unpacked, and to be removed by VS Code at its next start */
    size_t files, causes;
};

struct builds {
    struct build *v;
    size_t n, cap;
    char *editor;           /* which release VS Code is, or NULL */
    struct strings removed; /* folders in the list of those that are not wanted any more */
};

/* VS Code's names for what an extension is built for (src/vs/platform/extensions/common/extensions.ts). */
static bool fits(const struct vsix *vsix)
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {{EM_X86_64, "x64"}, {EM_AARCH64, "arm64"}, {EM_ARM, "armhf"}};
    struct here here;

    if (!vsix->target)
        return true;
    here_read("", &here);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CLEANUP_FREE char *name = xasprintf("%s-%s", here.family == FAMILY_MUSL ? "alpine" : "linux", names[i].name);

        if (names[i].machine == here.machine && strcmp(name, vsix->target) == 0)
            return true;
    }
    return false;
}

/* .obsolete of an extensions directory: {"publisher.name-1.0.0": true}. */
static void of_obsolete(void *ctx, const char *const *names, size_t depth, const char *value)
{
    if (depth == 1 && strcmp(value, "true") == 0)
        strings_add(ctx, xstrdup(names[0]));
}

static void read_obsolete(const char *directory, struct builds *builds)
{
    CLEANUP_FREE char *file = path_join(directory, ".obsolete");
    size_t size;
    CLEANUP_FREE char *text = proc_read(file, OBSOLETE_MOST, &size);

    if (text)
        json_walk(text, size, of_obsolete, &builds->removed);
}

static bool is_removed(const struct builds *builds, const struct vsix *vsix)
{
    for (size_t i = 0; vsix->folder && i < builds->removed.n; i++)
        if (strcasecmp(builds->removed.v[i], path_base(vsix->path)) == 0)
            return true;
    return false;
}

static void add_build(struct builds *builds, const char *path, bool folder)
{
    struct vsix vsix;
    struct build *build;

    if (!vsix_read(path, folder, &vsix)) {
        vsix_deinit(&vsix);
        return;
    }
    build = array_add(&builds->v, &builds->n, &builds->cap, sizeof *build);
    build->vsix = vsix;
    build->fits = fits(&vsix);
    build->taken = rollback_takes(builds->editor, vsix.engine);
    build->removed = is_removed(builds, &vsix);
    build->id = vsix.publisher && vsix.name ? xasprintf("%s.%s", vsix.publisher, vsix.name) : xstrdup(path_base(path));
}

/* A file counts by what it is, or by its name where it is cut off so that it is nothing any more. */
static bool is_packed(const char *path)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    size_t length = strlen(path);

    return fd >= 0 && length > 5 && strcasecmp(path + length - 5, ".vsix") == 0;
}

static int find_builds(const char *directory, struct builds *builds, struct err *err)
{
    DIR *dir = opendir(directory);
    int result = 0;

    if (!dir)
        return err_errno(err, errno, "%s", directory);
    read_obsolete(directory, builds);
    for (const struct dirent *entry; (entry = readdir(dir)) && builds->n < BUILDS;) {
        CLEANUP_FREE char *path = path_join(directory, entry->d_name);
        struct stat st;

        if (entry->d_name[0] == '.' || stat(path, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode))
            add_build(builds, path, true);
        else if (S_ISREG(st.st_mode) && is_packed(path))
            add_build(builds, path, false);
    }
    closedir(dir);
    if (!builds->n)
        result = err_set(err, "%s: there is no .vsix file and no unpacked extension in it", directory);
    return result;
}

/* What VS Code takes first of several of one version: what is for this platform, then what is for any. */
static int rank(const struct build *build)
{
    return !build->fits ? 2 : !build->vsix.target;
}

/* By extension, the newest first; of one version the packed one, which can be installed as it is. */
static int by_age(const void *a, const void *b)
{
    const struct build *one = a, *other = b;
    int order = strcasecmp(one->id, other->id);

    if (order == 0)
        order =
            vsix_compare(other->vsix.version ? other->vsix.version : "", one->vsix.version ? one->vsix.version : "");
    if (order == 0)
        order = rank(one) - rank(other);
    if (order == 0)
        order = one->vsix.folder - other->vsix.folder;
    return order ? order : strcmp(one->vsix.path, other->vsix.path);
}

/* ---- which of them loads ---- */

static void take_causes(struct report *from, const struct build *build, struct report *to)
{
    for (size_t i = 0; i < from->cause_count; i++)
        cause_fact(from->causes[i], "in", "%s", build->vsix.path);
    report_move_causes(from, to);
    for (size_t i = 0; i < from->unseen.n; i++)
        strings_addf(&to->unseen, "%s: %s", path_base(build->vsix.path), from->unseen.v[i]);
}

static void look(const struct check_request *request, struct build *build, struct report *report)
{
    struct report *own = report_create();
    struct err err = {{0}};
    const struct table *files;
    int result;

    result = build->vsix.folder ? check_tree(request, build->vsix.path, true, own, &err)
                                : check_archive(request, build->vsix.path, ARCHIVE_ZIP, own, &err);
    build->looked = true;
    if (result < 0)
        build->vsix.fault = xstrdup(err.text);
    build->loads = result == 0 && !own->cause_count;
    build->causes = own->cause_count;
    files = table_find(own, "files");
    build->files = files ? table_rows(files) : 0;
    take_causes(own, build, report);
    report_destroy(own);
}

/* ---- what is told of it ---- */

static void put_choice_verdict(struct table *table, const struct build *build, const struct build *chosen)
{
    table_cell(table, TABLE_GOOD, "%s%zu file%s%s%s", build == chosen ? "the newest that does: " : "", build->files,
               build->files == 1 ? "" : "s", build->files ? ": all load" : " that a loader loads",
               build->vsix.preview ? "; a pre-release" : "");
}

/* Equal or older, where one was chosen before its turn. */
static const char *passed_over(const struct build *build, const struct build *chosen)
{
    return chosen && build->vsix.version && vsix_compare(build->vsix.version, chosen->vsix.version) == 0
               ? "the same version: not looked at"
               : "older: not looked at";
}

static void put_build(const struct builds *builds, struct table *table, const struct build *build,
                      const struct build *chosen)
{
    const struct vsix *vsix = &build->vsix;

    table_text(table, build->id);
    table_text(table, vsix->version);
    table_text(table, vsix->path);
    table_text(table, vsix->engine);
    table_text(table, vsix->target ? vsix->target : vsix->name ? "any" : NULL);
    table_text(table, vsix->checked);
    if (vsix->fault)
        table_cell(table, TABLE_BAD, "refused: %s", vsix->fault);
    else if (!build->fits)
        table_cell(table, TABLE_PLAIN, "for %s", vsix->target);
    else if (build->removed)
        table_cell(table, TABLE_PLAIN, "uninstalled: VS Code removes it at its next start");
    else if (!build->taken)
        table_cell(table, TABLE_PLAIN, "not for the VS Code that is here, %s", builds->editor);
    else if (!build->looked)
        table_cell(table, TABLE_PLAIN, "%s", passed_over(build, chosen));
    else if (!build->loads)
        table_cell(table, TABLE_BAD, "does not load: %zu cause%s", build->causes, build->causes == 1 ? "" : "s");
    else
        put_choice_verdict(table, build, chosen);
}

static struct table *builds_table(struct report *report)
{
    static const char *const columns[][2] = {
        {"extension", "extension"}, {"version", "version"}, {"file", ""},           {"engine", "needs VS Code"},
        {"target", "for"},          {"checked", ""},        {"verdict", "verdict"}, {NULL, NULL}};

    return table_with(report, "builds", "What is at hand", columns);
}

static struct table *choices_table(struct report *report)
{
    static const char *const columns[][2] = {{"extension", "extension"}, {"version", "version"},
                                             {"install", "1. run"},      {"setting", "2. in settings.json"},
                                             {"lost", "what is lost"},   {NULL, NULL}};

    return table_with(report, "choices", "How to install it, and to keep it", columns);
}

/* "0.43.0 (needs VS Code ^1.90.0), 0.42.1": the versions from FIRST up to CHOSEN, which it gives up. */
static char *lost_by(const struct build *first, const struct build *chosen)
{
    struct text text = {0};

    for (const struct build *build = first; build < chosen; build++) {
        bool again = build > first && build->vsix.version && build[-1].vsix.version &&
                     strcmp(build->vsix.version, build[-1].vsix.version) == 0;

        if (again || !build->vsix.version || !build->fits || build->removed || !build->taken ||
            vsix_compare(build->vsix.version, chosen->vsix.version) <= 0)
            continue;
        text_addf(&text, "%s%s", text.n ? ", " : "version ", build->vsix.version);
        if (build->vsix.engine)
            text_addf(&text, " (for VS Code %s)", build->vsix.engine);
    }
    return text.v ? text.v : xstrdup("nothing: it is the newest at hand");
}

/* For a shell. What a report would not show as it is stands as $'…', which POSIX has since 2024. */
static char *quoted(const char *word)
{
    CLEANUP_FREE char *shown = utf8_plain(word);
    struct text text = {0};

    if (strcmp(shown, word) != 0) {
        text_add(&text, "$'");
        for (; *word; word++)
            if (isprint((unsigned char)*word) && !strchr("\\'", *word))
                text_addc(&text, *word);
            else
                text_addf(&text, "\\%03o", (unsigned)(unsigned char)*word);
        text_addc(&text, '\'');
        return text.v;
    }

    if (*word && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-@+:,")] == '\0')
        return xstrdup(word);
    text_addc(&text, '\'');
    for (; *word; word++)
        text_add(&text, *word == '\'' ? "'\\''" : (char[]){*word, '\0'});
    text_addc(&text, '\'');
    return text.v;
}

static void add_choice(struct rollback *rollback, const struct build *build)
{
    struct rollback_choice *choice = array_add(&rollback->choices, &rollback->count, &rollback->cap, sizeof *choice);

    choice->id = xstrdup(build->id);
    choice->version = xstrdup(build->vsix.version);
    choice->install = xcalloc(5, sizeof *choice->install);
    choice->install[0] = xstrdup("code");
    choice->install[1] = xstrdup("--install-extension");
    /* what is unpacked cannot be installed from where it is: the marketplace has it */
    choice->install[2] =
        build->vsix.folder ? xasprintf("%s@%s", build->id, build->vsix.version) : xstrdup(build->vsix.path);
    choice->install[3] = xstrdup("--force");
}

static void put_choice(struct table *table, const struct build *first, const struct build *chosen)
{
    CLEANUP_FREE char *what =
        chosen->vsix.folder ? xasprintf("%s@%s", chosen->id, chosen->vsix.version) : quoted(chosen->vsix.path);
    CLEANUP_FREE char *lost = lost_by(first, chosen);

    table_text(table, chosen->id);
    table_text(table, chosen->vsix.version);
    table_cell(table, TABLE_PLAIN, "code --install-extension %s --force", what);
    /* since VS Code 1.96; before: "extensions.autoUpdate": false, which stops all of them */
    table_cell(table, TABLE_PLAIN, "\"extensions.allowed\": {\"*\": true, \"%s\": [\"%s\"]}", chosen->id,
               chosen->vsix.version);
    table_text(table, lost);
}

/* The builds of one extension, from FIRST to END: the choice, or NULL. */
static const struct build *choose(const struct check_request *request, struct build *first, const struct build *end,
                                  struct report *report)
{
    for (struct build *build = first; build < end; build++) {
        if (build->vsix.fault || !build->fits || build->removed || !build->taken)
            continue;
        look(request, build, report);
        if (build->loads)
            return build;
    }
    return NULL;
}

/* LAST: one of the last of the extensions, NULL where none is known by name; ONE: what was chosen last, or NULL. */
static void headline(struct report *report, size_t extensions, size_t chosen, size_t refused, const struct build *last,
                     const struct build *one)
{
    const char *also = refused ? "; what is damaged or was changed is refused" : "";

    if (!last)
        report->headline = xstrdup("What is at hand is damaged or was changed, and is refused.");
    else if (extensions == 1 && one)
        report->headline =
            xasprintf("%s %s is the newest at hand that loads here%s.", one->id, one->vsix.version, also);
    else if (extensions == 1)
        report->headline = xasprintf("No version of %s that is at hand loads here%s.", last->id, also);
    else
        report->headline = xasprintf("%zu of %zu extensions %s a version that loads here%s.", chosen, extensions,
                                     chosen == 1 ? "has" : "have", also);
}

static void builds_deinit(struct builds *builds)
{
    for (size_t i = 0; i < builds->n; i++) {
        vsix_deinit(&builds->v[i].vsix);
        free(builds->v[i].id);
    }
    free(builds->v);
    free(builds->editor);
    strings_deinit(&builds->removed);
}

/* One of them that says which extension it is, or NULL: a damaged file may be a version of any. */
static const struct build *named(const struct build *build, const struct build *end)
{
    for (; build < end; build++)
        if (build->vsix.publisher && build->vsix.name)
            return build;
    return NULL;
}

static void find_choices(const struct check_request *request, struct builds *builds, struct report *report,
                         struct rollback *ret)
{
    struct table *table = builds_table(report), *choices = NULL;
    const struct build *last = NULL, *known = NULL;
    size_t extensions = 0, refused = 0;

    for (size_t i = 0, end; i < builds->n; i = end) {
        const struct build *chosen, *one;

        for (end = i + 1; end < builds->n && strcasecmp(builds->v[i].id, builds->v[end].id) == 0;)
            end++;
        one = named(&builds->v[i], &builds->v[end]);
        extensions += one != NULL;
        known = one ? one : known;
        chosen = choose(request, &builds->v[i], &builds->v[end], report);
        for (size_t k = i; k < end; k++) {
            put_build(builds, table, &builds->v[k], chosen);
            refused += builds->v[k].vsix.fault != NULL;
        }
        if (!chosen)
            continue;
        last = chosen;
        if (!choices)
            choices = choices_table(report);
        put_choice(choices, &builds->v[i], chosen);
        add_choice(ret, chosen);
    }
    if (refused)
        strings_addf(&report->unseen, "whether a signature itself is genuine: only the digests that it is over were "
                                      "compared");
    headline(report, extensions, ret->count, refused, known, last);
}

int rollback_find(const struct check_request *request, const char *directory, struct report *report,
                  struct rollback *ret, struct err *err)
{
    struct builds builds = {0};
    int result;

    *ret = (struct rollback){0};
    builds.editor = rollback_editor(request->env);
    result = find_builds(directory, &builds, err);
    if (result == 0) {
        qsort(builds.v, builds.n, sizeof *builds.v, by_age);
        find_choices(request, &builds, report, ret);
    }
    builds_deinit(&builds);
    return result;
}

void rollback_deinit(struct rollback *rollback)
{
    for (size_t i = 0; i < rollback->count; i++) {
        free(rollback->choices[i].id);
        free(rollback->choices[i].version);
        for (char **word = rollback->choices[i].install; *word; word++)
            free(*word);
        free(rollback->choices[i].install);
    }
    free(rollback->choices);
}
