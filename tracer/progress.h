/* A line on the terminal that says how far the reading of a long file has come, or what is waited for; nothing of it is
 * left afterwards.
 *
 * It comes when a second has gone by, and only where standard error is a terminal. */
#ifndef GLIBCTRACE_TRACER_PROGRESS_H
#define GLIBCTRACE_TRACER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    const char *name; /* of the file or of the task, NULL: nothing is to be shown */
    FILE *in;         /* NULL: of a task */
    uint64_t size;    /* of the whole, 0: not known */
    uint64_t from_ns, shown_ns;
    int shown; /* columns of what stands there, 0: nothing */
};

/* A stream of what is in IN, called NAME in the line, to be closed before progress_end(). IN stays the caller's, and is
 * given back itself where nothing is to be shown (QUIET). */
FILE *progress_start(struct progress *progress, FILE *in, const char *name, bool quiet);
/* The line says WHAT and for how long that has gone on, until the next call or progress_end() with a NULL stream; it is
 * kept up by progress_tick(). WHAT is the caller's. */
void progress_task(struct progress *progress, const char *what, bool quiet);
void progress_tick(struct progress *progress);
void progress_end(struct progress *progress, FILE *stream);

#endif
