/* Text into HTML: whatever the bytes were, what comes out is text, in elements and between an attribute's quotes. */
#ifndef GLIBCTRACE_REPORTS_PAGE_TEXT_H
#define GLIBCTRACE_REPORTS_PAGE_TEXT_H

#include <stdio.h>

/* TEXT is plain already (utf8.h, wording.h). */
void page_escaped(FILE *out, const char *text);
/* BYTES from outside: made plain first. */
void page_raw(FILE *out, const char *bytes);
/* OPEN and CLOSE are markup of ours. */
void page_element(FILE *out, const char *open, const char *bytes, const char *close);
/* A path: its directory softly, its last name as what one reads. */
void page_path(FILE *out, const char *path);

#endif
