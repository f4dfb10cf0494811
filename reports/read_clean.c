#include "read_clean.h"

#include "utf8.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- the terminal ---- */

/* Where an escape sequence at P ends (ECMA-48: CSI, OSC and the short ones). */
static const char *escape_end(const char *p, const char *end)
{
    const char *q = p + 1;

    if (q == end)
        return end;
    if (*q == '[') {
        for (q++; q < end && *q >= 0x20 && *q < 0x40;)
            q++;
        return q < end ? q + 1 : end;
    }
    if (*q == ']') {
        while (q < end && *q != '\a' && *q != '\033')
            q++;
        if (q < end && *q == '\033' && q + 1 < end && q[1] == '\\')
            q++;
        return q < end ? q + 1 : end;
    }
    while (q < end && *q >= 0x20 && *q < 0x30)
        q++;
    return q < end ? q + 1 : end;
}

/* Escapes, and letters that were struck out again (script(1) keeps both). */
static size_t strip_terminal(char *line, size_t size)
{
    const char *p = line, *end = line + size;
    char *to = line;

    while (p < end) {
        if (*p == '\033') {
            p = escape_end(p, end);
        } else if (*p == '\b') {
            to -= to > line;
            p++;
        } else if (*p == '\0' || *p == '\a') {
            p++;
        } else {
            *to++ = *p++;
        }
    }
    *to = '\0';
    return (size_t)(to - line);
}

/* ---- HTML ---- */

static const struct entity {
    const char *name, *is;
} entities[] = {
    {"&lt;", "<"},
    {"&gt;", ">"},
    {"&quot;", "\""},
    {"&apos;", "'"},
    {"&nbsp;", " "},
    {"&amp;", "&"},
    {"&lsquo;", "\xe2\x80\x98"},
    {"&rsquo;", "\xe2\x80\x99"},
    {"&ldquo;", "\xe2\x80\x9c"},
    {"&rdquo;", "\xe2\x80\x9d"},
    {"&hellip;", "..."},
    {"&ndash;", "\xe2\x80\x93"},
    {"&mdash;", "\xe2\x80\x94"},
};

/* The character NUMBER in UTF-8; nothing of it is longer than "&#NUMBER;". */
static size_t encode(unsigned long number, char ret[4])
{
    return number > 0xffff || (number < ' ' && number != '\t') ? 0 : utf8_put((uint32_t)number, ret);
}

/* What the entity at P, which is "&", stands for, its length into *N; bytes of it into RET, 0: it is none. */
static size_t entity_at(const char *p, char ret[4], size_t *n)
{
    if (p[1] == '#') {
        bool hex = p[2] == 'x' || p[2] == 'X';
        char *end;
        unsigned long number = isxdigit((unsigned char)p[2 + hex]) ? strtoul(p + 2 + hex, &end, hex ? 16 : 10) : 0;

        if (!number || *end != ';')
            return 0;
        *n = (size_t)(end + 1 - p);
        return encode(number, ret);
    }
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
        *n = strlen(entities[i].name);
        if (strncmp(p, entities[i].name, *n) != 0)
            continue;
        memcpy(ret, entities[i].is, strlen(entities[i].is));
        return strlen(entities[i].is);
    }
    return 0;
}

/* A line in which the character stands as such was not made HTML of. */
static size_t strip_entities(char *line, size_t size)
{
    const char *p = line, *end = line + size;
    bool brackets = memchr(line, '<', size) || memchr(line, '>', size), quotes = memchr(line, '"', size);
    char *to = line;

    while (p < end) {
        char is[4];
        size_t length = 0, n = *p == '&' ? entity_at(p, is, &length) : 0;

        if (!n || (brackets && (is[0] == '<' || is[0] == '>')) || (quotes && is[0] == '"')) {
            *to++ = *p++;
            continue;
        }
        memcpy(to, is, n);
        to += n;
        p += length;
    }
    *to = '\0';
    return (size_t)(to - line);
}

/* ---- what is not seen ---- */

/* Spaces that are none (no-break ones become plain), and characters without a width: chats and web pages put them into
 * long words. */
static size_t strip_invisible(char *line, size_t size)
{
    static const char *const nothing[] = {"\xe2\x80\x8b", "\xe2\x80\x8c", "\xe2\x80\x8d", "\xe2\x81\xa0",
                                          "\xef\xbb\xbf", "\xc2\xad",     "\xe2\x80\x8e", "\xe2\x80\x8f"};
    static const char *const blank[] = {"\xc2\xa0", "\xe2\x80\xaf", "\xe2\x80\x82", "\xe2\x80\x83"};
    const char *p = line, *end = line + size;
    char *to = line;

    while (p < end) {
        size_t n = 0;

        for (size_t i = 0; (unsigned char)*p >= 0x80 && !n && i < sizeof nothing / sizeof *nothing; i++)
            n = strncmp(p, nothing[i], strlen(nothing[i])) == 0 ? strlen(nothing[i]) : 0;
        p += n;
        if (n)
            continue;
        for (size_t i = 0; (unsigned char)*p >= 0x80 && !n && i < sizeof blank / sizeof *blank; i++)
            n = strncmp(p, blank[i], strlen(blank[i])) == 0 ? strlen(blank[i]) : 0;
        *to++ = n ? ' ' : *p;
        p += n ? n : 1;
    }
    *to = '\0';
    return (size_t)(to - line);
}

