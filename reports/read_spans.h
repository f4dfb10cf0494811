/* Messages that stand inside a sentence, in Markdown's marks of code: "I get `prog: no such thing` when …". Each is a
 * line of its own, and so is what stands around it. */
#ifndef GLIBCTRACE_REPORTS_READ_SPANS_H
#define GLIBCTRACE_REPORTS_READ_SPANS_H

#include <stdbool.h>
#include <stddef.h>

/* The next such message at or behind AT, which is in a line with a NUL behind it: the bytes between its marks to *FROM
 * and *SIZE, and where the text goes on to *NEXT. False: there is none. */
bool spans_next(const char *at, const char **from, size_t *size, const char **next);

#endif
