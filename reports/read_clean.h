/* Lines as they were written, from lines as they were pasted: without the colours of a terminal, the marks of a mail or
 * of Markdown, the stamps of a log that they went through. */
#ifndef GLIBCTRACE_REPORTS_READ_CLEAN_H
#define GLIBCTRACE_REPORTS_READ_CLEAN_H

#include "read_marks.h"

#include <stdbool.h>
#include <stddef.h>

/* What is known of a text from its lines so far. Start with {0}. */
struct clean {
    bool begun;         /* the first line was seen */
    struct marks marks; /* marks_look() */
};

/* Cleans the line at *LINE (*SIZE bytes and a NUL), in place; both may change, the line stays within its bytes and has
 * its NUL. False: it is no line of the text at all (a fence). */
bool clean_line(struct clean *clean, char **line, size_t *size);

/* The times that tools put before a line, and the names of what wrote it, end there: "2024-05-01T10:00:00.123Z ",
 * "May 01 10:00:00 host prog[12]: ", "[  12.345678] ". LINE itself where there is none. */
char *clean_stamp(char *line);

#endif
