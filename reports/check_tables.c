/* What `glibctrace check` shows of what it has found (check_parts.h). */
#include "check_parts.h"

#include "table.h"
#include "text.h"
#include "variant.h"

#include <probes/alloc.h>
#include <probes/releases.h>

#include <string.h>

enum { VERSIONS_MOST = 256, SYSTEMS_SHOWN = 4, SYMBOLS_SHOWN = 4, SYMBOLS_COUNTED = 1000 };

/* ---- what is wanted ---- */

/* The versions of one family that are asked for. */
struct wants {
    const char *versions[VERSIONS_MOST];
    size_t count;
};

static const char *const families[][2] = {
    {"GLIBC_", "glibc"}, {"GLIBCXX_", "libstdc++"}, {"CXXABI_", "libstdc++"}, {"GCC_", "libgcc_s"}};

static bool of_family(const char *version)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strncmp(version, families[i][0], strlen(families[i][0])) == 0)
            return true;
    return false;
}

/* The C library's own objects, and the compiler's, are what is to be asked, not who asks. */
bool check_is_asked(const struct object *object)
{
    for (size_t i = 0; object->index && i < object->elf->def_count; i++)
        if (of_family(object->elf->defs[i].name))
            return true;
    return false;
}

static void add_wanted(struct wants *wants, const struct elffile *elf)
{
    for (size_t i = 0; i < elf->need_count; i++) {
        const char *name = elf->needs[i].name;
        bool again = elf->needs[i].weak || !of_family(name);

        for (size_t k = 0; k < wants->count && !again; k++)
            again = strcmp(wants->versions[k], name) == 0;
        if (!again && wants->count < VERSIONS_MOST)
            wants->versions[wants->count++] = name;
    }
}

static void find_wants(const struct load *load, struct wants *ret)
{
    *ret = (struct wants){0};
    for (size_t i = 0; i < load->object_count; i++)
        if (!check_is_asked(load->objects[i]))
            add_wanted(ret, load->objects[i]->elf);
}

/* The newest of the family that begins with PREFIX, or NULL. */
static const char *newest(const struct wants *wants, const char *prefix)
{
    const char *found = NULL;

    for (size_t i = 0; i < wants->count; i++) {
        const char *name = wants->versions[i];

        if (strncmp(name, prefix, strlen(prefix)) == 0 && name[strlen(prefix)] >= '0' && name[strlen(prefix)] <= '9' &&
            (!found || strverscmp(name, found) > 0))
            found = name;
    }
    return found;
}

/* That of glibc which only the newest release has: those without a number are as old as the release that brought them
 * ("GLIBC_ABI_DT_RELR"); *RELEASE is that, malloced. */
static const char *newest_of_glibc(const struct wants *wants, char **release)
{
    const char *found = newest(wants, "GLIBC_");

    *release = found ? xstrdup(found + strlen("GLIBC_")) : NULL;
    for (size_t i = 0; i < wants->count; i++) {
        CLEANUP_FREE char *first =
            strncmp(wants->versions[i], "GLIBC_ABI_", 10) == 0 ? releases_first(wants->versions[i]) : NULL;

        if (!first || (*release && strverscmp(first, *release) <= 0))
            continue;
        found = wants->versions[i];
        free(*release);
        *release = steal_pointer(&first);
    }
    return found;
}

/* The symbols by which LOAD's objects ask for VERSION, the first ones by name. */
static char *deciding(const struct load *load, const char *version)
{
    const char *seen[SYMBOLS_COUNTED];
    struct text text = {0};
    size_t count = 0;

    for (size_t i = 0; i < load->object_count; i++) {
        const struct elffile *elf = load->objects[i]->elf;
        size_t symbols = check_is_asked(load->objects[i]) ? 0 : elf->symbol_count;

        for (size_t k = 0; k < symbols; k++) {
            const struct elf_symbol *symbol = &elf->symbols[k];
            bool again = symbol->defined || !symbol->version || strcmp(symbol->version, version) != 0;

            for (size_t n = 0; n < count && !again; n++)
                again = strcmp(seen[n], symbol->name) == 0;
            if (!again && count < SYMBOLS_COUNTED)
                seen[count++] = symbol->name;
        }
    }
    for (size_t i = 0; i < count && i < SYMBOLS_SHOWN; i++)
        text_addf(&text, "%s%s", i ? ", " : "", seen[i]);
    if (count > SYMBOLS_SHOWN)
        text_addf(&text, " and %zu more", count - SYMBOLS_SHOWN);
    if (!count && strncmp(version, "GLIBC_ABI_", 10) == 0)
        text_addf(&text, "the version itself, no symbol carries it");
    return text.v ? text.v : xstrdup("");
}

