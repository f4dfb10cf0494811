/* Why the kernel refuses user namespaces, as far as its settings show (user_namespaces(7)). */
#ifndef GLIBCTRACE_REPORTS_NAMESPACES_H
#define GLIBCTRACE_REPORTS_NAMESPACES_H

#include <stdbool.h>
#include <sys/types.h>

/* PID, whose root is ROOT (proc_root()), lives in a chroot(2), where none are made. */
bool namespaces_chrooted(pid_t pid, const char *root);
/* Why PID got none, with ERROR: a clause ("user.max_user_namespaces is 0"), constant. *SETTING is the sysctl assignment
 * that mends it, or NULL; *CHROOTED: it is for the chroot. */
const char *namespaces_refused(pid_t pid, const char *root, int error, const char **setting, bool *chrooted);

#endif
