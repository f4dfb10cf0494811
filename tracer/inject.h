/* A system call made by a standing thread of the program in our stead, where nothing else can change what it changes.
 * The thread is at the same place with the same registers, mask and memory afterwards. For programs that we launched.
 */
#ifndef GLIBCTRACE_TRACER_INJECT_H
#define GLIBCTRACE_TRACER_INJECT_H

#include "task.h"

struct session;

/* rt_sigaction(SIGNAL, ACTION, NULL), ACTION being the kernel's structure of SIZE bytes. 0, or below zero where it
 * could not be made (then nothing is changed). */
int inject_sigaction(struct session *session, struct task *task, int signal, const void *action, size_t size);

#endif
