#include "libc_use.h"

#include "table.h"
#include "text.h"

#include <stdarg.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/packages.h>

struct libc_use *libc_uses_add(struct libc_uses *uses)
{
    struct libc_use *use = array_add(&uses->v, &uses->n, &uses->cap, sizeof *use);

    use->loader_says.family = "unknown";
    return use;
}

static void use_deinit(struct libc_use *use)
{
    free(use->of);
    free(use->kind);
    free(use->wants);
    free(use->libc.family);
    free(use->libc.version);
    free(use->libc.path);
    free(use->libc.from);
    free(use->libc.build);
    free(use->least);
    free(use->loader);
    libc_identity_deinit(&use->loader_says);
    free(use->package);
    free(use->machine);
    free(use->context);
    free(use->root);
    strings_deinit(&use->notes);
    if (use->cause)
        cause_destroy(use->cause);
}

void libc_uses_deinit(struct libc_uses *uses)
{
    for (size_t i = 0; i < uses->n; i++)
        use_deinit(&uses->v[i]);
    free(uses->v);
    *uses = (struct libc_uses){0};
}

void libc_uses_keep_last(struct libc_uses *uses, size_t first)
{
    for (size_t i = first; i + 1 < uses->n; i++)
        use_deinit(&uses->v[i]);
    uses->v[first] = uses->v[uses->n - 1];
    uses->n = first + 1;
}

void libc_use_says(struct libc_use *use, struct libc_identity *says, const char *path)
{
    free(use->libc.family);
    free(use->libc.version);
    free(use->libc.build);
    free(use->libc.path);
    use->libc.family = xstrdup(says->family);
    use->libc.version = steal_pointer(&says->release);
    use->libc.build = steal_pointer(&says->build);
    use->libc.path = xstrdup_or_null(path);
}

void libc_use_known(struct libc_use *use, const char *how, unsigned sure, const char *format, ...)
{
    va_list args;

    use->how = how;
    use->sure = sure;
    free(use->libc.from);
    va_start(args, format);
    use->libc.from = xvasprintf(format, args);
    va_end(args);
    if (!use->libc.family)
        use->libc.family = xstrdup("unknown");
}

void libc_use_note(struct libc_use *use, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    strings_add(&use->notes, xvasprintf(format, args));
    va_end(args);
}

/* ---- a loader and a C library of two builds ---- */

/* "Debian GLIBC 2.36-9", "GNU libc 2.38": builds that do not name their package are told apart by the release. */
static char *build_words(const char *build, const char *release)
{
    if (!build)
        return xasprintf("glibc %s", release ? release : "of a release that it does not tell");
    return release && !strstr(build, release) ? xasprintf("%s %s", build, release) : xstrdup(build);
}

void libc_use_skew(struct libc_use *use, const char *what, bool by_loader)
{
    CLEANUP_FREE char *libc = build_words(use->libc.build, use->libc.version);
    CLEANUP_FREE char *loader = build_words(use->loader_says.build, use->loader_says.release);
    struct cause *cause;

    if (use->cause || !use->libc.path || !use->loader)
        return;
    cause = use->cause = cause_create(CAUSE_LOADER_LIBC_SKEW);
    cause->impact = what ? IMPACT_FATAL : IMPACT_DEGRADED;
    cause->confidence = what ? 0.95 : 0.9;
    cause->subject = xstrdup(by_loader ? use->loader : use->libc.path);
    cause->missing = xstrdup(what ? what : "GLIBC_PRIVATE");
    cause->provider = xstrdup(by_loader ? use->libc.path : use->loader);
    cause->pid = use->pid;
    cause->exe = use->of && use->of[0] == '/' ? xstrdup(use->of) : NULL;
    cause->seconds = -1;
    if (use->of)
        strings_add(&cause->chain, xstrdup(use->of));
    strings_add(&cause->chain, xstrdup(cause->subject));
    cause->summary = xasprintf("%s %s the C library %s, which is %s, with the loader %s, which is %s: they only work "
                               "together when they are of one build.",
                               use->of, use->to_be ? "gets" : "runs on", use->libc.path, libc, use->loader, loader);
    cause->detail =
        xasprintf("%s They share functions and structures that no version tells of (GLIBC_PRIVATE).%s%s%s",
                  use->libc.version && use->loader_says.release ? "Each says in its own words of which build it is."
                                                                : "Not both say of which build they are.",
                  what ? " One asks the other in vain for " : "", what ? what : "", what ? "." : "");
    cause_fact(cause, "the libc", "%s   %s", use->libc.path, libc);
    cause_fact(cause, "the loader", "%s   %s", use->loader, loader);
    cause_remedy(
        cause, PROOF_KNOWN,
        "let both come from one directory: take the odd one out of LD_LIBRARY_PATH or the run path, or let the "
        "program name the loader that belongs to its C library (PT_INTERP; patchelf --set-interpreter)");
}

