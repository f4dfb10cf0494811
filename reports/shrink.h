/* Delta debugging: of a number of things, as few as will do. Zeller and Hildebrandt, "Simplifying and Isolating
 * Failure-Inducing Input" (ddmin), by taking away: halves first, then ever smaller runs, at last one thing at a time
 * until none can go any more. */
#ifndef GLIBCTRACE_REPORTS_SHRINK_H
#define GLIBCTRACE_REPORTS_SHRINK_H

#include <stdbool.h>
#include <stddef.h>

/* Sets GONE[i] (COUNT of them, all false) for things without which HOLDS says that it still holds. HOLDS is asked
 * TRIES times at most; where that was too few, what is left is more than is needed: false. It is not asked about
 * nothing taken away: the caller knows that this holds. */
bool shrink(size_t count, bool *gone, bool (*holds)(void *ctx, const bool *gone), void *ctx, size_t tries);

#endif
