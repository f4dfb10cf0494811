/* Limits: a call met one, or the kernel ended the process for one, and the process came to a bad end because of it or
 * gave something up.
 *
 * Many programs meet limits and go on: they raise them, free something, try again. So the harm is believed where the
 * program says it after the call, or where nothing came between the call and its end. */
#include "judge.h"

#include "environment.h"
#include "limit.h"
#include "syscall.h"

#include <errno.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/limits.h>

void judge_failed_call(const struct process *process, struct failure *failure)
{
    struct limit *limit = limit_find(process, failure);

    limit_destroy(failure->limit);
    failure->limit = limit;
}

void judge_spoken(struct process *process, const struct event *event)
{
    struct limit *limit;

    if (process->said)
        return;
    limit = limit_find_said(process, event->output.data, event->output.size);
    if (!limit)
        return;
    process->said = limit;
    process->said_n = event->n;
}

/* A program that has closed descriptors again, raised its limit or ended threads has done something about it. */
void judge_leaving(struct process *process)
{
    for (size_t i = 0; i < process->failure_count; i++)
        if (process->failures[i].limit)
            process->failures[i].limit->eased = limit_has_eased(process, &process->failures[i]);
}

/* Besides the C library's and the kernel's own name for the error: what runtimes make of it. */
static const struct {
    int error;
    const char *words[14];
} sayings[] = {
    {EMFILE,
     {"too many open files", "Too many files open", "out of file descriptors", "no more file descriptors",
      "No file descriptors available"}}, /* the last one: musl's strerror(3) */
    {ENFILE, {"file table overflow"}},
    {ENOMEM,
     {"out of memory", "Out of memory", "Out of memory!", "MemoryError", "bad_alloc", "memory exhausted",
      "memory allocation", "not enough memory", "insufficient memory", "Array buffer allocation failed",
      /* Go's mpagealloc_64bit.go and mheap.go, Java's virtualspace.cpp and universe.cpp */
      "failed to reserve", "cannot reserve", "Could not reserve", "cannot map pages"}},
    {EAGAIN,
     {"Cannot fork", "cannot fork", "can't fork", "fork failed", "can't start new thread",
      "failed to create new OS thread", "unable to create", "pthread_create"}},
    {ENOSPC, {"no room left", "disk full"}},
};

void suspect_needles(struct suspect *suspect, int error)
{
    CLEANUP_FREE char *lower = xstrdup(strerror(error));
    const char *name = errno_name(error);

    strings_add(&suspect->needles, xstrdup(lower));
    if (lower[0] >= 'A' && lower[0] <= 'Z') /* Go, Node */
        lower[0] = (char)(lower[0] - 'A' + 'a');
    strings_add(&suspect->needles, steal_pointer(&lower));
    if (name)
        strings_add(&suspect->needles, xstrdup(name));
    for (size_t i = 0; i < sizeof sayings / sizeof *sayings; i++)
        for (size_t k = 0; sayings[i].error == error && k < 14 && sayings[i].words[k]; k++)
            strings_add(&suspect->needles, xstrdup(sayings[i].words[k]));
}

static const struct output_line *first_words(const struct process *process, const struct suspect *suspect)
{
    const struct output_line *line = NULL;

    for (size_t i = 0; i < suspect->needles.n && !line; i++)
        line = process_says(process, suspect->needles.v[i]);
    return line;
}

void suspect_failure(struct suspect *suspect, const struct process *process, const struct failure *failure)
{
    const struct output_line *line = first_words(process, suspect);

    suspect->last_n = failure->last_n;
    /* It got the same done later: before it said anything, that is how an error is reported; after it, it was a warning
     * only. */
    suspect->coped = failure->done_n && (!process_failed(process) || !line || line->n < failure->done_n);
    /* Memory is asked for and done without by calls that are not seen. */
    suspect->last_act =
        !failure->done_n && process->last_file_n <= failure->last_n && (failure->error != ENOMEM || process->signal);
}

static enum cause_kind kind_of(const struct limit *limit)
{
    bool watch = strncmp(limit->name, "fs.inotify.", 11) == 0 || strncmp(limit->name, "user.max_inotify_", 17) == 0;

    return watch ? CAUSE_WATCH_LIMIT : CAUSE_RESOURCE_LIMIT;
}

