/* What objects say of themselves that they open later: candidates, of which nobody knows before it happens whether they
 * will be opened (check_parts.h). None of them is a cause. */
#include "check_parts.h"
#include "json_walk.h"
#include "table.h"
#include "text.h"

#include <probes/alloc.h>
#include <probes/dlopennote.h>

#include <string.h>

/* One item of a note: any of the sonames will do. */
struct wish {
    char *index;
    struct strings sonames;
    char *feature, *priority;
};
struct wishes {
    struct wish *v;
    size_t n, cap;
};

static void keep(char **place, const char *value)
{
    if (!*place)
        *place = xstrdup(value);
}

/* [{"soname":["libx.so.1"],"feature":"x","description":"…","priority":"suggested"}] */
static void of_note(void *ctx, const char *const *names, size_t depth, const char *value)
{
    struct wishes *wishes = ctx;
    struct wish *wish = wishes->n ? &wishes->v[wishes->n - 1] : NULL;

    if (depth < 2)
        return;
    if (!wish || strcmp(wish->index, names[0]) != 0) {
        wish = array_add(&wishes->v, &wishes->n, &wishes->cap, sizeof *wish);
        wish->index = xstrdup(names[0]);
    }
    if (depth == 3 && strcmp(names[1], "soname") == 0)
        strings_add(&wish->sonames, xstrdup(value));
    else if (depth == 2 && strcmp(names[1], "feature") == 0)
        keep(&wish->feature, value);
    else if (depth == 2 && strcmp(names[1], "priority") == 0)
        keep(&wish->priority, value);
}

static struct table *opened_table(struct report *report)
{
    static const char *const columns[][2] = {{"file", "file"},         {"opens", "may open"}, {"feature", "for"},
                                             {"priority", "which is"}, {"found", "found"},    {NULL, NULL}};

    return table_with(report, "opened", "What it says that it may open later", columns);
}

static void put_wish(struct report *report, const struct load *load, const struct object *object,
                     const struct wish *wish)
{
    struct table *table = opened_table(report);
    struct text names = {0};
    bool required = wish->priority && strcmp(wish->priority, "required") == 0, found = false;

    for (size_t i = 0; i < wish->sonames.n; i++)
        text_addf(&names, "%s%s", i ? " or " : "", wish->sonames.v[i]);
    table_text(table, object->path);
    table_text(table, names.v);
    table_text(table, wish->feature);
    table_text(table, wish->priority ? wish->priority : "recommended"); /* the specification's default */
    for (size_t i = 0; i < wish->sonames.n && !found; i++) {
        struct search search;

        load_search(load, wish->sonames.v[i], object, 0, &search);
        found = search.found >= 0;
        if (found)
            table_cell(table, TABLE_GOOD, "%s", search.places[search.found].path);
        search_deinit(&search);
    }
    if (!found)
        table_cell(table, required ? TABLE_WARNING : TABLE_PLAIN, "not found");
    text_deinit(&names);
}

static void put_notes_of(const char *root, struct report *report, const struct load *load, const struct object *object)
{
    size_t count;
    char **notes = dlopennote_read(root, object->path, &count);

    for (size_t i = 0; i < count; i++) {
        struct wishes wishes = {0};

        json_walk(notes[i], strlen(notes[i]), of_note, &wishes);
        for (size_t k = 0; k < wishes.n; k++) {
            if (wishes.v[k].sonames.n)
                put_wish(report, load, object, &wishes.v[k]);
            strings_deinit(&wishes.v[k].sonames);
            free(wishes.v[k].index);
            free(wishes.v[k].feature);
            free(wishes.v[k].priority);
        }
        free(wishes.v);
        free(notes[i]);
    }
    free(notes);
}

void check_put_opened(struct report *report, const struct check_request *request, const struct load *load, bool alone)
{
    if (load->family == LOADER_NONE)
        return;
    for (size_t i = 0; i < (alone ? 1 : load->object_count); i++)
        put_notes_of(check_root_of(request, load->objects[i]->path), report, load, load->objects[i]);
}

void check_put_named(struct report *report, const struct check_request *request, const char *path, const char *soname,
                     const char *feature)
{
    const struct load_request asked = check_load_request(request, path);
    char *name = (char *)soname;
    const struct wish wish = {
        .sonames = {.v = &name, .n = 1}, .feature = (char *)feature, .priority = (char[]){"required"}};
    struct load *load;

    if (load_create(&asked, &load, NULL) < 0)
        return;
    if (load->family != LOADER_NONE)
        put_wish(report, load, load->objects[0], &wish);
    load_destroy(load);
}
