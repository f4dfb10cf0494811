/* A string that strace has cut, while it is made whole (strace_cut.c; strace_refusal.c: a loader's words). */
#ifndef GLIBCTRACE_REPORTS_STRACE_CUT_H
#define GLIBCTRACE_REPORTS_STRACE_CUT_H

#include "read_strace.h"

/* A text of WHOLE bytes that GROUP wrote, those that are known from FROM to the end of OUT, which a NUL follows. */
struct strace_cut {
    const struct strace_group *group;
    struct text *out;
    size_t from, whole;
};

enum { STRACE_CUT_ALIKE = 3 }; /* bytes that have to be there, where nothing else speaks for it */

/* How many bytes of CUT are known, and the first of them. */
size_t strace_cut_known(const struct strace_cut *cut);
const char *strace_cut_text(const struct strace_cut *cut);
/* Whether the length lets it end with SIZE bytes and REST more at most: asked before any text is made. */
bool strace_cut_can_end(const struct strace_cut *cut, size_t size, size_t rest);
/* Whether what is left out can be that it ends with NAME, TAIL and ENDS bytes more: it has their length, and begins
 * like them: in *SEEN bytes. */
bool strace_cut_fits(const struct strace_cut *cut, const char *name, const char *tail, size_t ends, size_t *seen);
/* That it is. */
void strace_cut_take(const struct strace_cut *cut, const char *name, const char *tail, size_t ends);

/* Makes it whole, if it is something that a loader says. */
bool strace_complete_refusal(const struct strace_cut *cut);

#endif
