/* `glibctrace rollback`: of the versions of an extension that are at hand, the newest whose files all load here, how to
 * install it, how to keep it, and what is lost by that. Nothing is installed here. */
#ifndef GLIBCTRACE_REPORTS_ROLLBACK_H
#define GLIBCTRACE_REPORTS_ROLLBACK_H

#include "check.h"

/* One extension's choice. */
struct rollback_choice {
    char *id, *version; /* "golang.go", "0.41.4" */
    char **install;     /* the command's words, NULL-terminated */
};
struct rollback {
    struct rollback_choice *choices;
    size_t count, cap;
};

/* Looks at the .vsix files in DIRECTORY and at the unpacked extensions in it: its tables go to REPORT ("builds",
 * "choices"), as causes what newer versions would fail of. -1 and ERR where there are none. RET is to be freed with
 * rollback_deinit() in either case. */
int rollback_find(const struct check_request *request, const char *directory, struct report *report,
                  struct rollback *ret, struct err *err);
void rollback_deinit(struct rollback *rollback);

#endif
