#include "pin.h"

#include "state.h"

enum {
    WINDOW = 128,            /* stops whose time is compared */
    HOT_NS = 100 * 1000,     /* mean time between stops below which it is worth a try */
    COLD_NS = 250 * 1000,    /* and above which the program is let go */
    CHECK_NS = 20 * 1000000, /* the shortest time after which stops that do not come say anything */
    GAIN = 20,               /* it must be faster by one part in so many */
    CHANGES_SHARE = 6,       /* one stop in so many may come from another thread than the one before */
    PATIENCE_MIN = 1,
    PATIENCE_MAX = 64,
    PATIENCE_ON = 256, /* windows before it is asked again whether it still pays */
};

void pin_init(struct pin *pin, bool allowed)
{
    *pin = (struct pin){.since_ns = clock_ns(), .patience = 1};
    pin->allowed = allowed && !sched_getaffinity(0, sizeof pin->ours, &pin->ours) && CPU_COUNT(&pin->ours) > 1;
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
    pin->windows = 0;
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
    pin->windows = 0;
    signals_timer(1);
}

/* A window is over, which took TOOK_NS: stay, or try the other way. */
static void judge(struct pin *pin, struct tasks *tasks, uint64_t took_ns)
{
    bool alone = pin->changes * CHANGES_SHARE <= pin->stops, hot = took_ns < (uint64_t)WINDOW * HOT_NS;

    if (pin->on && alone && hot)
        return;
    if (pin->on) {
        bool pays = took_ns + took_ns / GAIN < pin->off_ns;

        if (pays && pin->windows < PATIENCE_ON)
            return;
        if (pin->windows == 1) /* it did not pay at all */
            pin->patience = pin->patience * 2 < PATIENCE_MAX ? pin->patience * 2 : PATIENCE_MAX;
        else
            pin->patience = PATIENCE_MIN;
        pin_off(pin, tasks);
    } else {
        pin->off_ns = took_ns;
        if (hot && (alone || pin->windows >= pin->patience))
            turn_on(pin);
    }
}

void pin_stop(struct pin *pin, struct tasks *tasks, struct task *task)
{
    if (!pin->allowed)
        return;
    pin->changes += pin->last != task->tid;
    pin->last = task->tid;
    if (++pin->stops >= WINDOW) {
        uint64_t now = clock_ns();

        pin->windows++;
        judge(pin, tasks, now - pin->since_ns);
        pin->stops = pin->changes = 0;
        pin->since_ns = now;
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
    uint64_t now = clock_ns(), passed = now - pin->since_ns;

    if (!pin->on || passed < CHECK_NS || (uint64_t)pin->stops * COLD_NS >= passed)
        return;
    pin_off(pin, tasks);
    pin->stops = pin->changes = 0;
    pin->since_ns = now;
}

void pin_release(struct pin *pin, struct tasks *tasks, struct task *task, pid_t tid)
{
    struct task *asked = tid ? task_find(tasks, tid) : task;

    if (asked) {
        unpin(pin, asked);
        asked->unpinnable = true; /* it cares: leave it alone from now on */
    }
}
