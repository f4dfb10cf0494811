#include "outlets.h"

#include <reports/bundle.h>
#include <reports/judge.h>
#include <reports/line.h>
#include <reports/log.h>
#include <reports/output.h>
#include <reports/redact.h>
#include <reports/trace_redact.h>

#include <probes/alloc.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int outlets_check(const struct options *options, struct err *err)
{
    for (size_t i = 0; i < options->outputs.n; i++)
        if (output_check(options->outputs.v[i], err) < 0)
            return -1;
    return 0;
}

int outlets_check_static(const struct options *options, const char *command, struct err *err)
{
    for (size_t i = 0; i < options->outputs.n; i++)
        if (bundle_named(options->outputs.v[i]))
            return err_set(err, "%s: a bundle is made of a run, and %s makes none: -o %s wants another form", command,
                           command, options->outputs.v[i]);
    return outlets_check(options, err);
}

bool outlets_colour(const struct options *options, FILE *out)
{
    const char *no = getenv("NO_COLOR"); /* no-color.org: set and not empty */

    if (options->colour == COLOUR_AUTO)
        return isatty(fileno(out)) && !(no && *no);
    return options->colour == COLOUR_ALWAYS;
}

static struct model *judged_model(const struct options *options)
{
    struct model *model = model_create();

    model->live = true;
    if (options->confined)
        model->within = realpath(".", NULL);
    model->complaint = xstrdup_or_null(options->complaint);
    model->at_end = judge_process;
    model->at_exec = judge_exec_over;
    model->at_failure = judge_failed_call;
    model->at_words = judge_spoken;
    model->at_leave = judge_leaving;
    return model;
}

static void open_redactor(struct outlets *outlets)
{
    outlets->redactor = redactor_create();
    redactor_add_here(outlets->redactor, (const char *const *)environ, "/etc/passwd", getuid());
    outlets->sinks[outlets->count++] = redactor_sink(outlets->redactor);
}

/* It lies in an unnamed file until the report is written: a million events need no memory. */
static int open_trace(struct outlets *outlets, struct err *err)
{
    outlets->trace = tmpfile();
    if (!outlets->trace)
        return err_errno(err, errno, "cannot keep the events for the report in %s", P_tmpdir);
    outlets->log = log_create(outlets->trace, NULL, NULL, &outlets->sinks[outlets->count++]);
    log_sight(outlets->log, outlets->model);
    if (outlets->redactor)
        outlets->pieces = trace_pieces_create(&outlets->sinks[outlets->count++]);
    outlets->texts = true;
    return 0;
}

static int open_view(const struct options *options, struct outlets *outlets, struct err *err)
{
    unsigned set;

    if (line_set_parse(options->live_set, &set, err) < 0)
        return -1;
    outlets->lookups = set & (LINE_LOOKUPS | LINE_ALL);
    outlets->view = line_view_create(stderr, set, outlets_colour(options, stderr), &outlets->sinks[outlets->count]);
    outlets->count++;
    outlets->texts = true;
    return 0;
}

bool outlets_stack_wanted(void *ctx, const struct event *event)
{
    const struct outlets *outlets = ctx;

    return outlets->view && line_view_wants(outlets->view, event);
}

static int open_bindings(const struct options *options, struct outlets *outlets, struct err *err)
{
    outlets->bindings = options->bindings_file ? fopen(options->bindings_file, "we") : stderr;
    if (!outlets->bindings)
        return err_errno(err, errno, "cannot write %s", options->bindings_file);
    return 0;
}

bool outlets_bundle(const struct options *options)
{
    for (size_t i = 0; i < options->outputs.n; i++)
        if (bundle_named(options->outputs.v[i]))
            return true;
    return false;
}

/* Whether an output shows events: a bundle, or a form that has them in itself. */
static bool wants_trace(const struct options *options)
{
    for (size_t i = 0; i < options->outputs.n; i++) {
        const struct renderer *renderer = renderer_for(options->outputs.v[i]);

        if (bundle_named(options->outputs.v[i]) || (renderer && renderer->events))
            return true;
    }
    return false;
}

bool outlets_text(const char *file)
{
    return strcmp(file, "-") == 0 || renderer_for(file) == &renderer_text;
}

void outlets_put_text(const struct options *options, const struct report *report, FILE *out)
{
    struct winsize size;
    const struct render_options as = {.colour = outlets_colour(options, out),
                                      .width = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0};

    renderer_text.render(report, &as, out);
}

int outlets_put_report(const struct options *options, const struct report *report, FILE *trace, FILE *text,
                       struct err *err)
{
    const struct bundle_parts parts = {.trace = trace};
    const struct render_options plain = {0};
    bool told = options->quiet;

    for (size_t i = 0; i < options->outputs.n; i++) {
        const char *file = options->outputs.v[i];

        if (output_write(report, file, &plain, &parts, err) < 0)
            return -1;
        told |= outlets_text(file);
    }
    if (!told)
        outlets_put_text(options, report, text);
    return 0;
}

static void hide(const struct options *options, struct report *report)
{
    struct redactor *redactor;
    struct strings now = {0};

    if (options->no_redact)
        return;
    redactor = redactor_create();
    redactor_add_here(redactor, (const char *const *)environ, "/etc/passwd", getuid());
    report_redact(report, redactor);
    redactor_tell(redactor, &now);
    strings_move(&now, &report->redacted); /* beside what another report brought */
    strings_deinit(&now);
    redactor_destroy(redactor);
}

int outlets_put_static(const struct options *options, struct report *report, struct err *err)
{
    int status;

    hide(options, report);
    status = outlets_put_report(options, report, NULL, stdout, err);
    if (status == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        return err_errno(err, errno ? errno : EIO, "standard output cannot be written");
    return status;
}

int outlets_open(const struct options *options, struct outlets *ret, struct err *err)
{
    *ret = (struct outlets){.model = judged_model(options)};
    ret->sinks[ret->count++] = (struct sink){model_event, ret->model};
    if (options->live && open_view(options, ret, err) < 0)
        return -1;
    if (options->bindings && open_bindings(options, ret, err) < 0)
        return -1;
    if (!options->no_redact)
        open_redactor(ret);
    return wants_trace(options) ? open_trace(ret, err) : 0;
}

void outlets_close(struct outlets *outlets)
{
    line_view_destroy(outlets->view);
    log_destroy(outlets->log);
    trace_pieces_destroy(outlets->pieces);
    redactor_destroy(outlets->redactor);
    if (outlets->trace)
        fclose(outlets->trace);
    if (outlets->bindings && outlets->bindings != stderr)
        fclose(outlets->bindings);
    model_destroy(outlets->model);
    elffile_forget_all();
}
