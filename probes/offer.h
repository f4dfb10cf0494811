/* A C library that is not this system's, and what it offers: a library file of another release, a root, or a release
 * that is known by the table alone (releases.h); or musl, as a family.
 *
 * It answers which version of a symbol's is there. What comes of that is the business of others. */
#ifndef GLIBCTRACE_PROBES_OFFER_H
#define GLIBCTRACE_PROBES_OFFER_H

#include "elffile.h"
#include "err.h"
#include "releases.h"

enum offer_kind {
    OFFER_RELEASE, /* by the table */
    OFFER_FILE,    /* a libc.so.6, and the parts of the C library that stand beside it */
    OFFER_ROOT,    /* a whole system */
    OFFER_FAMILY   /* musl, whichever */
};

struct offer_library {
    const char *soname;
    char *path;
    const struct elffile *elf;
};

struct offer {
    enum offer_kind kind;
    bool musl;
    char *word;                      /* as it was asked for */
    char *name;                      /* "glibc 2.28", "musl" */
    char *release;                   /* "2.28", or NULL: not known */
    char *build;                     /* as in libc.h, or NULL */
    char *root;                      /* ROOT: absolute, "" for this system's own */
    char *path;                      /* FILE: absolute; ROOT: inside the root, or NULL */
    struct offer_library *libraries; /* FILE */
    size_t library_count, library_cap;
};

/* WORD: "2.28", "musl", "here" (this system), a file or a directory. -1 and ERR where it is none of these, holds no C
 * library, or is a release that is not known. */
int offer_open(const char *word, struct offer **ret, struct err *err);
void offer_close(struct offer *offer);

/* Whether the library SONAME of OFFER defines VERSION: of a FILE or RELEASE of glibc. *PATH (may be NULL): the file
 * that was asked, or NULL. */
enum release_answer offer_defines(const struct offer *offer, const char *soname, const char *version,
                                  const char **path);
/* "GLIBC_2.27": where the versions of VERSION's family end in that library; malloced, NULL where it is not known. */
char *offer_end(const struct offer *offer, const char *soname, const char *version);

/* SONAME is a part of glibc; is libstdc++'s or libgcc_s's, which come with a system as glibc does. */
bool offer_part_of_glibc(const char *soname);
bool offer_of_compiler(const char *soname);
/* musl's loader takes itself for SONAME. */
bool offer_musl_takes(const char *soname);
/* The C library that ELF was linked to: whether it asks for glibc's or musl's; neither where it asks for none. */
bool offer_wants_glibc(const struct elffile *elf);
/* The name by which it asks for musl's, or NULL. */
const char *offer_wants_musl(const struct elffile *elf);

#endif
