/* A line in which somebody passes on what a dynamic loader said, taken apart into what the loader itself would have
 * told: object, format and arguments (event.h, LOADER_ERROR).
 *
 * English ones by their words; those of other languages by their shape and the names in them. elf/dl-load.c,
 * dl-lookup.c, dl-version.c, dl-reloc.c and rtld.c of glibc; ldso/dynlink.c of musl. */
#ifndef GLIBCTRACE_REPORTS_READ_SAID_H
#define GLIBCTRACE_REPORTS_READ_SAID_H

#include "event.h"

struct said {
    char *program;      /* who ended for it, by the loader's own line; or NULL */
    char *object;       /* as in struct event_loader, or NULL */
    const char *format; /* constant */
    char *args[3];      /* or NULL */
    int error;          /* errno value that the text at its end is of, or 0 */
    bool musl;          /* musl's loader says it */
    char *message;      /* without the program's name */
};

/* False: LINE is nothing of a loader's. Else said_deinit(). */
bool said_parse(const char *line, struct said *ret);
/* "libx.so.1", a path to one, "x.node": a word of SIZE bytes. */
bool said_is_library(const char *word, size_t size);
void said_deinit(struct said *said);
/* What the loader would have told; its strings are SAID's. The error's number is left to the caller. */
struct event_loader said_event(const struct said *said, enum loader_outcome outcome);

#endif
