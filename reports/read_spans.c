#include "read_spans.h"

#include <ctype.h>
#include <string.h>

enum { SHORT = 12 }; /* bytes: a command or a name, but no message */

/* The C library's `name', which is no code. */
static bool is_quote(const char *at)
{
    size_t n = strcspn(at + 1, "`' \t");

    return at[1 + n] == '\'';
}

/* The mark that ends what the N marks at AT began: as many, with no blank before them and no word behind. */
static const char *end_of(const char *at, size_t n)
{
    for (const char *p = at + n; (p = strchr(p, '`'));) {
        size_t count = strspn(p, "`");

        if (count == n && p > at + n && !isspace((unsigned char)p[-1]) && !isalnum((unsigned char)p[n]))
            return p;
        p += count;
    }
    return NULL;
}

/* A mark that begins a word, where nothing ends it: the other one stands in the next line. */
static bool is_open(const char *line, const char *at)
{
    return at == line || isspace((unsigned char)at[-1]) || at[-1] == '(';
}

static bool is_message(const char *at, size_t size)
{
    return size > SHORT && memmem(at, size, ": ", 2);
}

bool spans_next(const char *at, const char **from, size_t *size, const char **next)
{
    for (const char *line = at; (at = strchr(at, '`')); at = *next) {
        size_t n = strspn(at, "`");
        const char *end = n == 1 && is_quote(at) ? at : end_of(at, n);

        *from = at + n;
        if (!end && n == 1 && is_open(line, at))
            end = at + strlen(at);
        *next = !end || end == at ? at + n : end + strspn(end, "`");
        if (end > at + n && is_message(*from, (size_t)(end - *from))) {
            *size = (size_t)(end - *from);
            return true;
        }
    }
    return false;
}
