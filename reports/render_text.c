/* The report that a person reads in a terminal; its shape is the example at the end of the design paper: a headline,
 * one sentence, labelled facts. Everything shown has gone through utf8_plain(). */
#include "report.h"

#include "table.h"
#include "utf8.h"
#include "wording.h"

#include <probes/alloc.h>

#include <string.h>

enum {
    MARGIN = 2,
    LABEL = 13,         /* columns of the label, with the space behind it */
    WIDTH = 110,        /* where the options name none */
    WIDEST = 130,       /* longer lines are hard to read */
    NARROWEST = 60,     /* below it wrapping does more harm than good */
    PLACE_COLUMN = 60,  /* the reasons of a search list are aligned up to here … */
    REASON_COLUMNS = 30 /* … and wrapped in their own column where it has as many */
};

struct page {
    FILE *out;
    size_t width;
    bool colour;
};

static const char bold[] = "\033[1m", dim[] = "\033[2m", red[] = "\033[31m", green[] = "\033[32m", off[] = "\033[0m";

static void styled(const struct page *page, const char *style, const char *text)
{
    if (page->colour)
        fprintf(page->out, "%s%s%s", style, text, off);
    else
        fputs(text, page->out);
}

static void spaces(const struct page *page, size_t count)
{
    fprintf(page->out, "%*s", (int)count, "");
}

/* The text's words from column COLUMN on, wrapped to lines that begin at column HANG. Runs of spaces are kept unless a
 * line ends there; a newline ends the line; a word too long for a line (a path) is left whole, so that it can be
 * copied. The last line is not ended. */
static void wrap(const struct page *page, size_t column, size_t hang, const char *text)
{
    while (*text) {
        size_t gap = strspn(text, " "), length = strcspn(text + gap, " \n");
        CLEANUP_FREE char *word = xstrndup(text + gap, length);
        size_t columns = utf8_columns(word);

        if (column > hang && column + gap + columns > page->width && columns) {
            fputc('\n', page->out);
            spaces(page, hang);
            column = hang;
            gap = 0;
        }
        if (columns) {
            spaces(page, gap);
            fputs(word, page->out);
            column += gap + columns;
        }
        text += strspn(text, " ") + length;
        if (*text == '\n') {
            fputc('\n', page->out);
            spaces(page, *++text ? hang : 0);
            column = hang;
        }
    }
}

static void wrapped(const struct page *page, size_t column, size_t hang, const char *text)
{
    wrap(page, column, hang, text);
    fputc('\n', page->out);
}

/* A row's label, padded; the column after it. */
static size_t labelled(const struct page *page, const char *label)
{
    size_t columns = utf8_columns(label);

    spaces(page, MARGIN);
    styled(page, dim, label);
    spaces(page, columns < LABEL ? LABEL - columns : 1);
    return MARGIN + (columns < LABEL ? LABEL : columns + 1);
}

static void put_sheet(const struct page *page, const struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->count; i++)
        wrapped(page, labelled(page, sheet->rows[i].label), MARGIN + LABEL, sheet->rows[i].text);
}

/* --- the search list --- */

static size_t place_column(const struct place_line *lines, size_t count)
{
    size_t widest = 0;

    for (size_t i = 0; i < count; i++) {
        CLEANUP_FREE char *path = utf8_plain(lines[i].place->path);
        size_t columns = utf8_columns(path);

        if (!lines[i].skipped && columns > widest && columns <= PLACE_COLUMN)
            widest = columns;
    }
    return widest;
}

static void put_place(const struct page *page, const struct place_line *line, size_t column)
{
    CLEANUP_FREE char *path = utf8_plain(line->place->path);
    CLEANUP_FREE char *why = wording_why(line->place);
    CLEANUP_FREE char *number = xasprintf("%3zu. ", line->number);
    size_t at = MARGIN + LABEL + strlen(number), columns = utf8_columns(path), hang;

    fputs(number, page->out);
    if (line->skipped) {
        fprintf(page->out, "… to %zu. likewise: nothing is there\n", line->number + line->skipped - 1);
        return;
    }
    fputs(path, page->out);
    spaces(page, (columns < column ? column - columns : 0) + 2);
    at += (columns < column ? column : columns) + 2;
    hang = at + REASON_COLUMNS <= page->width ? at : MARGIN + LABEL + strlen(number);
    if (page->colour && !place_is_dull(line->place)) {
        fputs(line->place->taken ? green : red, page->out);
        wrapped(page, at, hang, why);
        fputs(off, page->out);
    } else {
        wrapped(page, at, hang, why);
    }
}

