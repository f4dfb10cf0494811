/* What a program's words say of a file that it could not have: which line names it, and whether that line complains.
 *
 * A line need not be about a file whose name is in it ("wrote conf", a usage text, a list of directories), nor about
 * the failure in question: it may state another error, be a mere warning, or name another file of the same last
 * component. */
#ifndef GLIBCTRACE_REPORTS_NAMING_H
#define GLIBCTRACE_REPORTS_NAMING_H

#include "model.h"

struct naming {
    enum { NAMED_NOT, NAMED_BARELY, NAMED_BY_PATH } how; /* barely: by its last component alone */
    const struct output_line *line;
    size_t at;                           /* where in it the name begins */
    const struct output_line *complaint; /* what stands over a list in which it is named; else the line itself */
    bool warns;                          /* the program says that it goes on */
    bool last;                           /* nothing was said after it */
};

/* The best line of PROCESS, written after ATTEMPT, that complains of its file. False: there is none. */
bool naming_find(const struct process *process, const struct attempt *attempt, struct naming *ret);

/* LINE names ATTEMPT's file, whether or not it complains, and nothing in it says that it is about something else. */
bool naming_mentions(const struct process *process, const char *line, const struct attempt *attempt);

#endif
