/* Which releases of distributions have a C library, a libstdc++ and a libgcc_s new enough: versions of symbols are
 * defined from one release on and never go away, so that the newest number of each kind tells all of them.
 *
 * The table (releases.c) says of every row whether it was read from that release's own libraries by `make libc-table`
 * or taken from another project's record. What is in no row is not known here, and nothing is said of it. */
#ifndef GLIBCTRACE_PROBES_RELEASES_H
#define GLIBCTRACE_PROBES_RELEASES_H

#include <stdbool.h>
#include <stddef.h>

enum version_family { VERSIONS_GLIBC, VERSIONS_GLIBCXX, VERSIONS_CXXABI, VERSIONS_GCC, VERSION_FAMILIES };

struct release {
    const char *system, *number;          /* "Debian", "12" */
    const char *glibc;                    /* its release: "2.36" */
    const char *newest[VERSION_FAMILIES]; /* without the family's prefix: "3.4.30" for GLIBCXX_3.4.30 */
    const char *others; /* those that are no numbers, whole, with blanks between; those that all rows have are
                           left out */
    const char *from;   /* NULL: read from its libraries */
};

/* Whether VERSION ("GLIBC_2.38", "GLIBC_ABI_DT_RELR", …) is of a family that the table knows. */
bool release_knows(const char *version);
bool release_defines(const struct release *release, const char *version);
/* Of each system the oldest release that defines all of VERSIONS, in *RET (room for LIMIT): their number. None where
 * one of VERSIONS is not known. */
size_t releases_with(const char *const *versions, size_t count, const struct release **ret, size_t limit);
/* The glibc release that the newest of VERSIONS names ("2.38"), or NULL where none is of glibc with a number. */
const char *releases_glibc(const char *const *versions, size_t count);

/* Of a glibc release ("2.28") alone: whether it, or the libstdc++ and libgcc_s of the systems that have it, define
 * VERSION. Those of glibc itself that have a number are known of every release; all others as far as a row has the
 * release, or the rows around it agree. */
enum release_answer {
    RELEASE_LACKS,
    RELEASE_UNSURE, /* some of those systems do and some do not, or it is not known */
    RELEASE_DEFINES
};
enum release_answer releases_define(const char *glibc, const char *version);
/* The oldest glibc release that defines VERSION on every system that has it, as far as the table knows ("2.36");
 * malloced, or NULL. */
char *releases_first(const char *version);
/* The newest version of VERSION's family in the systems that have the release: "GLIBCXX_3.4.25"; malloced, NULL where
 * it has no number or no row has the release, and of glibc: not every release has a version of its own. */
char *releases_end(const char *glibc, const char *version);
/* "Debian 10, RHEL 8": the systems that have it; malloced, NULL where none has. */
char *releases_systems(const char *glibc);
/* The newest of glibc in the table. */
const char *releases_last(void);

extern const struct release releases[];
extern const size_t release_count;

#endif
