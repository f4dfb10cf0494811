/* The failure itself as a difference: what BAD lacks, and how GOOD comes by it. Part of diff.h. */
#include "diff.h"

#include "wording.h"

#include <probes/alloc.h>

#include <errno.h>
#include <string.h>

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static const char *base(const char *path)
{
    return path ? path_base(path) : NULL;
}

static bool same_name(const struct side *side, const char *name, const struct side *other, const char *other_name)
{
    CLEANUP_FREE char *a = name ? run_comparable(&side->run, base(name)) : NULL;
    CLEANUP_FREE char *b = other_name ? run_comparable(&other->run, base(other_name)) : NULL;

    return same(a, b);
}

/* The same kind, of the same object, for want of the same thing: whatever directories they stand in. CAUSE is OTHER's.
 */
static bool has(const struct side *side, const struct side *other, const struct cause *cause)
{
    for (size_t i = 0; i < side->report->cause_count; i++) {
        const struct cause *mine = side->report->causes[i];

        if (mine->kind == cause->kind && same_name(side, mine->subject, other, cause->subject) &&
            same_name(side, mine->missing, other, cause->missing))
            return true;
    }
    return false;
}

/* ---- how the other side comes by it ---- */

/* Of the newest versions that a library defines the one of VERSION's series. */
static const char *newest_of(const struct run_object *object, const char *version)
{
    size_t n = version ? strcspn(version, "0123456789") : 0;

    for (size_t i = 0; object && n && version[n] && i < object->versions.n; i++)
        if (strncmp(object->versions.v[i], version, n) == 0 && strcspn(object->versions.v[i], "0123456789") == n)
            return object->versions.v[i];
    return NULL;
}

/* " (glibc 2.41)", where NAME is of the C library itself. */
static char *release_of(const struct side *side, const char *name)
{
    static const char *const parts[] = {"libc.so.6",  "libm.so.6",      "libdl.so.2",  "libpthread.so.0",
                                        "librt.so.1", "libresolv.so.2", "libutil.so.1"};
    const struct libc_facts *libc = &side->report->libc;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (name && strcmp(parts[i], name) == 0 && libc->version)
            return xasprintf(" (%s %s)", libc->family, libc->version);
    return xstrdup("");
}

/* The library called NAME, on SIDE: that it DOES what CAUSE wants, or NULL; NULL where nobody was asked. */
static char *library_on(const struct side *side, const char *name, const struct cause *cause, const char *does)
{
    const struct run_object *object = name ? run_object(&side->run, name) : NULL;
    CLEANUP_FREE char *release = release_of(side, name);
    const char *newest = newest_of(object, cause->missing);

    if (!name)
        return NULL;
    if (!object)
        return xasprintf("%s%s%s", name, release, does ? "" : ": not loaded");
    return xasprintf("%s%s%s%s%s%s", object->path, release, does ? " " : "", does ? does : "", newest ? ", up to " : "",
                     newest ? newest : "");
}

static char *program_on(const struct side *side, const char *name)
{
    const struct run_program *program = name ? run_program(&side->run, name) : NULL;

    return program ? xasprintf("%s was executed", program->called) : NULL;
}

static char *file_on(const struct side *side, const char *path)
{
    const struct run_file *file = path ? run_file(&side->run, path) : NULL;
    const char *error = file && !file->found ? errno_name(file->error) : NULL;

    if (!file)
        return NULL;
    return file->found ? xasprintf("%s is there", path) : xasprintf("%s: %s, and it copes", path, error ? error : "?");
}

static char *variable_on(const struct side *side, const char *assignment)
{
    size_t n = assignment ? strcspn(assignment, "=") : 0;

    for (size_t i = 0; n && i < side->run.count; i++)
        for (size_t k = 0; k < side->run.programs[i]->env.n; k++)
            if (strncmp(side->run.programs[i]->env.v[k], assignment, n + 1) == 0)
                return xstrdup(side->run.programs[i]->env.v[k]);
    for (size_t i = 0; n && i < side->run.count; i++)
        for (size_t k = 0; k < side->run.programs[i]->env_left.n; k++)
            if (strlen(side->run.programs[i]->env_left.v[k]) == n &&
                strncmp(side->run.programs[i]->env_left.v[k], assignment, n) == 0)
                return xasprintf("%.*s is set, to a value that the trace does not have", (int)n, assignment);
    return n ? xasprintf("%.*s is not set", (int)n, assignment) : NULL;
}

/* What SIDE, which does not fail of CAUSE, has instead; NULL where nothing is known of it. */
static char *instead(const struct side *side, const struct cause *cause)
{
    char *found = NULL;

    switch (cause->kind) {
    case CAUSE_SYMBOL_VERSION_MISSING:
    case CAUSE_LIBRARY_SHADOWED:
    case CAUSE_LOADER_LIBC_SKEW:
        found = library_on(side, base(cause->provider), cause, "has it");
        break;
    case CAUSE_LIBRARY_MISSING:
    case CAUSE_LIBRARY_OFF_PATH:
        found = library_on(side, base(cause->missing), cause, NULL);
        break;
    case CAUSE_SYMLINK_DANGLING:
    case CAUSE_SYMLINK_LOOP:
    case CAUSE_OBJECT_CORRUPT:
    case CAUSE_WRONG_ARCHITECTURE:
    case CAUSE_PERMISSION_DENIED:
    case CAUSE_NOEXEC_MOUNT:
    case CAUSE_FILE_MISSING:
    case CAUSE_SYMBOL_MISSING:
    case CAUSE_LIBC_FAMILY_MISMATCH:
    case CAUSE_MODULE_ABI_MISMATCH:
        found = file_on(side, cause->missing);
        if (!found && run_object(&side->run, base(cause->provider ? cause->provider : cause->subject)))
            found = library_on(side, base(cause->provider ? cause->provider : cause->subject), cause, "was loaded");
        break;
    case CAUSE_COMMAND_NOT_FOUND:
        found = program_on(side, cause->missing);
        break;
    case CAUSE_ENVIRONMENT_WRONG:
        found = variable_on(side, cause->missing);
        break;
    default:
        break;
    }
    return found ? found : program_on(side, base(cause->subject));
}