/* Those that have all versions of the family that begins with PREFIX. */
static char *systems_with(const struct wants *wants, const char *prefix)
{
    const struct release *systems[SYSTEMS_SHOWN];
    const char *versions[VERSIONS_MOST];
    size_t wanted = 0, count;
    struct text text = {0};

    for (size_t i = 0; i < wants->count; i++)
        if (strncmp(wants->versions[i], prefix, strlen(prefix)) == 0 && release_knows(wants->versions[i]))
            versions[wanted++] = wants->versions[i];
    count = releases_with(versions, wanted, systems, SYSTEMS_SHOWN);
    for (size_t i = 0; i < count; i++)
        text_addf(&text, "%s%s %s", i ? ", " : "", systems[i]->system, systems[i]->number);
    return text.v ? text.v : xstrdup("");
}

static struct table *wants_table(struct report *report)
{
    static const char *const columns[][2] = {
        {"file", ""}, {"of", "of"}, {"version", "version"}, {"systems", "since"}, {"symbols", "because of"},
        {NULL, NULL}};

    return table_with(report, "wants", "The oldest that would do", columns);
}

void check_put_wants(struct report *report, const struct load *load)
{
    struct table *table;
    struct wants wants;

    find_wants(load, &wants);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        CLEANUP_FREE char *release = NULL;
        const char *version = i ? newest(&wants, families[i][0]) : newest_of_glibc(&wants, &release);
        CLEANUP_FREE char *systems = version ? systems_with(&wants, families[i][0]) : NULL;
        CLEANUP_FREE char *symbols = version ? deciding(load, version) : NULL;

        if (!version)
            continue;
        table = wants_table(report);
        table_text(table, load->objects[0]->path);
        table_text(table, families[i][1]);
        table_text(table, version);
        table_text(table, systems);
        table_text(table, symbols);
    }
}

/* ---- the files ---- */

static struct table *files_table(struct report *report)
{
    static const char *const columns[][2] = {{"file", "file"}, {"what", "what"},       {"machine", "for"},
                                             {"libc", "libc"}, {"verdict", "verdict"}, {NULL, NULL}};

    return table_with(report, "files", NULL, columns);
}

/* "glibc 2.34", "musl", "". */
static char *libc_of(const struct load *load)
{
    CLEANUP_FREE char *release = NULL;
    struct wants wants = {0};

    if (!load || load->family == LOADER_NONE)
        return xstrdup("");
    if (load->family == LOADER_MUSL)
        return xstrdup("musl");
    add_wanted(&wants, load->objects[0]->elf);
    newest_of_glibc(&wants, &release);
    return release ? xasprintf("glibc %s", release) : xstrdup("glibc");
}

/* Symbols that nobody defines: a library's host may have them. */
static size_t left_over(const struct load *load)
{
    size_t count = 0;

    for (size_t i = 0; i < load->fault_count; i++)
        count += load->faults[i]->kind == FAULT_SYMBOL;
    return count;
}

void check_put_file(struct report *report, const char *path, const char *what, const struct load *load, size_t later,
                    size_t causes)
{
    struct table *table = files_table(report);
    CLEANUP_FREE char *libc = libc_of(load);
    size_t left = strcmp(what, "library") == 0 ? left_over(load) - later : 0;

    table_text(table, path);
    table_text(table, what);
    table_text(table, load->objects[0]->elf->class ? elffile_machine_name(load->objects[0]->elf) : "");
    table_text(table, libc);
    if (later)
        table_cell(table, TABLE_WARNING, "loads, but %zu symbol%s " CHECK_LATER, later, later == 1 ? "" : "s");
    else if (causes)
        table_cell(table, TABLE_BAD, "does not load: %zu cause%s", causes, causes == 1 ? "" : "s");
    else if (left)
        table_cell(table, TABLE_GOOD, "loads; takes %zu symbol%s from who loads it", left, left == 1 ? "" : "s");
    else
        table_cell(table, TABLE_GOOD, "loads");
}

void check_put_refused(struct report *report, const char *path, const struct elffile *elf, bool unpermitted,
                       size_t causes)
{
    CLEANUP_FREE char *verdict =
        causes ? xasprintf("does not load: %zu cause%s", causes, causes == 1 ? "" : "s")
               : xstrdup(unpermitted ? "would load, but its mode lets nobody execute it" : "loads");

    check_put_row(report, path, elf ? "program" : "script", elf,
                  causes        ? TABLE_BAD
                  : unpermitted ? TABLE_WARNING
                                : TABLE_GOOD,
                  verdict);
}

