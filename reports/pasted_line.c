/* The pieces of a line that somebody pasted: who says it, names in it, and what tools put around it (pasted.h). */
#include "pasted.h"

#include "text.h"

#include <ctype.h>
#include <string.h>

#include <probes/alloc.h>

/* ---- words ---- */

char *pasted_word(const char *at, size_t size)
{
    while (size && strchr(" \t'\"`(\\", *at)) {
        at++;
        size--;
    }
    while (size >= 3 && memcmp(at, "\xe2\x80", 2) == 0) { /* typographic quotes */
        at += 3;
        size -= 3;
    }
    while (size && strchr(" \t'\"`),;:.\\", at[size - 1]))
        size--;
    while (size >= 3 && memcmp(at + size - 3, "\xe2\x80", 2) == 0)
        size -= 3;
    return size && size < 4096 ? xstrndup(at, size) : NULL;
}

char *pasted_field_before(const char *line, const char *at)
{
    const char *start = at;

    while (start > line && !(start[-1] == ' ' && start - line >= 2 && start[-2] == ':'))
        start--;
    return pasted_word(start, (size_t)(at - start));
}

/* A quote opens at AT, which is in LINE: one within a word is an apostrophe. */
static bool opens(const char *line, const char *at)
{
    return strchr("'\"`", *at) && (at == line || !isalnum((unsigned char)at[-1]));
}

char *pasted_quoted(const char *at)
{
    static const char low[] = "\xe2\x80\x98", high[] = "\xe2\x80\x99";
    const char *start = strstr(at, low), *p = at;

    if (start && strstr(start, high))
        return pasted_word(start + 3, (size_t)(strstr(start, high) - start - 3));
    while (*p && !opens(at, p))
        p++;
    return *p && p[1] ? pasted_word(p + 1, strcspn(p + 1, *p == '`' ? "'`" : (char[]){*p, '\0'})) : NULL;
}

/* ---- who says it ---- */

/* "Error", "OSError", "exec": what a runtime calls its message. */
static bool is_sort(const char *word, size_t size)
{
    static const char *const sorts[] = {"exec", "fatal",     "panic",   "warning", "exception", "failed",
                                        "open", "caused by", "message", "info",    "stderr"};

    if (size >= 5 && (strncasecmp(word + size - 5, "error", 5) == 0 || strncmp(word, "qt.", 3) == 0))
        return true;
    if (*word == 'E' && size > 3 && strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") >= size) /* of errno */
        return true;
    for (size_t i = 0; i < sizeof sorts / sizeof *sorts; i++)
        if (size == strlen(sorts[i]) && strncasecmp(word, sorts[i], size) == 0)
            return true;
    return size >= 9 && strncmp(word + size - 9, "Exception", 9) == 0;
}

/* "h.c:1:10: …", "-e:1:in `exec'", "http://…", "10:00:00": what has a colon, and is no program. */
static bool is_place(const char *line, size_t size)
{
    CLEANUP_FREE char *word = xstrndup(line, size);

    return (isdigit((unsigned char)line[size + 1]) && !judge_is_shell(word)) || line[size + 1] == '/' ||
           strspn(word, "0123456789") == size;
}

char *pasted_speaker(const struct pasted *pasted, const char *line)
{
    size_t n = strcspn(line, ": \t"), in;

    if (*line == '(' && (in = strcspn(line + 1, ":) ")) && line[1 + in] == ':' && isdigit((unsigned char)line[2 + in]))
        return xstrndup(line + 1, in); /* "(electron:812): Gtk-WARNING **: …" (GLib) */
    if (*line == '-' && !(line[n] == ':' && isdigit((unsigned char)line[n + 1]))) {
        line++; /* a login shell: "-bash: x: command not found" */
        n -= n > 0;
    }
    if (n && n < 256 && line[n] == ':' && !memchr(line, '[', n) && !is_sort(line, n) && !is_place(line, n))
        return xstrndup(line, n);
    return xstrdup(pasted->process->exe);
}

/* ---- what tools put around it ---- */

/* "10:00:00  ", "10:00:00.123 ". */
static size_t clock_at(const char *line)
{
    static const char shape[] = "00:00:00";
    size_t n = 0;

    while (shape[n] && (shape[n] == '0' ? isdigit((unsigned char)line[n]) : line[n] == shape[n]))
        n++;
    if (shape[n])
        return 0;
    if (line[n] == '.' || line[n] == ',')
        n += 1 + strspn(line + n + 1, "0123456789");
    return line[n] == ' ' ? n + strspn(line + n, " ") : 0;
}

/* "web_1  | ". */
static size_t service_at(const char *line)
{
    size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."), blanks;

    blanks = strspn(line + n, " ");
    return n && blanks && line[n + blanks] == '|' && line[n + blanks + 1] == ' ' ? n + blanks + 2 : 0;
}

static const char *behind_prefix(const char *line)
{
    static const char *const prefixes[] = {"npm ERR! ", "npm error ", "ERR! ",    "gyp ERR! ", "stack ", "yarn: ",
                                           "stderr: ",  "##[error]",  "remote: ", "* ",        "+ ",     "enoent "};
    bool again = true;

    line += strspn(line, " \t"); /* Markdown's code, a list */
    for (int depth = 0; again && depth < 8; depth++) {
        size_t n = clock_at(line);

        again = false;
        if (!n)
            n = service_at(line);
        for (size_t i = 0; !n && i < sizeof prefixes / sizeof *prefixes; i++)
            if (strncmp(line, prefixes[i], strlen(prefixes[i])) == 0)
                n = strlen(prefixes[i]);
        line += n;
        again = n > 0;
    }
    return line;
}

/* The message of a line of keys and values ("… msg="exec: \"git\": …""), or of one of JSON; malloced, or NULL. */
static char *message_in(const char *line)
{
    static const char *const keys[] = {"msg=\"", "\"msg\":\"", "\"message\":\"", "\"log\":\"", "error=\"", "err=\""};
    const char *at = NULL;
    struct text text = {0};

    for (size_t i = 0; i < sizeof keys / sizeof *keys && !at; i++)
        if ((at = strstr(line, keys[i])))
            at += strlen(keys[i]);
    if (!at)
        return NULL;
    for (; *at && *at != '"'; at++) {
        if (*at == '\\' && (at[1] == 'n' || at[1] == 't'))
            text_addc(&text, ' '), at++;
        else if (*at == '\\' && at[1])
            text_addc(&text, *++at);
        else
            text_addc(&text, *at);
    }
    return text.v;
}

char *pasted_bare(const char *line)
{
    char *message = message_in(line);

    return message ? message : xstrdup(behind_prefix(line));
}
