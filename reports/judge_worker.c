/* What one process failed at and another one tells: a worker of a pool that hands its exception back by a pipe, a child
 * that sends its error as a message.
 *
 * The worker says nothing itself, and ends well or is ended by the other. What it failed at is kept, the newest of it,
 * where it has a channel to tell it by; the words of those who started it, said when they end badly, decide. What a
 * program says itself and goes on, it got over, whoever quotes it. */
#include "naming.h"

#include "environment.h"

#include <string.h>

#include <probes/alloc.h>
#include <probes/proc.h>

enum {
    UNTOLD_KEPT = 8,       /* of a process */
    UNTOLD_OF_EPISODE = 2, /* places of one search */
};

/* ---- when the worker ends ---- */

/* The attempts at which PROCESS failed last, newest first; how many. */
static size_t newest(const struct process *process, const struct attempt *ret[UNTOLD_KEPT])
{
    struct episode *episode, *next;
    size_t count = 0;

    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = episode->count, of_it = 0; !episode->found_n && i-- > 0 && of_it < UNTOLD_OF_EPISODE; of_it++) {
        const struct attempt *attempt = episode->attempts[i];
        size_t at = count;

        for (; at > 0 && ret[at - 1]->last_n < attempt->last_n; at--)
            if (at < UNTOLD_KEPT)
                ret[at] = ret[at - 1];
        if (at < UNTOLD_KEPT)
            ret[at] = attempt;
        count += count < UNTOLD_KEPT;
    }
    return count;
}

/* It said so itself: then it is no secret, and what became of it is known. */
static bool told_itself(const struct process *process, const struct attempt *attempt)
{
    struct naming naming;

    return naming_find(process, attempt, &naming);
}

static void keep(const struct model *model, struct process *process, const struct attempt *attempt)
{
    struct suspect *suspect = told_itself(process, attempt) ? NULL : judge_open_worker(process, attempt);
    struct untold *untold;

    if (!suspect)
        return;
    judge_stack_of(model, process, suspect);
    untold = array_add(&process->untold, &process->untold_count, &process->untold_cap, sizeof *untold);
    *untold = (struct untold){*suspect, attempt_copy(attempt)};
    process->suspect_count--; /* it was added last */
}

/* What was forked to do a part of the work has a way to hand it over, or it would not be done; perl closes it before it
 * ends. (A shell's fork speaks on the standard descriptors.) What was executed needs a channel. */
static bool may_tell(const struct model *model, struct process *process)
{
    if (process == model->first || !process->parent || !model->live)
        return false;
    return process->executed ? proc_has_channel(process->pid) : !judge_is_shell(process_owner(process)->exe);
}

void judge_untold(const struct model *model, struct process *process)
{
    const struct attempt *attempts[UNTOLD_KEPT];
    size_t count;

    if (!may_tell(model, process))
        return;
    count = newest(process, attempts);
    for (size_t i = 0; i < count; i++)
        keep(model, process, attempts[i]);
    for (size_t i = 0; i < process->suspect_count; i++)
        if (!process->suspects[i].said_n)
            judge_stack_of(model, process, &process->suspects[i]);
}

/* ---- when who tells ends ---- */

static bool started_by(const struct process *process, const struct process *teller)
{
    for (int depth = 0; process->parent && depth < 1000; depth++) {
        process = process->parent;
        if (process == teller)
            return true;
    }
    return false;
}

static bool suspected_already(const struct process *teller, const struct cause *cause)
{
    for (size_t i = 0; i < teller->suspect_count; i++)
        if (teller->suspects[i].cause->kind == cause->kind &&
            strcmp(teller->suspects[i].cause->missing, cause->missing) == 0)
            return true;
    return false;
}

static void take(struct process *teller, const struct suspect *suspect)
{
    *(struct suspect *)array_add(&teller->suspects, &teller->suspect_count, &teller->suspect_cap, sizeof *suspect) =
        *suspect;
}

/* LINE says so in words for the error that it was, or in a runtime's name for it (node's "ENOENT"). */
static bool states(const char *line, const struct attempt *attempt)
{
    const char *name = errno_name(attempt->error);

    return words_complain(line, attempt->error) || (name && strstr(line, name));
}

static bool tells_of_file(const struct process *teller, const struct untold *untold)
{
    struct naming naming;

    return naming_find(teller, untold->attempt, &naming) && !naming.warns &&
           states(naming.complaint->text, untold->attempt) &&
           !suspect_left_behind(teller, &untold->suspect, naming.complaint) &&
           !suspected_already(teller, untold->suspect.cause);
}

static void take_files(struct process *teller, struct process *worker)
{
    size_t left = 0;

    for (size_t i = 0; i < worker->untold_count; i++) {
        struct untold *untold = &worker->untold[i];

        if (tells_of_file(teller, untold)) {
            take(teller, &untold->suspect);
            attempt_free(untold->attempt);
        } else {
            worker->untold[left++] = *untold;
        }
    }
    worker->untold_count = left;
}

/* The words that were found for SUSPECT are PROCESS's own. */
static bool said_itself(const struct process *process, const struct suspect *suspect)
{
    for (size_t i = 0; i < process->line_count; i++)
        if (process->lines[i].n == suspect->said_n)
            return true;
    return false;
}

/* A library that WORKER did not get, of which it said nothing. */
static bool tells_of_library(const struct process *teller, const struct process *worker, const struct suspect *suspect)
{
    const struct output_line *line;

    if (suspect->at != AT_DLOPEN || suspect->coped || suspect->renamed || said_itself(worker, suspect))
        return false;
    line = suspect_called(teller, suspect);
    return line && !suspect_survived(teller, suspect, line) && !suspected_already(teller, suspect->cause);
}

static void take_libraries(struct process *teller, struct process *worker)
{
    size_t left = 0;

    for (size_t i = 0; i < worker->suspect_count; i++) {
        struct suspect *suspect = &worker->suspects[i];

        if (tells_of_library(teller, worker, suspect))
            take(teller, suspect);
        else
            worker->suspects[left++] = *suspect;
    }
    worker->suspect_count = left;
}

static void take_from(struct process *teller, struct process *worker)
{
    if (worker == teller || (!worker->untold_count && !worker->suspect_count) || !worker->judged ||
        !started_by(worker, teller))
        return;
    take_files(teller, worker);
    take_libraries(teller, worker);
}

void judge_workers(const struct model *model, struct process *teller, struct process *worker)
{
    struct process *process, *next;

    if (!teller->has_children || !teller->line_count || !process_gave_up(teller))
        return;
    if (worker) {
        take_from(teller, worker);
        return;
    }
    HASH_ITER(hh, model->processes, process, next)
    take_from(teller, process);
    for (size_t i = 0; i < model->retired_count; i++)
        take_from(teller, model->retired[i]);
}
