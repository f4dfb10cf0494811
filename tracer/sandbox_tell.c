/* What was made, as the report's tables. */
#include "sandbox.h"

#include <probes/alloc.h>
#include <probes/libc.h>
#include <reports/table.h>

#include <string.h>

static const char *what_text(const struct sandbox_file *file)
{
    switch (file->what) {
    case SANDBOX_PROGRAM:
        return "program";
    case SANDBOX_LIBRARY:
    case SANDBOX_NEEDED:
        return "library";
    case SANDBOX_LIBC:
        return "C library";
    case SANDBOX_STATIC:
        return "static program";
    case SANDBOX_MUSL:
        return "made for musl";
    case SANDBOX_FOREIGN:
        return "for another machine";
    default:
        return NULL;
    }
}

static void put_verdict(const struct sandbox_file *file, struct table *table)
{
    if (file->what > SANDBOX_LIBRARY)
        table_cell(table, TABLE_PLAIN, "%s", file->what >= SANDBOX_STATIC ? "left as it is" : "");
    else if (file->bad)
        table_cell(table, TABLE_BAD, "would not load");
    else
        table_cell(table, TABLE_GOOD, "loads");
}

/* Unpacked packages are gone when this is read. */
static const char *shown_root(const struct sandbox *sandbox, const char *root)
{
    return sandbox->packages.path && root == sandbox->libc.root ? "(packages)" : root;
}

/* The C library's own files are many and always the same: they are for programs. */
static void put_files(const struct sandbox *sandbox, const char *name, const char *title, bool own,
                      struct report *report)
{
    struct table *table = table_add(report, name, title);

    table->for_programs = own;
    table_column(table, "file", "file");
    table_column(table, "what", "what");
    table_column(table, "verdict", "verdict");
    table_column(table, "interpreter", "");
    table_column(table, "run_path", "run path");
    table_column(table, "from", "from");
    for (size_t i = 0; i < sandbox->count; i++) {
        const struct sandbox_file *file = &sandbox->files[i];

        if (!what_text(file) || (file->what == SANDBOX_LIBC) != own)
            continue;
        table_text(table, file->to);
        table_text(table, what_text(file));
        put_verdict(file, table);
        if (file->what == SANDBOX_PROGRAM)
            table_cell(table, TABLE_PLAIN, "%s/lib/%s", sandbox->dir, sandbox->libc.name);
        else
            table_text(table, NULL);
        table_text(table, file->run_path);
        table_cell(table, TABLE_PLAIN, "%s%s", shown_root(sandbox, file->root), file->path);
    }
}

/* What they name by absolute paths, and goes along. */
static void put_data(const struct sandbox *sandbox, struct report *report)
{
    static const char *const columns[][2] = {
        {"file", "file"}, {"named", "named"}, {"names", "names in the copy"}, {NULL, NULL}};

    for (size_t i = 0; i < sandbox->count; i++)
        for (size_t k = 0; k < sandbox->files[i].name_count && sandbox->files[i].what != SANDBOX_LIBC; k++) {
            struct table *table = table_with(report, "data", "Data that it names, and that goes along", columns);

            table_text(table, sandbox->files[i].to);
            table_text(table, sandbox->files[i].names[k].was);
            table_text(table, sandbox->files[i].names[k].now);
        }
}

static void put_variables(const struct sandbox *sandbox, struct report *report)
{
    struct table *table;

    if (!sandbox->server)
        return;
    table = table_add(report, "variables",
                      "For the server as it is, by its own way: in the environment in which it is started");
    table_column(table, "name", "variable");
    table_column(table, "value", "value");
    table_text(table, "VSCODE_SERVER_CUSTOM_GLIBC_LINKER");
    table_cell(table, TABLE_PLAIN, "%s/lib/%s", sandbox->dir, sandbox->libc.name);
    table_text(table, "VSCODE_SERVER_CUSTOM_GLIBC_PATH");
    table_cell(table, TABLE_PLAIN, "%s/lib", sandbox->dir);
    table_text(table, "VSCODE_SERVER_PATCHELF_PATH");
    table_text(table, sandbox->patchelf);
}

static void put_notes(const struct sandbox *sandbox, struct report *report)
{
    struct table *table = table_add(report, "notes", "To know");

    table_column(table, "note", "");
    for (size_t i = 0; i < sandbox->notes.n; i++)
        table_cell(table, TABLE_WARNING, "%s", sandbox->notes.v[i]);
    table_cell(table, TABLE_PLAIN,
               sandbox->own_conversions
                   ? "start it by %s/run, which sets LOCPATH for locales of that C library, or directly"
                   : "start it by %s/run, which sets the variables for that C library's data; started directly, it "
                     "converts character sets by what this system has for its own C library",
               sandbox->dir);
    table_cell(
        table, TABLE_PLAIN,
        "it has to stand at this path, here or in another system: interpreters are absolute paths. Elsewhere only "
        "run starts it, and what a program starts by its own path (/proc/self/exe) is the loader then");
    table_cell(table, TABLE_PLAIN,
               "programs of this system that it starts stay on this system's C library (and get %sLOCPATH from run)",
               sandbox->own_conversions ? "" : "GCONV_PATH and ");
    table_text(table, table_find(report, "data")
                          ? "other files that it opens by absolute paths are those of the system that it runs on; and "
                            "it does not find its data where the directory was moved"
                          : "files that it opens by absolute paths are those of the system that it runs on");
    table_cell(table, TABLE_PLAIN, "to undo it: rm -r %s", sandbox->dir);
}

