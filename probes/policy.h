/* The seccomp policy that this process itself was started under, and that all it starts inherit: a container's or a
 * service's. It cannot be read without rights (ptrace(2), PTRACE_SECCOMP_GET_FILTER), but it can be asked. */
#ifndef GLIBCTRACE_PROBES_POLICY_H
#define GLIBCTRACE_PROBES_POLICY_H

#include <stdbool.h>

/* Whether one is on, and refuses calls that programs cannot do without in a way that they do not expect: with another
 * error than ENOSYS, for which the C library has its older ways. A process of its own asks, with arguments that the
 * kernel would refuse with yet another error. */
bool policy_is_harsh(void);

#endif
