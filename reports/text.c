#include "text.h"

#include <probes/alloc.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for N more bytes and the NUL. */
static void text_reserve(struct text *text, size_t n)
{
    size_t cap = text->cap ? text->cap : 32;

    if (text->v && n < text->cap - text->n)
        return;
    while (cap - text->n <= n)
        cap *= 2;
    text->v = xrealloc(text->v, cap);
    text->cap = cap;
}

void text_addn(struct text *text, const char *bytes, size_t n)
{
    text_reserve(text, n);
    if (n)
        memcpy(text->v + text->n, bytes, n);
    text->n += n;
    text->v[text->n] = '\0';
}

void text_add(struct text *text, const char *s)
{
    text_addn(text, s, strlen(s));
}

void text_addc(struct text *text, char c)
{
    text_addn(text, &c, 1);
}

void text_addf(struct text *text, const char *format, ...)
{
    va_list ap;
    size_t room;
    int n;

    text_reserve(text, 32); /* most fit at the first attempt */
    room = text->cap - text->n;
    va_start(ap, format);
    n = vsnprintf(text->v + text->n, room, format, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n >= room) {
        text_reserve(text, (size_t)n);
        va_start(ap, format);
        vsnprintf(text->v + text->n, (size_t)n + 1, format, ap);
        va_end(ap);
    }
    text->n += (size_t)n;
}

static void text_quote_octal(struct text *text, unsigned char c, bool octal_follows)
{
    /* "\1" before "0" would read as "\10". */
    if (octal_follows)
        text_addf(text, "\\%03o", c);
    else
        text_addf(text, "\\%o", c);
}

/* Bytes from BYTES on that stand for themselves. */
static size_t plain_length(const char *bytes, size_t n)
{
    size_t i = 0;

    while (i < n && bytes[i] >= ' ' && bytes[i] <= '~' && bytes[i] != '"' && bytes[i] != '\\')
        i++;
    return i;
}

void text_quote(struct text *text, const char *bytes, size_t n)
{
    static const char letters[] = "tnvfr"; /* 9 to 13 */

    text_addc(text, '"');
    for (size_t i = 0; i < n; i++) {
        size_t same = plain_length(bytes + i, n - i);

        text_addn(text, bytes + i, same);
        i += same;
        if (i == n)
            break;
        unsigned char c = (unsigned char)bytes[i];
        bool octal_follows = i + 1 < n && bytes[i + 1] >= '0' && bytes[i + 1] <= '7';

        if (c == '"' || c == '\\')
            text_addn(text, (const char[]){'\\', (char)c}, 2);
        else if (c >= '\t' && c <= '\r')
            text_addn(text, (const char[]){'\\', letters[c - '\t']}, 2);
        else
            text_quote_octal(text, c, octal_follows);
    }
    text_addc(text, '"');
}

void text_add_uri(struct text *text, const char *path)
{
    for (const char *at = path; *at; at++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/", *at))
            text_addc(text, *at);
        else
            text_addf(text, "%%%02X", (unsigned char)*at);
}

void text_clear(struct text *text)
{
    text->n = 0;
    if (text->v)
        text->v[0] = '\0';
}

void text_deinit(struct text *text)
{
    free(text->v);
    *text = (struct text){0};
}
