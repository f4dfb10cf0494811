/* The seccomp filter under which a launched program runs: calls of interest stop, all others never do. Made of the
 * table in calls.h; libseccomp stands behind this file only. */
#ifndef GLIBCTRACE_TRACER_FILTER_H
#define GLIBCTRACE_TRACER_FILTER_H

#include "arch.h"

#include <probes/err.h>

#include <stdbool.h>
#include <stdint.h>

struct filter;

/* Builds the filter for all ABIs of ARCH; FULL: with the calls that are only wanted where every event is told. NULL and
 * ERR where libseccomp cannot. */
struct filter *filter_create(const struct arch *arch, bool full, struct err *err);
void filter_destroy(struct filter *filter);
/* Puts it on the calling process, for ever and for all its children. NO_NEW_PRIVS: sets that flag first, which is
 * needed without CAP_SYS_ADMIN (seccomp(2)). 0 or -errno. */
int filter_load(struct filter *filter, bool no_new_privs);

/* What the kernel calls system call NUMBER of the ABI that audit(8) knows as AUDIT; malloced, or NULL. */
char *filter_call_name(uint32_t audit, int number);

#endif