static void add_cause(struct diff *diff, const struct cause *cause, bool of_bad)
{
    const struct side *other = of_bad ? &diff->good : &diff->bad;
    char *here = wording_summary(cause), *there = instead(other, cause);
    CLEANUP_FREE char *subject = xstrdup(cause->subject ? base(cause->subject) : "a program");
    struct difference *difference;

    if (!there)
        there = xstrdup("does not fail of that");
    difference = diff_add(diff, RANK_CAUSE, cause_kind_name(cause->kind), xstrdup(cause->missing ? cause->missing : ""),
                          of_bad ? there : here, of_bad ? here : there);
    difference->title =
        xasprintf("%s: %s%s%s", cause_kind_name(cause->kind), subject, *difference->what ? ", " : "", difference->what);
}

const struct cause *diff_causes(struct diff *diff)
{
    const struct report *good = diff->good.report, *bad = diff->bad.report;
    const struct cause *first = NULL;

    for (size_t i = 0; i < bad->cause_count; i++)
        if (!has(&diff->good, &diff->bad, bad->causes[i])) {
            first = first ? first : bad->causes[i];
            add_cause(diff, bad->causes[i], true);
        }
    for (size_t i = 0; i < good->cause_count; i++)
        if (!has(&diff->bad, &diff->good, good->causes[i]))
            add_cause(diff, good->causes[i], false);
    return first;
}

/* ---- what has to do with it ---- */

/* A directory of VALUE, a list, in which PATH lies. */
static bool leads_to(const char *value, const char *path)
{
    for (const char *p = value; p && path && path[0] == '/'; p = *p ? p + 1 : NULL) {
        size_t n = strcspn(p, ":");

        while (n > 1 && p[n - 1] == '/')
            n--;
        if (n > 1 && p[0] == '/' && strncmp(p, path, n) == 0 && (path[n] == '/' || !path[n]))
            return true;
        p += strcspn(p, ":");
    }
    return false;
}

/* Where the thing that is missing in BAD stands in GOOD. */
static const char *there_of(const struct side *good, const struct cause *cause)
{
    const char *name = cause->kind == CAUSE_LIBRARY_MISSING || cause->kind == CAUSE_LIBRARY_OFF_PATH
                           ? base(cause->missing)
                           : base(cause->provider);
    const struct run_object *object = name ? run_object(&good->run, name) : NULL;

    if (object)
        return object->path;
    if (cause->kind == CAUSE_COMMAND_NOT_FOUND && cause->missing && run_program(&good->run, cause->missing))
        return run_program(&good->run, cause->missing)->called;
    /* a module that GOOD found elsewhere */
    for (size_t i = 0; cause->kind == CAUSE_FILE_MISSING && i < good->run.count; i++) {
        const struct run_file *file, *next;

        HASH_ITER(hh, good->run.programs[i]->files, file, next)
        if (file->found && cause->missing && same(base(file->path), base(cause->missing)))
            return file->path;
    }
    return NULL;
}

/* What GOOD found by way of the variable's VALUE, and BAD, which fails, did not: a file, a library, a program. */
static bool found_by(const struct diff *diff, const char *value)
{
    const struct run *good = &diff->good.run, *bad = &diff->bad.run;

    for (size_t i = 0; i < good->count; i++) {
        const struct run_program *program = good->programs[i];
        const struct run_file *file, *next, *other;
        const struct run_object *object, *next_object;

        if (leads_to(value, program->called) && !run_program(bad, program->name))
            return true;
        HASH_ITER(hh, program->files, file, next)
        if (file->found && leads_to(value, file->path) && (!(other = run_file(bad, file->path)) || !other->found))
            return true;
        HASH_ITER(hh, program->objects, object, next_object)
        if (leads_to(value, object->path) && !run_object(bad, object->name))
            return true;
    }
    return false;
}

static bool failed(const struct report *report)
{
    return report->cause_count || report->code || report->signal;
}

bool diff_variable_explains(const struct diff *diff, const struct cause *cause, const char *name, const char *good,
                            const char *bad)
{
    const char *there;
    size_t n = strlen(name);

    if (!cause)
        return failed(diff->bad.report) && !failed(diff->good.report) && found_by(diff, good);
    if (cause->kind == CAUSE_ENVIRONMENT_WRONG)
        return cause->missing && strncmp(cause->missing, name, n) == 0 && cause->missing[n] == '=';
    if (strcmp(name, "LD_PRELOAD") == 0 && cause->provider && strstr(bad, base(cause->provider)))
        return true;
    there = there_of(&diff->good, cause);
    if ((leads_to(good, there) && !leads_to(bad, there)) || leads_to(bad, cause->provider) ||
        (leads_to(bad, cause->missing) && !leads_to(good, cause->missing)))
        return true;
    /* NODE_PATH and its like: what the program names is a module, the directory is the variable's */
    for (size_t i = 0; i < cause->place_count; i++)
        if (leads_to(bad, cause->places[i].path) && !leads_to(good, cause->places[i].path))
            return true;
    return false;
}

bool diff_library_explains(const struct cause *cause, const char *name)
{
    return cause &&
           (same(base(cause->provider), name) || same(base(cause->missing), name) || same(base(cause->subject), name));
}
