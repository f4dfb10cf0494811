/* Search lists: text with separators and tokens becomes directories (fillin_rpath, _dl_dst_substitute and is_dst of
 * elf/dl-load.c). */
#include "loader.h"

#include "alloc.h"

#include <ctype.h>
#include <string.h>

enum { MAX_DIRS = 1024 }; /* of one list; a hostile RPATH may hold a million */

/* The length of "NAME" or "{NAME}" at S, or 0. */
static size_t token(const char *s, const char *name)
{
    size_t n = strlen(name);
    bool curly = *s == '{';

    if (strncmp(s + curly, name, n) != 0)
        return 0;
    if (curly)
        return s[n + 1] == '}' ? n + 2 : 0;
    return isalnum((unsigned char)s[n]) || s[n] == '_' ? 0 : n;
}

/* $ORIGIN: for the program the directory of the file itself (AT_EXECFN does not count, /proc/self/exe does), for a
 * library that of the path by which it was loaded. */
static const char *origin_of(const struct load *load, const struct object *object)
{
    const struct object *of = object ? object : load->objects[0];
    struct object_more *more = more_of(load, of);

    if (!more->origin) {
        struct path_walk walk = {0};

        if (of->why == OBJECT_MAIN)
            load_walk(load, of->path, NULL, &walk);
        more->origin = path_dir(walk.final ? walk.final : of->path);
        path_walk_deinit(&walk);
    }
    return more->origin;
}

static bool is_system_dir(const struct load *load, const char *path)
{
    CLEANUP_FREE char *directory = xasprintf("%s/", path);
    CLEANUP_FREE char *clean = path_join(directory, "");

    for (size_t i = 0; i < load->priv->traits.system_dir_count; i++)
        if (!strcmp(load->priv->traits.system_dirs[i], clean))
            return true;
    return false;
}

struct expansion {
    const struct load *load;
    const struct object *object;
    bool check_trusted;
};

/* What stands for the token at S (behind the dollar), NULL where it is none or has no value. */
static const char *replacement(struct expansion *e, const char *start, const char *s, size_t *length)
{
    bool secure = e->load->priv->secure;

    if ((*length = token(s, "ORIGIN"))) {
        /* ld.so(8): in secure mode only at the start and as a whole component */
        if (secure && (s != start + 1 || (s[*length] && s[*length] != '/')))
            return NULL;
        e->check_trusted = secure && (!e->object || e->object->why == OBJECT_MAIN);
        return origin_of(e->load, e->object);
    }
    if ((*length = token(s, "PLATFORM")))
        return e->load->priv->traits.platform;
    if ((*length = token(s, "LIB")))
        return e->load->priv->traits.lib;
    return NULL;
}

char *dirs_expand(const struct load *load, const struct object *object, const char *text)
{
    struct expansion e = {.load = load, .object = object};
    char *out = xstrdup("");

    for (const char *s = text; *s;) {
        size_t plain = strcspn(s, "$"), length = 0;
        const char *value = s[plain] ? replacement(&e, text, s + plain + 1, &length) : "";
        char *longer;

        if (length && !value) { /* a token without a value spoils the whole text */
            free(out);
            return NULL;
        }
        longer = xasprintf("%s%.*s%s", out, (int)plain, s, value ? value : "$");
        free(out);
        out = longer;
        s += plain + (s[plain] ? 1 + length : 0);
    }
    if (e.check_trusted && !is_system_dir(load, out)) {
        free(out);
        return NULL;
    }
    return out;
}

static struct search_dir *directory(const struct load *load, const char *path, const char *entry)
{
    struct load_private *priv = load->priv;
    struct search_dir *dir, **slot;

    for (size_t i = 0; i < priv->dir_count; i++)
        if (!strcmp(priv->dirs[i]->path, path))
            return priv->dirs[i];
    dir = xcalloc(1, sizeof *dir);
    dir->path = xstrdup(path);
    dir->entry = xstrdup(entry);
    dir->status = xcalloc(priv->traits.subdir_count, sizeof *dir->status);
    for (size_t i = 0; i < priv->traits.subdir_count; i++) /* relative ones are never written off: chdir(2) */
        dir->status[i] = path[0] == '/' ? DIR_UNKNOWN : DIR_EXISTS;
    slot = array_add(&priv->dirs, &priv->dir_count, &priv->dir_capacity, sizeof *slot);
    *slot = dir;
    return dir;
}

static void append(struct dir_list *list, struct search_dir *dir)
{
    struct search_dir **slot;

    for (size_t i = 0; i < list->count; i++)
        if (list->dirs[i] == dir)
            return;
    if (list->count == MAX_DIRS)
        return;
    slot = array_add(&list->dirs, &list->count, &list->capacity, sizeof *slot);
    *slot = dir;
}

void dirs_fill(const struct load *load, struct dir_list *list, const char *text, const char *separators,
               const struct object *object)
{
    for (const char *s = text;; s++) {
        size_t n = strcspn(s, separators);
        CLEANUP_FREE char *entry = xstrndup(s, n);
        CLEANUP_FREE char *path = dirs_expand(load, object, entry);

        if (path && (*path || !n)) { /* an empty entry is the working directory, one expanded to nothing is none */
            size_t length = strlen(path);

            while (length > 1 && path[length - 1] == '/')
                path[--length] = '\0';
            CLEANUP_FREE char *whole = xasprintf("%s%s", path, length && path[length - 1] != '/' ? "/" : "");
            append(list, directory(load, whole, entry));
        }
        s += n;
        if (!*s)
            break;
    }
    list->ready = true;
}

void dirs_defaults(const struct load *load, struct dir_list *list)
{
    for (size_t i = 0; i < load->priv->traits.system_dir_count; i++) {
        const char *path = load->priv->traits.system_dirs[i];

        append(list, directory(load, path, path));
    }
    list->ready = true;
}

void dir_list_deinit(struct dir_list *list)
{
    free(list->dirs);
    *list = (struct dir_list){0};
}
