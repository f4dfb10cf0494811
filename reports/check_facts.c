/* What `glibctrace check` notes of the objects themselves: demands that some loader or some system refuses, run paths
 * that let another's library in, versions and who defines them, symbols that nobody does (check_parts.h). */
#include "check_parts.h"

#include "table.h"

#include <probes/alloc.h>
#include <probes/libc.h>
#include <probes/path.h>

#include <elf.h>
#include <string.h>
#include <sys/stat.h>

enum { ENTRIES_MOST = 256, ROWS_MOST = 4000 /* of one file */ };

/* ---- notes ---- */

static struct table *notes_table(struct report *report)
{
    static const char *const columns[][2] = {{"file", "file"}, {"note", "note"}, {NULL, NULL}};

    return table_with(report, "notes", "To know of them", columns);
}

static void note(struct report *report, const struct object *object, enum table_mark mark, char *taken)
{
    struct table *table = notes_table(report);
    CLEANUP_FREE char *text = taken;

    table_text(table, object->path);
    table_cell(table, mark, "%s", text);
}

static void note_demands(struct report *report, const struct object *object)
{
    const struct elffile *elf = object->elf;
    bool program = elf->type == ET_EXEC || (elf->dt_flags_1 & DF_1_PIE);

    if (program && elf->needed_count && !elf->interp && !elf->interp_bad)
        note(report, object, TABLE_WARNING,
             xasprintf("needs %s, but names no dynamic loader (PT_INTERP): started by itself, nobody loads that for it",
                       elf->needed[0]));

    if (elf->textrel)
        note(report, object, TABLE_WARNING,
             xstrdup("text relocations: its code is written to when it is loaded, which SELinux and hardened systems "
                     "refuse"));
    if (elf->execstack)
        note(report, object, TABLE_WARNING,
             xasprintf("asks for an executable stack (%s): a dlopen of it is refused by glibc 2.41 and newer",
                       elf->has_gnu_stack ? "PT_GNU_STACK with the x flag" : "it has no PT_GNU_STACK"));
    if (elf->static_tls && object->index && elf->tls_size)
        note(report, object, TABLE_PLAIN,
             xasprintf("%llu bytes of static TLS: a dlopen of it may find no room left",
                       (unsigned long long)elf->tls_size));
    if (elf->isa_needed > 1)
        note(report, object, TABLE_PLAIN, xasprintf("built for %s processors", load_isa_level_name(elf->isa_needed)));
    for (size_t i = 0; i < elf->needed_count; i++)
        if (strchr(elf->needed[i], '/') && elf->needed[i][0] != '/' && elf->needed[i][0] != '$')
            note(report, object, TABLE_WARNING,
                 xasprintf("needs %s, a path that is relative to the working directory", elf->needed[i]));
}

/* One directory of a run path, as it is written. */
static void note_entry(struct report *report, const struct check_request *request, const struct object *object,
                       const char *what, const char *entry)
{
    CLEANUP_FREE char *origin = path_dir(object->path), *path = NULL;
    size_t token = strncmp(entry, "$ORIGIN", 7) == 0 ? 7 : strncmp(entry, "${ORIGIN}", 9) == 0 ? 9 : 0;
    struct stat st;

    if (!*entry) {
        note(report, object, TABLE_WARNING,
             xasprintf("an empty entry in its %s: the working directory is searched", what));
        return;
    }
    if (!token && entry[0] != '/' && entry[0] != '$') {
        note(report, object, TABLE_WARNING,
             xasprintf("%s in its %s is relative to the working directory", entry, what));
        return;
    }
    path = xasprintf("%s%s", token ? origin : "", entry + token);
    if (!strchr(path, '$') && path_stat(check_root_of(request, path), path, &st) == 0 && S_ISDIR(st.st_mode) &&
        (st.st_mode & S_IWOTH))
        note(report, object, TABLE_WARNING, xasprintf("%s in its %s can be written to by everybody", path, what));
}

static void note_run_path(struct report *report, const struct check_request *request, const struct object *object,
                          const char *what, const char *list)
{
    size_t count = 0;

    for (const char *p = list; p && count < ENTRIES_MOST; count++) {
        size_t n = strcspn(p, ":");
        CLEANUP_FREE char *entry = xstrndup(p, n);

        note_entry(report, request, object, what, entry);
        p = p[n] ? p + n + 1 : NULL;
    }
}

