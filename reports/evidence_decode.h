/* Text that comes packed or in another form: gzip, zstd, UTF-16. It is unpacked into a file without a name, bounded,
 * and read there. */
#ifndef GLIBCTRACE_REPORTS_EVIDENCE_DECODE_H
#define GLIBCTRACE_REPORTS_EVIDENCE_DECODE_H

#include <probes/err.h>

#include <stdio.h>

/* What *IN (called NAME in messages; at its start) is packed in is taken off: *IN is closed then, and the unpacked file
 * takes its place, at its start. A bundle, which is packed too, stays as it is. Below zero with ERR; *IN is still open.
 */
int evidence_decode(FILE **in, const char *name, struct err *err);

#endif
