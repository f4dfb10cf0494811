#include "minimize.h"

#include "again.h"
#include "repro_run.h"
#include "signals.h"

#include <probes/alloc.h>
#include <reports/repro_script.h>
#include <reports/shrink.h>
#include <reports/text.h>
#include <reports/wording.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { RUNS_MOST = 100, SECONDS_MOST = 60, RUN_SECONDS_MOST = 10 };

/* Set in every run, and so neither looked at nor told. */
static const char *const places[] = {"HOME",           "TMPDIR",         "XDG_CONFIG_HOME", "XDG_DATA_HOME",
                                     "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"};

enum { PLACES = sizeof places / sizeof *places };

struct minimizing {
    const struct options *options;
    const struct cause *wanted;
    struct again again;
    char **variables;     /* NAME=VALUE */
    bool *variables_gone; /* or NULL: all are there */
    size_t variable_count;
    bool *arguments_gone; /* of the words behind the first */
    size_t argument_count;
    size_t runs;
    time_t end; /* of CLOCK_MONOTONIC */
    bool stopped;
};

static time_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static bool is_place(const char *variable)
{
    size_t size = strcspn(variable, "=");

    for (size_t i = 0; i < PLACES; i++)
        if (strlen(places[i]) == size && strncmp(places[i], variable, size) == 0)
            return true;
    return false;
}

/* ---- one run ---- */

static void add_option(struct strings *words, const char *option, char *value)
{
    strings_add(words, xstrdup(option));
    strings_add(words, value);
}

/* glibctrace's own words for the command with what is left. */
static void make_words(const struct minimizing *minimizing, struct strings *words)
{
    const struct options *options = minimizing->options;

    if (options->user)
        add_option(words, "--user", xstrdup(options->user));
    if (options->no_filter)
        add_option(words, "--seccomp", xstrdup("no"));
    for (size_t i = 0; i < options->env.n; i++)
        add_option(words, "--env", xstrdup(options->env.v[i]));
    for (size_t i = 0; i < PLACES; i++)
        add_option(words, "--env", xasprintf("%s=%s", places[i], minimizing->again.home));
    for (size_t i = 0; i < minimizing->variable_count; i++)
        if (minimizing->variables_gone[i])
            add_option(words, "--env", xstrndup(minimizing->variables[i], strcspn(minimizing->variables[i], "=")));
    strings_add(words, xstrdup("--"));
    strings_add(words, xstrdup(options->rest[0]));
    for (size_t i = 0; i < minimizing->argument_count; i++)
        if (!minimizing->arguments_gone[i])
            strings_add(words, xstrdup(options->rest[1 + i]));
}

static size_t left(const bool *gone, size_t count)
{
    size_t there = 0;

    for (size_t i = 0; i < count; i++)
        there += !gone[i];
    return there;
}

static void show_progress(const struct minimizing *minimizing)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\rglibctrace: run %zu, with %zu of %zu variables and %zu of %zu arguments\033[K",
                minimizing->runs, left(minimizing->variables_gone, minimizing->variable_count),
                minimizing->variable_count, left(minimizing->arguments_gone, minimizing->argument_count),
                minimizing->argument_count);
}

static bool may_go_on(struct minimizing *minimizing)
{
    struct signal_note note;

    if (minimizing->runs >= RUNS_MOST || now() >= minimizing->end || signals_next(&note))
        minimizing->stopped = true;
    return !minimizing->stopped;
}

/* Whether the command with what is left fails alike. */
static bool fails_alike(struct minimizing *minimizing)
{
    struct report *got = NULL;
    struct strings words = {0};
    const struct cause *alike = NULL;

    if (!may_go_on(minimizing))
        return false;
    minimizing->runs++;
    show_progress(minimizing);
    make_words(minimizing, &words);
    if (again_run(&minimizing->again, &words, &got, NULL) == 0)
        alike = repro_find_alike(minimizing->wanted, got);
    alike = alike && alike->impact == minimizing->wanted->impact ? alike : NULL;
    report_destroy(got);
    strings_deinit(&words);
    return alike != NULL;
}

static bool without_variables(void *ctx, const bool *gone)
{
    (void)gone; /* it is the struct's own */
    return fails_alike(ctx);
}

/* ---- all of them ---- */

static void collect(struct minimizing *minimizing)
{
    char **env = options_environment(minimizing->options);
    size_t count = 0, kept = 0;

    while (env[count])
        count++;
    for (size_t i = 0; i < count; i++)
        if (strchr(env[i], '=') > env[i] && !is_place(env[i]))
            env[kept++] = env[i];
        else
            free(env[i]);
    env[kept] = NULL;
    minimizing->variables = env;
    minimizing->variable_count = kept;
    minimizing->variables_gone = xcalloc(kept + 1, sizeof(bool));
    minimizing->argument_count = minimizing->options->rest_count - 1;
    minimizing->arguments_gone = xcalloc(minimizing->argument_count + 1, sizeof(bool));
}

