/* Tracer and program on one processor while the program does little but stop: a stop then costs two switches of context
 * instead of waking another processor twice, which was measured to be up to five times dearer (and most of all in
 * virtual machines).
 *
 * Only for a tree that we launched, and only while it pays: it does where stops come fast from one thread at a time;
 * where several take turns, one window of stops is run this way and compared with the one before, so that threads which
 * really work side by side keep their processors. What the
 * program is told of its affinity is true: it is given back before a sched_getaffinity(2) or sched_setaffinity(2), or a
 * look into /proc. */
#ifndef GLIBCTRACE_TRACER_PIN_H
#define GLIBCTRACE_TRACER_PIN_H

#include "task.h"

#include <sched.h>

struct pin {
    bool allowed; /* a tree of our own, and more than one processor to choose from */
    bool on;
    bool ever; /* has been on */
    int processor;
    cpu_set_t ours;   /* the tracer's affinity before */
    unsigned stops;   /* in this window, which began at: */
    unsigned changes; /* of those, by another thread than the stop before */
    pid_t last;       /* thread of the newest stop */
    uint64_t since_ns;
    uint64_t off_ns;   /* what the newest window without it took */
    unsigned windows;  /* in this state */
    unsigned patience; /* windows to wait before the other state is tried again */
};

void pin_init(struct pin *pin, bool allowed);
/* TASK stands at a system call. */
void pin_stop(struct pin *pin, struct tasks *tasks, struct task *task);
/* Called every now and then while pin->on, so that a program that has stopped stopping gets its processors back. */
void pin_check(struct pin *pin, struct tasks *tasks);
/* TASK is about to look at, or set, the affinity of TID (0: its own): it is given back. */
void pin_release(struct pin *pin, struct tasks *tasks, struct task *task, pid_t tid);
/* CHILD is new and was made by CREATOR, whose affinity of that moment it has. */
void pin_inherit(const struct pin *pin, const struct task *creator, struct task *child);
void pin_off(struct pin *pin, struct tasks *tasks);

#endif
