/* Which of several names of a function is told, and how it is spelled. */
#ifndef GLIBCTRACE_PROBES_CODENAME_H
#define GLIBCTRACE_PROBES_CODENAME_H

#include <stdbool.h>

/* Whether A tells a reader more than B, of two names for one place: "open" than "__libc_open64". */
bool codename_plainer(const char *a, const char *b);
/* A symbol's NAME as it is told, malloced: without its version and what a compiler adds for a part of a function
 * (".cold", ".part.0", ".constprop.0"), and a C++ name that consists of plain identifiers as it is written
 * ("node::Start"). Any other mangled name stays as it is: c++filt(1) reads those. */
char *codename_shown(const char *name);

#endif
