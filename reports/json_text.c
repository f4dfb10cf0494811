#include "json_text.h"

#include "utf8.h"

static bool is_plain(unsigned char c)
{
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static void add_ascii(struct text *out, unsigned char c)
{
    switch (c) {
    case '"':
        text_addn(out, "\\\"", 2);
        break;
    case '\\':
        text_addn(out, "\\\\", 2);
        break;
    case '\n':
        text_addn(out, "\\n", 2);
        break;
    case '\t':
        text_addn(out, "\\t", 2);
        break;
    default:
        text_addf(out, "\\u%04x", c);
    }
}

void json_text_add_inside(struct text *out, const char *s)
{
    while (*s) {
        size_t n = 0;
        uint32_t point = 0;

        while (is_plain((unsigned char)s[n]))
            n++;
        text_addn(out, s, n);
        s += n;
        if ((unsigned char)*s & 0x80) {
            n = utf8_decode(s, &point);
            if (point == 0x2028 || point == 0x2029)
                text_addf(out, "\\u%04x", point);
            else
                text_addn(out, n ? s : "\xef\xbf\xbd", n ? n : 3);
            s += n ? n : 1;
        } else if (*s) {
            add_ascii(out, (unsigned char)*s++);
        }
    }
}

void json_text_add(struct text *out, const char *s)
{
    text_addc(out, '"');
    json_text_add_inside(out, s);
    text_addc(out, '"');
}
