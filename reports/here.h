/* What is different here from where a report was made: for a failure that does not appear here.
 *
 * The system by what both reports say of it, the files by what the report saw of them and what stands here now. Files
 * are looked at, nothing is run. */
#ifndef GLIBCTRACE_REPORTS_HERE_H
#define GLIBCTRACE_REPORTS_HERE_H

#include "wording.h"

/* Rows "C library" + "there glibc 2.36, here glibc 2.41", none where nothing that is known differs. THERE has CAUSE
 * (which may be NULL), HERE was made here. sheet_deinit(). */
void here_differs(const struct report *there, const struct cause *cause, const struct report *here, struct sheet *ret);

#endif
