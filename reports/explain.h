/* A report from evidence that was gathered elsewhere: the log is read into the model as if its events happened now, and
 * judged.
 *
 * The files that it tells of are those of the machine that it was made on: none of this machine's is looked at
 * (PATH_NOWHERE), and what only a file could tell is said to be not known; unless the user says that they are at hand.
 */
#ifndef GLIBCTRACE_REPORTS_EXPLAIN_H
#define GLIBCTRACE_REPORTS_EXPLAIN_H

#include "evidence.h"

/* ROOT: where the files are (path.h), NULL: not at hand. Fills in RET, report_destroy(). SINK, which may be NULL, is
 * told of the events as well (homes.h: with paths in it that begin with "/$HOMEPLACE"). The log is at its start again
 * afterwards. */
int explain_log(struct evidence *evidence, const char *root, const struct sink *sink, struct report **ret,
                struct err *err);

#endif
