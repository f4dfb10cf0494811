/* A text that grows, and the way in which strace quotes bytes. */
#ifndef GLIBCTRACE_REPORTS_TEXT_H
#define GLIBCTRACE_REPORTS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Start with {0}. .v is NULL until something was added, then malloced and NUL-terminated. */
struct text {
    char *v;
    size_t n, cap;
};

void text_add(struct text *text, const char *s);
void text_addn(struct text *text, const char *bytes, size_t n);
void text_addc(struct text *text, char c);
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* N bytes between double quotes as strace writes them: C's letters for \t\n\v\f\r, \" and \\, the shortest octal number
 * for other bytes outside printable ASCII. */
void text_quote(struct text *text, const char *bytes, size_t n);
/* PATH in a URI reference's spelling (RFC 3986: all but unreserved characters and "/" as %XX). */
void text_add_uri(struct text *text, const char *path);
/* Empties it and keeps the memory. */
void text_clear(struct text *text);
void text_deinit(struct text *text);

#endif
