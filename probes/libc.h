/* Which C library a file is: family and release, from the words that it carries, not from its name.
 *
 * glibc: csu/version.c's banner "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36." in libc.so.6 and,
 * from 2.33 on, in ld.so; the newest version definition is only a lower bound of the release (there is no GLIBC_2.37).
 * musl: ldso/dynlink.c's "musl libc (x86_64)" and its VERSION file. */
#ifndef GLIBCTRACE_PROBES_LIBC_H
#define GLIBCTRACE_PROBES_LIBC_H

#include <stdbool.h>
#include <stddef.h>

struct libc_identity {
    const char *family; /* "glibc", "musl", "unknown" */
    char *release;      /* "2.36", or NULL */
    char *build;        /* "Debian GLIBC 2.36-9+deb12u14", or NULL */
};

/* Reads PATH inside ROOT. RET is always filled in; free with libc_identity_deinit(). */
void libc_identify(const char *root, const char *path, struct libc_identity *ret);
/* The same of SIZE bytes of one; RET is set up as libc_identify() does, and changed where the words are found. */
void libc_identify_bytes(const char *data, size_t size, struct libc_identity *ret);
/* "2.34": the release that a glibc which defines VERSIONS is at least of; NULL where none of them says. malloced. */
char *libc_least(const char *const *versions, size_t count);
char *libc_least_of_file(const char *root, const char *path);
/* Both say what they are, and that is not the same. */
bool libc_other_builds(const struct libc_identity *one, const struct libc_identity *other);
void libc_identity_deinit(struct libc_identity *identity);

#endif
