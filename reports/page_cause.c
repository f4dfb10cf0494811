/* One cause on the page, and what the report says besides: the sentence, the way of the demand, the facts, the places
 * that were searched, what helps. */
#include "page.h"

#include "page_text.h"
#include "wording.h"

#include <probes/alloc.h>

#include <string.h>

static void put_row(FILE *out, const char *label, const char *text)
{
    fputs("<tr><th scope=\"row\">", out);
    page_escaped(out, label);
    fputs("</th><td>", out);
    page_escaped(out, text);
    fputs("</td></tr>\n", out);
}

/* WITHOUT: a row that the page shows in another way, or NULL. */
static void put_sheet(FILE *out, const struct sheet *sheet, const char *without)
{
    for (size_t i = 0; i < sheet->count; i++)
        if (!without || strcmp(sheet->rows[i].label, without) != 0)
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
    page_element(out, "<code>", place->path, "</code>");
    fputs(" <span class=\"why\">", out);
    page_escaped(out, why);
    fputs("</span></li>\n", out);
}

/* A numbered list for each origin, the numbers running on. */
static void put_places(FILE *out, const struct cause *cause)
{
    CLEANUP_FREE struct place_line *lines = NULL;
    size_t count = wording_places(cause, &lines);
    const char *from = NULL;

    if (!count)
        return;
    fputs("<h3>Where it was looked for, in order</h3>\n<div class=\"places\">\n", out);
    for (size_t i = 0; i < count; i++) {
        const char *now = lines[i].place->from ? lines[i].place->from : "";

        if (!from || strcmp(from, now) != 0) {
            fputs(from ? "</ol>\n" : "", out);
            if (*now)
                page_element(out, "<p class=\"from\">", now, "</p>\n");
            fputs("<ol>\n", out);
        }
        put_place(out, &lines[i]);
        from = now;
    }
    fputs("</ol>\n</div>\n", out);
}

static void put_remedy(FILE *out, const struct remedy *remedy)
{
    static const char *const classes[] = {
        [PROOF_KNOWN] = "known", [PROOF_MODELLED] = "modelled", [PROOF_TRIED] = "tried"};

    page_element(out, "<li>", remedy->title ? remedy->title : "", " ");
    fprintf(out, "<span class=\"proof %s\">", classes[remedy->proof]);
    page_element(out, "", wording_proof(remedy->proof), "</span>");
    if (remedy->risk)
        page_element(out, "<p class=\"risk\">Risk: ", remedy->risk, "</p>");
    for (size_t k = 0; k < remedy->commands.n; k++)
        page_element(out, k ? "\n" : "<pre>", remedy->commands.v[k], k + 1 == remedy->commands.n ? "</pre>" : "");
    fputs("</li>\n", out);
}

static void put_remedies(FILE *out, const struct cause *cause)
{
    if (!cause->remedy_count)
        return;
    fputs("<h3>What helps</h3>\n<ol class=\"remedies\">\n", out);
    for (size_t i = 0; i < cause->remedy_count; i++)
        put_remedy(out, &cause->remedies[i]);
    fputs("</ol>\n", out);
}

static void put_frame(FILE *out, const struct frame *frame)
{
    fputs("<li>", out);
    page_element(out, "<b>", frame->symbol ? frame->symbol : "?", "</b> <span class=\"dir\">");
    page_raw(out, frame->object ? frame->object : "?");
    fprintf(out, "+0x%llx", (unsigned long long)frame->offset);
    if (frame->file)
        page_element(out, ", ", frame->file, "");
    if (frame->file && frame->line)
        fprintf(out, ":%u", frame->line);
    fputs("</span></li>\n", out);
}

static void put_stack(FILE *out, const struct cause *cause)
{
    if (!cause->stack_count)
        return;
    fprintf(out,
            "<details><summary>Stack of the failing event, %zu frame%s</summary>\n<ol class=\"stack\" start=\"0\">\n",
            cause->stack_count, cause->stack_count == 1 ? "" : "s");
    for (size_t i = 0; i < cause->stack_count; i++)
        put_frame(out, &cause->stack[i]);
    fputs("</ol></details>\n", out);
}

