#include "watch.h"

#include "memory.h"

#include <probes/alloc.h>
#include <reports/text.h>

#include <inttypes.h>
#include <string.h>

enum { ARGS = 6, STRING_MOST = 4096, FORMAT_MOST = 16384 };

/* One conversion behind its '%': flags and widths are dropped, as no loader's message needs them to be read. */
static char *convert(const char **at, const struct format_source *source)
{
    const char *s = *at + strspn(*at, "#0- +'123456789.*");
    bool wide = false;
    uint64_t value = 0;

    for (; *s && strchr("hlqjzZt", *s); s++)
        wide |= *s != 'h';
    *at = *s ? s + 1 : s;
    if (*s == 'm')
        return xstrdup(strerror(source->error));
    if (!strchr("sdiuxXpc", *s) || !source->next(source->ctx, &value))
        return NULL;
    switch (*s) {
    case 's': {
        char *string = value ? memory_string(source->mem, value, STRING_MOST) : NULL;

        return string ? string : xstrdup("(null)");
    }
    case 'c':
        return xasprintf("%c", (int)(value & 0xff) ? (int)(value & 0xff) : '?');
    case 'd':
    case 'i':
        return wide ? xasprintf("%" PRId64, (int64_t)value) : xasprintf("%" PRId32, (int32_t)value);
    case 'u':
        return xasprintf("%" PRIu64, wide ? value : (uint32_t)value);
    case 'p':
        return xasprintf("%#" PRIx64, value);
    default:
        return xasprintf("%" PRIx64, wide ? value : (uint32_t)value);
    }
}

char *format_fill(const char *format, const struct format_source *source, char *args[6])
{
    struct text text = {0};
    size_t count = 0;

    for (const char *s = format; *s && text.n < FORMAT_MOST;) {
        if (*s != '%') {
            text_addc(&text, *s++);
            continue;
        }
        if (*++s == '%') {
            text_addc(&text, *s++);
            continue;
        }
        bool own = *s == 'm'; /* it takes no argument */
        char *filled = convert(&s, source);

        text_add(&text, filled ? filled : "?");
        if (!own && filled && count < ARGS)
            args[count++] = filled;
        else
            free(filled);
    }
    while (text.n && text.v[text.n - 1] == '\n')
        text.n--;
    char *whole = xstrndup(text.n ? text.v : "", text.n);

    text_deinit(&text);
    return whole;
}
