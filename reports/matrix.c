#include "matrix.h"

#include "table.h"
#include "text.h"
#include "vsix.h"

#include <probes/alloc.h>

#include <string.h>

/* Those that people still have: RHEL 7, Debian 10 and RHEL 8, Debian 11, Ubuntu 22.04, Debian 12, Ubuntu 24.04, Debian
 * 13; and the newest of the table. */
char *matrix_columns(void)
{
    static const char usual[] = "2.17,2.28,2.31,2.35,2.36,2.39,2.41";
    const char *last = releases_last();

    return strcmp(last, "2.41") == 0 ? xasprintf("%s,musl", usual) : xasprintf("%s,%s,musl", usual, last);
}

/* A release is as it was asked for, and so is "here"; of a path the library that it is. */
static char *head_of(const struct offer *offer)
{
    if (offer->kind == OFFER_RELEASE)
        return xstrdup(offer->release);
    return strchr(offer->word, '/') ? xasprintf("%s (%s)", path_base(offer->word), offer->name) : xstrdup(offer->word);
}

static void put_cell(struct table *table, const struct build *build, const struct build_outcome *outcome)
{
    if (!build_files(build)) {
        table_cell(table, TABLE_PLAIN, "no ELF file");
    } else if (outcome->fails) {
        table_cell(table, TABLE_BAD, "fails: %s", outcome->words);
        table_brief(table, "fails"); /* the table of reasons has the rest */
    } else if (outcome->warned) {
        table_cell(table, TABLE_WARNING, "loads, with a warning: %s", outcome->words);
        table_brief(table, "warning");
    } else {
        table_cell(table, TABLE_GOOD, "loads");
    }
}

static void put_reason(struct table *table, const struct build *build, const struct offer *offer,
                       const struct build_outcome *outcome)
{
    if (!outcome->words)
        return;
    table_text(table, build_name(build));
    table_text(table, offer->word);
    table_cell(table, outcome->fails ? TABLE_BAD : TABLE_WARNING, "%s", outcome->fails ? "fails" : "warning");
    table_text(table, cause_kind_name(outcome->kind));
    table_text(table, outcome->words);
    table_text(table, outcome->subject);
    table_text(table, outcome->missing);
    table_text(table, outcome->provider);
}

static struct table *reasons_table(struct report *report)
{
    static const char *const columns[][2] = {{"build", "build"}, {"libc", "libc"},       {"verdict", ""},
                                             {"kind", ""},       {"because", "because"}, {"subject", "asked by"},
                                             {"missing", ""},    {"provider", ""}};
    struct table *table = table_add(report, "reasons", "What decides");

    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        table_column(table, columns[i][0], columns[i][1]);
    return table;
}

/* ---- the newest ---- */

/* Above zero: A is newer; by their versions. */
static int compare(const struct build *a, const struct build *b)
{
    return vsix_compare(build_version(a), build_version(b));
}

static void put_newest(struct build *const *builds, const bool *loads, size_t count, struct report *report)
{
    struct table *table = table_add(report, "newest", NULL);
    const struct build *newest = NULL;
    struct text all = {0};
    size_t running = 0;
    bool known = true;

    table_column(table, "build", "");
    table_column(table, "says", "");
    for (size_t i = 0; i < count; i++) {
        if (!loads[i])
            continue;
        running++;
        known &= build_version(builds[i]) != NULL;
        text_addf(&all, "%s%s", all.n ? ", " : "", build_name(builds[i]));
        if (!newest || (known && compare(builds[i], newest) > 0))
            newest = builds[i];
    }
    if (!running) {
        table_text(table, "none");
        table_cell(table, TABLE_BAD, "of these builds runs here");
    } else if (running == 1 || known) {
        table_text(table, build_name(newest));
        table_cell(table, TABLE_GOOD, running == 1 && count == 1 ? "runs here" : "is the newest build that runs here");
    } else {
        table_text(table, all.v);
        table_cell(table, TABLE_GOOD, "run here; which is the newest their names do not tell");
    }
    text_deinit(&all);
}

/* ---- all of it ---- */

static bool loads_here(struct build *build, const struct offer *here)
{
    struct build_outcome outcome;
    bool loads;

    build_judge(build, here, &outcome);
    loads = build_files(build) && !outcome.fails;
    build_outcome_deinit(&outcome);
    return loads;
}

static void put_row(struct build *build, struct offer *const *offers, size_t count, struct table *table,
                    struct table *reasons)
{
    table_text(table, build_name(build));
    for (size_t i = 0; i < count; i++) {
        struct build_outcome outcome;

        build_judge(build, offers[i], &outcome);
        put_cell(table, build, &outcome);
        put_reason(reasons, build, offers[i], &outcome);
        build_outcome_deinit(&outcome);
    }
}

size_t matrix_make(struct build *const *builds, size_t build_count, struct offer *const *offers, size_t offer_count,
                   const struct offer *here, struct report *report)
{
    struct table *table = table_add(report, "matrix", NULL), *reasons;
    CLEANUP_FREE bool *loads = xcalloc(build_count, sizeof *loads);
    size_t running = 0;

    table_column(table, "build", "build");
    for (size_t i = 0; i < offer_count; i++) {
        CLEANUP_FREE char *head = head_of(offers[i]);

        table_column(table, offers[i]->word, head);
    }
    reasons = reasons_table(report);
    for (size_t i = 0; i < build_count; i++) {
        put_row(builds[i], offers, offer_count, table, reasons);
        loads[i] = loads_here(builds[i], here);
        running += loads[i];
    }
    report->headline =
        xasprintf("%zu build%s on %zu C librar%s: %zu of them run%s here.", build_count, build_count == 1 ? "" : "s",
                  offer_count, offer_count == 1 ? "y" : "ies", running, running == 1 ? "s" : "");
    put_newest(builds, loads, build_count, report);
    for (size_t i = 0; i < build_count; i++)
        build_rename(builds[i], report);
    return running;
}
