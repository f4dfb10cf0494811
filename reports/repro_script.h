/* The two shell scripts of a reproduction, as text. POSIX sh; every name from outside is quoted. */
#ifndef GLIBCTRACE_REPORTS_REPRO_SCRIPT_H
#define GLIBCTRACE_REPORTS_REPRO_SCRIPT_H

#include "repro_plan.h"

/* Both malloced. */
char *repro_script(const struct plan *plan);
char *repro_control_script(const struct plan *plan);
/* WORD in single quotes as sh reads it (POSIX 2.2.2), malloced. */
char *repro_quote(const char *word);

#endif
