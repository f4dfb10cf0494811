/* A report into a file, in the form that the file's ending names. */
#ifndef GLIBCTRACE_REPORTS_OUTPUT_H
#define GLIBCTRACE_REPORTS_OUTPUT_H

#include "bundle.h"

/* Whether FILE has an ending that is known ("-" is standard output, as text); else -1, and ERR names the known ones.
 * To be asked before the program runs, so that nothing is lost for a typing error. */
int output_check(const char *file, struct err *err);
/* Writes REPORT to FILE. A regular file comes into being whole or not at all: it is written beside its place and
 * renamed into it; devices, pipes and /dev/fd/N are written to as they are. OPTIONS and PARTS (bundles pack them, a
 * page shows their events) may be NULL. */
int output_write(const struct report *report, const char *file, const struct render_options *options,
                 const struct bundle_parts *parts, struct err *err);
/* The same for a text of another kind: RENDER writes what CTX is, as FILE's ending asks ("-" is standard output). */
int output_write_with(const char *file, void (*render)(const void *ctx, const char *file, FILE *out), const void *ctx,
                      struct err *err);

#endif
