/* Paths in the values of environment variables. */
#include "variable.h"

#include <ctype.h>
#include <string.h>

#include <probes/alloc.h>

bool variable_of(const char *entry, struct variable *ret)
{
    /* bash(1): where it is, was, and what it ran; terminals and sessions describe themselves in the rest. */
    static const char *const silent[] = {"PATH", "PWD", "OLDPWD", "_", "SHLVL", "LS_COLORS", "PS1", "PS4", "IFS"};
    const char *equals = strchr(entry, '=');

    if (!equals || equals == entry || !equals[1])
        return false;
    *ret = (struct variable){entry, (size_t)(equals - entry), equals + 1};
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
        if (variable_is(ret, silent[i]))
            return false;
    return true;
}

bool variable_is(const struct variable *variable, const char *name)
{
    return strlen(name) == variable->name_size && strncmp(variable->entry, name, variable->name_size) == 0;
}

static bool separates(char c)
{
    return isspace((unsigned char)c) || strchr(":=,;'\"`|<>(){}[]", c);
}

/* "-I/usr/x", "@/tmp/args": a path glued to what says how it is meant. */
static size_t glued(const char *piece, size_t size)
{
    size_t n = 0;

    if (size && piece[0] == '@')
        return 1;
    while (n < size && (piece[n] == '-' || (n && isalnum((unsigned char)piece[n]))))
        n++;
    return n && n < size && piece[n] == '/' ? n : 0;
}

/* An absolute path, or a relative one that is plainly meant as such. */
static void add_path(const char *piece, size_t size, const char *cwd, struct strings *ret)
{
    size_t skip = glued(piece, size), slashes = 0;
    CLEANUP_FREE char *text = xstrndup(piece + skip, size - skip);
    char *path;

    while (text[slashes] == '/')
        slashes++;
    if (ret->n >= VARIABLE_PATHS || !strchr(text, '/') || slashes == 2) /* "//host/x" of an address */
        return;
    if (!slashes && (!cwd || piece[0] == '-'))
        return;
    path = path_join(slashes ? "/" : cwd, text);
    size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        path[--size] = '\0';
    for (size_t i = 0; i < ret->n && size > 1; i++)
        if (strcmp(ret->v[i], path) == 0)
            size = 1;
    if (size > 1)
        strings_add(ret, path);
    else
        free(path);
}

void variable_paths(const char *value, const char *cwd, struct strings *ret)
{
    *ret = (struct strings){0};
    if (value[0] == '/' && strlen(value) < 4096 && !strchr(value, ':') && !strchr(value, '='))
        add_path(value, strlen(value), cwd, ret);
    for (const char *p = value; *p && ret->n < VARIABLE_PATHS;) {
        size_t size = 0;

        while (*p && separates(*p))
            p++;
        while (p[size] && !separates(p[size]))
            size++;
        if (size && size < 4096)
            add_path(p, size, cwd, ret);
        p += size;
    }
}

static bool lies_in(const char *path, const char *directory)
{
    size_t n = strlen(directory);

    return strncmp(path, directory, n) == 0 && path[n] == '/';
}

enum variable_fit variable_fit(const char *named, const char *path)
{
    if (strcmp(named, path) == 0)
        return FIT_EXACT;
    if (lies_in(path, named))
        return FIT_BENEATH;
    return lies_in(named, path) ? FIT_ABOVE : FIT_NONE;
}
