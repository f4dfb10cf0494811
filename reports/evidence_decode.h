/* Text that comes packed or in another form: gzip, zstd, UTF-16 with its mark at the beginning or without, also one
 * within the other. It is unpacked while it is read, so that what comes out of it may be of any size. */
#ifndef GLIBCTRACE_REPORTS_EVIDENCE_DECODE_H
#define GLIBCTRACE_REPORTS_EVIDENCE_DECODE_H

#include <probes/err.h>

#include <stdbool.h>
#include <stdio.h>

/* What *IN (called NAME in messages; at its start) is packed in is taken off: a stream of what is in it, at its start,
 * takes its place (evidence_stream.h), and *CUT is set when that turns out to end too early or to be damaged. A bundle,
 * which is packed too, stays as it is. Below zero with ERR; *IN is still open. */
int evidence_decode(FILE **in, const char *name, bool *cut, struct err *err);

#endif
