#include "told.h"

#include <string.h>

#include <probes/alloc.h>

/* Pieces of the loaders' formats, each in one message only. */
static const struct {
    const char *piece;
    enum told_what what;
} pieces[] = {
    {"undefined symbol: ", TOLD_SYMBOL},
    {": symbol not found", TOLD_SYMBOL},
    {"version `", TOLD_VERSION},
    {"initial-exec TLS resolves to dynamic definition", TOLD_NO_TLS},
    {"cannot allocate memory in static TLS block", TOLD_NO_TLS},
    {"cannot enable executable stack as shared object requires", TOLD_NO_STACK},
    {"failed to map segment from shared object", TOLD_NOT_MAPPED},
    {"CPU ISA level is lower than required", TOLD_LEVEL},
    {"Inconsistency detected by ld.so", TOLD_ASSERTION},
    {"cannot open shared object file", TOLD_NOT_FOUND},
    {"Error loading shared library ", TOLD_NOT_FOUND},
};

/* Where TEXT holds what the loaders say, and what that is. */
static const char *find_piece(const char *text, enum told_what *ret)
{
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        const char *at = strstr(text, pieces[i].piece);

        if (at) {
            *ret = pieces[i].what;
            return at;
        }
    }
    *ret = TOLD_NOTHING;
    return NULL;
}

static char *copy(const char *s)
{
    return s && *s ? xstrdup(s) : NULL;
}

/* "Error relocating %s: %s: symbol not found", "Error loading shared library %s: %m (needed by %s)". */
static void told_by_musl(const struct loader_error *error, struct told *ret)
{
    if (ret->what == TOLD_NOT_FOUND) {
        ret->object = copy(error->args[0]);
        ret->needer = copy(error->args[1]);
        return;
    }
    ret->object = copy(error->args[0]);
    if (ret->what == TOLD_SYMBOL)
        ret->symbol = copy(error->args[1]);
}

void told_by_loader(const struct loader_error *error, struct told *ret)
{
    *ret = (struct told){0};
    find_piece(error->format, &ret->what);
    if (strncmp(error->format, "Error ", 6) == 0) {
        told_by_musl(error, ret);
        return;
    }
    ret->object = copy(error->object);
    if (ret->what == TOLD_NOTHING && ret->object)
        ret->what = TOLD_FILE;
    if (ret->what == TOLD_SYMBOL) { /* "undefined symbol: %s%s%s": the second is ", version " or nothing */
        ret->symbol = copy(error->args[0]);
        ret->version = copy(error->args[2]);
    } else if (ret->what == TOLD_VERSION) {
        ret->version = copy(error->args[0]);
        ret->needer = copy(error->args[1]);
    } else if (ret->what == TOLD_LEVEL && !ret->object) {
        ret->object = copy(error->args[0]);
    }
}

/* ---- a line ---- */

static char *word_at(const char *p, const char *stop)
{
    size_t n = strcspn(p, stop);

    while (n && strchr(".,;:'\")", p[n - 1]))
        n--;
    return n ? xstrndup(p, n) : NULL;
}

/* The path that ends before AT, or before the colon that stands there: from the last blank. */
static char *object_before(const char *line, const char *at)
{
    const char *end = at, *start;

    while (end > line && (end[-1] == ' ' || end[-1] == ':'))
        end--;
    start = end;
    while (start > line && !strchr(" \t'\"(", start[-1]))
        start--;
    return end > start ? xstrndup(start, (size_t)(end - start)) : NULL;
}

static char *word_after(const char *line, const char *words)
{
    const char *at = strstr(line, words);

    return at ? word_at(at + strlen(words), " \t\r") : NULL;
}

static char *word_before_colon(const char *line, const char *words)
{
    const char *at = strstr(line, words);

    return at ? word_at(at + strlen(words), " \t\r:") : NULL;
}

static void symbol_in_line(const char *line, const char *at, struct told *ret)
{
    static const char glibc[] = "undefined symbol: ";

    if (strncmp(at, glibc, sizeof glibc - 1) == 0) {
        ret->object = object_before(line, at);
        ret->symbol = word_at(at + sizeof glibc - 1, " \t,\r");
        ret->version = word_after(at, ", version ");
    } else { /* "Error relocating FILE: SYMBOL: symbol not found"; NAME: symbol not found */
        ret->symbol = object_before(line, at);
        ret->object = word_before_colon(line, "Error relocating ");
    }
}

void told_in_line(const char *line, struct told *ret)
{
    const char *at;

    *ret = (struct told){0};
    at = find_piece(line, &ret->what);
    if (!at)
        return;
    if (ret->what == TOLD_SYMBOL) {
        symbol_in_line(line, at, ret);
    } else if (ret->what == TOLD_VERSION) {
        ret->object = object_before(line, at);
        ret->version = word_at(at + strlen("version `"), "' \t");
        ret->needer = word_after(at, "(required by ");
    } else {
        ret->object = word_before_colon(line, "Error relocating ");
        if (!ret->object)
            ret->object = word_before_colon(line, "Error loading shared library ");
        if (!ret->object)
            ret->object = object_before(line, at);
    }
}

void told_deinit(struct told *told)
{
    free(told->object);
    free(told->needer);
    free(told->symbol);
    free(told->version);
    *told = (struct told){0};
}
