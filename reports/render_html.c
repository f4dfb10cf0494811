/* The report as one page that needs nothing else: no script, no file beside it, no address to fetch. It follows the
 * reader's light or dark setting. Every text is escaped, and a policy in the page forbids whatever might slip through.
 */
#include "report.h"

#include "text.h"
#include "utf8.h"
#include "wording.h"

#include <probes/alloc.h>

#include <string.h>

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"referrer\" content=\"no-referrer\">\n<title>";
static const char style[] =
    "</title>\n<style>\n"
    ":root { color-scheme: light dark; --ink: #1a1c1e; --paper: #fcfcfa; --soft: #5c636a; --line: #d9dcdf;"
    " --well: #f1f2f0; --bad: #b3261e; --good: #1d6f42; }\n"
    "@media (prefers-color-scheme: dark) { :root { --ink: #e4e6e8; --paper: #16181a; --soft: #9aa2aa; --line: #33383d;"
    " --well: #1f2225; --bad: #ff8a80; --good: #7ed3a0; } }\n"
    "body { color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif; max-width: 62rem;"
    " margin: 2rem auto; padding: 0 1rem; }\n"
    "h1 { font-size: 1.35rem; line-height: 1.3; } h2 { font-size: 1rem; margin: 1.6rem 0 .4rem; }\n"
    "section { border-top: 1px solid var(--line); margin-top: 1.5rem; padding-top: .5rem; }\n"
    ".summary { font-size: 1.1rem; }\n"
    "table { border-collapse: collapse; } th { text-align: left; font-weight: normal; color: var(--soft);"
    " padding: .15rem 1.2rem .15rem 0; vertical-align: top; white-space: nowrap; }\n"
    "td { padding: .15rem 0; overflow-wrap: anywhere; white-space: pre-wrap; }\n"
    "td, code, pre { font-family: ui-monospace, monospace; font-size: .9rem; }\n"
    "pre { background: var(--well); padding: .7rem; overflow-x: auto; }\n"
    "ol { padding-left: 2.2rem; } li { overflow-wrap: anywhere; } .from { list-style: none; margin-left: -1.6rem; }\n"
    ".from, .proof, .risk { color: var(--soft); } .why { color: var(--soft); } .bad .why { color: var(--bad); }\n"
    ".taken .why { color: var(--good); } summary { cursor: pointer; color: var(--soft); }\n"
    "@media print { details { display: block; } }\n"
    "</style>\n</head>\n<body>\n<main>\n";
static const char foot[] = "<p class=\"proof\">glibctrace " GLIBCTRACE_VERSION "</p>\n</main>\n</body>\n</html>\n";

/* TEXT is plain already (wording.h). */
static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

static void put_raw(FILE *out, const char *bytes)
{
    CLEANUP_FREE char *plain = utf8_plain(bytes);

    put_escaped(out, plain);
}

static void put_element(FILE *out, const char *open, const char *bytes, const char *close)
{
    fputs(open, out);
    put_raw(out, bytes);
    fputs(close, out);
}

static void put_row(FILE *out, const char *label, const char *text)
{
    fputs("<tr><th scope=\"row\">", out);
    put_escaped(out, label);
    fputs("</th><td>", out);
    put_escaped(out, text);
    fputs("</td></tr>\n", out);
}

static void put_sheet(FILE *out, const struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->count; i++)
        put_row(out, sheet->rows[i].label, sheet->rows[i].text);
}

static void put_place(FILE *out, const struct place_line *line)
{
    const struct place *place = line->place;
    CLEANUP_FREE char *why = wording_why(place);

    if (line->skipped) {
        fprintf(out, "<li class=\"why\" value=\"%zu\">… to %zu. likewise: nothing is there</li>\n", line->number,
                line->number + line->skipped - 1);
        return;
    }
    fprintf(out, "<li value=\"%zu\" class=\"%s\">", line->number,
            place->taken           ? "taken"
            : place_is_dull(place) ? "dull"
                                   : "bad");
    put_element(out, "<code>", place->path, "</code>");
    fputs(" <span class=\"why\">", out);
    put_escaped(out, why);
    fputs("</span></li>\n", out);
}

static void put_places(FILE *out, const struct cause *cause)
{
    CLEANUP_FREE struct place_line *lines = NULL;
    size_t count = wording_places(cause, &lines);
    const char *from = NULL;

    if (!count)
        return;
    fputs("<h2>Where it was looked for, in order</h2>\n<ol>\n", out);
    for (size_t i = 0; i < count; i++) {
        const char *now = lines[i].place->from;

        if (now && (!from || strcmp(from, now) != 0))
            put_element(out, "<li class=\"from\">", now, "</li>\n");
        put_place(out, &lines[i]);
        from = now;
    }
    fputs("</ol>\n", out);
}

