/* SHA-256 (FIPS 180-4), for the one thing that asks for it: a page's policy that names its own script and style. */
#ifndef GLIBCTRACE_REPORTS_SHA256_H
#define GLIBCTRACE_REPORTS_SHA256_H

#include <stddef.h>

/* Of SIZE bytes, as a Content-Security-Policy writes it: in base64 (RFC 4648), NUL-terminated. */
void sha256_base64(const void *bytes, size_t size, char ret[static 45]);

#endif
