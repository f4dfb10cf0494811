/* The report as one page that needs nothing else: no file beside it, no address to fetch. It follows the reader's light
 * or dark setting, and is whole without a script; the one that it has lists and filters the events. Every text is
 * escaped, and a policy in the page forbids whatever might slip through. Its parts: page.h. */
#include "report.h"

#include "log.h"
#include "page.h"
#include "page_text.h"
#include "table.h"
#include "utf8.h"
#include "wording.h"

#include <probes/alloc.h>
#include <probes/path.h>

/* What is kept of the trace while it is read. */
struct parts {
    struct page_objects *objects;
    struct page_processes *processes;
    struct page_events *events;
    char *broken; /* why the trace could not be read to its end, or NULL */
};

char *page_program(const char *exe, const char *const *argv)
{
    const char *name = argv && argv[0] && *argv[0] ? argv[0] : exe;

    return xstrdup(name ? path_base(name) : "?");
}

static void take(void *ctx, const struct event *event)
{
    struct parts *parts = ctx;

    page_objects_take(parts->objects, event);
    page_processes_take(parts->processes, event);
    page_events_take(parts->events, event);
}

static void parts_read(struct parts *parts, const struct report *report, FILE *trace)
{
    const struct sink sink = {take, parts};
    off_t before = ftello(trace);
    struct err err;

    *parts = (struct parts){.objects = page_objects_create(),
                            .processes = page_processes_create(report),
                            .events = page_events_create(report)};
    if (fflush(trace) != 0 || fseeko(trace, 0, SEEK_SET) != 0)
        parts->broken = xstrdup("it cannot be read back");
    else if (log_read(trace, &sink, NULL, &err) < 0)
        parts->broken = xstrdup(err.text);
    fseeko(trace, before, SEEK_SET);
}

static void parts_deinit(struct parts *parts)
{
    page_objects_destroy(parts->objects);
    page_processes_destroy(parts->processes);
    page_events_destroy(parts->events);
    free(parts->broken);
}

static void put_before_guess(FILE *out, const struct report *report)
{
    struct sheet sheet;

    wording_not_it(report, &sheet);
    if (sheet.count)
        fputs("<table class=\"facts\">\n", out);
    for (size_t i = 0; i < sheet.count; i++) {
        page_element(out, "<tr><th scope=\"row\">", sheet.rows[i].label, "</th><td>");
        page_escaped(out, sheet.rows[i].text);
        fputs("</td></tr>\n", out);
    }
    if (sheet.count)
        fputs("</table>\n", out);
    sheet_deinit(&sheet);
    fputs("<p class=\"guess\">The nearest guess:</p>\n", out);
}

static void put_causes(FILE *out, const struct report *report, bool linked)
{
    bool several = wording_cause_count(report) > 1;
    size_t number = 0;

    if (wording_guess(report))
        put_before_guess(out, report);
    for (size_t i = 0; i < report->cause_count; i++)
        if (!wording_told_before(report, i))
            page_cause(out, report, report->causes[i], several ? ++number : 0, linked);
}

static void put_grid(FILE *out, const struct table *table)
{
    CLEANUP_FREE size_t *columns = xcalloc(table->column_count + 1, sizeof *columns);
    size_t count = table_shown_columns(table, columns);

    if (table->for_programs || !table_rows(table))
        return;
    if (table->title)
        page_element(out, "<h2>", table->title, "</h2>\n");
    fputs("<div class=\"wide\"><table class=\"grid\">\n<thead><tr>", out);
    for (size_t i = 0; i < count; i++)
        page_element(out, "<th scope=\"col\">", table->columns[columns[i]].head, "</th>");
    fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t row = 0; row < table_rows(table); row++) {
        fputs("<tr>", out);
        for (size_t i = 0; i < count; i++) {
            const struct table_cell *cell = table_at(table, row, columns[i]);
            const char *mark = table_mark_name(cell->mark);

            fprintf(out, "<td class=\"%s%s\">", mark ? mark : "", table->columns[columns[i]].number ? " number" : "");
            page_escaped(out, cell->prefix ? cell->prefix : "");
            page_element(out, "", cell->text, "</td>");
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

static void put_command(FILE *out, const struct report *report)
{
    fputs("<p class=\"command\"><span class=\"sr\">Command: </span>", out);
    for (size_t i = 0; i < report->argv.n && i < 24; i++)
        page_element(out, i ? " " : "", report->argv.v[i], "");
    fputs(report->argv.n > 24 ? " …</p>\n" : "</p>\n", out);
}

static void put_trace(FILE *out, struct parts *parts, const struct report *report)
{
    page_objects_put(parts->objects, report, out);
    page_processes_put(parts->processes, out);
    page_events_put(parts->events, parts->broken, out);
}

static void render(const struct report *report, const struct render_options *options, FILE *out)
{
    CLEANUP_FREE char *headline = wording_headline(report);
    FILE *trace = options ? options->trace : NULL;
    struct parts parts = {0};

    if (trace)
        parts_read(&parts, report, trace);
    page_head(out, headline, trace != NULL);
    fputs("<main>\n<header>\n", out);
    put_command(out, report);
    fputs("<h1>", out);
    page_escaped(out, headline);
    fputs("</h1>\n</header>\n", out);
    put_causes(out, report, trace != NULL);
    for (size_t i = 0; i < report->table_count; i++)
        put_grid(out, report->tables[i]);
    if (trace)
        put_trace(out, &parts, report);
    page_rest(out, report);
    page_system(out, report);
    fputs("<footer>glibctrace " GLIBCTRACE_VERSION "</footer>\n</main>\n", out);
    page_foot(out, trace != NULL);
    if (trace)
        parts_deinit(&parts);
}

const struct renderer renderer_html = {.name = "html", .ending = ".html", .events = true, .render = render};
