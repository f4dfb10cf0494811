/* What the dynamic loader says, taken apart: from its own words (LOADER_ERROR: format and arguments, in no language),
 * or from a line in which a program passes them on. elf/dl-load.c, dl-lookup.c, dl-version.c, dl-reloc.c and dl-open.c
 * of glibc; ldso/dynlink.c of musl. */
#ifndef GLIBCTRACE_REPORTS_TOLD_H
#define GLIBCTRACE_REPORTS_TOLD_H

#include "model.h"

enum told_what {
    TOLD_NOTHING,   /* none of these */
    TOLD_SYMBOL,    /* an undefined symbol */
    TOLD_VERSION,   /* a version that a library does not define */
    TOLD_NOT_FOUND, /* a library that cannot be opened */
    TOLD_NOT_MAPPED,
    TOLD_NO_TLS,   /* no room for thread-local storage at a fixed place */
    TOLD_NO_STACK, /* no executable stack */
    TOLD_LEVEL,    /* the processor is of too low a level */
    TOLD_ASSERTION,
    TOLD_FILE, /* something else that is wrong with a file (in the loader's own words only) */
};

struct told {
    enum told_what what;
    char *object;           /* the file that it is about: SYMBOL, who asks; VERSION, who lacks it; or NULL */
    char *needer;           /* VERSION, NOT_FOUND: who asks, or NULL */
    char *symbol, *version; /* or NULL */
};

void told_by_loader(const struct loader_error *error, struct told *ret);
void told_in_line(const char *line, struct told *ret);
void told_deinit(struct told *told);

#endif