static void put_places(const struct page *page, const struct cause *cause)
{
    CLEANUP_FREE struct place_line *lines = NULL;
    size_t count = wording_places(cause, &lines), column = place_column(lines, count);
    const char *from = NULL;

    for (size_t i = 0; i < count; i++) {
        const char *now = lines[i].place->from;
        bool heading = now && (!from || strcmp(from, now) != 0);

        if (i == 0)
            labelled(page, "looked in");
        if (heading) {
            CLEANUP_FREE char *plain = utf8_plain(now);

            spaces(page, i ? MARGIN + LABEL : 0);
            fprintf(page->out, "%s\n", plain);
        }
        spaces(page, i || heading ? MARGIN + LABEL : 0);
        put_place(page, &lines[i], column);
        from = now;
    }
}

/* --- what helps --- */

/* A command reads on from the title where the line holds it; else it stands below, whole, to be copied. */
static bool reads_on(const struct page *page, const struct remedy *remedy)
{
    CLEANUP_FREE char *command = NULL;
    size_t columns;

    if (remedy->commands.n != 1)
        return false;
    command = utf8_plain(remedy->commands.v[0]);
    columns = utf8_columns(command) + strlen(remedy->title ? remedy->title : "");
    return MARGIN + LABEL + strlen("1. : ") + columns + 3 + strlen(wording_proof(remedy->proof)) <= page->width;
}

static char *remedy_line(const struct page *page, const struct remedy *remedy)
{
    CLEANUP_FREE char *title = utf8_plain(remedy->title ? remedy->title : "");
    CLEANUP_FREE char *command = NULL;

    if (!reads_on(page, remedy))
        return steal_pointer(&title);
    command = utf8_plain(remedy->commands.v[0]);
    return xasprintf("%s: %s", title, command);
}

static void put_remedy(const struct page *page, const struct remedy *remedy, size_t number, size_t column)
{
    CLEANUP_FREE char *line = remedy_line(page, remedy);
    CLEANUP_FREE char *numbered = xasprintf("%zu. ", number), *risk = remedy->risk ? utf8_plain(remedy->risk) : NULL;
    CLEANUP_FREE char *whole = NULL;
    size_t hang = MARGIN + LABEL + strlen(numbered), columns = utf8_columns(line);

    fputs(numbered, page->out);
    whole = column ? xasprintf("%s%*s   %s", line, (int)(column - columns), "", wording_proof(remedy->proof))
                   : xasprintf("%s (%s)", line, wording_proof(remedy->proof));
    wrapped(page, hang, hang, whole);
    for (size_t i = 0; !reads_on(page, remedy) && i < remedy->commands.n; i++) {
        CLEANUP_FREE char *command = utf8_plain(remedy->commands.v[i]);

        spaces(page, hang + 2);
        fprintf(page->out, "%s\n", command);
    }
    if (risk) {
        spaces(page, hang);
        fputs("risk: ", page->out);
        wrapped(page, hang + strlen("risk: "), hang, risk);
    }
}

/* The column of the proofs behind the remedies, or 0 where they do not all fit on a line each. */
static size_t proof_column(const struct page *page, const struct cause *cause)
{
    size_t widest = 0, longest = 0;

    for (size_t i = 0; i < cause->remedy_count; i++) {
        CLEANUP_FREE char *line = remedy_line(page, &cause->remedies[i]);
        size_t columns = utf8_columns(line), proof = strlen(wording_proof(cause->remedies[i].proof));

        widest = columns > widest ? columns : widest;
        longest = proof > longest ? proof : longest;
    }
    return MARGIN + LABEL + strlen("1. ") + widest + 3 + longest <= page->width ? widest : 0;
}

static void put_remedies(const struct page *page, const struct cause *cause)
{
    size_t column = proof_column(page, cause);

    for (size_t i = 0; i < cause->remedy_count; i++) {
        if (i == 0)
            labelled(page, "what helps");
        else
            spaces(page, MARGIN + LABEL);
        put_remedy(page, &cause->remedies[i], i + 1, column);
    }
}

/* --- tables --- */

enum { GAP = 2, CELL_MOST = 48 /* columns of a cell that others stand behind */ };

/* The columns that are shown, and how wide. */
struct grid {
    const struct table *table;
    size_t *columns, *widths;
    size_t count;
    size_t beside; /* how many of them stand beside each other: the others stand below */
    bool brief;
};