static void put_remedies(FILE *out, const struct cause *cause)
{
    if (!cause->remedy_count)
        return;
    fputs("<h2>What helps</h2>\n<ol>\n", out);
    for (size_t i = 0; i < cause->remedy_count; i++) {
        const struct remedy *remedy = &cause->remedies[i];

        put_element(out, "<li>", remedy->title ? remedy->title : "", " ");
        put_element(out, "<span class=\"proof\">(", wording_proof(remedy->proof), ")</span>");
        if (remedy->risk)
            put_element(out, "<div class=\"risk\">Risk: ", remedy->risk, "</div>");
        for (size_t k = 0; k < remedy->commands.n; k++)
            put_element(out, k ? "\n" : "<pre>", remedy->commands.v[k], k + 1 == remedy->commands.n ? "</pre>" : "");
        fputs("</li>\n", out);
    }
    fputs("</ol>\n", out);
}

static void put_stack(FILE *out, const struct cause *cause)
{
    if (!cause->stack_count)
        return;
    fputs("<details><summary>Stack of the failing event</summary>\n<pre>", out);
    for (size_t i = 0; i < cause->stack_count; i++) {
        const struct frame *frame = &cause->stack[i];

        fprintf(out, "%2zu  ", i);
        put_raw(out, frame->object ? frame->object : "?");
        fprintf(out, "+0x%llx  ", (unsigned long long)frame->offset);
        put_raw(out, frame->symbol ? frame->symbol : "");
        fputc('\n', out);
    }
    fputs("</pre></details>\n", out);
}

static void put_detail(FILE *out, const struct cause *cause)
{
    if (!cause->detail || !*cause->detail)
        return;
    fputs("<details><summary>What was seen, in order</summary>\n<pre>", out);
    for (const char *s = cause->detail; *s;) {
        size_t length = strcspn(s, "\n");
        CLEANUP_FREE char *line = xstrndup(s, length);

        put_element(out, "", line, "\n");
        s += length + (s[length] == '\n');
    }
    fputs("</pre></details>\n", out);
}

static void put_cause(const struct report *report, FILE *out, const struct cause *cause, size_t number)
{
    CLEANUP_FREE char *summary = wording_summary(cause);
    struct sheet sheet;

    fputs("<section>\n<p class=\"summary\">", out);
    if (number)
        fprintf(out, "%zu. ", number);
    put_escaped(out, summary);
    fputs("</p>\n<table>\n", out);
    wording_cause(report, cause, &sheet);
    put_sheet(out, &sheet);
    sheet_deinit(&sheet);
    fputs("</table>\n", out);
    put_places(out, cause);
    put_remedies(out, cause);
    put_detail(out, cause);
    put_stack(out, cause);
    fputs("</section>\n", out);
}

static void put_rest(FILE *out, const struct report *report)
{
    CLEANUP_FREE char *state = wording_reproduction(report), *system = wording_system(report);
    struct sheet rest;

    fputs("<section>\n<table>\n", out);
    wording_rest(report, &rest);
    put_sheet(out, &rest);
    sheet_deinit(&rest);
    if (system)
        put_row(out, "system", system);
    if (state)
        put_row(out, "reproduction", state);
    fputs("</table>\n", out);
    if (state && report->repro_command) {
        put_element(out, "<pre>$ ", report->repro_command, "\n");
        put_raw(out, report->repro_expect ? report->repro_expect : "");
        fputs("</pre>\n", out);
    }
    fputs("</section>\n", out);
}

static void put_before_guess(FILE *out, const struct report *report)
{
    struct sheet sheet;

    wording_not_it(report, &sheet);
    if (sheet.count)
        fputs("<table>\n", out);
    put_sheet(out, &sheet);
    if (sheet.count)
        fputs("</table>\n", out);
    sheet_deinit(&sheet);
    fputs("<p>The nearest guess:</p>\n", out);
}

static void render(const struct report *report, const struct render_options *options, FILE *out)
{
    CLEANUP_FREE char *headline = wording_headline(report);

    (void)options;
    fputs(head, out);
    put_escaped(out, headline);
    fputs(style, out);
    fputs("<h1>", out);
    put_escaped(out, headline);
    fputs("</h1>\n", out);
    bool several = wording_cause_count(report) > 1;
    size_t number = 0;

    if (wording_guess(report))
        put_before_guess(out, report);

    for (size_t i = 0; i < report->cause_count; i++) {
        if (wording_told_before(report, i))
            continue;
        put_cause(report, out, report->causes[i], several ? ++number : 0);
    }
    put_rest(out, report);
    fputs(foot, out);
}

const struct renderer renderer_html = {.name = "html", .ending = ".html", .render = render};
