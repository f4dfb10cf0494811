/* What packages.c and the files of the package systems (dpkg.c, apt.c, apk.c, pacman.c, rpm.c) share. Not for others.
 */
#ifndef GLIBCTRACE_PROBES_PACKAGES_PARTS_H
#define GLIBCTRACE_PROBES_PACKAGES_PARTS_H

#include "packages.h"
#include "packed.h"

#include <stddef.h>

/* What is looked for: exactly one of PATH and NAME. */
struct package_wish {
    const char *root;
    const char *path;    /* absolute */
    const char *name;    /* the last component, in a directory of libraries or of programs: */
    bool library;        /* NAME is a soname */
    const char *machine; /* LIBRARY: of the file; or NULL */
};

enum { DATABASE_MOST = 512 * 1024 * 1024 }; /* bytes read for one question */

/* FILE, a path as the databases have it (absolute or without its first slash), is what is wished for. /lib/x and
 * /usr/lib/x are one: of a system with merged /usr the databases have either. */
bool wish_matches(const struct package_wish *wish, const char *file, size_t size);

/* Each regular file in DIRECTORY of ROOT: FD is taken by EACH, which returns false to end. At most 20,000. */
void directory_each(const char *root, const char *directory, bool (*each)(void *ctx, const char *name, int fd),
                    void *ctx);

bool dpkg_find(const struct package_wish *wish, struct package *ret); /* among the installed ones */
bool apt_find(const struct package_wish *wish, struct package *ret);  /* among those that could be */
bool apt_named(const char *root, const char *const *names, size_t count, const char *architecture, struct package *ret);
bool apk_find(const struct package_wish *wish, struct package *ret);
bool apk_find_available(const struct package_wish *wish, struct package *ret);
bool apk_named(const char *root, const char *name, struct package *ret);
bool pacman_find(const struct package_wish *wish, struct package *ret);
bool pacman_find_available(const struct package_wish *wish, struct package *ret);
/* PROGRAM: "/usr/bin/rpm". */
bool rpm_find(const struct package_wish *wish, const char *program, struct package *ret);

#endif
