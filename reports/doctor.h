/* This machine on one page, for VS Code, its server, node, go, gopls and delve: what they need of it, each line with a
 * mark, and what to do where it is not good. Looks, and tries what only trying can tell (namespaces, a watch) in ways
 * that leave nothing behind; runs none of the programs. */
#ifndef GLIBCTRACE_REPORTS_DOCTOR_H
#define GLIBCTRACE_REPORTS_DOCTOR_H

#include "table.h"

struct doctor_request {
    const char *const *directories; /* the workspaces: absolute paths of directories */
    size_t directory_count;
    int ptrace_error; /* errno value of tracing a child of one's own, 0: it is allowed (ptrace(2) is the tracer's) */
    const char *const *env;
};

/* The report, whose tables have the lines; *BAD of them are bad. */
struct report *doctor_examine(const struct doctor_request *request, size_t *bad);

#endif