/* What stands in the Ith column that is shown; ROW is SIZE_MAX: its head. */
static char *shown_in(const struct grid *grid, size_t row, size_t i)
{
    const struct table_cell *cell = table_at(grid->table, row, grid->columns[i]);

    if (row == SIZE_MAX)
        return xstrdup(grid->table->columns[grid->columns[i]].head);
    return grid->brief && cell->brief ? xstrdup(cell->brief) : table_shown(cell);
}

static size_t column_width(const struct grid *grid, size_t i)
{
    size_t widest = utf8_columns(grid->table->columns[grid->columns[i]].head);

    for (size_t row = 0; row < table_rows(grid->table); row++) {
        CLEANUP_FREE char *plain = shown_in(grid, row, i);
        size_t columns = utf8_columns(plain);

        if (columns > widest && columns <= CELL_MOST)
            widest = columns;
    }
    return widest;
}

/* Measures the columns, in brief where a line would not fit otherwise. */
static void measure(const struct page *page, struct grid *grid)
{
    for (int pass = 0; pass < 2; pass++) {
        size_t whole = MARGIN;

        for (size_t i = 0; i < grid->count; i++) {
            grid->widths[i] = column_width(grid, i);
            whole += i < grid->beside ? grid->widths[i] + GAP : 0;
        }
        if (whole <= page->width + GAP)
            return;
        grid->brief = true;
    }
}

static size_t count_beside(const struct table *table, const size_t *columns, size_t count)
{
    while (count > 1 && table->columns[columns[count - 1]].below)
        count--;
    return count;
}

static void put_below(const struct page *page, const struct grid *grid, size_t row, size_t hang)
{
    for (size_t i = grid->beside; i < grid->count; i++) {
        bool whole = grid->table->columns[grid->columns[i]].whole;
        CLEANUP_FREE char *plain = table_shown(table_at(grid->table, row, grid->columns[i]));

        if (!*plain)
            continue;
        spaces(page, hang);
        fputs(whole ? "  " : "→ ", page->out);
        if (whole)
            fprintf(page->out, "%s\n", plain);
        else
            wrapped(page, hang + 2, hang + 2, plain);
    }
}

/* One row; ROW is SIZE_MAX: the heads. The last column's text is wrapped. */
static void put_cells(const struct page *page, const struct grid *grid, size_t row)
{
    static const char *const colours[] = {
        [TABLE_PLAIN] = NULL, [TABLE_GOOD] = green, [TABLE_WARNING] = bold, [TABLE_BAD] = red};
    size_t at = MARGIN;

    spaces(page, MARGIN);
    for (size_t i = 0; i < grid->beside; i++) {
        const struct table_cell *cell = table_at(grid->table, row, grid->columns[i]);
        CLEANUP_FREE char *plain = shown_in(grid, row, i);
        size_t columns = utf8_columns(plain);
        const char *style = !page->colour ? NULL : row == SIZE_MAX ? dim : colours[cell->mark];
        bool last = i + 1 == grid->beside;

        fputs(style ? style : "", page->out);
        if (last)
            wrap(page, at, at + CELL_MOST / 2 < page->width ? at : MARGIN + LABEL, plain);
        else
            fputs(plain, page->out);
        fputs(style ? off : "", page->out);
        if (last)
            fputc('\n', page->out);
        else
            spaces(page, (columns < grid->widths[i] ? grid->widths[i] - columns : 0) + GAP);
        at += (columns < grid->widths[i] ? grid->widths[i] : columns) + GAP;
    }
    if (row != SIZE_MAX)
        put_below(page, grid, row, MARGIN + grid->widths[0] + GAP);
}

/* A table of one row that is too wide for a line: a line for each cell. */
static void put_upright(const struct page *page, const struct grid *grid)
{
    for (size_t i = 0; i < grid->count; i++) {
        CLEANUP_FREE char *shown = table_shown(table_at(grid->table, 0, grid->columns[i]));

        if (*shown)
            wrapped(page, labelled(page, grid->table->columns[grid->columns[i]].head), MARGIN + LABEL, shown);
    }
}

/* True where TABLE, which has details, is to be shown upright; else takes them out of COLUMNS. */
static bool drop_details(const struct table *table, size_t *columns, size_t *count)
{
    size_t kept = 0;

    for (size_t i = 0; i < *count; i++)
        if (table->columns[columns[i]].detail && table_rows(table) == 1)
            return true;
    for (size_t i = 0; i < *count; i++)
        if (!table->columns[columns[i]].detail)
            columns[kept++] = columns[i];
    *count = kept;
    return false;
}

