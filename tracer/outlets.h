/* Where a session's events go: the model always, the live view with -t, trace.jsonl for a bundle. */
#ifndef GLIBCTRACE_TRACER_OUTLETS_H
#define GLIBCTRACE_TRACER_OUTLETS_H

#include "options.h"

#include <reports/model.h>

struct line_view;

enum { OUTLETS_MOST = 3 };

struct outlets {
    struct model *model;
    struct line_view *view; /* or NULL */
    struct sink sinks[OUTLETS_MOST];
    size_t count;
};

/* 0, or -1 and ERR for an unknown word in -t's SET. Free with outlets_close() in either case. */
int outlets_open(const struct options *options, struct outlets *ret, struct err *err);
void outlets_close(struct outlets *outlets);
/* Whether anything on standard error is to be coloured. */
bool outlets_colour(const struct options *options);

#endif
