/* A crash that follows from an earlier failure: a file or library that was absent, then a null pointer.
 *
 * That one came before the other is no proof, healthy programs fail at things all the time. The way has to be there:
 * the stack of the failing call, as it was kept of it, and the stack of the crash meet in one function, and what the
 * call gave back there is the pointer that the crash went through (probes/flow.h), or is looked at before an abort. */
#include "judge.h"

#include "crash.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/flow.h>

enum {
    FRAMES_MOST = 64,
    ATTEMPTS_TRIED = 8, /* the newest */
};

/* What the question is asked of. */
struct scene {
    const struct mem *mem;
    const struct crash *crash;
    struct stacks *stacks;
    struct addresses *addresses;
};

/* A function begins between the two: they are not of one. Asked where no symbol tells. */
static bool parted(const struct scene *scene, uint64_t from, uint64_t to)
{
    const struct mapping *code = addresses_at(scene->addresses, from);
    struct memimage image;
    bool begins;

    if (!code || memimage_at(scene->mem, addresses_head(scene->addresses, code)->start, &image) < 0)
        return true;
    begins = flow_begins_between(&image, from, to);
    memimage_deinit(&image);
    return begins;
}

static bool same_function(const struct scene *scene, const struct frame *a, const struct frame *b)
{
    if (!a->object || !b->object || strcmp(a->object, b->object) != 0 || b->ip_addr < a->ip_addr)
        return false;
    if (a->symbol && b->symbol)
        return strcmp(a->symbol, b->symbol) == 0;
    return b->ip_addr - a->ip_addr < FLOW_MOST && !parted(scene, a->ip_addr, b->ip_addr);
}

/* How the frame number I of the crash uses what comes to it. */
static enum flow_use use_in(const struct crash *crash, size_t i)
{
    if (crash->use == USE_EXECUTE)
        return i == 1 ? FLOW_TARGET : FLOW_ARGUMENTS;
    return i == 0 ? FLOW_POINTER : FLOW_ARGUMENTS;
}

/* Frame I of the crash is who called abort(3), by itself or by a failed assertion: what it looked at before was the
 * reason. That somebody further in ended the program later is none. */
static bool aborts(const struct crash *crash, size_t i)
{
    const struct crash_thread *thread = &crash->threads[0];

    if (crash->signal != SIGABRT || i == 0)
        return false;
    while (i-- > 0) {
        const char *object = thread->stack[i].object ? path_base(thread->stack[i].object) : "";

        if (!thread->stack[i].inlined && strncmp(object, "libc.", 5) != 0 && strncmp(object, "libc-", 5) != 0 &&
            strncmp(object, "ld-musl-", 8) != 0 && strncmp(object, "libstdc++.", 10) != 0)
            return false;
    }
    return true;
}

static enum flow flow_in(const struct scene *scene, const struct frame *failed, size_t i)
{
    const struct crash *crash = scene->crash;
    const struct frame *frame = &crash->threads[0].stack[i];
    enum flow_use use = use_in(crash, i);
    enum flow flow =
        flow_follow(scene->mem, failed->ip_addr, use == FLOW_TARGET ? frame->ip_addr + 1 : frame->ip_addr, use);

    if (flow == FLOW_TESTED)
        return aborts(crash, i) ? FLOW_YES : FLOW_NO;
    return flow;
}

/* The function of frame K of the crash begins at TARGET. */
static bool begins_at(const struct scene *scene, const struct frame *frame, uint64_t target)
{
    if (frame->into)
        return frame->ip_addr - frame->into == target;
    return target <= frame->ip_addr && frame->ip_addr - target < FLOW_MOST && !parted(scene, target, frame->ip_addr);
}

/* The failing call's function is not on the crash's stack any more, while its caller is, at the same place: it was left
 * by a jump, to the function of frame K or to nowhere. */
static enum flow flow_out(const struct scene *scene, const struct frame *failed, size_t k)
{
    const struct crash *crash = scene->crash;
    const struct frame *frame = &crash->threads[0].stack[k];
    bool cold = frame->symbol && strstr(frame->symbol, ".cold");
    uint64_t targets[FLOW_JUMPS];
    size_t count;

    if (crash->use == USE_EXECUTE && k == 0)
        return flow_leave(scene->mem, failed->ip_addr, 0, 0, FLOW_POINTER);
    count = flow_jumps(scene->mem, failed->ip_addr, targets);
    for (size_t i = 0; i < count; i++)
        if (begins_at(scene, frame, targets[i])) {
            enum flow flow = flow_leave(scene->mem, failed->ip_addr, targets[i], cold ? frame->ip_addr : 0,
                                        cold ? use_in(crash, k) : FLOW_ARGUMENTS);

            return flow == FLOW_TESTED ? (aborts(crash, k) ? FLOW_YES : FLOW_NO) : flow;
        }
    return FLOW_UNKNOWN;
}

