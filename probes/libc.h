/* Which C library a file is: family and release, from the words that it carries, not from its name.
 *
 * glibc: csu/version.c's banner "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36." in libc.so.6 and,
 * from 2.33 on, in ld.so; the newest version definition is only a lower bound of the release (there is no GLIBC_2.37).
 * musl: ldso/dynlink.c's "musl libc (x86_64)" and its VERSION file. */
#ifndef GLIBCTRACE_PROBES_LIBC_H
#define GLIBCTRACE_PROBES_LIBC_H

#include <stdbool.h>
#include <sys/types.h>

struct libc_identity {
    const char *family; /* "glibc", "musl", "unknown" */
    char *release;      /* "2.36", or NULL */
    char *build;        /* "Debian GLIBC 2.36-9+deb12u14", or NULL */
};

/* Reads PATH inside ROOT. RET is always filled in; free with libc_identity_deinit(). */
void libc_identify(const char *root, const char *path, struct libc_identity *ret);
/* Which C library is in the memory of PID, whatever its file has become since: by the words in the mappings of
 * libc.so.6, else of ld.so; MUSL: its loader is musl's. *PATH is the file inside the process's root, or NULL where
 * nothing was found; malloced. *REPLACED: another file stands at that path now, or none. */
void libc_identify_memory(pid_t pid, const char *root, bool musl, struct libc_identity *ret, char **path,
                          bool *replaced);
void libc_identity_deinit(struct libc_identity *identity);

#endif