void check_put_row(struct report *report, const char *path, const char *what, const struct elffile *elf,
                   enum table_mark mark, const char *verdict)
{
    struct table *table = files_table(report);
    enum family family = elf ? variant_family(elf) : FAMILY_ANY;
    CLEANUP_FREE char *release = NULL;
    struct wants wants = {0};

    if (elf && family == FAMILY_GLIBC) {
        add_wanted(&wants, elf);
        newest_of_glibc(&wants, &release);
    }
    table_text(table, path);
    table_text(table, what);
    table_text(table, elf ? elffile_machine_name(elf) : "");
    table_cell(table, TABLE_PLAIN, "%s%s%s", family == FAMILY_OTHER ? "" : variant_family_name(family),
               release ? " " : "", release ? release : "");
    table_cell(table, mark, "%s", verdict);
}

/* ---- the objects ---- */

/* Who asked for OBJECT first: of the loader itself, which is there before anybody asks, the first that needs it. */
static const struct object *asker_of(const struct load *load, const struct object *object)
{
    for (size_t i = 0; object->why == OBJECT_INTERP && object->asked_as && i < load->object_count; i++)
        for (size_t k = 0; k < load->objects[i]->elf->needed_count; k++)
            if (strcmp(load->objects[i]->elf->needed[k], object->asked_as) == 0)
                return load->objects[i];
    return object->loader;
}

static bool is_last(const struct load *load, const struct object *object)
{
    for (size_t i = object->index + 1; i < load->object_count; i++)
        if (asker_of(load, load->objects[i]) == asker_of(load, object))
            return false;
    for (size_t i = 0; i < load->fault_count; i++)
        if (load->faults[i]->kind == FAULT_NOT_FOUND && load->faults[i]->subject == asker_of(load, object))
            return false;
    return true;
}

/* "│   └── " for OBJECT's depth; LAST: it is the last of its asker's. */
static char *lines_before(const struct load *load, const struct object *asker, bool last)
{
    enum { DEPTH_MOST = 64 };
    struct text text = {0};
    const struct object *up[DEPTH_MOST];
    size_t depth = 0;

    for (const struct object *at = asker; at && asker_of(load, at) && depth < DEPTH_MOST; at = asker_of(load, at))
        up[depth++] = at;
    text_add(&text, "");
    while (depth)
        text_add(&text, is_last(load, up[--depth]) ? "    " : "│   ");
    text_add(&text, last ? "└── " : "├── ");
    return text.v;
}

static void put_missing(struct table *table, const struct load *load, const struct object *asker)
{
    const struct fault *last = NULL;

    for (size_t i = 0; i < load->fault_count; i++)
        if (load->faults[i]->kind == FAULT_NOT_FOUND && load->faults[i]->subject == asker)
            last = load->faults[i];
    for (size_t i = 0; last && i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];

        if (fault->kind != FAULT_NOT_FOUND || fault->subject != asker)
            continue;
        CLEANUP_FREE char *before = lines_before(load, asker, fault == last);

        table_branch(table, before, fault->name);
        table_text(table, "");
        table_cell(table, TABLE_BAD, "not found");
        table_text(table, asker->path);
        table_text(table, load->objects[0]->path);
    }
}

static void put_object(struct table *table, const struct load *load, const struct object *object)
{
    const struct object *asker = asker_of(load, object);
    CLEANUP_FREE char *before = asker ? lines_before(load, asker, is_last(load, object)) : xstrdup("");

    table_branch(table, before,
                 object->index ? object->asked_as ? object->asked_as : path_base(object->path)
                               : path_base(object->path));
    table_text(table, object->path);
    table_text(table, object->why == OBJECT_MAIN      ? ""
                      : object->why == OBJECT_PRELOAD ? "preloaded"
                      : object->why == OBJECT_INTERP  ? "the loader itself"
                                                      : search_origin_text(object->origin));
    table_text(table, asker ? asker->path : "");
    table_text(table, load->objects[0]->path);
    for (size_t i = object->index + 1; i < load->object_count; i++)
        if (asker_of(load, load->objects[i]) == object)
            put_object(table, load, load->objects[i]);
    put_missing(table, load, object);
}

static struct table *objects_table(struct report *report)
{
    static const char *const columns[][2] = {
        {"name", "needed as"}, {"path", "file"}, {"found", "found by"}, {"by", ""}, {"of", ""}, {NULL, NULL}};

    return table_with(report, "objects", "What it would be made of", columns);
}

void check_put_objects(struct report *report, const struct load *load)
{
    struct table *table;

    if (load->object_count < 2 && !load->fault_count)
        return;
    table = objects_table(report);
    for (size_t i = 0; i < load->object_count; i++)
        if (!asker_of(load, load->objects[i]))
            put_object(table, load, load->objects[i]);
}
