/* Parts of check.c: what it shows of what it has found. */
#ifndef GLIBCTRACE_REPORTS_CHECK_PARTS_H
#define GLIBCTRACE_REPORTS_CHECK_PARTS_H

#include "report.h"

#include <probes/load.h>

/* check_tables.c: a row for the file at PATH, of which CAUSES causes were found; LOAD may be NULL. */
void check_put_file(struct report *report, const char *path, const char *what, const struct load *load, size_t causes);
/* What it is made of, as a tree by who asked for what first, in the loader's order. */
void check_put_objects(struct report *report, const struct load *load);
/* What is wanted of the C library and the compiler's, by the file and what stands beside it: the release that does, the
 * systems that have it, the symbols that decide it. */
void check_put_wants(struct report *report, const struct load *load);

#endif
