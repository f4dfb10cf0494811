/* A line on the terminal that says how far the reading of a long file has come; nothing of it is left afterwards.
 *
 * It comes when a second has gone by, and only where standard error is a terminal. */
#ifndef GLIBCTRACE_TRACER_PROGRESS_H
#define GLIBCTRACE_TRACER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    const char *name;
    FILE *in;
    uint64_t size; /* of the whole, 0: not known */
    uint64_t from_ns, shown_ns;
    int shown; /* columns of what stands there, 0: nothing */
};

/* A stream of what is in IN, called NAME in the line, to be closed before progress_end(). IN stays the caller's, and is
 * given back itself where nothing is to be shown (QUIET). */
FILE *progress_start(struct progress *progress, FILE *in, const char *name, bool quiet);
void progress_end(struct progress *progress, FILE *stream);

#endif
