/* --bindings: the whole table of what a process's symbol references are bound to, as -t lookups prints them. */
#ifndef GLIBCTRACE_TRACER_BINDINGS_H
#define GLIBCTRACE_TRACER_BINDINGS_H

#include <probes/linkmap.h>

#include <stdio.h>

/* Of process PID, whose link map has just been read, to OUT; no thread of it has to stand. */
void bindings_write(FILE *out, pid_t pid, struct linkmap *linkmap);

#endif