static struct suspect *suspect_limit(struct process *process, const struct limit *limit, const struct failure *failure,
                                     uint64_t n, uint64_t t_ns)
{
    const struct process *image = process_owner(process);
    struct finding finding = {.kind = kind_of(limit),
                              .process = image,
                              .subject = image->exe,
                              .missing = limit->name,
                              .limit = limit,
                              .failure = failure,
                              .call = failure ? failure->desc->name : NULL,
                              .error = failure ? failure->error : 0};

    return image->exe ? suspect_add(process, AT_CALL, &finding, n, t_ns) : NULL;
}

/* The first thing that PROCESS said after event N, where that complains of anything but failures in general. */
static bool says_another(const struct process *process, uint64_t n, int error)
{
    bool text;

    for (size_t i = 0; i < process->line_count; i++)
        if (process->lines[i].n > n)
            return !judge_begins_cut(process, &process->lines[i]) &&
                   !words_vague(process->lines[i].text, process->exe ? path_base(process->exe) : NULL, error, &text);
    return false;
}

/* The limit was met, and then the program went on and ended of something else: it had room again when it left, or what
 * it said first after that is about another thing. */
static bool got_over(const struct process *process, const struct suspect *suspect, const struct failure *failure)
{
    const struct output_line *line = first_words(process, suspect);

    if (!line)
        return failure->limit->eased || says_another(process, failure->last_n, failure->error);
    return failure->limit->eased && (words_shrug(line->text) || says_another(process, line->n, failure->error));
}

static void judge_met(struct process *process, const struct failure *failure)
{
    struct suspect *suspect = suspect_limit(process, failure->limit, failure, failure->n, failure->t_ns);

    if (!suspect)
        return;
    suspect_needles(suspect, failure->error);
    if (suspect->cause->kind == CAUSE_WATCH_LIMIT)
        strings_add(&suspect->needles, xstrdup("inotify"));
    suspect_failure(suspect, process, failure);
    suspect->coped |= got_over(process, suspect, failure);
    suspect->doubtful = path_nowhere(process->root) && !failure->limit->sure;
}

static int error_of_limit(const struct limit *limit)
{
    if (strcmp(limit->name, "RLIMIT_NOFILE") == 0)
        return EMFILE;
    if (strcmp(limit->name, "vm.max_map_count") == 0)
        return ENOMEM;
    return strncmp(limit->name, "EDQUOT:", 7) == 0 ? EDQUOT : strncmp(limit->name, "ENOSPC:", 7) == 0 ? ENOSPC : EFBIG;
}

/* The call itself was not seen: that the program says so, and that the limit is used up, has to do. */
static void judge_said_limit(struct process *process)
{
    const struct limit *limit = process->said;
    struct suspect *suspect = suspect_limit(process, limit, NULL, process->said_n, process->end_ns);

    if (suspect)
        suspect_needles(suspect, error_of_limit(limit));
}

static void judge_killed(const struct model *model, struct process *process)
{
    bool known = model->live || path_nowhere(process->root);
    struct limit *limit = known && process->ended && process->signal ? limit_find_kill(process) : NULL;
    struct suspect *suspect;

    if (limit && strncmp(limit->name, "memory.", 7) == 0 && limits_memory_kills(process->pid) <= model->memory_kills) {
        limit_destroy(limit); /* whoever was killed there was killed before */
        limit = NULL;
    }
    if (!limit)
        return;
    suspect =
        suspect_limit(process, limit, NULL, process->signal_n ? process->signal_n : process->end_n, process->end_ns);
    if (suspect && strcmp(limit->name, "RLIMIT_STACK") != 0)
        suspect->certain = true;
    else if (suspect) {
        suspect->sure = 0.8; /* a recursion without an end needs more than any limit */
        suspect->last_act = true;
    }
    limit_destroy(limit);
}

void judge_limits(const struct model *model, struct process *process)
{
    /* Where a signal ended it; its other threads may be gone already, its descriptors are there. */
    for (size_t i = 0; i < process->failure_count && model->live && process->ended && !process->leave_n; i++)
        if (process->failures[i].limit && process->failures[i].error == EMFILE)
            process->failures[i].limit->eased = limit_has_eased(process, &process->failures[i]);
    judge_killed(model, process);
    for (size_t i = 0; i < process->failure_count; i++)
        if (process->failures[i].limit)
            judge_met(process, &process->failures[i]);
    if (process->said)
        judge_said_limit(process);
}
