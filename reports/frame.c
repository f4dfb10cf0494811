#include "frame.h"

#include "utf8.h"

#include <probes/alloc.h>

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char length_name[] = "Content-Length";

void frames_add(struct frames *frames, const char *bytes, size_t n)
{
    if (frames->at) {
        frames->in.n -= frames->at;
        memmove(frames->in.v, frames->in.v + frames->at, frames->in.n + 1);
        frames->at = 0;
    }
    text_addn(&frames->in, bytes, n);
}

/* "Name: value" with a name of letters and dashes, as those of this protocol are; else it is some other output. */
static bool is_field(const char *line, size_t n)
{
    size_t name = 0;

    while (name < n && (isalpha((unsigned char)line[name]) || line[name] == '-'))
        name++;
    return name && name < n && line[name] == ':';
}

/* The value of "Content-Length: N", -1 where it is none. */
static long length_of(const char *line, size_t n)
{
    size_t at = sizeof length_name; /* behind the colon */
    long value = 0;

    while (at < n && (line[at] == ' ' || line[at] == '\t'))
        at++;
    if (at == n)
        return -1;
    for (; at < n && isdigit((unsigned char)line[at]); at++) {
        value = value * 10 + (line[at] - '0');
        if (value > FRAME_BODY_MOST)
            return -1;
    }
    while (at < n && (line[at] == ' ' || line[at] == '\t'))
        at++;
    return at == n ? value : -1;
}

static int wrong(const char *line, size_t n, const char *what, struct err *err)
{
    CLEANUP_FREE char *text = xstrndup(line, n < 100 ? n : 100), *plain = utf8_plain(text);

    return err_set(err, "%s: %s", what, plain);
}

/* The header at the start of what is left: 1, with its own size and its message's, 0 where it is not whole yet. */
static int read_header(const struct frames *frames, size_t *header, size_t *body, struct err *err)
{
    const char *start = frames->in.v + frames->at, *line = start;
    size_t left = frames->in.n - frames->at;
    long length = -1;

    for (;;) {
        size_t have = left - (size_t)(line - start);
        const char *end = memchr(line, '\n', have);
        size_t n = end ? (size_t)(end - line) : have;

        if (!end && (size_t)(line - start) + have < FRAME_HEADER_MOST)
            return 0;
        if (n && end && line[n - 1] == '\r')
            n--;
        else if (end && frames->strict && (n == 0 || is_field(line, n)))
            return wrong(line, n, "it wrote a line that does not end as those of a message's header do", err);
        if (end && n == 0 && length >= 0) {
            *header = (size_t)(end + 1 - start);
            *body = (size_t)length;
            return 1;
        }
        if (!end || (size_t)(end - start) > FRAME_HEADER_MOST || !is_field(line, n))
            return wrong(line, n, "it wrote something else than a message", err);
        if (strncasecmp(line, length_name, sizeof length_name - 1) == 0 && line[sizeof length_name - 1] == ':' &&
            (length = length_of(line, n)) < 0)
            return wrong(line, n, "it wrote a message of no possible length", err);
        line = end + 1;
    }
}

int frames_next(struct frames *frames, struct json_line *ret, struct err *err)
{
    size_t header = 0, body = 0;
    struct err why;
    char *text, kept;
    int status = frames->in.n > frames->at ? read_header(frames, &header, &body, err) : 0;

    if (status <= 0 || frames->in.n - frames->at - header < body)
        return status < 0 ? -1 : 0;
    text = frames->in.v + frames->at + header;
    kept = text[body];
    text[body] = '\0';
    status = json_line_parse(ret, text, body, &why);
    text[body] = kept;
    frames->at += header + body;
    return status < 0 ? err_set(err, "it wrote a message that cannot be read: %s", why.text) : 1;
}

bool frames_cut(const struct frames *frames, size_t *have, size_t *of)
{
    size_t header = 0;
    struct err err;

    if (frames->in.n <= frames->at || read_header(frames, &header, of, &err) <= 0)
        return false;
    *have = frames->in.n - frames->at - header;
    return *have < *of;
}

void frames_deinit(struct frames *frames)
{
    text_deinit(&frames->in);
    *frames = (struct frames){0};
}

void frame_write(struct text *out, const char *text)
{
    text_addf(out, "%s: %zu\r\n\r\n%s", length_name, strlen(text), text);
}
