/* The C library of a root, and where its libraries lie: the root of a system, a directory into which packages were
 * unpacked, or one that simply holds the files. Looks only. */
#ifndef GLIBCTRACE_PROBES_LIBCROOT_H
#define GLIBCTRACE_PROBES_LIBCROOT_H

#include "load.h"

struct libcroot {
    char *root;         /* as it was given; "" is this system's */
    char *libc;         /* of libc.so.6, absolute inside the root, as are the others */
    char *loader;       /* the loader that stands beside it, or where programs ask for it */
    char *name;         /* by which programs call the loader: "ld-linux-x86-64.so.2" */
    char *directory;    /* of libc.so.6 */
    char *gconv;        /* the directory of the C library's conversions, or NULL */
    char *locale;       /* … of its locales, or NULL */
    struct load *found; /* what that loader does with that C library: for searches */
};

/* Looks in ROOT for the glibc that MODEL, a program or library, could use. Below zero and ERR where none is found. Free
 * with libcroot_deinit() in either case. */
int libcroot_find(const char *root, const struct elffile *model, struct libcroot *ret, struct err *err);
void libcroot_deinit(struct libcroot *libc);
/* Where the library NAME is that its loader would find, malloced; or NULL. */
char *libcroot_library(const struct libcroot *libc, const char *name);
/* The names of the C library's own files (sonames) in its directory, its loader's apart: calls EACH for every one. */
void libcroot_own(const struct libcroot *libc, void (*each)(void *ctx, const char *name), void *ctx);
/* Whether a file of that name belongs to glibc (its shlib-versions file lists them). */
bool libcroot_is_own(const char *name);

#endif
