/* COMMAND run once more under glibctrace, shut away: a home directory of its own that is new each time, no terminal, no
 * input; everything that it starts is ended with it, and a limit on time ends it. */
#ifndef GLIBCTRACE_TRACER_AGAIN_H
#define GLIBCTRACE_TRACER_AGAIN_H

#include <reports/report.h>

struct again {
    char *scratch, *home; /* home is in scratch */
    double seconds;       /* of one run */
    uid_t uid;            /* whose the home is */
    gid_t gid;
};

/* USER: who the command is run as, or NULL: us. */
int again_init(struct again *again, double seconds, const char *user, struct err *err);
void again_deinit(struct again *again);
/* One run. WORDS: what follows glibctrace's own options, up to the command and its arguments. Its report goes to RET;
 * below zero where there is none. */
int again_run(const struct again *again, const struct strings *words, struct report **ret, struct err *err);

#endif
