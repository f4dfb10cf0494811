/* dpkg's own files: dpkg-query(1), deb-version(7); the layout is that of dpkg's doc/ and lib/dpkg/db-fsys-files.c. */
#include "alloc.h"
#include "packages_parts.h"
#include "path.h"

#include <string.h>

#define DPKG "/var/lib/dpkg"

/* ---- diversions ---- */

/* dpkg-divert(1): three lines each: the path as packages have it, where it is put instead, and the package whose file
 * stays in its place (":" for none). */
struct diversion {
    char *path; /* as packages have it */
    char *by;
    bool aside; /* what was asked for is where others' files were put */
};

static struct diversion diversion_of(const char *root, const char *path)
{
    struct packed *file = packed_open(path_open(root, DPKG "/diversions"), DATABASE_MOST);
    struct diversion found = {0};
    const char *line;

    while (file && !found.path && (line = packed_line(file, NULL))) {
        CLEANUP_FREE char *from = xstrdup(line);
        CLEANUP_FREE char *to = (line = packed_line(file, NULL)) ? xstrdup(line) : NULL;
        const char *by = to ? packed_line(file, NULL) : NULL;

        if (!by || (strcmp(path, from) != 0 && strcmp(path, to) != 0))
            continue;
        found = (struct diversion){.aside = strcmp(path, to) == 0, .by = xstrdup(by)};
        found.path = steal_pointer(&from);
    }
    packed_close(file);
    return found;
}

/* ---- the lists of files ---- */

struct hunt {
    const struct package_wish *wish;
    struct diversion diversion;
    size_t left;
    struct package *ret;
    bool found;
};

static char *first_match(const struct package_wish *wish, struct packed *list)
{
    size_t n;
    char *line;

    while ((line = packed_line(list, &n)))
        if (wish_matches(wish, line, n))
            return xstrndup(line, n);
    return NULL;
}

/* Whose file stands at a path that is diverted: of the one that diverts, or of another. */
static bool counts(const struct hunt *hunt, const char *package)
{
    size_t n = strcspn(package, ":");

    if (!hunt->diversion.path)
        return true;
    return (strlen(hunt->diversion.by) == n && strncmp(package, hunt->diversion.by, n) == 0) != hunt->diversion.aside;
}

static bool look(void *ctx, const char *name, int fd)
{
    struct hunt *hunt = ctx;
    size_t n = strlen(name);
    struct packed *list;
    struct stat st;
    char *file;

    if (n <= 5 || strcmp(name + n - 5, ".list") != 0 || fstat(fd, &st) < 0 || (size_t)st.st_size > hunt->left) {
        close(fd);
        return true;
    }
    hunt->left -= (size_t)st.st_size;
    list = packed_open(fd, (size_t)st.st_size);
    file = list ? first_match(hunt->wish, list) : NULL;
    packed_close(list);
    if (file) {
        CLEANUP_FREE char *package = xstrndup(name, n - 5);

        hunt->found = counts(hunt, package);
        if (hunt->found) {
            hunt->ret->name = steal_pointer(&package);
            hunt->ret->file = file;
            return false;
        }
        free(file);
    }
    return true;
}

/* Version of an installed package (NAME with its architecture, if that is part of the list's name), malloced. */
static char *installed_version(const char *root, const char *name)
{
    struct packed *status = packed_open(path_open(root, DPKG "/status"), DATABASE_MOST);
    size_t n = strcspn(name, ":");
    bool in = false;
    char *version = NULL;
    const char *line;

    while (status && !version && (line = packed_line(status, NULL))) {
        if (strncmp(line, "Package: ", 9) == 0)
            in = strlen(line + 9) == n && strncmp(line + 9, name, n) == 0;
        else if (in && strncmp(line, "Version: ", 9) == 0)
            version = xstrdup(line + 9);
    }
    packed_close(status);
    return version;
}

/* "libfoo2:amd64" is said only where another architecture than the system's own is meant. */
static void drop_native(char *name)
{
    char *colon = strchr(name, ':');

    if (colon && strcmp(colon, ":amd64") == 0)
        *colon = '\0';
}

bool dpkg_find(const struct package_wish *wish, struct package *ret)
{
    struct package_wish own = *wish;
    struct hunt hunt = {.wish = &own, .left = DATABASE_MOST, .ret = ret};

    if (wish->path)
        hunt.diversion = diversion_of(wish->root, wish->path);
    if (hunt.diversion.path)
        own.path = hunt.diversion.path;
    directory_each(wish->root, DPKG "/info", look, &hunt);
    free(hunt.diversion.path);
    free(hunt.diversion.by);
    if (!hunt.found)
        return false;
    ret->version = installed_version(wish->root, ret->name);
    ret->installed = true;
    ret->says = "dpkg's list of its files";
    drop_native(ret->name);
    return true;
}

/* ---- alternatives ---- */

struct alternatives {
    const char *root, *path;
    char *name, *choice;
};

/* lib of update-alternatives.c, alternative_load(): the status, the link; pairs of names and links of slaves up to an
 * empty line; then per choice its path, its priority and a line for each slave. */
static bool look_at_alternative(void *ctx, const char *name, int fd)
{
    struct alternatives *search = ctx;
    struct packed *file = packed_open(fd, 1024 * 1024);
    CLEANUP_FREE char *middle = xasprintf("/etc/alternatives/%s", name);
    size_t slaves = 0;
    const char *line;

    if (!file)
        return true;
    line = packed_line(file, NULL);
    line = line ? packed_line(file, NULL) : NULL;
    if (line && (strcmp(line, search->path) == 0 || strcmp(middle, search->path) == 0)) {
        search->name = xstrdup(name);
        while ((line = packed_line(file, NULL)) && *line && packed_line(file, NULL))
            slaves++;
        while (!search->choice && (line = packed_line(file, NULL)) && *line) {
            struct stat st;

            if (line[0] == '/' && path_stat(search->root, line, &st) == 0)
                search->choice = xstrdup(line);
            for (size_t i = 0; i <= slaves && packed_line(file, NULL); i++)
                ;
        }
    }
    packed_close(file);
    return !search->name;
}

char *packages_alternative(const char *root, const char *path, char **choice)
{
    struct alternatives search = {.root = root, .path = path};

    directory_each(root, DPKG "/alternatives", look_at_alternative, &search);
    *choice = search.choice;
    return search.name;
}
