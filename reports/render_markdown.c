/* The report for an issue on a code hosting site: CommonMark with tables and <details>. What comes from outside stands
 * in a fence that is longer than any row of its characters within, or is escaped character by character, so that it
 * can be neither markup nor a mention. */
#include "report.h"

#include "table.h"
#include "text.h"
#include "utf8.h"
#include "wording.h"

#include <probes/alloc.h>

#include <string.h>

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Whether the character at TEXT + I could be taken as markup there. An underscore inside a word is none (symbols and
 * versions are full of them), a dot behind "www" would make an address of what follows. */
static bool is_markup(const char *text, size_t i)
{
    char before = i ? text[i - 1] : ' ', c = text[i];

    if (strchr("\\`*[]|~$", c))
        return true;
    if (c == '_')
        return !is_alnum(before) || !is_alnum(text[i + 1]);
    if (c == '.' && (before == 'w' || before == 'W'))
        return true;
    /* a list, or an underlined heading */
    return (i == 0 && strchr("-+=", c)) || (strchr(".)", c) && i == strspn(text, "0123456789"));
}

/* Plain text so that neither Markdown nor a site's tables, mentions, references and links take any of it as theirs. A
 * newline becomes a line break, which is what it can be in a table's cell. */
static void put_escaped(FILE *out, const char *text)
{
    for (size_t i = 0; text[i]; i++) {
        char c = text[i];

        if (c == '\n')
            fputs("<br>", out);
        else if (c == '<')
            fputs("&lt;", out);
        else if (c == '>')
            fputs("&gt;", out);
        else if (c == '&')
            fputs("&amp;", out);
        else if (c == '@' || c == '#' || (c == ':' && text[i + 1] != ' '))
            fprintf(out, "&#%d;", c); /* no mention of a person, no link to an issue or address, no emoji */
        else if (is_markup(text, i))
            fprintf(out, "\\%c", c);
        else
            fputc(c, out);
    }
}

/* The longest row of C in TEXT. */
static size_t longest_row(const char *text, char c)
{
    size_t longest = 0, row = 0;

    for (; *text; text++) {
        row = *text == c ? row + 1 : 0;
        longest = row > longest ? row : longest;
    }
    return longest;
}

static void put_fenced(FILE *out, const char *text)
{
    size_t length = longest_row(text, '`') + 1;

    length = length < 3 ? 3 : length;
    for (int end = 0; end < 2; end++) {
        for (size_t i = 0; i < length; i++)
            fputc('`', out);
        fputs(end ? "\n" : "text\n", out);
        if (!end)
            fprintf(out, "%s%s", text, *text && text[strlen(text) - 1] == '\n' ? "" : "\n");
    }
}

static void put_row(FILE *out, const char *label, const char *text)
{
    fputs("| ", out);
    put_escaped(out, label);
    fputs(" | ", out);
    put_escaped(out, text);
    fputs(" |\n", out);
}

static void put_table(FILE *out, const struct sheet *sheet)
{
    if (!sheet->count)
        return;
    fputs("\n| | |\n| --- | --- |\n", out);
    for (size_t i = 0; i < sheet->count; i++)
        put_row(out, sheet->rows[i].label, sheet->rows[i].text);
}

static void open_details(FILE *out, const char *title)
{
    fprintf(out, "\n<details><summary>%s</summary>\n\n", title); /* TITLE is always ours */
}

static void close_details(FILE *out)
{
    fputs("\n</details>\n", out);
}

static void put_places(FILE *out, const struct cause *cause)
{
    CLEANUP_FREE struct place_line *lines = NULL;
    size_t count = wording_places(cause, &lines);
    struct text text = {0};
    const char *from = NULL;

    if (!count)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct place *place = lines[i].place;
        CLEANUP_FREE char *path = utf8_plain(place->path);
        CLEANUP_FREE char *why = wording_why(place);
        CLEANUP_FREE char *now = place->from ? utf8_plain(place->from) : NULL;

        if (now && (!from || strcmp(from, place->from) != 0))
            text_addf(&text, "%s\n", now);
        if (lines[i].skipped)
            text_addf(&text, "%4zu. … to %zu. likewise: nothing is there\n", lines[i].number,
                      lines[i].number + lines[i].skipped - 1);
        else
            text_addf(&text, "%4zu. %s   %s\n", lines[i].number, path, why);
        from = place->from;
    }
    open_details(out, "Where it was looked for, in order");
    put_fenced(out, text.v);
    close_details(out);
    text_deinit(&text);
}

static void put_remedies(FILE *out, const struct cause *cause)
{
    if (cause->remedy_count)
        fputs("\n**What helps**\n\n", out);
    for (size_t i = 0; i < cause->remedy_count; i++) {
        const struct remedy *remedy = &cause->remedies[i];
        CLEANUP_FREE char *title = utf8_plain(remedy->title ? remedy->title : "");
        CLEANUP_FREE char *risk = remedy->risk ? utf8_plain(remedy->risk) : NULL;
        struct text commands = {0};

        fprintf(out, "%s%zu. ", i ? "\n" : "", i + 1);
        put_escaped(out, title);
        fprintf(out, " *(%s)*", wording_proof(remedy->proof));
        if (risk) {
            fputs(" Risk: ", out);
            put_escaped(out, risk);
        }
        fputc('\n', out);
        for (size_t k = 0; k < remedy->commands.n; k++) {
            CLEANUP_FREE char *command = utf8_plain(remedy->commands.v[k]);

            text_addf(&commands, "%s\n", command);
        }
        if (commands.v) {
            fputc('\n', out);
            put_fenced(out, commands.v);
        }
        text_deinit(&commands);
    }
}