/* Of two that ask nothing of each other in vain, nobody can say beforehand whether they go together: 2.43's libc.so.6
 * works with 2.41's loader, 2.41's ends under 2.43's. */
static void note_builds(struct report *report, const struct check_request *request, const struct load *load)
{
    const struct object *libc = load_named(load, "libc.so.6");
    struct libc_identity own, loader;

    if (!libc || !load->interp || load->family != LOADER_GLIBC || libc->elf->state != ELFFILE_OK)
        return;
    libc_identify(check_root_of(request, libc->path), libc->path, &own);
    libc_identify(check_root_of(request, load->interp), load->interp, &loader);
    if (libc_other_builds(&own, &loader))
        note(
            report, libc, TABLE_WARNING,
            xasprintf("of another build (%s) than the loader %s (%s): they share what no version tells of, and may not "
                      "go together",
                      own.build ? own.build : own.release, load->interp, loader.build ? loader.build : loader.release));
    libc_identity_deinit(&own);
    libc_identity_deinit(&loader);
}

void check_put_notes(struct report *report, const struct check_request *request, const struct load *load)
{
    for (size_t i = 0; i < load->object_count; i++) {
        const struct object *object = load->objects[i];

        if (object->elf->state != ELFFILE_OK || check_is_asked(object))
            continue;
        note_demands(report, object);
        note_run_path(report, request, object, "RUNPATH", object->elf->runpath);
        note_run_path(report, request, object, "RPATH", object->elf->rpath);
    }
    if (!request->against)
        note_builds(report, request, load);
}

/* ---- versions ---- */

/* One that persons are not shown. */
static struct table *table_of(struct report *report, const char *name, const char *const *keys)
{
    struct table *table = table_find(report, name);

    if (table)
        return table;
    table = table_add(report, name, NULL);
    table->for_programs = true;
    for (; *keys; keys++)
        table_column(table, *keys, *keys);
    return table;
}

void check_put_versions(struct report *report, const struct load *load)
{
    static const char *const keys[] = {"version", "by", "library", "strength", "provider", "of", NULL};
    struct table *table = table_of(report, "versions", keys);
    size_t before = table_rows(table);

    for (size_t i = 0; i < load->object_count; i++)
        for (size_t k = 0; k < load->objects[i]->elf->need_count && table_rows(table) - before < ROWS_MOST; k++) {
            const struct elf_version *need = &load->objects[i]->elf->needs[k];
            const struct object *provider = load_named(load, need->file);
            bool defined = provider && elffile_defines_version(provider->elf, need->name);

            table_text(table, need->name);
            table_text(table, load->objects[i]->path);
            table_text(table, need->file);
            table_text(table, need->weak ? "weak" : "strong");
            table_cell(table,
                       defined      ? TABLE_PLAIN
                       : need->weak ? TABLE_WARNING
                                    : TABLE_BAD,
                       "%s", defined ? provider->path : "");
            table_text(table, load->objects[0]->path);
        }
}

/* ---- symbols ---- */

static void put_symbol(struct table *table, const struct load *load, const char *name, const char *version,
                       const char *by, const char *strength, const char *bound)
{
    table_text(table, name);
    table_text(table, version);
    table_text(table, by);
    table_text(table, strength);
    table_text(table, bound);
    table_text(table, load->objects[0]->path);
}

void check_put_symbols(struct report *report, const struct load *load)
{
    static const char *const keys[] = {"symbol", "version", "by", "strength", "bound", "of", NULL};
    struct table *table = table_of(report, "unbound", keys);
    size_t before = table_rows(table);

    for (size_t i = 0; i < load->fault_count && table_rows(table) - before < ROWS_MOST; i++)
        if (load->faults[i]->kind == FAULT_SYMBOL)
            put_symbol(table, load, load->faults[i]->name, load->faults[i]->version, load->faults[i]->subject->path,
                       "strong", load->faults[i]->lazy ? "when it is called" : "at once");
    for (size_t i = 0; i < load->object_count; i++) {
        const struct object *object = load->objects[i];

        for (size_t k = 0; k < object->elf->symbol_count && table_rows(table) - before < ROWS_MOST; k++) {
            const struct elf_symbol *symbol = &object->elf->symbols[k];

            if (!symbol->defined && symbol->bind == STB_WEAK && (symbol->by_data || symbol->by_call) &&
                !load_lookup(load, object, symbol->name, symbol->version, LOOKUP_CALL, NULL))
                put_symbol(table, load, symbol->name, symbol->version, object->path, "weak", "not at all");
        }
    }
}
