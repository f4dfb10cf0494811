#include "explain.h"

#include "homes.h"
#include "image_there.h"
#include "judge.h"

#include <probes/alloc.h>

#include <string.h>
#include <sys/wait.h>

/* Stands between the log's reader and the model. */
struct reading {
    struct model *model;
    const struct sink *sink;
    const char *root; /* or NULL */
    uint64_t last_ns;
};

/* Where what EVENT is about can be looked at: nothing is known of a relative path. */
static const char *root_of(const struct reading *reading, const struct event *event)
{
    const char *path = event->type == EVENT_SYSCALL ? event->syscall.path : NULL;

    if (event->type == EVENT_PROCESS && event->process.image)
        path = event->process.image->exe;
    if (path && event->type == EVENT_PROCESS && event->process.by_words && !strchr(path, '/'))
        return reading->root && image_on_path(reading->root, path, NULL) ? reading->root : PATH_NOWHERE;
    return reading->root && (!path || path[0] == '/') ? reading->root : PATH_NOWHERE;
}

static void on_event(void *ctx, const struct event *event)
{
    struct reading *reading = ctx;
    struct event there = *event;
    struct image_there image = {0};

    there.root = root_of(reading, event);
    if (event->type == EVENT_PROCESS && event->process.image && !path_nowhere(there.root)) {
        image_look(there.root, event->process.image, &image);
        there.process.image = &image.image;
    }
    reading->last_ns = event->t_ns > reading->last_ns ? event->t_ns : reading->last_ns;
    model_event(reading->model, &there);
    if (reading->sink)
        reading->sink->event(reading->sink->ctx, event);
    image_there_deinit(&image);
}

static void take(char **to, const char *from)
{
    free(*to);
    *to = xstrdup_or_null(from);
}

/* What the machine was no event says: it is in the report that came with the log, if there is one. */
static void fill_system(const struct reading *reading, const struct told_system *told, const struct report *then,
                        struct report *report)
{
    if (!then && reading->root) {
        report_fill_system(reading->model, report);
        if (*reading->root) { /* the kernel is this machine's */
            take(&report->kernel, NULL);
            take(&report->machine, NULL);
            take(&report->context, "root");
        }
        return;
    }
    if (!then) {
        take(&report->libc.family, told->family ? told->family : "unknown");
        take(&report->libc.version, told->version);
        take(&report->libc.from, told->from ? told->from : "the log does not say");
        take(&report->context, "root");
        take(&report->kernel, told->kernel);
        take(&report->machine, told->machine);
        take(&report->distribution, told->distribution);
        if (told->other)
            strings_addf(&report->unseen, "on which system it was: the text tells of %s", told->other);
        return;
    }
    take(&report->libc.family, then->libc.family);
    take(&report->libc.version, then->libc.version);
    take(&report->libc.path, then->libc.path);
    take(&report->libc.from, then->libc.from);
    take(&report->context, then->context);
    take(&report->kernel, then->kernel);
    take(&report->machine, then->machine);
    take(&report->distribution, then->distribution);
}

/* A command that never ran: how the call that should have executed it failed is its outcome, as a shell has it. */
static void fill_outcome(const struct model *model, const struct report *then, struct report *report)
{
    const struct process *first = model->first;

    report->status = OUTCOME_UNKNOWN;
    if (then && then->status == OUTCOME_EXEC_FAILED) {
        report->status = then->status;
        report->code = then->code;
    } else if (first && first->by_words) {
        return; /* how it ended words seldom say */
    } else if (first && first->ended && WIFSIGNALED(first->status)) {
        report->status = OUTCOME_SIGNALED;
        report->signal = WTERMSIG(first->status);
    } else if (first && first->ended) {
        report->status = OUTCOME_EXITED;
        report->code = WEXITSTATUS(first->status);
    } else if (then && then->status == OUTCOME_DETACHED) {
        report->status = then->status;
    }
}

static void fill_input(const struct evidence *evidence, const struct model *model, enum input_how how,
                       struct report *report)
{
    const struct strings *argv = evidence->report ? &evidence->report->argv : model->first ? &model->first->argv : NULL;

    report->how = how;
    for (size_t i = 0; argv && i < argv->n; i++)
        strings_add(&report->argv, homes_put_back(argv->v[i]));
    report->pid = model->first ? model->first->pid : 0;
}

/* A page of text has neither clocks nor numbers of processes: those of the events that it was made into are ours. */
static void forget_numbers(struct report *report)
{
    report->pid = 0;
    for (size_t i = 0; i < report->cause_count; i++) {
        report->causes[i]->pid = 0;
        report->causes[i]->seconds = -1;
    }
}

static void fill_rest(const struct reading *reading, uint64_t skipped, struct report *report)
{
    report->seconds = (double)reading->last_ns / 1e9;
    report->events = reading->model->events;
    report->processes = reading->model->process_count;
    report->threads = reading->model->process_count + reading->model->thread_count;
    report->lost = skipped;
    if (!reading->root)
        strings_add(&report->unseen,
                    xstrdup("the files themselves: this was read from a log, so that where else a library stands or "
                            "which package has it is known only as far as the log notes it"));
    else
        strings_addf(&report->unseen,
                     "the files as they were when it failed: they were looked at as they are now, %s%s",
                     *reading->root ? "in " : "on this machine", reading->root);
    report->files = !reading->root ? FILES_NONE : *reading->root ? FILES_ROOT : FILES_HERE;
    if (skipped)
        strings_addf(&report->unseen, "%llu lines of the log that this version does not know",
                     (unsigned long long)skipped);
}

int explain_log(struct evidence *evidence, const char *root, const struct sink *sink, struct report **ret,
                struct err *err)
{
    struct reading reading = {.model = model_create(), .sink = sink, .root = root};
    const struct sink into = {on_event, &reading};
    struct model *model = reading.model;
    FILE *log = NULL; /* or the evidence's as it is */
    struct evidence_read read = {0};
    struct err why;
    int status = evidence->reader->redacted ? homes_in_log(evidence->log, &log, &why) : 0;

    model->at_hand = root;
    model->at_end = judge_process;
    model->at_exec = judge_exec_over;
    if (status >= 0)
        status = evidence->reader->read(log ? log : evidence->log, &into, &read, &why);
    rewind(evidence->log);
    if (log)
        fclose(log);
    if (status < 0)
        err_set(err, "%s: %s", evidence->name, why.text);
    if (status >= 0) {
        struct report *report = *ret = report_create();

        model_finish(model);
        judge_verdict(model, report);
        homes_in_report(report, true);
        fill_system(&reading, &read.system, evidence->report, report);
        fill_input(evidence, model, read.how, report);
        if (read.how == INPUT_TEXT)
            forget_numbers(report);
        fill_outcome(model, evidence->report, report);
        fill_rest(&reading, read.skipped, report);
        if (evidence->cut)
            strings_addf(&report->unseen,
                         "the end of %s: it is cut off or damaged where it is packed, or longer than 4 GB",
                         evidence->name);
    }
    told_system_deinit(&read.system);
    model_destroy(model);
    return status;
}
