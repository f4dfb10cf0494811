#include "utf8.h"

#include <probes/alloc.h>

#include <string.h>

size_t utf8_decode(const char *s, uint32_t *point)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t length = u[0] < 0x80 ? 1 : u[0] >= 0xc2 && u[0] < 0xe0 ? 2 : u[0] >= 0xe0 && u[0] < 0xf0 ? 3 : 4;
    uint32_t value;

    if (!u[0] || (u[0] >= 0x80 && u[0] < 0xc2) || u[0] > 0xf4)
        return 0;
    value = length == 1 ? u[0] : u[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) { /* stops at a NUL: it is no continuation byte */
        if ((u[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (u[i] & 0x3f);
    }
    if ((length == 3 && value < 0x800) || (length == 4 && value < 0x10000) || value > 0x10ffff ||
        (value >= 0xd800 && value < 0xe000))
        return 0;
    *point = value;
    return length;
}

size_t utf8_put(uint32_t point, char *ret)
{
    size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = length; i-- > 1; point >>= 6)
        ret[i] = (char)(0x80 | (point & 0x3f));
    ret[0] = (char)(leads[length] | point);
    return length;
}

struct range {
    uint32_t first, last;
};

static int in_ranges(const struct range *ranges, size_t count, uint32_t point)
{
    for (size_t i = 0; i < count; i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return 1;
    return 0;
}

/* Characters that are seen only by what they do to the rest of the line (Unicode: Cc, Zl, Zp, and the Cf marks that
 * change direction, join or hide). */
static int unshowable(uint32_t point)
{
    static const struct range ranges[] = {{0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},      {0x61c, 0x61c},
                                          {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},  {0x2060, 0x206f},
                                          {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};

    return in_ranges(ranges, sizeof ranges / sizeof *ranges, point);
}

static char *escape(char *out, uint32_t point)
{
    if (point == '\n' || point == '\t' || point == '\r')
        return out + sprintf(out, "\\%c", point == '\n' ? 'n' : point == '\t' ? 't' : 'r');
    if (point < 0x80)
        return out + sprintf(out, "\\x%02x", (unsigned)point);
    return out + sprintf(out, point > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)point);
}

static char *cleaned(const char *s, int plain)
{
    /* the longest escape of one byte is \xNN, of a two-byte character \uNNNN, of a four-byte one \UNNNNNNNN */
    char *text = xmalloc(strlen(s) * 4 + 1), *out = text;

    while (*s) {
        uint32_t point;
        size_t length = utf8_decode(s, &point);

        if (!length) {
            out += sprintf(out, "\\x%02x", (unsigned char)*s++);
            continue;
        }
        if (plain && unshowable(point)) {
            out = escape(out, point);
        } else {
            memcpy(out, s, length);
            out += length;
        }
        s += length;
    }
    *out = '\0';
    return text;
}

char *utf8_valid(const char *s)
{
    return cleaned(s, 0);
}

char *utf8_plain(const char *s)
{
    return cleaned(s, 1);
}

size_t utf8_columns(const char *s)
{
    static const struct range none[] = {{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},
                                        {0x64b, 0x65f},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff},
                                        {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
    static const struct range wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},  {0xac00, 0xd7a3},
                                        {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},  {0xffe0, 0xffe6},
                                        {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
    size_t columns = 0;

    while (*s) {
        uint32_t point;
        size_t length = utf8_decode(s, &point);

        if (!length) {
            s++;
            continue;
        }
        s += length;
        if (!in_ranges(none, sizeof none / sizeof *none, point))
            columns += in_ranges(wide, sizeof wide / sizeof *wide, point) ? 2 : 1;
    }
    return columns;
}
