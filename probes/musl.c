/* musl's search: load_library(), path_open() and fixup_rpath() of ldso/dynlink.c.
 *
 * LD_LIBRARY_PATH comes first, then RPATH or RUNPATH (one thing there, RUNPATH winning) of who asks and of everything
 * that led to it, then /etc/ld-musl-ARCH.path or the built-in list. There is no cache and there are no hwcaps. */
#include "loader.h"

#include "alloc.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PATH_FILE = 1 << 16 };

struct finding {
    const struct load *load;
    const char *name;
    unsigned ignore;
    struct search *ret;
};

bool musl_is_own_name(const char *name)
{
    static const char *const own[] = {"c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."};

    if (strncmp(name, "lib", 3) != 0)
        return false;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!strncmp(name + 3, own[i], strlen(own[i])))
            return true;
    return false;
}

/* $ORIGIN (or ${ORIGIN}) is the only token; a text with any other is not used at all. */
static char *expand(const struct load *load, const struct object *object, const char *text)
{
    const struct load_private *priv = load->priv;
    char *out;

    if (!strchr(text, '$'))
        return xstrdup(text);
    for (const char *d = strchr(text, '$'); d; d = strchr(d + 1, '$'))
        if (strncmp(d, "$ORIGIN", 7) != 0 && strncmp(d, "${ORIGIN}", 9) != 0)
            return NULL;
    if (priv->secure)
        return NULL;
    struct path_walk walk = {0};
    load_walk(load, object->path, NULL, &walk);
    CLEANUP_FREE char *origin = path_dir(object->why == OBJECT_MAIN && walk.final ? walk.final : object->path);
    path_walk_deinit(&walk);
    out = xstrdup("");
    for (const char *s = text; *s;) {
        size_t plain = strcspn(s, "$");
        char *longer = xasprintf("%s%.*s%s", out, (int)plain, s, s[plain] ? origin : "");

        free(out);
        out = longer;
        s += plain;
        if (*s)
            s += s[1] == '{' ? 9 : 7;
    }
    return out;
}

static enum verdict try_text(const struct finding *f, const char *text, enum search_origin origin,
                             const struct object *of)
{
    struct place place = {.origin = origin, .origin_of = of ? of->path : NULL};

    if (f->ignore >> origin & 1)
        return VERDICT_PASSED;
    for (const char *s = text + strspn(text, ":\n"); *s; s += strspn(s, ":\n")) {
        size_t n = strcspn(s, ":\n");
        CLEANUP_FREE char *entry = xstrndup(s, n);
        CLEANUP_FREE char *path = xasprintf("%s/%s", entry, f->name);
        enum verdict verdict;
        int error = 0;

        place.entry = entry;
        place.path = path;
        s += n;
        verdict = place_try(f->load, &place, f->ret, &error);
        if (verdict != VERDICT_PASSED)
            return verdict;
        if (error != ENOENT && error != ENOTDIR && error != EACCES && error != ENAMETOOLONG) {
            f->ret->places[f->ret->count - 1].ends = true; /* path_open(): -2, nothing more is looked at */
            return VERDICT_ENDS;
        }
    }
    return VERDICT_PASSED;
}

static enum verdict try_rpaths(const struct finding *f, const struct object *loader)
{
    const struct load *load = f->load;

    /* whoever calls dlopen(), what it loads counts as needed by the program */
    for (const struct object *o = loader; o; o = o->why == OBJECT_DLOPEN ? load->objects[0] : o->loader) {
        const char *text = o->elf->runpath ? o->elf->runpath : o->elf->rpath;
        CLEANUP_FREE char *expanded = text ? expand(load, o, text) : NULL;
        enum verdict verdict;

        if (!expanded)
            continue;
        verdict = try_text(f, expanded, o->elf->runpath ? ORIGIN_RUNPATH : ORIGIN_RPATH, o);
        if (verdict != VERDICT_PASSED)
            return verdict;
    }
    return VERDICT_PASSED;
}

/* Beside the loader's own directory: PREFIX/lib/ld-musl-ARCH.so.1 reads PREFIX/etc/ld-musl-ARCH.path. */
static char *system_path(const struct load *load)
{
    const char *interp = load->interp, *base = path_base(interp), *dot = strstr(base, ".so");
    CLEANUP_FREE char *directory = path_dir(interp);
    CLEANUP_FREE char *prefix = path_dir(directory);
    CLEANUP_FREE char *path = xasprintf("%s/etc/%.*s.path", strcmp(prefix, "/") ? prefix : "",
                                        (int)(dot ? dot - base : (long)strlen(base)), base);
    CLEANUP_CLOSE int fd = path_open(load->priv->root, path);
    char *text;
    ssize_t n;

    if (fd < 0)
        return xstrdup(fd == -ENOENT ? "/lib:/usr/local/lib:/usr/lib" : "");
    text = xmalloc(MAX_PATH_FILE + 1);
    n = read(fd, text, MAX_PATH_FILE);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

void musl_find_library(const struct load *load, const char *name, const struct object *loader, unsigned ignore,
                       struct search *ret)
{
    struct finding f = {.load = load, .name = name, .ignore = ignore, .ret = ret};
    const char *env = load->priv->secure ? NULL : load_env(load, "LD_LIBRARY_PATH");

    if (strchr(name, '/')) {
        struct place place = {.path = name, .origin = ORIGIN_DIRECT};
        int error;

        place_try(load, &place, ret, &error);
        return;
    }
    if (strlen(name) > NAME_MAX)
        return;
    if (env && try_text(&f, env, ORIGIN_LIBRARY_PATH, NULL) != VERDICT_PASSED)
        return;
    if (try_rpaths(&f, loader ? loader : load->objects[0]) != VERDICT_PASSED)
        return;

    CLEANUP_FREE char *path = system_path(load);
    try_text(&f, path, ORIGIN_DEFAULT, NULL);
}
