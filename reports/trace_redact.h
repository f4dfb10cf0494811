/* trace.jsonl as it may be shown: the log of a session, read again when it is over and written with everything replaced
 * that must not be given away, and without the variables that do not matter (trace_variables.h).
 *
 * Not while the session runs: who must be hidden is known when all environments were seen, and a secret that a program
 * writes in pieces is recognised only when its line is complete. */
#ifndef GLIBCTRACE_REPORTS_TRACE_REDACT_H
#define GLIBCTRACE_REPORTS_TRACE_REDACT_H

#include "event.h"
#include "redact.h"
#include "trace_variables.h"

#include <probes/err.h>

#include <stdio.h>

struct trace_pieces;

/* A sink that remembers which lines of output came in several pieces. Bounded: where a program writes more of them than
 * fits, the pieces that are not remembered are left out of the trace. */
struct trace_pieces *trace_pieces_create(struct sink *ret);
void trace_pieces_destroy(struct trace_pieces *pieces);

/* RAW, whose events PIECES saw, with VARIABLES alone, in a new file without a name: *RET, positioned at its start, to
 * be closed by the caller. RAW is read from its start. PIECES and REDACTOR are NULL where nothing is to be replaced,
 * VARIABLES where all that are in RAW stay. */
int trace_redact(FILE *raw, struct trace_pieces *pieces, const struct trace_variables *variables,
                 struct redactor *redactor, FILE **ret, struct err *err);

#endif
