/* An .rpm package up to its payload: its lead and its two headers (rpm's docs/manual/format_v4.md). */
#ifndef GLIBCTRACE_REPORTS_RPM_FILE_H
#define GLIBCTRACE_REPORTS_RPM_FILE_H

#include <probes/err.h>

/* Sets FD to where the payload begins. Where the header has its SHA-256, it is compared first, as of all packages since
 * rpm 4.14. -1 and ERR: it is cut off, changed, or no package. */
int rpm_file_payload(int fd, const char *file, struct err *err);

#endif
