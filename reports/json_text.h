/* A string as JSON, for those who write it by hand. */
#ifndef GLIBCTRACE_REPORTS_JSON_TEXT_H
#define GLIBCTRACE_REPORTS_JSON_TEXT_H

#include "text.h"

/* Appends S as a JSON string (RFC 8259): quotes, backslashes and control characters escaped, DEL and the line and
 * paragraph separators too; each byte that is part of no UTF-8 becomes U+FFFD. */
void json_text_add(struct text *out, const char *s);
/* The same without the quotes around it. */
void json_text_add_inside(struct text *out, const char *s);

#endif
