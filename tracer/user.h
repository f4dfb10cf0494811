/* Who -u USER is, from /etc/passwd and /etc/group themselves: name services (NSS) are loaded at run time and so are not
 * for a static binary. */
#ifndef GLIBCTRACE_TRACER_USER_H
#define GLIBCTRACE_TRACER_USER_H

#include <probes/err.h>

#include <stddef.h>
#include <sys/types.h>

struct user {
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    size_t group_count;
};

/* NAME is a login name or a number (passwd(5)). 0, or below zero where there is none. */
int user_find(const char *name, struct user *ret, struct err *err);
void user_deinit(struct user *user);
/* Makes the calling process that user for good: 0, or -errno. */
int user_become(const struct user *user);

#endif
