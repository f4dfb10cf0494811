/* A stream over what can be read but once, a pipe or what comes out of a packed file: its beginning can be read again
 * (rewind(3)), as long as no more than that was read. Nothing else of it is kept, so that its size does not matter. */
#ifndef GLIBCTRACE_REPORTS_EVIDENCE_STREAM_H
#define GLIBCTRACE_REPORTS_EVIDENCE_STREAM_H

#include <probes/err.h>

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

enum { STREAM_HEAD = 256 * 1024 /* bytes that can be read again */ };

struct stream_source {
    void *state;
    /* Up to SIZE bytes into TO: how many, 0 at the end; below zero with errno. */
    ssize_t (*read)(void *state, char *to, size_t size);
    void (*free)(void *state);
};

/* SOURCE is taken over. What is behind 4 GB is not read: *CUT says so then. */
FILE *stream_open(const struct stream_source *source, bool *cut);
/* The same over IN, which is taken over and closed with it, standard input excepted. */
FILE *stream_over(FILE *in, bool *cut);
/* All that comes from IN in a file without a name, for who has to go to and fro in it; IN is closed in either case.
 * NAME is for messages. NULL with ERR. */
FILE *stream_keep(FILE *in, const char *name, struct err *err);

#endif