static void fill(const struct minimizing *minimizing, struct report *report)
{
    for (size_t i = 0; i < minimizing->variable_count; i++)
        if (!minimizing->variables_gone[i])
            strings_add(&report->minimal, xstrdup(minimizing->variables[i]));
    report->minimal_variables = report->minimal.n;
    strings_add(&report->minimal, xstrdup(minimizing->options->rest[0]));
    for (size_t i = 0; i < minimizing->argument_count; i++)
        if (!minimizing->arguments_gone[i])
            strings_add(&report->minimal, xstrdup(minimizing->options->rest[1 + i]));
    report->minimal_runs = minimizing->runs;
}

static void say_before(const struct minimizing *minimizing)
{
    CLEANUP_FREE char *command = wording_command(&minimizing->options->rest[0], minimizing->options->rest_count);

    fprintf(
        stderr,
        "glibctrace: --minimize: this is run again, %d times and %d seconds at most, in this directory, with fewer and "
        "fewer of its %zu variables and %zu arguments,\n"
        "  with HOME, TMPDIR and XDG_* in %s: %s\n",
        RUNS_MOST, SECONDS_MOST, minimizing->variable_count, minimizing->argument_count, minimizing->again.home,
        command);
}

static void say_after(const struct minimizing *minimizing, bool alike, double seconds)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    fprintf(stderr, "glibctrace: --minimize: %zu run%s", minimizing->runs, minimizing->runs == 1 ? "" : "s");
    if (!alike)
        fprintf(stderr,
                "; it does not fail alike in a home directory that is new, within %.0f seconds: nothing is left out\n",
                seconds);
    else
        fprintf(stderr, "; what matters is %zu of %zu variables and %zu of %zu arguments%s\n",
                left(minimizing->variables_gone, minimizing->variable_count), minimizing->variable_count,
                left(minimizing->arguments_gone, minimizing->argument_count), minimizing->argument_count,
                minimizing->stopped ? " at most: the limit was reached" : "");
}

static void run_all(struct minimizing *minimizing, struct report *report)
{
    bool alike;

    say_before(minimizing);
    minimizing->end = now() + SECONDS_MOST;
    alike = fails_alike(minimizing);
    if (alike) {
        shrink(minimizing->variable_count, minimizing->variables_gone, without_variables, minimizing, RUNS_MOST);
        shrink(minimizing->argument_count, minimizing->arguments_gone, without_variables, minimizing, RUNS_MOST);
        fill(minimizing, report);
    }
    say_after(minimizing, alike, minimizing->again.seconds);
}

void minimize(const struct options *options, struct report *report)
{
    double seconds = 1 + 3 * report->seconds;
    struct minimizing minimizing = {.options = options};
    struct err err;

    if (!report->cause_count || report->status == OUTCOME_UNKNOWN) {
        fprintf(stderr, "glibctrace: --minimize: %s: it is not run again\n",
                report->cause_count ? "COMMAND has not ended" : "no cause was found");
        return;
    }
    minimizing.wanted = report->causes[0];
    if (again_init(&minimizing.again, seconds < RUN_SECONDS_MOST ? seconds : RUN_SECONDS_MOST, options->user, &err) <
        0) {
        fprintf(stderr, "glibctrace: --minimize: %s\n", err.text);
        return;
    }
    collect(&minimizing);
    run_all(&minimizing, report);
    again_deinit(&minimizing.again);
    environment_free(minimizing.variables);
    free(minimizing.variables_gone);
    free(minimizing.arguments_gone);
}

/* ---- minimal.sh ---- */

int minimize_write(const struct report *report, const char *directory, struct err *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/minimal.sh", directory);
    FILE *out = fopen(path, "wxe");

    if (!out)
        return err_errno(err, errno, "cannot write minimal.sh");
    fputs("#!/bin/sh\n"
          "# Made by glibctrace --minimize: the smallest command that was found to fail alike. It runs the program "
          "itself,\n"
          "# in the directory in which it was run first, with a home directory that is new and goes again.\n"
          "home=$(mktemp -d) || exit 125\n"
          "env -i",
          out);
    for (size_t i = 0; i < PLACES; i++)
        fprintf(out, " %s=\"$home\"", places[i]);
    fputs(" \\\n   ", out);
    for (size_t i = 0; i < report->minimal.n; i++) {
        const char *word = report->minimal.v[i];
        size_t name = i < report->minimal_variables ? strcspn(word, "=") + 1 : 0;
        CLEANUP_FREE char *quoted = repro_quote(word + name);

        fprintf(out, " %.*s%s", (int)name, word, quoted);
    }
    fputs("\ncode=$?\nrm -rf \"$home\"\nexit $code\n", out);
    fchmod(fileno(out), 0755);
    return fclose(out) == 0 ? 0 : err_errno(err, errno, "cannot write minimal.sh");
}
