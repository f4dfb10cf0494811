#include "report_rename.h"

#include "table.h"
#include "text.h"

#include <probes/alloc.h>

#include <string.h>

struct rename {
    const char *place, *before, *whole;
};

static void change(const struct rename *names, char **string)
{
    size_t length = strlen(names->place);
    struct text text = {0};
    const char *at = *string, *found;

    if (!at || !strstr(at, names->place))
        return;
    for (; (found = strstr(at, names->place)); at = found + length) {
        text_addn(&text, at, (size_t)(found - at));
        if (found[length] == '/' && found[length + 1]) {
            text_add(&text, names->before);
            found++;
        } else {
            text_add(&text, names->whole);
        }
    }
    text_add(&text, at);
    free(*string);
    *string = text.v;
}

static void change_all(const struct rename *names, struct strings *list)
{
    for (size_t i = 0; i < list->n; i++)
        change(names, &list->v[i]);
}

static void change_lists(const struct rename *names, struct cause *cause)
{
    for (size_t i = 0; i < cause->remedy_count; i++) {
        change(names, &cause->remedies[i].title);
        change_all(names, &cause->remedies[i].commands);
        change(names, &cause->remedies[i].risk);
    }
    for (size_t i = 0; i < cause->fact_count; i++)
        change(names, &cause->facts[i].text);
    for (size_t i = 0; i < cause->place_count; i++) {
        change(names, &cause->places[i].path);
        change(names, &cause->places[i].from);
        change(names, &cause->places[i].why);
    }
}

static void change_cause(const struct rename *names, struct cause *cause)
{
    change(names, &cause->subject);
    change(names, &cause->missing);
    change(names, &cause->provider);
    change(names, &cause->exe);
    change_all(names, &cause->argv);
    change_all(names, &cause->chain);
    change(names, &cause->summary);
    change(names, &cause->detail);
    change(names, &cause->words);
    change_lists(names, cause);
}

void report_rename(struct report *report, size_t first, const char *place, const char *before, const char *whole)
{
    const struct rename names = {place, before, whole};

    for (size_t i = first; i < report->cause_count; i++)
        change_cause(&names, report->causes[i]);
    change_all(&names, &report->unseen);
    change(&names, &report->headline);
    for (size_t i = 0; i < report->table_count; i++)
        for (size_t k = 0; k < report->tables[i]->cell_count; k++)
            change(&names, &report->tables[i]->cells[k].text);
}
