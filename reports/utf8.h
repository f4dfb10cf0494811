/* Bytes from outside made fit to be shown.
 *
 * Paths, symbols and messages are bytes that somebody else chose. Everything that leaves in a report passes through
 * here, so that no report holds invalid UTF-8, and nothing from outside reaches a terminal as a command to it or turns
 * the reading direction round. Nothing here depends on the locale. */
#ifndef GLIBCTRACE_REPORTS_UTF8_H
#define GLIBCTRACE_REPORTS_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length in bytes of the well-formed UTF-8 sequence at S (RFC 3629: no overlong forms, no surrogates, nothing above
 * U+10FFFF), and its code point in *POINT; 0 where there is none, and at the terminating NUL. */
size_t utf8_decode(const char *s, uint32_t *point);
/* Writes code point POINT (at most U+10FFFF) as UTF-8 to RET, of which it takes four bytes at most: how many. */
size_t utf8_put(uint32_t point, char *ret);
/* S with each byte that is not part of well-formed UTF-8 written as \xNN. malloced. */
char *utf8_valid(const char *s);
/* As utf8_valid(), and with control characters (C0, DEL, C1), line and paragraph separators and the invisible
 * direction and format marks written as \n, \t, \xNN or \uNNNN: one line that is safe on a terminal. malloced. */
char *utf8_plain(const char *s);
/* Columns that valid UTF-8 takes on a terminal: 0 for combining marks, 2 for East Asian wide characters and emoji.
 * Good enough to wrap and align; terminals differ in the corners. */
size_t utf8_columns(const char *s);

#endif
