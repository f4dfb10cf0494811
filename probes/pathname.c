/* Paths as text, and the names in a directory that look like the one that is missing. */
#include "path.h"

#include "alloc.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

enum { MAX_ENTRIES = 20000, MAX_NAME = 255 };

/* "//" and "/./" go, ".." stays: a link may stand before it. */
static void clean(char *path)
{
    char *out = path;

    for (const char *in = path; *in;) {
        if (in[0] == '/' && in[1] == '/') {
            in++;
        } else if (in[0] == '/' && in[1] == '.' && (in[2] == '/' || !in[2])) {
            in += 2;
            if (!*in && out == path)
                *out++ = '/';
        } else {
            *out++ = *in++;
        }
    }
    *out = '\0';
}

char *path_join(const char *directory, const char *name)
{
    char *path;

    if (name[0] == '/')
        path = xstrdup(name);
    else
        path = xasprintf("%s%s%s", directory, *directory && *name ? "/" : "", name);
    while (path[0] == '.' && path[1] == '/' && path[2] && path[2] != '/')
        memmove(path, path + 2, strlen(path + 2) + 1);
    clean(path);
    return path;
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

char *path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return xstrdup(".");
    while (slash > path && slash[-1] == '/')
        slash--;
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

struct near {
    char *name;
    unsigned distance;
};

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    return a < b ? (a < c ? a : c) : (b < c ? b : c);
}

/* Levenshtein's distance with letters of the other case at half price and digits (versions) at half price too, so that
 * libfoo.so.2 is nearer to libfoo.so.1 than libfop.so.1 is. In half steps. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[MAX_NAME + 2];
    size_t n = strlen(b);

    for (size_t k = 0; k <= n; k++)
        row[k] = (unsigned)k * 2;
    for (size_t i = 0; a[i]; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)(i + 1) * 2;
        for (size_t k = 0; k < n; k++) {
            unsigned char x = (unsigned char)a[i], y = (unsigned char)b[k];
            unsigned price = x == y ? 0 : (tolower(x) == tolower(y) || (isdigit(x) && isdigit(y))) ? 1 : 2;
            unsigned above = row[k + 1];

            row[k + 1] = least(above + 2, row[k] + 2, diagonal + price);
            diagonal = above;
        }
    }
    return row[n];
}

static int by_distance(const void *a, const void *b)
{
    const struct near *x = a, *y = b;

    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* What shares the stem ("libfoo.so" of "libfoo.so.2.1") is worth a mention at any distance. */
static bool shares_stem(const char *a, const char *b)
{
    const char *so = strstr(a, ".so");
    size_t stem = so ? (size_t)(so - a) + 3 : 0;

    return stem > 3 && !strncmp(a, b, stem);
}

static DIR *open_directory(const char *root, const char *directory)
{
    int fd = path_open(root, directory);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

char **path_nearby(const char *root, const char *path, size_t limit, size_t *count)
{
    CLEANUP_FREE char *directory = path_dir(path);
    const char *wanted = path_base(path);
    CLEANUP_FREE struct near *found = NULL;
    size_t found_count = 0, capacity = 0, seen = 0;
    DIR *dir = strlen(wanted) <= MAX_NAME ? open_directory(root, directory) : NULL;
    struct dirent *entry;
    char **names = NULL;

    *count = 0;
    while (dir && (entry = readdir(dir)) && seen++ < MAX_ENTRIES) {
        const char *name = entry->d_name;

        if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, wanted) || strlen(name) > MAX_NAME)
            continue;

        unsigned d = distance(wanted, name);
        if (d > 2 + strlen(wanted) / 2 && !shares_stem(wanted, name))
            continue;
        struct near *n = array_add(&found, &found_count, &capacity, sizeof *found);
        *n = (struct near){.name = xstrdup(name), .distance = d};
    }
    if (dir)
        closedir(dir);
    if (found_count)
        qsort(found, found_count, sizeof *found, by_distance);
    for (size_t i = 0; i < found_count; i++) {
        if (i < limit) {
            names = xreallocarray(names, i + 1, sizeof *names);
            names[(*count)++] = path_join(directory, found[i].name);
        }
        free(found[i].name);
    }
    return names;
}