/* ---- the report ---- */

static char *release_words(const struct libc_use *use)
{
    return use->libc.version ? xstrdup(use->libc.version)
           : use->least      ? xasprintf("at least %s", use->least)
                             : xstrdup("");
}

/* "glibc 2.36", "glibc, at least 2.34", "musl", "no C library", "an unknown C library" */
static char *library_words(const struct libc_use *use)
{
    const char *family = use->libc.family;

    if (strcmp(family, "none") == 0)
        return xstrdup(use->how && strcmp(use->how, "static") == 0 ? "no C library, being static" : "no C library");
    if (strcmp(family, "unknown") == 0)
        return xstrdup("a C library that is not known");
    if (use->libc.version)
        return xasprintf("%s %s", family, use->libc.version);
    return use->least ? xasprintf("%s, at least %s", family, use->least)
                      : xasprintf("%s of an unknown release", family);
}

static const struct {
    const char *key, *head;
    bool detail;
} columns[] = {
    {"of", "what", false},
    {"family", "family", false},
    {"release", "release", false},
    {"sure", "sure %", false},
    {"how", "by", false},
    {"path", "libc", false},
    {"build", "build", true},
    {"package", "package", true},
    {"from", "known by", true},
    {"loader", "loader", true},
    {"loader_build", "its build", true},
    {"machine", "machine", true},
    {"context", "it is in", true},
    {"note", "and", true},
};

/* Or NULL. */
static char *notes_of(const struct libc_use *use)
{
    struct text text = {0};

    if (use->wants)
        text_addf(&text, "%s for glibc of at least %s", use->programs > 1 ? "they ask" : "it asks", use->wants);
    for (size_t i = 0; i < use->notes.n; i++)
        text_addf(&text, "%s%s", text.n ? "; " : "", use->notes.v[i]);
    return text.v;
}

static char *name_of(const struct libc_use *use)
{
    if (use->system && !*use->of)
        return xstrdup("this system");
    return use->programs > 1 ? xasprintf("%zu like %s", use->programs, use->of) : xstrdup(use->of);
}

static void put_row(struct table *table, const struct libc_use *use, bool pids)
{
    CLEANUP_FREE char *name = name_of(use), *release = release_words(use), *notes = notes_of(use);
    bool known = strcmp(use->libc.family, "unknown") != 0;

    if (pids)
        table_cell(table, TABLE_PLAIN, "%d", (int)use->pid);
    table_text(table, name);
    table_cell(table, known ? TABLE_PLAIN : TABLE_WARNING, "%s", use->libc.family);
    table_text(table, release);
    table_cell(table, TABLE_PLAIN, "%u", use->sure);
    table_text(table, use->how);
    table_text(table, use->libc.path);
    table_text(table, use->libc.build);
    table_text(table, use->package);
    table_text(table, use->libc.from);
    table_text(table, use->loader);
    if (use->loader_says.release) {
        CLEANUP_FREE char *build = build_words(use->loader_says.build, use->loader_says.release);

        table_cell(table, use->cause ? TABLE_BAD : TABLE_PLAIN, "%s", build);
    } else {
        table_text(table, NULL);
    }
    table_text(table, use->machine);
    table_text(table, use->context);
    table_cell(table, notes ? TABLE_WARNING : TABLE_PLAIN, "%s", notes ? notes : "");
}

static void put_table(const struct libc_uses *uses, struct report *report)
{
    struct table *table = table_add(report, "libcs", NULL);
    bool pids = false;

    for (size_t i = 0; i < uses->n; i++)
        pids |= uses->v[i].pid != 0;
    if (pids)
        table_number(table, "pid", "process");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        const char *key = columns[i].key;

        if (strcmp(key, "sure") == 0)
            table_number(table, key, columns[i].head);
        else if (columns[i].detail)
            table_detail(table, key, columns[i].head);
        else
            table_column(table, key, columns[i].head);
    }
    for (size_t i = 0; i < uses->n; i++)
        put_row(table, &uses->v[i], pids);
}

static bool alike(const struct libc_use *a, const struct libc_use *b)
{
    CLEANUP_FREE char *one = library_words(a), *other = library_words(b);

    return strcmp(one, other) == 0;
}

