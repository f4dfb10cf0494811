/* Without a network: for what somebody else wrote and is run here. */
#ifndef GLIBCTRACE_TRACER_ALONE_H
#define GLIBCTRACE_TRACER_ALONE_H

#include <stdbool.h>

/* Puts this process, and whatever it starts, into a network namespace that has nothing but a loopback interface
 * (network_namespaces(7)); an ordinary user needs a user namespace for that, in which they stay who they are. False
 * where the kernel does not allow it: nothing is changed then. */
bool alone_without_network(void);

#endif
