#include "pin.h"

#include "state.h"

enum {
    STOPS_TO_JUDGE = 96, /* how many stops make a rate */
    STOPS_TO_JUDGE_AGAIN = 1024,
    HOT_NS = 100 * 1000,  /* mean time between stops below which the stops themselves are what it costs */
    COLD_NS = 250 * 1000, /* and above which the program is let go */
    CHANGES_SHARE = 6,    /* one stop in so many may come from another thread than the one before */
};

void pin_init(struct pin *pin, bool allowed)
{
    *pin = (struct pin){.since_ns = clock_ns()};
    pin->allowed = allowed && !sched_getaffinity(0, sizeof pin->ours, &pin->ours) && CPU_COUNT(&pin->ours) > 1;
}

static void begin_window(struct pin *pin)
{
    pin->stops = pin->changes = 0;
    pin->since_ns = clock_ns();
}

static void unpin(const struct pin *pin, struct task *task)
{
    cpu_set_t now;

    if (!task->pinned)
        return;
    task->pinned = false;
    /* Someone else may have set it meanwhile: then it is theirs. */
    if (!sched_getaffinity(task->tid, sizeof now, &now) && CPU_COUNT(&now) == 1 && CPU_ISSET(pin->processor, &now))
        sched_setaffinity(task->tid, sizeof task->affinity, &task->affinity);
}

static void pin_task(const struct pin *pin, struct task *task)
{
    cpu_set_t one;

    if (task->pinned || task->unpinnable)
        return;
    CPU_ZERO(&one);
    CPU_SET(pin->processor, &one);
    if (!sched_getaffinity(task->tid, sizeof task->affinity, &task->affinity) &&
        CPU_ISSET(pin->processor, &task->affinity) && !sched_setaffinity(task->tid, sizeof one, &one))
        task->pinned = true;
    else
        task->unpinnable = true;
}

void pin_off(struct pin *pin, struct tasks *tasks)
{
    struct task *task, *next;

    if (!pin->on)
        return;
    pin->on = false;
    HASH_ITER(hh, tasks->by_tid, task, next)
    unpin(pin, task);
    sched_setaffinity(0, sizeof pin->ours, &pin->ours);
}

static void turn_on(struct pin *pin)
{
    cpu_set_t one;
    int processor = sched_getcpu();

    if (processor < 0 || processor >= CPU_SETSIZE)
        return;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        return;
    pin->processor = processor;
    pin->on = pin->ever = true;
    signals_timer(1);
}

static bool by_one_thread(const struct pin *pin)
{
    return pin->changes * CHANGES_SHARE <= pin->stops;
}

void pin_stop(struct pin *pin, struct tasks *tasks, struct task *task)
{
    if (!pin->allowed)
        return;
    pin->stops++;
    pin->changes += pin->last != task->tid;
    pin->last = task->tid;
    if (!pin->on && pin->stops >= STOPS_TO_JUDGE) {
        if (by_one_thread(pin) && clock_ns() - pin->since_ns < (uint64_t)pin->stops * HOT_NS)
            turn_on(pin);
        begin_window(pin);
    } else if (pin->on && pin->stops >= STOPS_TO_JUDGE_AGAIN) {
        if (!by_one_thread(pin))
            pin_off(pin, tasks);
        begin_window(pin);
    }
    if (pin->on)
        pin_task(pin, task);
}

void pin_inherit(const struct pin *pin, const struct task *creator, struct task *child)
{
    cpu_set_t now, theirs;

    child->unpinnable = creator->unpinnable;
    if (creator->pinned) {
        child->pinned = true;
        child->affinity = creator->affinity;
    } else if (pin->ever && !sched_getaffinity(child->tid, sizeof now, &now) &&
               !sched_getaffinity(creator->tid, sizeof theirs, &theirs) && CPU_COUNT(&now) == 1 &&
               CPU_ISSET(pin->processor, &now) && !CPU_EQUAL(&now, &theirs)) {
        /* Its creator was given back between the child's birth and the word of it. */
        sched_setaffinity(child->tid, sizeof theirs, &theirs);
    }
}

void pin_check(struct pin *pin, struct tasks *tasks)
{
    uint64_t passed = clock_ns() - pin->since_ns;

    if (!pin->on || passed < 20 * 1000000)
        return;
    if ((uint64_t)pin->stops * COLD_NS < passed || !by_one_thread(pin))
        pin_off(pin, tasks);
    begin_window(pin);
}

void pin_release(struct pin *pin, struct tasks *tasks, struct task *task, pid_t tid)
{
    struct task *asked = tid ? task_find(tasks, tid) : task;

    if (asked) {
        unpin(pin, asked);
        asked->unpinnable = true; /* it cares: leave it alone from now on */
    }
}