/* A frame of the crash that returns to where FAILED returns to: called at the same place, at the same time. */
static bool same_return(const struct crash *crash, const struct frame *failed, size_t k)
{
    const struct crash_thread *thread = &crash->threads[0];
    bool within = crash->use == USE_EXECUTE && k == 1; /* the call's own address was taken for its caller's */

    return k < thread->stack_count && failed->ip_addr == thread->stack[k].ip_addr + within;
}

/* From the innermost function on that is in both stacks. */
static enum flow flow_between(const struct scene *scene, const struct frame *frames, size_t count)
{
    const struct crash_thread *thread = &scene->crash->threads[0];

    for (size_t i = 1; i < count; i++) {
        if (frames[i].inlined)
            continue;
        for (size_t k = 0; k < thread->stack_count; k++) {
            if (thread->stack[k].inlined)
                continue;
            if (k > 0 && same_return(scene->crash, &frames[i], k))
                return FLOW_NO; /* both happened within one call: from here on out the stacks are the same */
            if (same_function(scene, &frames[i], &thread->stack[k]))
                return flow_in(scene, &frames[i], k);
            if (i + 1 < count && same_return(scene->crash, &frames[i + 1], k + 1))
                return flow_out(scene, &frames[i], k);
        }
    }
    return FLOW_UNKNOWN;
}

/* Whether what failed at event N (or, where equal ones followed, LAST_N) led to the crash. */
static enum flow flow_from(const struct scene *scene, const struct process *process, uint64_t n, uint64_t last_n)
{
    const struct shot *shot = process_shot(process, n);
    struct frame *frames = NULL;
    size_t count;
    enum flow flow;

    if (!shot)
        shot = process_shot(process, last_n);
    if (!shot)
        return FLOW_UNKNOWN;
    count = stacks_unwind_snapshot(scene->stacks, scene->mem, shot->snapshot, FRAMES_MOST, &frames);
    flow = flow_between(scene, frames, count);
    frames_free(frames, count);
    return flow;
}

/* A library that was not had is believed to be the reason only if it may be: not where its handle went elsewhere. */
static void weigh_loads(const struct scene *scene, struct process *process)
{
    for (size_t i = 0; i < process->suspect_count; i++) {
        struct suspect *suspect = &process->suspects[i];
        enum flow flow;

        if (suspect->at != AT_DLOPEN || suspect->actor != process || suspect->said_n || suspect->coped)
            continue;
        flow = flow_from(scene, process, suspect->n, suspect->last_n);
        if (flow == FLOW_NO) {
            suspect->last_act = false;
            suspect->cause->impact = IMPACT_DEGRADED;
            suspect->cause->confidence = 0.5;
        } else if (flow == FLOW_YES) {
            suspect->cause->impact = IMPACT_FATAL;
            suspect->cause->confidence = 0.95;
        }
    }
}

/* The newest attempt before event BEFORE that may be meant: of the thread that crashed, and never made good. */
static const struct attempt *attempt_before(const struct process *process, pid_t tid, uint64_t before)
{
    const struct attempt *best = NULL;
    struct episode *episode, *next;

    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = 0; i < episode->count && !episode->found_n; i++) {
        const struct attempt *attempt = episode->attempts[i];

        if (attempt->tid == tid && attempt->by != BY_LOADER && !attempt->execution && attempt->last_n < before &&
            judge_open_fits(attempt) && !judge_open_optional(attempt->path) &&
            (!best || attempt->last_n > best->last_n))
            best = attempt;
    }
    return best;
}

static void find_file(const struct scene *scene, struct process *process)
{
    const struct attempt *attempt;
    uint64_t before = UINT64_MAX;

    for (int i = 0; i < ATTEMPTS_TRIED; i++) {
        struct suspect *suspect;

        attempt = attempt_before(process, scene->crash->tid, before);
        if (!attempt)
            return;
        before = attempt->last_n;
        if (flow_from(scene, process, attempt->last_n, attempt->n) != FLOW_YES)
            continue;
        suspect = judge_open_blame(process, attempt);
        if (!suspect)
            return; /* it is a suspect already */
        suspect->cause->impact = IMPACT_FATAL;
        suspect->cause->confidence = 0.92;
        return;
    }
}

void judge_before_crash(const struct model *model, struct process *process)
{
    const struct event *event = model->told;
    const struct crash *crash;
    struct scene scene;

    if (!crash_signal_of(process, &crash) || !crash || crash_was_sent(crash) || !event || !event->memory ||
        !crash->thread_count || (crash->signal != SIGABRT && (!crash->has_addr || crash->what != ADDRESS_NULL)))
        return;
    scene = (struct scene){
        .mem = event->memory,
        .crash = crash,
        .stacks = stacks_create(event->tid, event->root),
        .addresses = addresses_read(event->tid),
    };
    weigh_loads(&scene, process);
    find_file(&scene, process);
    stacks_destroy(scene.stacks);
    addresses_destroy(scene.addresses);
}
