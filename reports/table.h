/* Tables of a report that is not about one run: which libc each process uses, which build loads where, what was
 * checked. Every renderer shows them; in report.json each is an array under its own name, an object a row. */
#ifndef GLIBCTRACE_REPORTS_TABLE_H
#define GLIBCTRACE_REPORTS_TABLE_H

#include "report.h"

enum table_mark { TABLE_PLAIN, TABLE_GOOD, TABLE_WARNING, TABLE_BAD };

struct table_column {
    char *key;   /* in report.json */
    char *head;  /* for persons; "": it is for programs alone, unless no column has one */
    bool number; /* its cells are whole numbers */
    bool below;  /* of the text form: what is in it stands on lines of its own below its row */
    bool whole;  /* … and is not broken into lines: it is to be copied */
    bool detail; /* the text form leaves it out where there are several rows */
};

struct table_cell {
    char *text;
    char *prefix;      /* shown before it, but not part of it: the lines of a tree; or NULL */
    const char *brief; /* shown instead where a line of the table would be too long; static, or NULL */
    enum table_mark mark;
};

struct table {
    char *name;  /* its key in report.json, no other's there */
    char *title; /* above it, or NULL */
    struct table_column *columns;
    size_t column_count, column_cap;
    bool for_programs;        /* it is in report.json only: too long for persons */
    struct table_cell *cells; /* row by row */
    size_t cell_count, cell_cap;
};

/* A new one behind the report's others, which owns it. Strings are copied; TITLE may be NULL. */
struct table *table_add(struct report *report, const char *name, const char *title);
/* REPORT's table of that name, or NULL. */
struct table *table_find(const struct report *report, const char *name);
/* The same, or a new one with COLUMNS, key and head each; the last pair is NULL. */
struct table *table_with(struct report *report, const char *name, const char *title, const char *const (*columns)[2]);
/* Before the first cell. */
void table_column(struct table *table, const char *key, const char *head);
/* One that would make it too wide for a terminal: a table of one row with such columns is shown upright there, a line
 * for each cell that is not empty. */
void table_detail(struct table *table, const char *key, const char *head);
void table_number(struct table *table, const char *key, const char *head);
/* What is seldom there and long: in the text form it stands below its row. Columns of that kind come last. WHOLE: it is
 * a command, which is not broken into lines. */
void table_below(struct table *table, const char *key, const char *head, bool whole);
/* The next cell of the row, or the first one of the next row. A row that is not full at the end is filled up with "".
 */
void table_cell(struct table *table, enum table_mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The next cell, of a tree. */
void table_branch(struct table *table, const char *prefix, const char *text);
/* PREFIX and text of CELL, as a person is to see them; malloced. */
char *table_shown(const struct table_cell *cell);
/* BRIEF, which is static, says enough of the last cell where a terminal is too narrow for the table. */
void table_brief(struct table *table, const char *brief);
/* TEXT may be NULL: "". */
void table_text(struct table *table, const char *text);
size_t table_rows(const struct table *table);
/* The cell at ROW and COLUMN, or an empty one. */
const struct table_cell *table_at(const struct table *table, size_t row, size_t column);
/* The columns that persons are shown, in COLUMNS (room for all): their number. */
size_t table_shown_columns(const struct table *table, size_t *columns);
/* "good", "warning", "bad"; NULL for plain. */
const char *table_mark_name(enum table_mark mark);
void table_destroy(struct table *table);

#endif
