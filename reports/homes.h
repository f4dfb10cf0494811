/* "$HOME/x" of a redacted log is an absolute path: the word that took a home directory's place (redact.h) stands for
 * the beginning of one. While it is judged it is made to look like what it is ("/$HOMEPLACE/x"), and put back
 * afterwards. */
#ifndef GLIBCTRACE_REPORTS_HOMES_H
#define GLIBCTRACE_REPORTS_HOMES_H

#include "report.h"

#include <probes/err.h>

/* IN, from its start, with each such word made a path: a file of its own, or NULL where there is none in it. -1 and ERR
 * where it cannot be kept. IN is at its start again. */
int homes_in_log(FILE *in, FILE **ret, struct err *err);
/* In every string of REPORT: made paths, or put back. */
void homes_in_report(struct report *report, bool put_back);
/* TEXT with what was made a path put back; malloced. */
char *homes_put_back(const char *text);

#endif