static size_t number_of(const struct libc_use *use)
{
    return use->programs ? use->programs : 1;
}

/* "12: 9 on glibc 2.36, 3 on no C library", by how many, as they come. */
static char *headline_of_several(const struct libc_uses *uses)
{
    struct text text = {0};
    size_t all = 0;

    for (size_t i = 0; i < uses->n; i++)
        all += number_of(&uses->v[i]);
    text_addf(&text, "%zu were looked at: ", all);
    for (size_t i = 0; i < uses->n; i++) {
        CLEANUP_FREE char *words = library_words(&uses->v[i]);
        bool before = false;
        size_t count = 0;

        for (size_t k = 0; k < uses->n; k++)
            if (alike(&uses->v[i], &uses->v[k])) {
                before |= k < i;
                count += number_of(&uses->v[k]);
            }
        if (!before)
            text_addf(&text, "%s%zu on %s", i ? ", " : "", count, words);
    }
    text_addc(&text, '.');
    return text.v;
}

static char *headline_of_one(const struct libc_use *use)
{
    CLEANUP_FREE char *words = library_words(use);
    bool known = strcmp(use->libc.family, "unknown") != 0;
    CLEANUP_FREE char *sure = known ? xasprintf(" (%u %% sure)", use->sure) : xstrdup("");

    if (use->pid && use->of[0] == '/')
        return xasprintf("Process %d (%s) runs on %s%s.", (int)use->pid, use->of, words, sure);
    if (use->pid)
        return xasprintf("Process %d is %s and runs on %s%s.", (int)use->pid, use->of, words, sure);
    return xasprintf("%s %s %s%s.", use->of, use->to_be ? "gets" : "is", words, sure);
}

/* ALSO: it has others, which hide how it is known. */
static char *headline_of_system(const struct libc_use *use, bool also)
{
    CLEANUP_FREE char *words = library_words(use);
    CLEANUP_FREE char *whose =
        *use->of ? xasprintf("The C library in %s", use->of) : xstrdup("This system's C library");

    if (strcmp(use->libc.family, "none") == 0)
        return xasprintf("%s has no C library: %s.", *use->of ? use->of : "This system", use->libc.from);
    return also ? xasprintf("%s is %s (%u %% sure: by %s).", whose, words, use->sure, use->libc.from)
                : xasprintf("%s is %s (%u %% sure).", whose, words, use->sure);
}

static char *headline(const struct libc_uses *uses)
{
    if (uses->v[0].system)
        return headline_of_system(&uses->v[0], uses->n > 1);
    return uses->n == 1 && uses->v[0].programs <= 1 ? headline_of_one(&uses->v[0]) : headline_of_several(uses);
}

static bool same_libc(const struct libc_facts *a, const struct libc_facts *b)
{
    return strcmp(a->family, b->family) == 0 &&
           strcmp(a->version ? a->version : "", b->version ? b->version : "") == 0 &&
           strcmp(a->path ? a->path : "", b->path ? b->path : "") == 0;
}

static void put_libc(const struct libc_uses *uses, struct report *report)
{
    const struct libc_facts *first = &uses->v[0].libc;
    bool one = true;

    for (size_t i = 1; i < uses->n && !uses->v[0].system; i++)
        one &= same_libc(first, &uses->v[i].libc);
    report->libc.family = xstrdup(one ? first->family : "unknown");
    report->libc.version = one ? xstrdup_or_null(first->version) : NULL;
    report->libc.path = one ? xstrdup_or_null(first->path) : NULL;
    report->libc.build = one ? xstrdup_or_null(first->build) : NULL;
    report->libc.from = one ? xstrdup_or_null(first->from) : xstrdup("there is more than one: see libcs");
}

/* Package databases are large: only for one. */
static void find_package(struct libc_use *use)
{
    struct package package;

    if (!use->libc.path || !use->root || use->package || !packages_owner(use->root, use->libc.path, &package))
        return;
    use->package = package.version ? xasprintf("%s %s", package.name, package.version) : xstrdup(package.name);
    package_deinit(&package);
}

void libc_uses_put(struct libc_uses *uses, struct report *report)
{
    if (!uses->n)
        return;
    if (uses->n == 1)
        find_package(&uses->v[0]);
    if (!report->headline)
        report->headline = headline(uses);
    put_table(uses, report);
    if (!report->libc.family)
        put_libc(uses, report);
    for (size_t i = 0; i < uses->n; i++) {
        struct libc_use *use = &uses->v[i];

        report->processes += use->pid != 0;
        if (use->cause)
            report_add_cause(report, steal_pointer(&use->cause));
    }
}
