/* What was put before every line of a text: line numbers of a viewer, the names of containers, the signs of a
 * difference. What it is shows in how the lines go on, so the beginning of the text is looked at before it is read. */
#ifndef GLIBCTRACE_REPORTS_READ_MARKS_H
#define GLIBCTRACE_REPORTS_READ_MARKS_H

#include <stdbool.h>
#include <stddef.h>

struct marks {
    char number;     /* what stands behind the number of each line: ':', '|', '\t', ' '; 0: they have none */
    bool names;      /* "web  | " stands before most lines */
    bool difference; /* within what diff(1) says */
};

/* HEAD: SIZE bytes that a text begins with, and a NUL. */
void marks_look(struct marks *marks, const char *head, size_t size);
/* LINE behind its marks. */
char *marks_strip(struct marks *marks, char *line);

#endif
