/* Remedies put to the test: the change of each that can be shown in miniature is made in a fresh copy of the
 * reproduction, which is run under glibctrace itself. Where it then gets past the failure, the remedy is "tried"; where
 * it fails alike, the remedy is taken out of the list. Nothing of the user's is run or changed. */
#ifndef GLIBCTRACE_TRACER_REMEDY_TRY_H
#define GLIBCTRACE_TRACER_REMEDY_TRY_H

#include <reports/scenario.h>

/* SCENARIO is that of CAUSE (NULL: what CAUSE alone allows), whose reproduction has been verified. */
void remedies_try(const struct scenario *scenario, struct cause *cause);

#endif
