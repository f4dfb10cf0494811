#include "finish.h"

#include "minimize.h"
#include "outlets.h"
#include "remedy_try.h"
#include "repro_run.h"

#include <reports/judge.h>
#include <reports/output.h>
#include <reports/redact.h>
#include <reports/scenario.h>
#include <reports/trace_redact.h>

#include <probes/alloc.h>

static void fill_outcome(struct report *report, const struct session_result *result)
{
    static const enum outcome_status statuses[] = {
        [SESSION_EXITED] = OUTCOME_EXITED,           [SESSION_SIGNALED] = OUTCOME_SIGNALED,
        [SESSION_EXEC_FAILED] = OUTCOME_EXEC_FAILED, [SESSION_DETACHED] = OUTCOME_DETACHED,
        [SESSION_GOES_ON] = OUTCOME_UNKNOWN,
    };

    report->status = statuses[result->end];
    report->code = result->code;
    report->signal = result->signal;
    report->pid = result->pid;
    report->seconds = (double)result->duration_ns / 1e9;
    report->events = result->events;
    report->processes = result->processes;
    report->threads = result->threads;
    report->lost = result->lost;
}

static void fill_input(const struct finish *finish, struct report *report)
{
    const struct options *options = finish->options;
    const struct process *first = finish->outlets->model->first;

    report->how = finish->how;
    for (size_t i = 0; finish->how == INPUT_LAUNCH && i < options->rest_count; i++)
        strings_add(&report->argv, xstrdup(options->rest[i]));
    for (size_t i = 0; finish->how == INPUT_ATTACH && first && i < first->argv.n; i++)
        strings_add(&report->argv, xstrdup(first->argv.v[i]));
}

/* The first cause that can be shown in miniature is: mostly the first. */
static void try_reproduction(struct report *report, const char *directory)
{
    struct cause *shown = report->causes[0];
    struct err err;

    for (size_t i = report->cause_count; i-- > 0;)
        if (report->causes[i]->scenario)
            shown = report->causes[i];
    if (repro_run(shown->scenario, shown, directory, report, &err) < 0)
        fprintf(stderr, "glibctrace: the reproduction could not be made: %s\n", err.text);
    if (report->repro_status == REPRO_VERIFIED)
        remedies_try(shown->scenario, shown);
}

static char *hide_text(void *ctx, const char *bytes)
{
    return redactor_text(ctx, bytes);
}

static void hide_again(struct redactor *redactor, char **text)
{
    char *hidden = *text ? redactor_text(redactor, *text) : NULL;

    free(*text);
    *text = hidden;
}

/* What is to be shown is redacted first and tried then, so that the files of a reproduction hold nothing that the
 * report does not. */
static void hide(struct report *report, struct redactor *redactor)
{
    report_redact(report, redactor);
    for (size_t i = 0; i < report->cause_count; i++)
        if (report->causes[i]->scenario)
            scenario_redact(report->causes[i]->scenario, hide_text, redactor);
}

/* The trace as it may be shown, or NULL. Where it cannot be hidden there is none. */
static FILE *hidden_trace(const struct outlets *outlets, const struct trace_variables *variables)
{
    FILE *hidden = NULL;
    struct err err;

    if (variables && trace_redact(outlets->trace, outlets->pieces, variables, outlets->redactor, &hidden, &err) < 0)
        fprintf(stderr, "glibctrace: the trace is left out: %s\n", err.text);
    return hidden;
}

/* False, after a message, where there is no trace or it cannot be read. */
static bool find_variables(const struct outlets *outlets, const struct report *report, struct trace_variables *ret)
{
    struct err err;

    *ret = (struct trace_variables){0};
    if (!outlets->trace)
        return false;
    if (trace_variables_of(report, outlets->model, outlets->trace, ret, &err) == 0)
        return true;
    fprintf(stderr, "glibctrace: the trace is left out: %s\n", err.text);
    return false;
}

/* The reproduction, hidden before where REDACTOR is there; its own words are hidden after. */
static void try_it(const struct finish *finish, struct report *report, const char *directory, struct redactor *redactor)
{
    if (!report->cause_count || finish->options->no_repro)
        return;
    try_reproduction(report, directory);
    if (!redactor)
        return;
    hide_again(redactor, &report->repro_expect);
    hide_again(redactor, &report->repro_why);
}

static int put(const struct finish *finish, const struct report *report, const struct bundle_parts *parts)
{
    const struct options *options = finish->options;
    const struct render_options plain = {0};
    bool told = options->quiet;
    int status = 0;

    for (size_t i = 0; i < options->outputs.n; i++) {
        struct err err;

        if (output_write(report, options->outputs.v[i], &plain, parts, &err) < 0) {
            fprintf(stderr, "glibctrace: %s\n", err.text);
            status = -1;
        } else {
            told |= outlets_text(options->outputs.v[i]);
        }
    }
    if (!told) {
        fputc('\n', stderr);
        outlets_put_text(options, report, stderr);
    }
    return status;
}

int finish_report(const struct finish *finish, const struct session_result *result)
{
    const struct outlets *outlets = finish->outlets;
    struct report *report = report_create();
    CLEANUP_FREE char *scratch = NULL; /* in which the reproduction stays until the bundle is packed */
    struct trace_variables variables;
    bool has_variables;
    FILE *hidden;
    struct err err;
    int status;

    if (outlets_bundle(finish->options))
        scratch = repro_scratch_make(NULL);
    model_finish(outlets->model);
    judge_verdict(outlets->model, report);
    report_fill_system(outlets->model, report);
    fill_input(finish, report);
    fill_outcome(report, result);
    report_name_stacks(report);
    if (finish->options->minimize && finish->how == INPUT_LAUNCH)
        minimize(finish->options, report);
    has_variables = find_variables(outlets, report, &variables);
    if (outlets->redactor)
        hide(report, outlets->redactor);
    try_it(finish, report, scratch, outlets->redactor);
    hidden = hidden_trace(outlets, has_variables ? &variables : NULL);
    if (outlets->redactor)
        redactor_tell(outlets->redactor, &report->redacted);
    if (scratch && report->minimal.n && minimize_write(report, scratch, &err) < 0)
        fprintf(stderr, "glibctrace: %s\n", err.text);
    const struct bundle_parts parts = {.trace = hidden, .repro_dir = scratch && report->has_repro ? scratch : NULL};

    status = put(finish, report, &parts);
    if (hidden)
        fclose(hidden);
    trace_variables_deinit(&variables);
    if (scratch)
        repro_scratch_remove(scratch);
    report_destroy(report);
    return status;
}
