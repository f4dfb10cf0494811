/* When to look for a limit that no call tells of (limit.h): what programs and the kernel say of it. */
#ifndef GLIBCTRACE_REPORTS_LIMIT_SAID_H
#define GLIBCTRACE_REPORTS_LIMIT_SAID_H

#include <stdbool.h>
#include <stddef.h>

/* The errno value of a call that is not followed (write(2), fcntl(2)) of which SAID speaks, or 0. */
int limit_error_said(const char *said, size_t size);
/* The kernel sends SIGNAL to a process that has used something up. */
bool limit_ends_by(int signal);

#endif