static void put_detail(FILE *out, const struct cause *cause)
{
    if (!cause->detail || !*cause->detail)
        return;
    fputs("<details><summary>What was seen, in order</summary>\n<div class=\"detail\">", out);
    for (const char *s = cause->detail; *s;) {
        size_t length = strcspn(s, "\n");
        CLEANUP_FREE char *line = xstrndup(s, length);

        page_element(out, "<p>", line, "</p>\n");
        s += length + (s[length] == '\n');
    }
    fputs("</div></details>\n", out);
}

/* The way of the demand, first asker first, and at its end what is not there. */
static void put_chain(FILE *out, const struct cause *cause)
{
    const char *last = cause->chain.n ? cause->chain.v[cause->chain.n - 1] : NULL;
    bool itself = last && cause->missing && strcmp(last, cause->missing) == 0;

    if (!cause->chain.n || !cause->missing)
        return;
    fputs("<ol class=\"chain\">\n", out);
    for (size_t i = 0; i < cause->chain.n; i++) {
        fprintf(out, "<li%s>", itself && i + 1 == cause->chain.n ? " class=\"broken\"" : "");
        page_path(out, cause->chain.v[i]);
        fputs("</li>\n", out);
    }
    if (!itself) {
        fputs("<li class=\"broken\">", out);
        page_path(out, cause->missing);
        if (cause->provider)
            page_element(out, "<span class=\"dir\">asked of ", cause->provider, "</span>");
        fputs("</li>\n", out);
    }
    fputs("</ol>\n", out);
}

/* The events that prove it; LINKED: the page has them. */
static void put_evidence(FILE *out, const struct cause *cause, bool linked)
{
    if (!cause->evidence_count)
        return;
    fputs("<tr><th scope=\"row\">evidence</th><td>", out);
    for (size_t i = 0; i < cause->evidence_count; i++) {
        unsigned long long n = cause->evidence[i];

        fputs(i ? ", " : "", out);
        if (linked)
            fprintf(out, "<a href=\"#e%llu\">event %llu</a>", n, n);
        else
            fprintf(out, "event %llu", n);
    }
    fputs("</td></tr>\n", out);
}

void page_cause(FILE *out, const struct report *report, const struct cause *cause, size_t number, bool linked)
{
    CLEANUP_FREE char *summary = wording_summary(cause);
    struct sheet sheet;

    fprintf(out, "<section class=\"cause\" id=\"cause%zu\">\n<h2 class=\"summary\">", number ? number : 1);
    if (number)
        fprintf(out, "<span class=\"number\">%zu.</span> ", number);
    page_escaped(out, summary);
    fputs("</h2>\n", out);
    put_chain(out, cause);
    fputs("<table class=\"facts\">\n", out);
    wording_cause(report, cause, &sheet);
    put_sheet(out, &sheet, cause->chain.n && cause->missing ? "asked by" : NULL);
    sheet_deinit(&sheet);
    put_evidence(out, cause, linked);
    fputs("</table>\n", out);
    put_places(out, cause);
    put_remedies(out, cause);
    put_detail(out, cause);
    put_stack(out, cause);
    fputs("</section>\n", out);
}

void page_rest(FILE *out, const struct report *report)
{
    CLEANUP_FREE char *state = wording_reproduction(report);
    struct sheet rest;

    wording_rest(report, &rest);
    if (state || rest.count)
        fputs("<section id=\"rest\">\n<h2>Besides</h2>\n<table class=\"facts\">\n", out);
    if (state)
        put_row(out, "reproduction", state);
    put_sheet(out, &rest, NULL);
    if (state || rest.count)
        fputs("</table>\n", out);
    if (state && report->repro_command) {
        page_element(out, "<pre>$ ", report->repro_command, "\n");
        page_raw(out, report->repro_expect ? report->repro_expect : "");
        fputs("</pre>\n", out);
    }
    if (state || rest.count)
        fputs("</section>\n", out);
    sheet_deinit(&rest);
}
