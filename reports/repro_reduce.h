/* What a reproduction can do without: libraries, versions, symbols, variables are taken away from it as long as the
 * shadow loader gives the same answer as before. It is cheap, for no process is started; a real run has the last word
 * (tracer/repro_run.h). */
#ifndef GLIBCTRACE_REPORTS_REPRO_REDUCE_H
#define GLIBCTRACE_REPORTS_REPRO_REDUCE_H

#include "repro.h"
#include "repro_plan.h"

/* Takes out of PLAN, one of SCENARIO_LOAD, what does not matter: neither to the first failure of the failing run nor to
 * the mended one, which meets none. WRITE puts PLAN's files into DIRECTORY (absolute), over those that are there; it is
 * called again and again, and the last time with what was left. JUDGE (or NULL) has the word
 * behind the shadow loader, some dozens of times at most. Below zero only where WRITE failed. */
int repro_reduce(struct plan *plan, const char *directory, const struct repro_judge *judge, int (*write)(void *ctx),
                 void *ctx);

#endif