static void put_table(const struct page *page, const struct table *table)
{
    CLEANUP_FREE size_t *widths = xcalloc(table->column_count + 1, sizeof *widths);
    CLEANUP_FREE size_t *columns = xcalloc(table->column_count + 1, sizeof *columns);
    size_t count = table_shown_columns(table, columns);
    bool upright = drop_details(table, columns, &count);
    struct grid grid = {table, columns, widths, count, count_beside(table, columns, count), false};

    if (table->for_programs || !table_rows(table))
        return;
    fputc('\n', page->out);
    if (table->title) {
        spaces(page, MARGIN);
        styled(page, bold, table->title);
        fputc('\n', page->out);
    }
    if (upright) {
        put_upright(page, &grid);
        return;
    }
    measure(page, &grid);
    if (table->columns[columns[0]].head[0])
        put_cells(page, &grid, SIZE_MAX);
    for (size_t row = 0; row < table_rows(table); row++)
        put_cells(page, &grid, row);
}

/* --- the page --- */

static void put_cause(const struct report *report, const struct page *page, const struct cause *cause, size_t number)
{
    CLEANUP_FREE char *summary = wording_summary(cause);
    CLEANUP_FREE char *numbered = number ? xasprintf("%zu. ", number) : xstrdup("");
    size_t hang = MARGIN + strlen(numbered);
    struct sheet sheet;

    fputc('\n', page->out);
    spaces(page, MARGIN);
    fputs(numbered, page->out);
    if (page->colour)
        fputs(bold, page->out);
    wrapped(page, hang, hang, summary);
    if (page->colour)
        fputs(off, page->out);
    fputc('\n', page->out);
    wording_cause(report, cause, &sheet);
    put_sheet(page, &sheet);
    sheet_deinit(&sheet);
    put_places(page, cause);
    if (cause->remedy_count) {
        fputc('\n', page->out);
        put_remedies(page, cause);
    }
}

static void put_reproduction(const struct page *page, const struct report *report)
{
    CLEANUP_FREE char *state = wording_reproduction(report);
    CLEANUP_FREE char *command = report->repro_command ? utf8_plain(report->repro_command) : NULL;
    CLEANUP_FREE char *line = NULL;

    if (!state)
        return;
    line = command ? xasprintf("%s   %s", command, state) : steal_pointer(&state);
    fputc('\n', page->out);
    wrapped(page, labelled(page, "reproduction"), MARGIN + LABEL, line);
}

static void put_before_guess(const struct page *page, const struct report *report)
{
    struct sheet sheet;

    wording_not_it(report, &sheet);
    if (sheet.count)
        fputc('\n', page->out);
    put_sheet(page, &sheet);
    sheet_deinit(&sheet);
    fputc('\n', page->out);
    spaces(page, MARGIN);
    styled(page, dim, "The nearest guess:");
    fputc('\n', page->out);
}

static void render(const struct report *report, const struct render_options *options, FILE *out)
{
    size_t width = options && options->width ? options->width : WIDTH;
    size_t bounded = width < NARROWEST ? NARROWEST : width > WIDEST ? WIDEST : width;
    struct page page = {.out = out, .width = bounded, .colour = options && options->colour};
    CLEANUP_FREE char *headline = wording_headline(report);
    struct sheet rest;

    styled(&page, bold, headline); /* one line, however long: it is what a script would look for */
    fputc('\n', out);
    bool several = wording_cause_count(report) > 1;
    size_t number = 0;

    if (wording_guess(report))
        put_before_guess(&page, report);

    for (size_t i = 0; i < report->cause_count; i++) {
        if (wording_told_before(report, i))
            continue;
        put_cause(report, &page, report->causes[i], several ? ++number : 0);
    }
    for (size_t i = 0; i < report->table_count; i++)
        put_table(&page, report->tables[i]);
    wording_rest(report, &rest);
    if (rest.count && (!report->cause_count || report->cause_count > 1 || !report->causes[0]->remedy_count))
        fputc('\n', out);
    put_sheet(&page, &rest);
    sheet_deinit(&rest);
    put_reproduction(&page, report);
}

const struct renderer renderer_text = {.name = "text", .ending = ".txt", .render = render};
