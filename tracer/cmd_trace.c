/* glibctrace -- COMMAND and glibctrace -p PID: session, model, report, outputs. */
#include "commands.h"

#include "finish.h"
#include "front.h"
#include "session.h"
#include "signals.h"

#include <probes/alloc.h>
#include <reports/judge.h>
#include <reports/syscall.h>

#include <string.h>
#include <sys/wait.h>

static void print_event(void *ctx, const struct event *event)
{
    const struct event_syscall *call = &event->syscall;

    (void)ctx;
    if (event->type != EVENT_SYSCALL || !call->error)
        return;
    fprintf(stderr, "[pid %5d] %s(", (int)event->tid, call->desc->name);
    for (int i = 0; i < 6 && call->text[i]; i++)
        fprintf(stderr, "%s%s", i ? ", " : "", call->text[i]);
    fprintf(stderr, ") = -1 %s (%s)\n", errno_name(call->error), strerror(call->error));
}

static int exit_status(const struct session_result *result)
{
    switch (result->end) {
    case SESSION_SIGNALED:
        return 128 + result->signal;
    case SESSION_EXITED:
    case SESSION_EXEC_FAILED:
        return result->code;
    default:
        return 0;
    }
}

/* What a shell would say; the report follows. */
static void tell_exec_failure(const struct options *options, const struct session_result *result)
{
    if (result->end == SESSION_EXEC_FAILED)
        fprintf(stderr, "glibctrace: %s: %s\n", options->rest[0],
                result->code == 127 && !strchr(options->rest[0], '/') ? "command not found" : strerror(result->error));
}

static void report(const struct finish *finish, const struct session_result *result)
{
    if (finish->how == INPUT_LAUNCH)
        tell_exec_failure(finish->options, result);
    finish_report(finish, result);
}

static struct model *judged_model(void)
{
    struct model *model = model_create();

    model->live = true;
    model->at_end = judge_process;
    model->at_exec = judge_exec_over;
    return model;
}

static void on_end(void *ctx, int status)
{
    front_ended(ctx, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* The report is written by a process of its own where this one must go on tracing. */
static void report_apart(struct front *front, const struct finish *finish, const struct session_result *result)
{
    fflush(NULL);
    if (!fork()) {
        report(finish, result);
        fflush(NULL);
        front_reported(front);
        _exit(0);
    }
    if (result->end != SESSION_GOES_ON) {
        front_ended(front, exit_status(result));
        front_leave(front);
    }
    session_stay(result->rest, result->end == SESSION_GOES_ON ? on_end : NULL, front);
}

int cmd_launch(const struct options *options, struct err *err)
{
    struct session_result result;
    struct front front;

    if (finish_check(options, err) < 0 || front_split(&front, err) < 0)
        return -1;
    struct model *model = judged_model();
    const struct finish finish = {.options = options, .model = model, .how = INPUT_LAUNCH};
    struct sink sinks[] = {{model_event, model}, {print_event, NULL}};
    char **env = options_environment(options);
    const struct session_options session = {
        .argv = options->rest,
        .env = env,
        .user = options->user,
        .filter = options->no_filter ? FILTER_NO : FILTER_AUTO,
        .seconds = options->seconds,
        .texts = options->live,
        .quiet = options->quiet,
        .sinks = sinks,
        .sink_count = options->live ? 2 : 1,
        .front = front.pid,
        .before = &front.before,
    };
    int status = session_launch(&session, &result, err);

    if (!status && result.rest) {
        report_apart(&front, &finish, &result);
    } else if (!status) {
        report(&finish, &result);
        front_ended(&front, exit_status(&result));
        front_reported(&front);
    }
    environment_free(env);
    model_destroy(model);
    elffile_forget_all();
    return status;
}

int cmd_attach(const struct options *options, struct err *err)
{
    struct session_result result;
    struct signal_setup before;
    struct model *model = judged_model();
    const struct finish finish = {.options = options, .model = model, .how = INPUT_ATTACH};
    struct sink sinks[] = {{model_event, model}, {print_event, NULL}};
    const struct session_options session = {
        .pids = options->pids,
        .pid_count = options->pid_count,
        .seconds = options->seconds,
        .texts = options->live,
        .quiet = options->quiet,
        .sinks = sinks,
        .sink_count = options->live ? 2 : 1,
    };

    signals_catch(&before);
    int status = finish_check(options, err) < 0 ? -1 : session_attach(&session, &result, err);

    if (!status)
        report(&finish, &result);
    model_destroy(model);
    elffile_forget_all();
    return status;
}
