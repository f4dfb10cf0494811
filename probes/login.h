/* The PATH that a login shell would have: from the assignments in the files that shells and PAM read, which are read
 * and never run. A desktop session, a service or an editor that was not started by such a shell lacks these
 * directories.
 *
 * Values are taken as far as they can be known without running anything: $HOME, ~ and variables that the same files
 * set; an element with anything else in it is left out. Sourced files are followed. Conditions are not looked at: what
 * some branch sets counts. */
#ifndef GLIBCTRACE_PROBES_LOGIN_H
#define GLIBCTRACE_PROBES_LOGIN_H

#include <stdbool.h>
#include <stddef.h>

struct login_directory {
    char *path;   /* absolute, inside the root */
    char *file;   /* that puts it on PATH, the first of them */
    bool managed; /* a file of environment.d(5) does: systemd's user manager has it */
};
struct login_path {
    struct login_directory *directories; /* in the order in which they were met; each once */
    size_t count, cap;
};

/* For the user whose home directory HOME is (NULL: only what all users have), inside ROOT. */
void login_path_read(const char *root, const char *home, struct login_path *ret);
void login_path_deinit(struct login_path *path);

#endif
