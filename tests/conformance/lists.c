/* The order of things: who is asked for a symbol, and where a file is looked for. */
#include "compare.h"

#include <probes/alloc.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct listing {
    const struct comparison *c;
    size_t list;
    char *text;
};

static void add_member(void *ctx, size_t list, const struct object *member)
{
    struct listing *l = ctx;

    if (list != l->list)
        return;
    char *longer = xasprintf("%s %s", l->text, member == l->c->load->objects[0] ? l->c->program_name : member->path);
    free(l->text);
    l->text = longer;
}

void compare_scope(struct comparison *c, const struct log_line *object, const struct log_line *line)
{
    struct listing l = {.c = c, .list = line->n};
    const struct object *of = object_of(c, object->a, object->a_space);

    if (!of) {
        if (strncmp(object->a, "linux-", 6) != 0)
            count(c, DIFFERS_OBJECT, "%s [%u] has a scope", object->a, object->a_space);
        return;
    }
    if (!load_is_there(c->load, of)) /* what is shown before a dlopen fails */
        return;
    l.text = xstrdup("");
    load_scopes(c->load, of, add_member, &l);
    c->scopes++;
    if (strcmp(l.text, line->a) != 0)
        count(c, DIFFERS_SCOPE, "%s list %u:%s, not%s", object->a, line->n, line->a, l.text);
    free(l.text);
}

/* Who asks for the file that line I begins to look for. */
static const struct object *asker(const struct comparison *c, size_t i)
{
    const char *name = c->log.lines[i].a;

    while (i-- > 0) {
        const struct log_line *line = &c->log.lines[i];

        if ((line->kind == LINE_NEEDED || line->kind == LINE_LOADED_BY) && !strcmp(line->a, name))
            return line->b ? object_of(c, line->b, line->b_space) : NULL;
    }
    return NULL;
}

/* Once, and only what stands in a directory that is there: the model does not go through the subdirectories of one that
 * is not, and up to 2.36 the loader tries some of them twice. */
static void add_place(const struct comparison *c, const char *path, char **text)
{
    CLEANUP_FREE char *parent = path_dir(path);
    CLEANUP_FREE char *word = xasprintf(" %s ", path);
    struct stat st;
    char *longer;

    if (path_stat(c->root, *parent == '/' ? parent : "/", &st) || !S_ISDIR(st.st_mode) || strstr(*text, word))
        return;
    longer = xasprintf("%s%s", *text, word);
    free(*text);
    *text = longer;
}

void compare_search(struct comparison *c, size_t i)
{
    const struct log_line *line = &c->log.lines[i];
    const struct object *of = asker(c, i);
    CLEANUP_FREE char *real = xstrdup(""), *model = xstrdup("");
    struct search search;

    if (!of)
        return;
    for (size_t k = i + 1; k < c->log.count && c->log.lines[k].kind == LINE_TRYING; k++)
        add_place(c, c->log.lines[k].a, &real);
    load_search(c->load, line->a, of, 0, &search);
    for (size_t k = 0; k < search.count; k++)
        add_place(c, search.places[k].path, &model);
    search_deinit(&search);
    c->searches++;
    if (strcmp(real, model) != 0)
        count(c, DIFFERS_SEARCH, "%s of %s: tried%s, not%s", line->a, of->path, real, model);
}
