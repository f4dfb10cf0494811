/* Alpine's apk: the installed packages' files and the cached index, both in its line format (apk-tools,
 * src/package.c and src/database.c): P name, V version, F directory, R file in it, p what it provides. */
#include "alloc.h"
#include "packages_parts.h"
#include "path.h"

#include <string.h>

struct current {
    char *name, *version, *directory;
};

static void replace(char **string, const char *with)
{
    free(*string);
    *string = xstrdup(with);
}

static void current_deinit(struct current *current)
{
    free(current->name);
    free(current->version);
    free(current->directory);
}

/* True where LINE was one of the package's own. */
static bool follow(struct current *current, const char *line)
{
    if (strncmp(line, "P:", 2) == 0)
        replace(&current->name, line + 2);
    else if (strncmp(line, "V:", 2) == 0)
        replace(&current->version, line + 2);
    else if (strncmp(line, "F:", 2) == 0)
        replace(&current->directory, line + 2);
    else
        return false;
    return true;
}

static void answer(struct current *current, struct package *ret, const char *says)
{
    ret->name = steal_pointer(&current->name);
    ret->version = steal_pointer(&current->version);
    ret->says = says;
}

bool apk_find(const struct package_wish *wish, struct package *ret)
{
    int fd = path_open(wish->root, "/lib/apk/db/installed");
    struct packed *file = packed_open(fd >= 0 ? fd : path_open(wish->root, "/usr/lib/apk/db/installed"), DATABASE_MOST);
    struct current current = {0};
    const char *line;

    while (file && !ret->name && (line = packed_line(file, NULL))) {
        CLEANUP_FREE char *path = NULL;

        if (follow(&current, line) || strncmp(line, "R:", 2) != 0 || !current.name || !current.directory)
            continue;
        path = xasprintf("/%s/%s", current.directory, line + 2);
        if (!wish_matches(wish, path, strlen(path)))
            continue;
        answer(&current, ret, "apk's database");
        ret->file = steal_pointer(&path);
        ret->installed = true;
    }
    current_deinit(&current);
    packed_close(file);
    return ret->name != NULL;
}

/* ---- the index ---- */

struct hunt {
    const char *provided; /* "so:libfoo.so.2", "cmd:git"; or NULL: */
    const char *name;     /* of the package */
    size_t left;
    struct package *ret;
};

static bool provides(const char *list, const char *what)
{
    size_t n = strlen(what);

    for (const char *p = list; *p; p += strspn(p, " ")) {
        size_t size = strcspn(p, " ");

        if (strcspn(p, "=<>~ ") == n && strncmp(p, what, n) == 0)
            return true;
        p += size;
    }
    return false;
}

static bool look(void *ctx, const char *name, int fd)
{
    struct hunt *hunt = ctx;
    struct packed *index;
    struct current current = {0};
    const char *line;

    if (strncmp(name, "APKINDEX.", 9) != 0) {
        close(fd);
        return true;
    }
    /* An archive, but of lines: its headers hold none that look like the index's. */
    index = packed_open(fd, hunt->left);
    while (index && !hunt->ret->name && (line = packed_line(index, NULL))) {
        bool own = follow(&current, line);

        if (hunt->name ? own && line[0] == 'V' && current.name && strcmp(current.name, hunt->name) == 0
                       : !own && strncmp(line, "p:", 2) == 0 && current.name && provides(line + 2, hunt->provided))
            answer(&current, hunt->ret, "apk's index");
    }
    current_deinit(&current);
    packed_close(index);
    return !hunt->ret->name;
}

static bool search(struct hunt *hunt, const char *root)
{
    hunt->left = DATABASE_MOST;
    directory_each(root, "/var/cache/apk", look, hunt);
    if (!hunt->ret->name)
        directory_each(root, "/etc/apk/cache", look, hunt);
    return hunt->ret->name != NULL;
}

bool apk_find_available(const struct package_wish *wish, struct package *ret)
{
    CLEANUP_FREE char *provided = wish->name ? xasprintf("%s:%s", wish->library ? "so" : "cmd", wish->name) : NULL;
    struct hunt hunt = {.provided = provided, .ret = ret};

    return provided && search(&hunt, wish->root);
}

bool apk_named(const char *root, const char *name, struct package *ret)
{
    struct hunt hunt = {.name = name, .ret = ret};

    return search(&hunt, root);
}
