/* One text of a report replaced by another wherever it stands: the directory that an archive was unpacked into. */
#ifndef GLIBCTRACE_REPORTS_REPORT_RENAME_H
#define GLIBCTRACE_REPORTS_REPORT_RENAME_H

#include "report.h"

/* PLACE and what is below it: "PLACE/x" becomes "BEFOREx", PLACE by itself becomes WHOLE. Causes from FIRST on. */
void report_rename(struct report *report, size_t first, const char *place, const char *before, const char *whole);

#endif
