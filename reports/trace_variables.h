/* Which variables stand in a trace that is shown: those that matter to a cause of its report, and no other.
 *
 * The rule. A variable of a process that a cause is about matters where that cause is about it (environment-wrong),
 * tells of it (its name stands in what is told: sentences, places that were searched, what helps), or where its value
 * leads to a file that it tells of: all but HOME, which has most files beneath it, and PATH. Who handed it on has it,
 * too, with the same value; nobody has any other. Where there is no cause the trace is one side of a comparison
 * (diff.h): there a variable stands whose value led a program to something that it found. Of the others the name alone
 * is told, and of those alone that a loader or a language reads, so that "left out" is not read as "not set". */
#ifndef GLIBCTRACE_REPORTS_TRACE_VARIABLES_H
#define GLIBCTRACE_REPORTS_TRACE_VARIABLES_H

#include "model.h"

#include <probes/err.h>

#include <stdio.h>

struct trace_variables {
    struct strings entries; /* "NAME=value", as they were set */
};

/* For REPORT, in which nothing has been replaced yet, of a session that MODEL has seen and RAW has the log of (read
 * from its start). Below zero where that cannot be read. Free RET with trace_variables_deinit() in either case. */
int trace_variables_of(const struct report *report, const struct model *model, FILE *raw, struct trace_variables *ret,
                       struct err *err);
void trace_variables_deinit(struct trace_variables *variables);
bool trace_variables_has(const struct trace_variables *variables, const char *entry);

/* What a writer of a log puts into the place of an image, or of what was noted at a process's end. */
struct trace_variables_kept {
    struct image image;
    struct sight sight;
    const char **kept, **noted; /* malloced, the strings are borrowed */
    struct strings left;        /* names, and a NULL */
};
/* EVENT without the variables that VARIABLES has not; what it points at is RET's. */
void trace_variables_filter(const struct trace_variables *variables, struct event *event,
                            struct trace_variables_kept *ret);
void trace_variables_kept_deinit(struct trace_variables_kept *kept);

#endif
