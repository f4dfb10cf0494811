/* One error, owned by the caller.
 *
 * Three kinds of failure are never mixed: our own (an int below zero plus a struct err), the traced
 * program's (an event), and what we could not see (an event too). This room holds the first kind only. */
#ifndef GLIBCTRACE_PROBES_ERR_H
#define GLIBCTRACE_PROBES_ERR_H

struct err {
    char text[768]; /* one line without a newline: what, which file, why, and where possible the next step */
};

/* Both write the formatted line into ERR (which may be NULL) and return -1, so that a caller can say
 * `return err_set(err, …)`. err_errno() adds ": " and the C library's words for ERRNUM (an errno value). */
int err_set(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
int err_errno(struct err *err, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
