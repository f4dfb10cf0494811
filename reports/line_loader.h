/* What the loader does and says as a line of the live view: its own words, its calls, its objects, its lookups. */
#ifndef GLIBCTRACE_REPORTS_LINE_LOADER_H
#define GLIBCTRACE_REPORTS_LINE_LOADER_H

#include "event.h"
#include "text.h"

/* "ld.so: libx.so: cannot open shared object file: No such file or directory",
 * "addon.node → dlopen("libx.so", RTLD_NOW) = NULL" */
void line_loader_add(const struct event_loader *loader, bool colour, struct text *out);
/* "libssl.so.3 → SSL_read@OPENSSL_3.0.0 = libcrypto.so.3" */
void line_lookup_add(const struct event_lookup *lookup, bool colour, struct text *out);
/* Bytes that are nobody's string literal: control characters must not reach a terminal. */
void line_clean_add(struct text *out, const char *s);

#endif