static void put_libc(const struct sandbox *sandbox, struct report *report)
{
    struct libc_identity identity;

    report->libc.path = xasprintf("%s/lib/libc.so.6", sandbox->dir);
    libc_identify("", report->libc.path, &identity);
    report->libc.family = xstrdup(identity.family);
    report->libc.version = xstrdup_or_null(identity.release);
    report->libc.build = xstrdup_or_null(identity.build);
    report->libc.from =
        xasprintf("the words in the copy of %s%s", shown_root(sandbox, sandbox->libc.root), sandbox->libc.libc);
    libc_identity_deinit(&identity);
}

void sandbox_tell(const struct sandbox *sandbox, struct report *report)
{
    put_libc(sandbox, report);
    put_files(sandbox, "copied", "What is in it", false, report);
    put_files(sandbox, "libc_files", NULL, true, report);
    put_data(sandbox, report);
    put_variables(sandbox, report);
    put_notes(sandbox, report);
}

/* ---- the run ---- */

static char *status_text(const struct report *run)
{
    switch (run->status) {
    case OUTCOME_EXITED:
        return xasprintf("exit status %d", run->code);
    case OUTCOME_SIGNALED:
        return xasprintf("ended by signal %d", run->signal);
    case OUTCOME_EXEC_FAILED:
        return xstrdup("could not be executed");
    default:
        return xstrdup("had not ended when the time was over");
    }
}

static void put_headline(const struct sandbox *sandbox, bool run, bool good, struct report *report)
{
    const char *release = report->libc.version ? report->libc.version : "of unknown release";
    size_t bad = 0;

    for (size_t i = 0; i < sandbox->count; i++)
        bad += sandbox->files[i].bad;
    if (run && !good)
        report->headline =
            xasprintf("%s was made for glibc %s, but the command did not end well.", sandbox->dir, release);
    else if (bad)
        report->headline =
            xasprintf("%s was made for glibc %s, but %zu of its files would not load.", sandbox->dir, release, bad);
    else if (run)
        report->headline = xasprintf("%s runs on a glibc %s of its own: that was tried.", sandbox->dir, release);
    else
        report->headline =
            xasprintf("%s would run on a glibc %s of its own: it was checked, and not run.", sandbox->dir, release);
}

static char *one_line(char *const *command, size_t words)
{
    char *line = xstrdup("");

    for (size_t i = 0; i < words; i++) {
        char *longer = xasprintf("%s%s%s", line, i ? " " : "", command[i]);

        free(line);
        line = longer;
    }
    return line;
}

static void put_run(char *const *command, size_t words, const struct report *run, const char *libc, bool good,
                    struct report *report)
{
    struct table *table = table_add(report, "runs", run ? "It was run" : NULL);
    CLEANUP_FREE char *line = one_line(command, words), *status = run ? status_text(run) : xstrdup("");

    table->for_programs = !run;
    table_column(table, "command", "command");
    table_column(table, "status", "end");
    table_column(table, "libc", "C library in memory");
    table_column(table, "proof", "proof");
    table_text(table, line);
    table_cell(table, good || !run ? TABLE_PLAIN : TABLE_BAD, "%s", status);
    table_text(table, libc);
    table_text(table, good ? "tried" : run ? "failed" : "modelled");
}

/* What the command said of its failure, where that is no cause, and what was not seen of it. */
static void take_words(struct report *run, struct report *report)
{
    strings_move(&run->said, &report->said);
    strings_move(&run->looked_in, &report->looked_in);
    strings_move(&run->ruled_out, &report->ruled_out);
    strings_move(&run->unseen, &report->unseen);
}

bool sandbox_tell_run(const struct sandbox *sandbox, char *const *command, size_t words, struct report *run,
                      struct report *report)
{
    CLEANUP_FREE char *libc = run && run->libc.path ? path_tidy("", run->libc.path) : NULL;
    bool ours = libc && path_same_file("", libc, report->libc.path);
    bool good = ours && run->status == OUTCOME_EXITED && run->code == 0;

    put_run(command, words, run, libc, good, report);
    put_headline(sandbox, run, good, report);
    if (run) { /* what was seen goes before what the check said of the same */
        report_move_causes(report, run);
        sandbox_drop_repeated(run);
        report_move_causes(run, report);
    }
    if (run && !good)
        take_words(run, report);
    return good || !run;
}
