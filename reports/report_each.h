/* Every string of a report that may have come from outside, one by one, to be changed in place: a home that stands for
 * another, a directory that is gone. (Redaction has an order and a way with command lines of its own: redact_report.c.)
 */
#ifndef GLIBCTRACE_REPORTS_REPORT_EACH_H
#define GLIBCTRACE_REPORTS_REPORT_EACH_H

#include "report.h"

/* EACH gets a place that holds a string, never NULL, and may put another one (malloced) there. Of the causes, those
 * from number FIRST on. */
void report_each_string(struct report *report, size_t first, void (*each)(void *ctx, char **string), void *ctx);

#endif
