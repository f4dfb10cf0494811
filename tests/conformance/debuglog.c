/* The formats are those of elf/dl-load.c, dl-open.c, dl-close.c and dl-lookup.c. */
#include "debuglog.h"

#include <probes/alloc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "NAME [SPACE]REST": the name is ended, *REST is what follows. */
static char *name_and_space(char *text, unsigned *space, char **rest)
{
    char *open = strstr(text, " ["), *end;

    if (!open)
        return NULL;
    *space = (unsigned)strtoul(open + 2, &end, 10);
    if (*end != ']')
        return NULL;
    *open = '\0';
    *rest = end + 1;
    return text;
}

static char *after(char *text, const char *start)
{
    size_t n = strlen(start);

    return strncmp(text, start, n) ? NULL : text + n;
}

/* "binding file A [0] to B [0]: normal symbol `S' [V]" */
static enum line_kind read_binding(char *text, struct log_line *ret)
{
    char *rest, *end;

    if (!(ret->a = name_and_space(text, &ret->a_space, &rest)) || !(text = after(rest, " to ")) ||
        !(ret->b = name_and_space(text, &ret->b_space, &rest)) || strncmp(rest, ": ", 2) != 0 ||
        !(ret->symbol = strstr(rest, " symbol `")) || !(end = strchr(ret->symbol += 9, '\'')))
        return LINE_TORN;
    *end++ = '\0';
    if (!*end)
        return LINE_BINDING;
    if (strncmp(end, " [", 2) != 0 || end[strlen(end) - 1] != ']' || strchr(end, ':'))
        return LINE_TORN;
    ret->version = end + 2;
    ret->version[strlen(ret->version) - 1] = '\0';
    return LINE_BINDING;
}

/* "file=A [0];  needed by B [0]", "file=A [0];  generating link map", "file=A [0];  dynamically loaded by B [0]",
 * "file=A [0];  destroying link map" */
static enum line_kind read_file(char *text, struct log_line *ret)
{
    enum line_kind kind = LINE_LOADED_BY;
    char *rest, *by;

    if (!(ret->a = name_and_space(text, &ret->a_space, &rest)))
        return LINE_OTHER;
    if (!strcmp(rest, ";  generating link map"))
        return LINE_GENERATED;
    if (!strcmp(rest, ";  destroying link map"))
        return LINE_DESTROYED;
    by = after(rest, ";  dynamically loaded by ");
    if (!by) {
        by = after(rest, ";  needed by ");
        kind = LINE_NEEDED;
    }
    if (!by)
        return LINE_OTHER;
    ret->b = name_and_space(by, &ret->b_space, &rest);
    return kind;
}

static enum line_kind read_named(char *text, struct log_line *ret, enum line_kind kind)
{
    char *rest;

    ret->a = name_and_space(text, &ret->a_space, &rest);
    return ret->a ? kind : LINE_OTHER;
}

static enum line_kind read_closing(char *text, struct log_line *ret)
{
    char *end = strstr(text, "; direct_opencount=");

    if (!end)
        return LINE_OTHER;
    *end = '\0';
    ret->a = text;
    return LINE_CLOSING;
}

static enum line_kind read_scope(char *text, struct log_line *ret)
{
    char *end;

    ret->n = (unsigned)strtoul(text, &end, 10);
    if (*end != ':')
        return LINE_TORN;
    ret->a = end + 1;
    return LINE_SCOPE;
}

static enum line_kind read_text(char *text, struct log_line *ret)
{
    char *rest;

    if ((rest = after(text, "binding file ")))
        return read_binding(rest, ret);
    if ((rest = after(text, "file=")))
        return read_file(rest, ret);
    if ((rest = after(text, "find library=")))
        return read_named(rest, ret, LINE_FIND);
    if ((rest = after(text, "  trying file="))) {
        ret->a = rest;
        return LINE_TRYING;
    }
    if ((rest = after(text, "object=")))
        return read_named(rest, ret, LINE_OBJECT);
    if ((rest = after(text, " scope ")))
        return read_scope(rest, ret);
    if ((rest = after(text, "opening file=")))
        return read_named(rest, ret, LINE_OPENING);
    if ((rest = after(text, "closing file=")))
        return read_closing(rest, ret);
    if ((rest = after(text, "calling fini: ")))
        return LINE_FINI;
    if ((rest = after(text, "add ")) && strstr(rest, "] to global scope"))
        return read_named(rest, ret, LINE_GLOBAL);
    if (!strcmp(text, "Initial object scopes"))
        return LINE_INITIAL;
    return strstr(text, "binding file ") ? LINE_TORN : LINE_OTHER;
}

static void own(struct log_line *line)
{
    line->a = xstrdup_or_null(line->a);
    line->b = xstrdup_or_null(line->b);
    line->symbol = xstrdup_or_null(line->symbol);
    line->version = xstrdup_or_null(line->version);
}

static void drop(struct debuglog *log, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        free(log->lines[i].a);
        free(log->lines[i].b);
        free(log->lines[i].symbol);
        free(log->lines[i].version);
    }
    memmove(log->lines + from, log->lines + to, (log->count - to) * sizeof *log->lines);
    log->count -= to - from;
}

/* Another image begins: what it has said so far, of the files that it found, comes after the last word of the one
 * before. */
static size_t first_of_image(const struct debuglog *log)
{
    size_t i = log->count;

    while (i > 0 && log->lines[i - 1].kind != LINE_FINI && log->lines[i - 1].kind != LINE_BINDING)
        i--;
    return i;
}

bool debuglog_read(const char *path, unsigned image, struct debuglog *ret)
{
    CLEANUP_FCLOSE FILE *file = fopen(path, "r");
    CLEANUP_FREE char *text = NULL;
    size_t size = 0;
    ssize_t n;
    unsigned begun = 0;

    *ret = (struct debuglog){0};
    while (file && (n = getline(&text, &size, file)) > 0) {
        struct log_line line = {0};
        char *start;

        if (text[n - 1] == '\n')
            text[n - 1] = '\0';
        line.pid = strtol(text, &start, 10);
        if (!(start = after(start, ":\t")))
            continue;
        line.kind = read_text(start, &line);
        if (line.kind == LINE_INITIAL && begun++ > image) {
            drop(ret, first_of_image(ret), ret->count);
            break;
        }
        if (line.kind == LINE_INITIAL)
            drop(ret, 0, first_of_image(ret));
        if (line.kind == LINE_OTHER)
            continue;
        own(&line);
        *(struct log_line *)array_add(&ret->lines, &ret->count, &ret->capacity, sizeof line) = line;
    }
    return file != NULL;
}

void debuglog_deinit(struct debuglog *log)
{
    drop(log, 0, log->count);
    free(log->lines);
    *log = (struct debuglog){0};
}
