/* The objects of a process, as they come into its loader's link map and leave it, each with the reason why it is there:
 * LOADER_LOADED and LOADER_UNLOADED; and at its end the table of --bindings. */
#ifndef GLIBCTRACE_TRACER_OBJECTS_H
#define GLIBCTRACE_TRACER_OBJECTS_H

#include <stdbool.h>
#include <sys/types.h>

struct objects;
struct proc_image;
struct session;
struct syscall_stop;
struct task;

/* TASK's process has a new image, or was attached to; TASK stands. */
void objects_exec(struct session *session, struct task *task, const struct proc_image *image);
/* For the fork PID of its process. */
struct objects *objects_copy(const struct objects *objects, pid_t pid);
void objects_destroy(struct objects *objects);
/* The loader says, by way of the watch over it, that something may have come or gone; the watch has read its link map.
 */
void objects_changed(struct session *session, struct task *task);
/* TASK stands before the call in STOP: where there are no breakpoints, it is looked whether something has come or gone,
 * if that may be. */
void objects_poll(struct session *session, struct task *task, const struct syscall_stop *stop);
/* TASK's process ends with its memory still there, or recording does: what has not been told is told, and the bindings
 * are written where they are asked for. HARM: it failed. TASK need not stand. */
void objects_at_end(struct session *session, struct task *task, bool harm);
/* Recording stops: the same for all that live on; no thread is held for it. */
void objects_at_stop(struct session *session);

#endif