/* ---- elements ---- */

/* The name of an element that editors and web pages put around code, at P, which is "<" or behind "</": its length, or
 * 0.
 */
static size_t element_at(const char *p)
{
    static const char *const names[] = {"pre",    "code", "span", "summary", "details", "div", "br",
                                        "strong", "samp", "kbd",  "li",      "td",      "p"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = *p == *names[i] ? strlen(names[i]) : 0;

        if (n && strncmp(p, names[i], n) == 0 && strchr("> /", p[n]) && p[n])
            return n;
    }
    return 0;
}

/* Where the tag at P ends, or NULL where that is none: "<pre>", "</code>", "<span class=\"x\">". */
static const char *tag_end(const char *p)
{
    const char *name = p + 1 + (p[1] == '/'), *end;
    size_t n = islower((unsigned char)*name) ? element_at(name) : 0;

    if (!n)
        return NULL;
    end = name + n + strcspn(name + n, "<>");
    return *end == '>' && (end == name + n || name[n] == '/' || memchr(name + n, '=', (size_t)(end - name) - n))
               ? end + 1
               : NULL;
}

static size_t strip_tags(char *line, size_t size)
{
    const char *p = memchr(line, '<', size), *end = line + size;
    char *to;

    while (p && !tag_end(p)) /* hardly any line has one */
        p = memchr(p + 1, '<', (size_t)(end - p - 1));
    if (!p)
        return size;
    to = line + (p - line);
    while (p < end) {
        const char *behind = *p == '<' ? tag_end(p) : NULL;

        if (behind)
            p = behind;
        else
            *to++ = *p++;
    }
    *to = '\0';
    return (size_t)(to - line);
}

/* ---- marks ---- */

/* "> " of a mail. The frames of strace -k have a blank before it. */
static char *strip_quoting(char *line)
{
    for (int depth = 0; depth < 16 && line[0] == '>' && (line[1] == ' ' || line[1] == '>'); depth++)
        line += line[1] == ' ' ? 2 : 1;
    return line + (strncmp(line, ">From ", 6) == 0); /* of a mailbox (mbox(5)) */
}

/* A fence of Markdown, with or without the name of a language behind it. */
static bool is_fence(const char *line)
{
    const char *p = line;
    char mark;
    size_t n = 0;

    while (*p == ' ')
        p++;
    mark = *p;
    if (mark != '`' && mark != '~')
        return false;
    while (p[n] == mark)
        n++;
    return n >= 3 && !strpbrk(p + n, " `(=");
}

/* A fence with the first or the last line of what it is around: without it. */
static char *strip_fences(char *line, size_t *size)
{
    size_t n = strspn(line, "`");

    if (n >= 3) {
        line += n;
        *size -= n;
    }
    for (n = 0; n < *size && line[*size - n - 1] == '`';)
        n++;
    if (n >= 3)
        line[ *size -= n] = '\0';
    return line;
}

bool clean_line(struct clean *clean, char **line, size_t *size)
{
    static const char bom[] = "\xef\xbb\xbf";
    char *from = *line;

    if (!clean->begun && strncmp(from, bom, 3) == 0) {
        from += 3;
        *size -= 3;
    }
    clean->begun = true;
    while (*size && from[*size - 1] == '\r')
        from[--*size] = '\0';
    if (memchr(from, '\033', *size) || memchr(from, '\b', *size) || memchr(from, '\0', *size))
        *size = strip_terminal(from, *size);
    if (memchr(from, '<', *size))
        *size = strip_tags(from, *size);
    if (memchr(from, '&', *size))
        *size = strip_entities(from, *size);
    if (memchr(from, 0xc2, *size) || memchr(from, 0xe2, *size) || memchr(from, 0xef, *size))
        *size = strip_invisible(from, *size);
    *line = strip_quoting(from);
    *size -= (size_t)(*line - from);
    if (is_fence(*line)) {
        clean->marks.difference = strstr(*line, "```diff") != NULL;
        return false;
    }
    if (*size && (**line == '`' || (*line)[*size - 1] == '`'))
        *line = strip_fences(*line, size);
    from = *line;
    *line = marks_strip(&clean->marks, clean_stamp(marks_strip(&clean->marks, from)));
    if (*line != from) /* the time of a container's log stands behind its name */
        *line = clean_stamp(*line);
    *size -= (size_t)(*line - from);
    return !is_fence(*line);
}
