#include "read_clean.h"

#include <ctype.h>
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
};

/* "&#96;", "&#x60;": of printable ASCII. The character, or 0; RET is what it takes. */
static char numbered(const char *p, size_t *ret)
{
    const char *at = p + 2;
    unsigned value = 0, base = *at == 'x' || *at == 'X' ? 16 : 10;
    size_t digits = 0;

    at += base == 16;
    for (; isxdigit((unsigned char)*at) && (base == 16 || isdigit((unsigned char)*at)) && digits < 4; at++, digits++)
        value = value * base + (unsigned)(isdigit((unsigned char)*at) ? *at - '0' : (*at | 0x20) - 'a' + 10);
    *ret = (size_t)(at + 1 - p);
    return digits && *at == ';' && value >= ' ' && value < 0x7f ? (char)value : 0;
}

/* What the entity at P is, and its size there and as it is; NULL: none. */
static const char *entity_at(const char *p, char memory[2], size_t *size)
{
    if (p[1] == '#' && (memory[0] = numbered(p, size))) {
        memory[1] = '\0';
        return memory;
    }
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
        if (strncmp(p, entities[i].name, *size = strlen(entities[i].name)) == 0)
            return entities[i].is;
    return NULL;
}

/* A line in which the character stands as such was not made HTML of. */
static size_t strip_entities(char *line, size_t size)
{
    const char *p = line, *end = line + size;
    bool brackets = memchr(line, '<', size) || memchr(line, '>', size), quotes = memchr(line, '"', size);
    char *to = line;

    while (p < end) {
        char memory[2];
        size_t size_there = 0;
        const char *is = *p == '&' ? entity_at(p, memory, &size_there) : NULL;

        if (!is || (brackets && (*is == '<' || *is == '>')) || (quotes && *is == '"')) {
            *to++ = *p++;
            continue;
        }
        while (*is) /* never longer than its name */
            *to++ = *is++;
        p += size_there;
    }
    *to = '\0';
    return (size_t)(to - line);
}

/* The name of an element that editors and web pages put around code, at P, which is "<" or behind "</": its length, or
 * 0.
 */
static size_t element_at(const char *p)
{
    static const char *const names[] = {"pre",    "code", "span", "summary", "details", "div", "br",
                                        "strong", "samp", "kbd",  "li",      "td",      "p"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i]);

        if (strncmp(p, names[i], n) == 0 && strchr("> /", p[n]) && p[n])
            return n;
    }
    return 0;
}

/* Where the tag at P ends, or NULL where that is none: "<pre>", "</code>", "<span class=\"x\">". */
static const char *tag_end(const char *p)
{
    const char *name = p + 1 + (p[1] == '/'), *end;
    size_t n = element_at(name);

    if (!n)
        return NULL;
    end = name + n + strcspn(name + n, "<>");
    return *end == '>' && (end == name + n || name[n] == '/' || memchr(name + n, '=', (size_t)(end - name) - n))
               ? end + 1
               : NULL;
}

