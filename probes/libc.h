/* Which C library a file is: family and release, from the words that it carries, not from its name.
 *
 * glibc: csu/version.c's banner "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36." in libc.so.6 and,
 * from 2.33 on, in ld.so; the newest version definition is only a lower bound of the release (there is no GLIBC_2.37).
 * musl: ldso/dynlink.c's "musl libc (x86_64)" and its VERSION file. */
#ifndef GLIBCTRACE_PROBES_LIBC_H
#define GLIBCTRACE_PROBES_LIBC_H

struct libc_identity {
    const char *family; /* "glibc", "musl", "unknown" */
    char *release;      /* "2.36", or NULL */
    char *build;        /* "Debian GLIBC 2.36-9+deb12u14", or NULL */
};

/* Reads PATH inside ROOT. RET is always filled in; free with libc_identity_deinit(). */
void libc_identify(const char *root, const char *path, struct libc_identity *ret);
void libc_identity_deinit(struct libc_identity *identity);

#endif
