/* A remedy in miniature: the reproduction with the remedy's change made in it, to be run instead of repro.sh. It is
 * never part of a bundle: a remedy is "tried" only where such a run got past the failure (tracer/remedy_try.h). */
#ifndef GLIBCTRACE_REPORTS_REPRO_TRIAL_H
#define GLIBCTRACE_REPORTS_REPRO_TRIAL_H

#include "repro.h"

/* As repro_write(), with a third script, try.sh, that makes the change of REMEDY in root/ and then does what repro.sh
 * does; it exits with 0 where the failure is gone. Fails where the change has no meaning in this reproduction. */
int repro_trial_write(const struct scenario *scenario, const struct remedy *remedy, const char *directory,
                      struct err *err);

#endif
