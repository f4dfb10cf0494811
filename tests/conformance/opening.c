/* dlopen and dlclose as the log tells them, done to the model at the same time. */
#include "compare.h"

#include <dlfcn.h>
#include <string.h>

/* Where the dlopen that begins in line I ends, or 0. */
static size_t end_of(const struct comparison *c, size_t i)
{
    const struct log_line *begin = &c->log.lines[i];
    bool made = false;

    for (size_t k = i + 1; k < c->log.count; k++) {
        const struct log_line *line = &c->log.lines[k];

        /* nothing was made of it, or it is asked for once more: it has failed */
        if (line->kind == LINE_LOADED_BY && (!made || (line->a_space == begin->a_space && !strcmp(line->a, begin->a))))
            return 0;
        made |= line->kind == LINE_GENERATED && line->a_space == begin->a_space && !strcmp(line->a, begin->a);
        if (line->kind == LINE_OPENING && line->a_space == begin->a_space &&
            (!strcmp(path_base(line->a), path_base(begin->a)) || !made))
            return k;
    }
    return 0;
}

static bool has_word(const char *list, const char *word, bool first)
{
    size_t n = strlen(word);

    for (const char *s = list + strspn(list, " "); *s; s += strspn(s, " ")) {
        size_t length = strcspn(s, " ");

        if (length == n && !strncmp(s, word, n))
            return true;
        if (first)
            return false;
        s += length;
    }
    return false;
}

/* The scopes that the loader shows before it relocates: with RTLD_DEEPBIND there are two lists, its own first. */
static bool is_deep(const struct comparison *c, size_t begin, size_t end)
{
    const struct log_line *lines = c->log.lines;
    const char *root = lines[end].a;

    for (size_t i = begin; i < end; i++)
        if (lines[i].kind == LINE_OBJECT && !strcmp(lines[i].a, root))
            return i + 2 < end && lines[i + 1].kind == LINE_SCOPE && has_word(lines[i + 1].a, root, true) &&
                   lines[i + 2].kind == LINE_SCOPE && !has_word(lines[i + 2].a, root, true) &&
                   !(i + 3 < end && lines[i + 3].kind == LINE_SCOPE);
    return false;
}

static bool space_exists(const struct comparison *c, unsigned space)
{
    for (size_t i = 0; i < c->load->object_count; i++)
        if (c->load->objects[i]->space == space && load_is_there(c->load, c->load->objects[i]))
            return true;
    return false;
}

static struct object *open_file(struct comparison *c, const char *file, int mode, const struct log_line *line)
{
    struct load_open open = {.file = file, .mode = mode, .space = line->a_space};
    struct object *root = NULL;

    open.caller = line->b ? object_of(c, line->b, line->b_space) : NULL;
    if (!space_exists(c, line->a_space))
        open.space = LOAD_SPACE_NEW;
    load_dlopen(c->load, &open, &root);
    return root;
}

/* A dlopen that never ends has failed; only what is bound at once can fail. */
void begin_open(struct comparison *c, size_t i)
{
    const struct log_line *line = &c->log.lines[i];
    size_t end = end_of(c, i);
    int mode = !end ? RTLD_NOW : is_deep(c, i, end) ? RTLD_LAZY | RTLD_DEEPBIND : RTLD_LAZY;
    struct object *root = open_file(c, line->a, mode, line);

    c->pending += end != 0;
    if (end) {
        c->roots[end] = root;
        if (!root)
            count(c, DIFFERS_LOAD, "dlopen of %s: opens %s, not nothing", line->a, c->log.lines[end].a);
    }
}

/* Of an object that is there already nothing is said at the beginning; where it was only needed so far, its scopes come
 * first, and then its end. */
void open_known(struct comparison *c, size_t i)
{
    size_t end = i;

    while (end < c->log.count && c->log.lines[end].kind != LINE_OPENING && c->log.lines[end].kind != LINE_LOADED_BY)
        end++;
    if (end < c->log.count && c->log.lines[end].kind == LINE_OPENING && !c->roots[end] &&
        !strcmp(c->log.lines[end].a, c->log.lines[i].a))
        c->roots[end] = open_file(c, c->log.lines[i].a, RTLD_LAZY, &c->log.lines[i]);
}

void end_open(struct comparison *c, size_t i)
{
    const struct log_line *line = &c->log.lines[i];
    struct object *root = c->roots[i];

    if (!root)
        root = open_file(c, line->a, RTLD_LAZY, line);
    else if (c->pending)
        c->pending--;
    if (root && root != c->load->objects[0] && strcmp(root->path, line->a) != 0)
        count(c, DIFFERS_LOAD, "dlopen: opens %s, not %s", line->a, root->path);
}

/* The first of a run is the one that was opened, the others are what it needs. */
void made_global(struct comparison *c, size_t i)
{
    const struct log_line *line = &c->log.lines[i];
    struct object *root;

    if (i && c->log.lines[i - 1].kind == LINE_GLOBAL)
        return;
    root = open_file(c, line->a, RTLD_LAZY | RTLD_NOLOAD | RTLD_GLOBAL, line);
    if (root)
        load_dlclose(c->load, root);
    else
        count(c, DIFFERS_LOAD, "%s [%u] becomes global, and is not there", line->a, line->a_space);
}

/* One of a run of unloaded objects: whoever of them is held by a handle has lost it. Then the model must let go too. */
void destroyed(struct comparison *c, size_t i)
{
    if (i && c->log.lines[i - 1].kind == LINE_DESTROYED)
        return;
    for (size_t k = i; k < c->log.count && c->log.lines[k].kind == LINE_DESTROYED; k++) {
        struct object *object = object_of(c, c->log.lines[k].a, c->log.lines[k].a_space);

        for (int n = 0; object && load_is_there(c->load, object) && n < 100; n++)
            load_dlclose(c->load, object);
    }
    for (size_t k = i; k < c->log.count && c->log.lines[k].kind == LINE_DESTROYED; k++) {
        const struct log_line *line = &c->log.lines[k];
        const struct object *object = object_of(c, line->a, line->a_space);

        if (object && load_is_there(c->load, object))
            count(c, DIFFERS_LOAD, "dlclose: %s goes, and should stay", line->a);
    }
}
