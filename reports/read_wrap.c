#include "read_wrap.h"

#include <probes/alloc.h>

#include <ctype.h>
#include <string.h>

enum { HELD_MOST = 1 << 20 }; /* bytes of a line */

/* ---- quoted-printable ---- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static size_t unquote(char *line, size_t size)
{
    char *to = line;

    for (size_t i = 0; i < size; i++) {
        if (line[i] == '=' && i + 2 < size && digit(line[i + 1]) >= 0 && digit(line[i + 2]) >= 0) {
            *to++ = (char)(digit(line[i + 1]) << 4 | digit(line[i + 2]));
            i += 2;
        } else {
            *to++ = line[i];
        }
    }
    *to = '\0';
    return (size_t)(to - line);
}

/* A text that somebody copied out of a mail's source has no header any more: signs that are hardly ever in another, and
 * lines that end as RFC 2045 wants them to (at most 76 bytes, the last of which is "="). */
void wrap_look(struct wrap *wrap, const char *head, size_t size)
{
    static const char *const signs[] = {"=3D", "=E2=80=", "=C2=A0", "=C3=", "=09"};
    const char *end = head + size;
    size_t count = 0, soft = 0;

    for (const char *line = head; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line)), *last = newline ? newline : end;

        last -= last > line && last[-1] == '\r';
        soft += last - line > 60 && last - line <= 76 && last[-1] == '=';
        for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
            count += memmem(line, (size_t)(last - line), signs[i], strlen(signs[i])) != NULL;
        line = newline ? newline + 1 : end;
    }
    wrap->quoted = count > 0 && (soft > 0 || count > 3);
}

/* ---- base64 ---- */

static int sextet(char c)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(letters, c) : NULL;

    return at ? (int)(at - letters) : -1;
}

static bool is_base64(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (sextet(line[i]) < 0 && line[i] != '=')
            return false;
    return size > 0;
}

static void decode(struct wrap *wrap, const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int value = sextet(line[i]);

        if (value < 0)
            continue;
        wrap->bits = wrap->bits << 6 | (uint32_t)value;
        wrap->bit_count += 6;
        if (wrap->bit_count < 8)
            continue;
        wrap->bit_count -= 8;
        text_addc(&wrap->held, (char)(wrap->bits >> wrap->bit_count));
    }
}

/* ---- lines within a line ---- */

/* "<br>", "<br/>", "</p>" and the like at P end a line of HTML: their size, or 0. */
static size_t line_end(const char *p)
{
    static const char *const tags[] = {"<br>", "<br/>", "<br />", "<BR>", "</p>", "</div>", "</li>", "</tr>"};

    /* strace -y has "3</lib/…>" in most lines */
    for (size_t i = 0; strchr("bB/", p[1]) && i < sizeof tags / sizeof *tags; i++)
        if (p[1] == tags[i][1] && p[2] == tags[i][2] && strncmp(p, tags[i], strlen(tags[i])) == 0)
            return strlen(tags[i]);
    return 0;
}

/* What a carriage return had a terminal overwrite was shown all the same; "/bin/sh\r: bad interpreter" is one line. */
static bool is_return(const char *p, const char *end)
{
    return *p == '\r' && p + 1 < end && p[1] != ':' && p[1] != '\'' && p[1] != '"' && (unsigned char)p[1] < 0x80;
}

/* Where a line ends within what is from P to END, its size into *N; or NULL. */
static char *next_end(char *p, char *end, size_t *n)
{
    char *cr = memchr(p, '\r', (size_t)(end - p));

    while (cr && !is_return(cr, end))
        cr = memchr(cr + 1, '\r', (size_t)(end - cr - 1));
    for (char *tag = p; (tag = memchr(tag, '<', (size_t)((cr ? cr : end) - tag))); tag++)
        if ((*n = line_end(tag)))
            return tag;
    *n = 1;
    return cr;
}

static void split(char *line, size_t size, wrap_each *each, void *ctx)
{
    char *end = line + size, *from = line, *at;
    size_t n;

    while ((at = next_end(from, end, &n))) {
        *at = '\0';
        if (at > from)
            each(ctx, from, (size_t)(at - from));
        from = at + n;
    }
    if (from < end || from == line)
        each(ctx, from, (size_t)(end - from));
}

/* ---- a mail's headers ---- */

static bool header(const char *line, const char *name, const char *value)
{
    size_t n = strlen(name);

    return strncasecmp(line, name, n) == 0 &&
           strncasecmp(line + n + strspn(line + n, " \t"), value, strlen(value)) == 0;
}

static void read_header(struct wrap *wrap, const char *line)
{
    static const char encoding[] = "Content-Transfer-Encoding:", type[] = "Content-Type:";

    if (header(line, type, ""))
        wrap->other = !header(line, type, "text/") && !header(line, type, "message/");
    if (!header(line, encoding, ""))
        return;
    wrap->quoted = header(line, encoding, "quoted-printable");
    wrap->base64 = header(line, encoding, "base64");
    wrap->body = false;
}

/* Hands out the whole lines that are held. */
static void hand_out(struct wrap *wrap, wrap_each *each, void *ctx)
{
    size_t from = 0;
    char *newline;

    while (from < wrap->held.n && (newline = memchr(wrap->held.v + from, '\n', wrap->held.n - from))) {
        size_t size = (size_t)(newline - wrap->held.v) - from;

        *newline = '\0';
        split(wrap->held.v + from, size, each, ctx);
        from += size + 1;
    }
    if (!from)
        return;
    memmove(wrap->held.v, wrap->held.v + from, wrap->held.n - from);
    wrap->held.n -= from;
}

void wrap_end(struct wrap *wrap, wrap_each *each, void *ctx)
{
    if (wrap->held.n) {
        text_addc(&wrap->held, '\n');
        hand_out(wrap, each, ctx);
    }
    text_deinit(&wrap->held);
    wrap->held = (struct text){0};
    wrap->bit_count = 0;
}

/* A line of a part in base64: nothing else of it is one. False: that part is over. */
static bool take_base64(struct wrap *wrap, char *line, size_t size, wrap_each *each, void *ctx)
{
    size -= size && line[size - 1] == '\r';
    if (!wrap->body && size == 0)
        return wrap->body = true;
    if (!wrap->body)
        return false;
    if (!is_base64(line, size)) {
        wrap->base64 = wrap->body = false;
        wrap_end(wrap, each, ctx);
        return false;
    }
    if (!wrap->other && wrap->held.n < HELD_MOST)
        decode(wrap, line, size);
    hand_out(wrap, each, ctx);
    return true;
}

void wrap_line(struct wrap *wrap, char *line, size_t size, wrap_each *each, void *ctx)
{
    bool soft;

    if (wrap->base64 && take_base64(wrap, line, size, each, ctx))
        return;
    if (*line == 'C' || *line == 'c')
        read_header(wrap, line);
    if (!wrap->quoted) {
        split(line, size, each, ctx);
        return;
    }
    size -= size && line[size - 1] == '\r';
    line[size] = '\0';
    soft = size && line[size - 1] == '=' && wrap->held.n + size < HELD_MOST;
    size = unquote(line, size - soft);
    if (!soft && !wrap->held.n) {
        split(line, size, each, ctx);
        return;
    }
    text_addn(&wrap->held, line, size);
    if (!soft) {
        text_addc(&wrap->held, '\n');
        hand_out(wrap, each, ctx);
    }
}
