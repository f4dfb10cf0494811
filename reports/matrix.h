/* `glibctrace matrix`: which build loads on which C library, as a table; what decides where one does not; and the
 * newest that loads here. */
#ifndef GLIBCTRACE_REPORTS_MATRIX_H
#define GLIBCTRACE_REPORTS_MATRIX_H

#include "build.h"

/* The names of the columns where none are given, joined by commas; malloced. */
char *matrix_columns(void);
/* Fills REPORT with BUILDS on OFFERS, of which HERE (none of them, or one) is this system. The number of builds that
 * load here. */
size_t matrix_make(struct build *const *builds, size_t build_count, struct offer *const *offers, size_t offer_count,
                   const struct offer *here, struct report *report);

#endif
