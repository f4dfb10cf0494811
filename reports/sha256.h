/* SHA-256 (FIPS 180-4): for a page's policy that names its own script and style, and for packages that say their own.
 */
#ifndef GLIBCTRACE_REPORTS_SHA256_H
#define GLIBCTRACE_REPORTS_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_BLOCK = 64 };

/* Of bytes that come piece by piece. */
struct sha256 {
    uint32_t h[8];
    unsigned char block[SHA256_BLOCK]; /* what does not fill one yet */
    uint64_t size;
};
void sha256_begin(struct sha256 *state);
void sha256_add(struct sha256 *state, const void *bytes, size_t size);
void sha256_end(struct sha256 *state, unsigned char ret[static SHA256_BYTES]);

/* Of SIZE bytes, as a Content-Security-Policy writes it: in base64 (RFC 4648), NUL-terminated. */
void sha256_base64(const void *bytes, size_t size, char ret[static 45]);

#endif
