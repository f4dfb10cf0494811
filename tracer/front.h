/* Two processes for one command line: the front, which the user's shell waits for, and the tracer, its child.
 *
 * A thread's tracer cannot be changed, and what runs under the filter cannot live without one; so the tracer must be
 * able to stay behind what the command has started while the front returns. The front shares the command's process
 * group and passes on what is sent to it; the tracer, once it has made the command, is in a session of its own
 * (session_launch()), out of the terminal's reach. If the front is killed, so are the tracer and the command. */
#ifndef GLIBCTRACE_TRACER_FRONT_H
#define GLIBCTRACE_TRACER_FRONT_H

#include "signals.h"

#include <probes/err.h>

struct front {
    pid_t pid; /* the front process */
    int fd;    /* to it */
    struct signal_setup before;
};

/* Forks. Returns in the tracer only (0; below zero where it cannot fork): the other process becomes the front, which
 * exits when it has been told both things below, with the status told, or with 125 when the tracer is lost. */
int front_split(struct front *ret, struct err *err);
/* The command has ended: STATUS is what the front is to exit with. */
void front_ended(const struct front *front, int status);
/* All has been written that is to be written. */
void front_reported(const struct front *front);
/* The calling process outlives the front: no longer killed with it, silent, and in nobody's way. */
void front_leave(struct front *front);
#endif
