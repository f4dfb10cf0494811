/* A directory of ours for what is unpacked. It goes when it is not wanted any more, and when this process ends, however
 * that comes: a second process waits for that end and removes it. */
#ifndef GLIBCTRACE_REPORTS_SCRATCH_H
#define GLIBCTRACE_REPORTS_SCRATCH_H

#include <probes/err.h>

struct scratch {
    char *path; /* NULL: there is none */
    int guard;  /* the socket whose other end that process reads; -1: it could not be made */
};

/* In TMPDIR or /tmp. RET is to be handed to scratch_remove() in either case. */
int scratch_make(struct scratch *ret, struct err *err);
/* Removes it with all in it, and waits for the other process's end. Does nothing to one that is {0}. */
void scratch_remove(struct scratch *scratch);

#endif