static size_t strip_tags(char *line, size_t size)
{
    const char *p = line, *end = line + size;
    char *to = line;

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

/* ---- stamps ---- */

/* As far as P goes like SHAPE: '0' is a digit, ' ' some blanks, '+' the digits that are there, else the character. */
static char *like(char *p, const char *shape)
{
    for (; *shape; shape++) {
        if (*shape == '0') {
            if (!isdigit((unsigned char)*p++))
                return NULL;
        } else if (*shape == '+') {
            if (!isdigit((unsigned char)*p))
                return NULL;
            while (isdigit((unsigned char)*p))
                p++;
        } else if (*shape == ' ') {
            if (*p != ' ')
                return NULL;
            while (*p == ' ')
                p++;
        } else if (*p++ != *shape) {
            return NULL;
        }
    }
    return p;
}

/* "2024-05-01T10:00:00.123456Z ", "2024-05-01 10:00:00,123 ". */
static char *iso_stamp(char *line)
{
    char *p = like(line, "0000-00-00"), *q;

    if (!p || (*p != 'T' && *p != ' '))
        return NULL;
    p = like(p + 1, "00:00:00");
    if (!p)
        return NULL;
    if (*p == '.' || *p == ',')
        for (p++; isdigit((unsigned char)*p);)
            p++;
    if (*p == 'Z')
        p++;
    else if ((*p == '+' || *p == '-') && (q = like(p + 1, "00")))
        for (p = q; isdigit((unsigned char)*p) || *p == ':';)
            p++;
    return *p == ' ' ? p + 1 : *p ? NULL : p;
}

/* "host prog[12]: ", "host kernel: ": who wrote a line of syslog. */
static char *writer(char *p)
{
    size_t host = strcspn(p, " "), program;

    if (!p[host])
        return NULL;
    program = strcspn(p + host + 1, " :");
    p += host + 1 + program;
    return program && p[0] == ':' && p[1] == ' ' ? p + 2 : NULL;
}

/* "May 01 10:00:00 host prog[12]: " (RFC 3164), as journalctl prints it too. */
static char *syslog_stamp(char *line)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char *p = line;

    for (size_t i = 0; i < sizeof months - 1; i += 3)
        if (strncmp(line, months + i, 3) == 0)
            p = like(line + 3, " + 00:00:00");
    if (p == line || !p)
        return NULL;
    while (*p == '.' || isdigit((unsigned char)*p))
        p++;
    return *p == ' ' ? writer(p + 1) : NULL;
}

/* "[  12.345678] " of dmesg, "[10:00:00] " and "[2024-05-01 10:00:00] " of tools. */
static char *bracket_stamp(char *line)
{
    char *p = line + 1, *q;

    while (*p == ' ')
        p++;
    q = like(p, "+.000000");
    if (!q && (q = like(p, "00:00:00")) && *q == '.')
        q = like(q, ".+");
    if (!q && (q = iso_stamp(p)) && q[-1] == ' ')
        q = NULL;
    return q && q[0] == ']' && q[1] == ' ' ? q + 2 : NULL;
}

/* "#12 3.456 " of a docker build. */
static char *build_stamp(char *line)
{
    char *p = like(line, "#+ +.+ ");

    return p;
}

char *clean_stamp(char *line)
{
    char *p = NULL;

    if (isdigit((unsigned char)*line)) {
        char *by;

        p = iso_stamp(line);
        if (p && (by = writer(p)) && strchr(p, '[') && strchr(p, '[') < by) /* journalctl -o short-iso */
            p = by;
    } else if (*line == '[') {
        p = bracket_stamp(line);
    } else if (*line == '#') {
        p = build_stamp(line);
    } else if (isupper((unsigned char)*line)) {
        p = syslog_stamp(line);
    }
    return p ? p : line;
}

/* ---- marks ---- */

/* "> " of a mail. The frames of strace -k have a blank before it. */
static char *strip_quoting(char *line)
{
    for (int depth = 0; depth < 16 && line[0] == '>' && (line[1] == ' ' || line[1] == '>'); depth++)
        line += line[1] == ' ' ? 2 : 1;
    return line;
}

/* A fence of Markdown, with or without the name of a language behind it. */
static bool is_fence(const char *line)
{
    const char *p = line + strspn(line, " ");
    char mark = *p;
    size_t n = 0;

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
    if (memchr(from, '&', *size))
        *size = strip_entities(from, *size);
    if (memchr(from, '<', *size))
        *size = strip_tags(from, *size);
    *line = strip_quoting(from);
    *size -= (size_t)(*line - from);
    if (is_fence(*line))
        return false;
    if (*size && (**line == '`' || (*line)[*size - 1] == '`'))
        *line = strip_fences(*line, size);
    from = *line;
    *line = clean_stamp(from);
    *size -= (size_t)(*line - from);
    return !is_fence(*line);
}
