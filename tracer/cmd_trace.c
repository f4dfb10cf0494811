/* glibctrace -- COMMAND and glibctrace -p PID: session, model, report, outputs. */
#include "commands.h"

#include "finish.h"
#include "front.h"
#include "outlets.h"
#include "session.h"
#include "signals.h"

#include <probes/alloc.h>
#include <string.h>
#include <sys/wait.h>

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

static int cmd_launch(const struct options *options, struct err *err)
{
    struct session_result result;
    struct outlets outlets;
    struct front front;

    if (outlets_check(options, err) < 0 || outlets_open(options, &outlets, err) < 0 || front_split(&front, err) < 0)
        return -1;
    const struct finish finish = {.options = options, .outlets = &outlets, .how = INPUT_LAUNCH};
    char **env = options_environment(options);
    const struct session_options session = {
        .argv = options->rest,
        .env = env,
        .user = options->user,
        .filter = options->no_filter ? FILTER_NO : FILTER_AUTO,
        .seconds = options->seconds,
        .texts = outlets.texts,
        .lookups = outlets.lookups,
        .stack_wanted = options->stack ? outlets_stack_wanted : NULL,
        .stack_ctx = &outlets,
        .bindings = outlets.bindings,
        .sinks = outlets.sinks,
        .sink_count = outlets.count,
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
    outlets_close(&outlets);
    return status;
}

static int cmd_attach(const struct options *options, struct err *err)
{
    struct session_result result;
    struct signal_setup before;
    struct outlets outlets;

    if (outlets_check(options, err) < 0 || outlets_open(options, &outlets, err) < 0)
        return -1;
    const struct finish finish = {.options = options, .outlets = &outlets, .how = INPUT_ATTACH};
    const struct session_options session = {
        .pids = options->pids,
        .pid_count = options->pid_count,
        .seconds = options->seconds,
        .texts = outlets.texts,
        .lookups = outlets.lookups,
        .stack_wanted = options->stack ? outlets_stack_wanted : NULL,
        .stack_ctx = &outlets,
        .bindings = outlets.bindings,
        .sinks = outlets.sinks,
        .sink_count = outlets.count,
    };

    signals_catch(&before);
    int status = session_attach(&session, &result, err);

    if (!status)
        report(&finish, &result);
    outlets_close(&outlets);
    return status;
}

const struct command command_launch = {"--", NULL, cmd_launch};
const struct command command_attach = {"-p", NULL, cmd_attach};