static void put_stack(FILE *out, const struct cause *cause)
{
    struct text text = {0};

    for (size_t i = 0; i < cause->stack_count; i++) {
        const struct frame *frame = &cause->stack[i];
        CLEANUP_FREE char *object = utf8_plain(frame->object ? frame->object : "?");
        CLEANUP_FREE char *symbol = utf8_plain(frame->symbol ? frame->symbol : "");

        text_addf(&text, "%2zu  %s+0x%llx  %s\n", i, object, (unsigned long long)frame->offset, symbol);
    }
    if (!text.v)
        return;
    open_details(out, "Stack of the failing event");
    put_fenced(out, text.v);
    close_details(out);
    text_deinit(&text);
}

static void put_detail(FILE *out, const struct cause *cause)
{
    struct text text = {0};

    if (!cause->detail || !*cause->detail)
        return;
    for (const char *s = cause->detail; *s;) { /* the lines of it, each made plain */
        size_t length = strcspn(s, "\n");
        CLEANUP_FREE char *line = xstrndup(s, length), *plain = utf8_plain(line);

        text_addf(&text, "%s\n", plain);
        s += length + (s[length] == '\n');
    }
    open_details(out, "What was seen, in order");
    put_fenced(out, text.v);
    close_details(out);
    text_deinit(&text);
}

static void put_cause(const struct report *report, FILE *out, const struct cause *cause, size_t number)
{
    CLEANUP_FREE char *summary = wording_summary(cause);
    struct sheet sheet;

    fputs("\n", out);
    if (number)
        fprintf(out, "#### %zu. %s\n\n", number, cause_kind_name(cause->kind));
    put_escaped(out, summary);
    fputc('\n', out);
    wording_cause(report, cause, &sheet);
    put_table(out, &sheet);
    sheet_deinit(&sheet);
    put_places(out, cause);
    put_remedies(out, cause);
    put_detail(out, cause);
    put_stack(out, cause);
}

static void put_grid(FILE *out, const struct table *table)
{
    CLEANUP_FREE size_t *columns = xcalloc(table->column_count + 1, sizeof *columns);
    size_t count = table_shown_columns(table, columns);

    if (table->for_programs || !table_rows(table))
        return;
    if (table->title) {
        fputs("\n**", out);
        put_escaped(out, table->title);
        fputs("**\n", out);
    }
    fputs("\n|", out);
    for (size_t i = 0; i < count; i++) {
        fputc(' ', out);
        put_escaped(out, table->columns[columns[i]].head);
        fputs(" |", out);
    }
    fputs("\n|", out);
    for (size_t i = 0; i < count; i++)
        fputs(table->columns[columns[i]].number ? " ---: |" : " --- |", out);
    for (size_t row = 0; row < table_rows(table); row++) {
        fputs("\n|", out);
        for (size_t i = 0; i < count; i++) {
            const struct table_cell *cell = table_at(table, row, columns[i]);
            CLEANUP_FREE char *plain = table_shown(cell);
            const char *strong = cell->mark == TABLE_BAD && *plain ? "**" : "";

            fprintf(out, " %s", strong);
            put_escaped(out, plain);
            fprintf(out, "%s |", strong);
        }
    }
    fputc('\n', out);
}

static void put_rest(FILE *out, const struct report *report)
{
    CLEANUP_FREE char *state = wording_reproduction(report), *system = wording_system(report);
    struct sheet rest;

    wording_rest(report, &rest);
    fputc('\n', out);
    fputs("| | |\n| --- | --- |\n", out);
    if (system)
        put_row(out, "system", system);
    for (size_t i = 0; i < rest.count; i++)
        put_row(out, rest.rows[i].label, rest.rows[i].text);
    if (state)
        put_row(out, "reproduction", state);
    put_row(out, "found by", "glibctrace " GLIBCTRACE_VERSION);
    if (state && report->repro_command) {
        CLEANUP_FREE char *command = utf8_plain(report->repro_command);
        CLEANUP_FREE char *expect = report->repro_expect ? utf8_plain(report->repro_expect) : NULL;
        CLEANUP_FREE char *text = xasprintf("$ %s\n%s%s", command, expect ? expect : "", expect ? "\n" : "");

        fputc('\n', out);
        put_fenced(out, text);
    }
    sheet_deinit(&rest);
}

static void put_before_guess(FILE *out, const struct report *report)
{
    struct sheet sheet;

    wording_not_it(report, &sheet);
    if (sheet.count)
        fputs("\n| | |\n| --- | --- |\n", out);
    for (size_t i = 0; i < sheet.count; i++)
        put_row(out, sheet.rows[i].label, sheet.rows[i].text);
    sheet_deinit(&sheet);
    fputs("\nThe nearest guess:\n", out);
}

static void render(const struct report *report, const struct render_options *options, FILE *out)
{
    CLEANUP_FREE char *headline = wording_headline(report);

    (void)options;
    fputs("### ", out);
    put_escaped(out, headline);
    fputc('\n', out);
    bool several = wording_cause_count(report) > 1;
    size_t number = 0;

    if (wording_guess(report))
        put_before_guess(out, report);

    for (size_t i = 0; i < report->cause_count; i++) {
        if (wording_told_before(report, i))
            continue;
        put_cause(report, out, report->causes[i], several ? ++number : 0);
    }
    for (size_t i = 0; i < report->table_count; i++)
        put_grid(out, report->tables[i]);
    put_rest(out, report);
}

const struct renderer renderer_markdown = {.name = "markdown", .ending = ".md", .render = render};
