#include "report_each.h"

#include "table.h"

struct visit {
    void (*each)(void *ctx, char **string);
    void *ctx;
};

static void visit_one(const struct visit *visit, char **string)
{
    if (*string)
        visit->each(visit->ctx, string);
}

static void visit_all(const struct visit *visit, struct strings *list)
{
    for (size_t i = 0; i < list->n; i++)
        visit_one(visit, &list->v[i]);
}

static void visit_lists(const struct visit *visit, struct cause *cause)
{
    for (size_t i = 0; i < cause->stack_count; i++) {
        visit_one(visit, &cause->stack[i].object);
        visit_one(visit, &cause->stack[i].file);
    }
    for (size_t i = 0; i < cause->remedy_count; i++) {
        visit_one(visit, &cause->remedies[i].title);
        visit_all(visit, &cause->remedies[i].commands);
        visit_one(visit, &cause->remedies[i].risk);
    }
    for (size_t i = 0; i < cause->fact_count; i++)
        visit_one(visit, &cause->facts[i].text);
    for (size_t i = 0; i < cause->place_count; i++) {
        visit_one(visit, &cause->places[i].path);
        visit_one(visit, &cause->places[i].from);
        visit_one(visit, &cause->places[i].why);
    }
    for (size_t i = 0; i < cause->crash_count; i++) {
        visit_one(visit, &cause->crash[i].title);
        visit_all(visit, &cause->crash[i].lines);
    }
}

static void visit_cause(const struct visit *visit, struct cause *cause)
{
    char **const strings[] = {&cause->subject, &cause->missing, &cause->provider, &cause->exe,
                              &cause->summary, &cause->detail,  &cause->words,    &cause->elsewhere};

    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        visit_one(visit, strings[i]);
    visit_all(visit, &cause->argv);
    visit_all(visit, &cause->chain);
    visit_all(visit, &cause->symbols);
    visit_lists(visit, cause);
}

void report_each_string(struct report *report, size_t first, void (*each)(void *ctx, char **string), void *ctx)
{
    const struct visit visit = {each, ctx};

    visit_all(&visit, &report->argv);
    visit_one(&visit, &report->libc.path);
    visit_one(&visit, &report->libc.from);
    visit_all(&visit, &report->ruled_out);
    visit_all(&visit, &report->unseen);
    visit_one(&visit, &report->headline);
    for (size_t i = first; i < report->cause_count; i++)
        visit_cause(&visit, report->causes[i]);
    for (size_t i = 0; i < report->table_count; i++)
        for (size_t k = 0; k < report->tables[i]->cell_count; k++)
            visit_one(&visit, &report->tables[i]->cells[k].text);
}
