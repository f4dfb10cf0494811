/* Whether this process may make a user namespace and, in it, those that a browser's sandbox lives in
 * (user_namespaces(7); Chromium's sandbox/linux/services/credentials.cc). Really tried, in a child that ends at once.
 */
#ifndef GLIBCTRACE_PROBES_USERNS_H
#define GLIBCTRACE_PROBES_USERNS_H

enum userns_step {
    USERNS_NEW,    /* the user namespace itself */
    USERNS_MAP,    /* this user's number in it */
    USERNS_INSIDE, /* namespaces for processes and for the network in it */
};

/* 0: all of them; else the errno value of the step that failed, in *STEP. EOWNERDEAD: the child was killed for it. */
int userns_try(enum userns_step *step);

#endif
