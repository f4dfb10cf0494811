#include "table.h"

#include "utf8.h"

#include <probes/alloc.h>

#include <stdarg.h>
#include <string.h>

struct table *table_add(struct report *report, const char *name, const char *title)
{
    struct table **place = array_add(&report->tables, &report->table_count, &report->table_cap, sizeof *place);

    *place = xcalloc(1, sizeof **place);
    (*place)->name = xstrdup(name);
    (*place)->title = xstrdup_or_null(title);
    return *place;
}

struct table *table_find(const struct report *report, const char *name)
{
    for (size_t i = 0; i < report->table_count; i++)
        if (strcmp(report->tables[i]->name, name) == 0)
            return report->tables[i];
    return NULL;
}

static struct table_column *add_column(struct table *table, const char *key, const char *head)
{
    struct table_column *column = array_add(&table->columns, &table->column_count, &table->column_cap, sizeof *column);

    column->key = xstrdup(key);
    column->head = xstrdup(head);
    return column;
}

void table_column(struct table *table, const char *key, const char *head)
{
    add_column(table, key, head);
}

void table_number(struct table *table, const char *key, const char *head)
{
    add_column(table, key, head)->number = true;
}

void table_below(struct table *table, const char *key, const char *head, bool whole)
{
    struct table_column *column = add_column(table, key, head);

    column->below = true;
    column->whole = whole;
}

void table_detail(struct table *table, const char *key, const char *head)
{
    add_column(table, key, head)->detail = true;
}

struct table *table_with(struct report *report, const char *name, const char *title, const char *const (*columns)[2])
{
    struct table *table = table_find(report, name);

    if (table)
        return table;
    table = table_add(report, name, title);
    for (; (*columns)[0]; columns++)
        table_column(table, (*columns)[0], (*columns)[1]);
    return table;
}

static struct table_cell *add_cell(struct table *table, char *taken, enum table_mark mark)
{
    struct table_cell *cell = array_add(&table->cells, &table->cell_count, &table->cell_cap, sizeof *cell);

    cell->text = taken;
    cell->mark = mark;
    return cell;
}

void table_cell(struct table *table, enum table_mark mark, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    add_cell(table, text, mark);
}

void table_text(struct table *table, const char *text)
{
    add_cell(table, xstrdup(text ? text : ""), TABLE_PLAIN);
}

void table_brief(struct table *table, const char *brief)
{
    table->cells[table->cell_count - 1].brief = brief;
}

void table_branch(struct table *table, const char *prefix, const char *text)
{
    add_cell(table, xstrdup(text), TABLE_PLAIN)->prefix = xstrdup(prefix);
}

char *table_shown(const struct table_cell *cell)
{
    CLEANUP_FREE char *plain = utf8_plain(cell->text);

    return xasprintf("%s%s", cell->prefix ? cell->prefix : "", plain);
}

size_t table_rows(const struct table *table)
{
    return table->column_count ? (table->cell_count + table->column_count - 1) / table->column_count : 0;
}

const struct table_cell *table_at(const struct table *table, size_t row, size_t column)
{
    static const struct table_cell nothing = {.text = (char *)""};
    size_t at = row * table->column_count + column;

    return column < table->column_count && at < table->cell_count ? &table->cells[at] : &nothing;
}

size_t table_shown_columns(const struct table *table, size_t *columns)
{
    size_t count = 0;

    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].head[0])
            columns[count++] = i;
    for (size_t i = 0; !count && i < table->column_count; i++)
        columns[i] = i;
    return count ? count : table->column_count;
}

const char *table_mark_name(enum table_mark mark)
{
    static const char *const names[] = {
        [TABLE_PLAIN] = NULL, [TABLE_GOOD] = "good", [TABLE_WARNING] = "warning", [TABLE_BAD] = "bad"};

    return names[mark];
}

void table_destroy(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->column_count; i++) {
        free(table->columns[i].key);
        free(table->columns[i].head);
    }
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i].text), free(table->cells[i].prefix);
    free(table->columns);
    free(table->cells);
    free(table->name);
    free(table->title);
    free(table);
}
