/* --minimize: COMMAND itself, run again with ever fewer variables and arguments as long as it fails alike.
 *
 * Only with the user's leave, and said on standard error before it begins: what may be run how often and for how long.
 * Each run is traced like the first, in the same working directory (so that relative names mean the same), with HOME,
 * TMPDIR and the XDG directories in a scratch directory that is new each time, without the terminal, and everything
 * that it has started is ended with it. */
#ifndef GLIBCTRACE_TRACER_MINIMIZE_H
#define GLIBCTRACE_TRACER_MINIMIZE_H

#include "options.h"

#include <reports/report.h>

/* Finds the smallest command that fails as REPORT's first cause does, and puts it into REPORT's minimal fields; REPORT
 * must not be redacted yet. Says on standard error what it does, and why there is nothing to do. */
void minimize(const struct options *options, struct report *report);
/* Writes minimal.sh, which runs that command, into DIRECTORY; below zero with ERR where it cannot. */
int minimize_write(const struct report *report, const char *directory, struct err *err);

#endif
