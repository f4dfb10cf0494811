/* What a text was wrapped in on its way: a mail's encodings (RFC 2045: quoted-printable, base64), the carriage returns
 * of a terminal, HTML's line ends. Lines come out as they went in, before anything else is cleaned of them. */
#ifndef GLIBCTRACE_REPORTS_READ_WRAP_H
#define GLIBCTRACE_REPORTS_READ_WRAP_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wrap {
    bool quoted;        /* quoted-printable: by a header, or by how the text begins */
    bool base64;        /* a header said so; … */
    bool body;          /* … the part has begun */
    bool other;         /* the part is no text */
    uint32_t bits;      /* of base64, not whole bytes yet … */
    unsigned bit_count; /* … so many */
    struct text held;   /* a line that is not at its end */
};

/* Takes one line (SIZE bytes at LINE and a NUL, which may be changed). */
typedef void wrap_each(void *ctx, char *line, size_t size);

/* HEAD: SIZE bytes that a text begins with, and a NUL. */
void wrap_look(struct wrap *wrap, const char *head, size_t size);
/* Hands the lines that are in LINE (SIZE bytes and a NUL), and those that it ends, to EACH. */
void wrap_line(struct wrap *wrap, char *line, size_t size, wrap_each *each, void *ctx);
/* The text is over. */
void wrap_end(struct wrap *wrap, wrap_each *each, void *ctx);

#endif
