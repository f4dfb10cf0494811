#include "options.h"

#include <probes/alloc.h>
#include <reports/line.h>

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#ifndef GLIBCTRACE_VERSION
#define GLIBCTRACE_VERSION "0.1"
#endif

enum key {
    KEY_FOR = 256,
    KEY_ROOT,
    KEY_MINIMIZE,
    KEY_NO_REPRO,
    KEY_NO_REDACT,
    KEY_COLOUR,
    KEY_SECCOMP,
    KEY_BINDINGS,
    KEY_CONFINED,
    KEY_COMPLAINT,
    KEY_LIST,
    KEY_APPLY,
    KEY_HERE,
    KEY_TREE,
    KEY_FILES_IN,
    KEY_RUN,
    KEY_TIMEOUT,
    KEY_ONLY,
    KEY_LSP,
    KEY_DAP,
    KEY_OPEN,
    KEY_LAUNCH,
    KEY_LIBC,
    KEY_AGAINST,
    KEY_LIBCS
};

static const struct argp_option rows[] = {
    {"output", 'o', "FILE", 0,
     "write the report to FILE (.txt, .json, .md, .html, or .tar.zst for the bundle; - is standard output)", 0},
    {"trace", 't', "SET", OPTION_ARG_OPTIONAL,
     "print events live, as strace does: failed (the default), files, loader, lookups, process, all", 0},
    {"stack-trace", 'k', NULL, 0, "a stack under every printed event (implies -t)", 0},
    {"bindings", KEY_BINDINGS, "FILE", OPTION_ARG_OPTIONAL,
     "at its end, print what every symbol reference of a process is bound to (or write it to FILE)", 0},
    {"for", KEY_FOR, "SECONDS", 0, "stop recording after that time and report", 0},
    {"attach", 'p', "PID", 0, "attach to all threads of PID", 0},
    {"user", 'u', "USER", 0, "run COMMAND as that user", 0},
    {"env", 'E', "VAR=VAL", 0, "set (or, without =VAL, drop) a variable for COMMAND", 0},
    {"root", KEY_ROOT, "DIR", OPTION_HIDDEN, "read every path inside that root", 0},
    {"confined", KEY_CONFINED, NULL, OPTION_HIDDEN, "what lies outside the working directory is not on this system", 0},
    {"complaint", KEY_COMPLAINT, "WORDS", OPTION_HIDDEN,
     "COMMAND is known to fail, whatever its exit status, and says WORDS of it", 0},
    {"minimize", KEY_MINIMIZE, NULL, 0,
     "run COMMAND itself again, with a scratch home, to find which variables and arguments matter", 0},
    {"no-repro", KEY_NO_REPRO, NULL, 0, "do not build and run the reproduction", 0},
    {"no-redact", KEY_NO_REDACT, NULL, 0, "keep names and secret-looking values as they are", 0},
    {"quiet", 'q', NULL, 0, "no report on standard error", 0},
    {"color", KEY_COLOUR, "WHEN", 0, "auto, always, never", 0},
    {"seccomp", KEY_SECCOMP, "auto|no", 0,
     "no: stop at every system call instead of putting a filter on COMMAND (slower, changes nothing)", 0},
    {0},
};

/* Of subcommands only; one of these stands in the place of the row of its name above. */
static const struct argp_option more_rows[] = {
    {"list", KEY_LIST, NULL, 0, "print what it holds and what was replaced in it", 0},
    {"root", KEY_FILES_IN, "DIR", 0, "look at the files in DIR, the root of the system that FILE tells of", 0},
    {"apply", KEY_APPLY, NULL, 0, "run what was printed with your own code(1)", 0},
    {"tree", KEY_TREE, NULL, 0, "all that PID has started as well; without a PID, every process that there is", 0},
    {"here", KEY_HERE, NULL, 0, "FILE tells of this machine: look at its files", 0},
    {"run", KEY_RUN, "PATTERN", 0, "the tests that go test runs, as its own -run (^$: none, all is built)", 0},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "the limit for each check (120)", 0},
    {"only", KEY_ONLY, "LIST", 0, "only these checks: lsp, test, dap, joined by commas", 0},
    {"lsp", KEY_LSP, "CMD", 0, "the language server's command (gopls)", 0},
    {"dap", KEY_DAP, "CMD", 0, "the debug adapter's command (dlv dap --listen=127.0.0.1:0)", 0},
    {"open", KEY_OPEN, "FILE", 0, "the file that the language server opens", 0},
    {"launch", KEY_LAUNCH, "PROGRAM", 0, "what the debug adapter launches", 0},
    {"libc", KEY_LIBC, "LIBC", 0, "where the C library comes from", 0},
    {"against", KEY_AGAINST, "LIBC", 0,
     "on that C library: a release of glibc (2.28), musl, a libc.so.6, or a directory that is the root of a system", 0},
    {"libcs", KEY_LIBCS, "LIST", 0,
     "the columns: releases of glibc, musl, here, files and roots as for check --against, joined by commas", 0},
    {0},
};

struct parse {
    struct options *options;
    struct err *err;
    bool failed;
};

static int wrong(struct parse *parse, const char *what, const char *value)
{
    err_set(parse->err, "%s: %s", what, value);
    parse->failed = true;
    return EINVAL;
}

static int wrong_option(struct parse *parse, const char *option, const char *what, const char *value)
{
    err_set(parse->err, "%s %s: %s", option, what, value);
    parse->failed = true;
    return EINVAL;
}

/* Options of the contract whose work is not done in this version: refused, so that nobody waits for what does not come.
 */
static int not_yet(struct parse *parse, const char *option)
{
    err_set(parse->err, "%s is not in this version yet", option);
    parse->failed = true;
    return EINVAL;
}

/* "-t all" with a space, as the manual of strace writes its -e: an optional argument of argp's is not a word of its
 * own, so the next word is looked at. */
static bool next_is_set(const struct argp_state *state)
{
    const char *word = state->next < state->argc ? state->argv[state->next] : NULL;
    struct err unused;
    unsigned set;

    return word && *word && line_set_parse(word, &set, &unused) == 0;
}

static int parse_pid(struct parse *parse, const char *arg)
{
    struct options *options = parse->options;
    char *end;
    long pid = strtol(arg, &end, 10);

    if (end == arg || *end || pid <= 0 || pid > INT_MAX)
        return wrong(parse, "-p wants the number of a process", arg);
    *(pid_t *)array_add(&options->pids, &options->pid_count, &options->pid_cap, sizeof *options->pids) = (pid_t)pid;
    return 0;
}

static int parse_seconds(struct parse *parse, const char *option, const char *arg)
{
    char *end;
    double seconds = strtod(arg, &end);

    if (end == arg || *end || !isfinite(seconds) || seconds <= 0 || seconds > 1e9)
        return wrong_option(parse, option, "wants a number of seconds above 0", arg);
    parse->options->seconds = seconds;
    return 0;
}

/* "" is the root that is ours anyway. */
static int parse_root(struct parse *parse, const char *arg)
{
    char *real = realpath(arg, NULL);
    struct stat st;

    if (!real || stat(real, &st) < 0 || !S_ISDIR(st.st_mode)) {
        free(real);
        return wrong(parse, "--root wants a directory", arg);
    }
    if (strcmp(real, "/") == 0)
        *real = '\0';
    free(parse->options->root);
    parse->options->root = real;
    return 0;
}

static int parse_colour(struct parse *parse, const char *arg)
{
    static const char *const words[] = {[COLOUR_AUTO] = "auto", [COLOUR_ALWAYS] = "always", [COLOUR_NEVER] = "never"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!strcmp(arg, words[i])) {
            parse->options->colour = (enum colour)i;
            return 0;
        }
    return wrong(parse, "--color wants auto, always or never", arg);
}

static int keep_text(char **to, const char *arg)
{
    free(*to);
    *to = xstrdup(arg);
    return 0;
}

static int parse_verify_option(int key, const char *arg, struct parse *parse)
{
    struct options *options = parse->options;

    switch (key) {
    case KEY_TIMEOUT:
        if (parse_seconds(parse, "--timeout", arg) != 0)
            return EINVAL;
        return options->seconds <= 86400 ? 0 : wrong(parse, "--timeout wants a day at most", arg);
    case KEY_RUN:
        return keep_text(&options->run_pattern, arg);
    case KEY_ONLY:
        return keep_text(&options->only, arg);
    case KEY_LSP:
        return keep_text(&options->lsp, arg);
    case KEY_DAP:
        return keep_text(&options->dap, arg);
    case KEY_OPEN:
        return keep_text(&options->open, arg);
    case KEY_LAUNCH:
        return keep_text(&options->launch, arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int parse_text_option(int key, char *arg, struct parse *parse)
{
    struct options *options = parse->options;

    switch (key) {
    case 'o':
        strings_add(&options->outputs, xstrdup(arg));
        return 0;
    case 'E':
        strings_add(&options->env, xstrdup(arg));
        return 0;
    case 't':
        options->live = true;
        free(options->live_set);
        options->live_set = xstrdup_or_null(arg && *arg == '=' ? arg + 1 : arg);
        return 0;
    case KEY_BINDINGS:
        options->bindings = true;
        free(options->bindings_file);
        options->bindings_file = xstrdup_or_null(arg);
        return 0;
    case 'u':
        free(options->user);
        options->user = xstrdup(arg);
        return 0;
    case KEY_ROOT:
        return not_yet(parse, "--root");
    case KEY_FILES_IN:
        return parse_root(parse, arg);
    case KEY_COMPLAINT:
        free(options->complaint);
        options->complaint = xstrdup(arg);
        return 0;
    case KEY_LIBC:
        strings_add(&options->libc, xstrdup(arg));
        return 0;
    case KEY_AGAINST:
        free(options->against);
        options->against = xstrdup(arg);
        return 0;
    case KEY_LIBCS:
        free(options->libcs);
        options->libcs = xstrdup(arg);
        return 0;
    case KEY_FOR:
        return parse_seconds(parse, "--for", arg);
    case KEY_COLOUR:
        return parse_colour(parse, arg);
    case 'p':
        return parse_pid(parse, arg);
    case KEY_SECCOMP:
        options->no_filter = !strcmp(arg, "no");
        return options->no_filter || !strcmp(arg, "auto") ? 0 : wrong(parse, "--seccomp wants auto or no", arg);
    default:
        return parse_verify_option(key, arg, parse);
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct parse *parse = state->input;
    struct options *options = parse->options;

    if (key == 't' && !arg && next_is_set(state))
        arg = state->argv[state->next++];
    switch (key) {
    case 'k':
        options->live = options->stack = true;
        return 0;
    case 'q':
        options->quiet = true;
        return 0;
    case KEY_CONFINED:
        options->confined = true;
        return 0;
    case KEY_MINIMIZE:
        options->minimize = true;
        return 0;
    case KEY_NO_REPRO:
        options->no_repro = true;
        return 0;
    case KEY_NO_REDACT:
        options->no_redact = true;
        return 0;
    case KEY_LIST:
        options->list = true;
        return 0;
    case KEY_APPLY:
        options->apply = true;
        return 0;
    case KEY_TREE:
        options->tree = true;
        return 0;
    case KEY_HERE:
        options->here = true;
        return 0;
    case ARGP_KEY_ARGS:
        options->rest = state->argv + state->next;
        options->rest_count = (size_t)(state->argc - state->next);
        options->command = state->next > 0 && !strcmp(state->argv[state->next - 1], "--");
        return 0;
    case ARGP_KEY_ARG:
        return ARGP_ERR_UNKNOWN; /* all of them at once: ARGP_KEY_ARGS */
    default:
        return parse_text_option(key, arg, parse);
    }
}

static const char doc[] =
    "Runs COMMAND (or attaches to PID), follows everything that it starts, and says in one sentence why it failed: who "
    "asked for what, where it was looked for and why each place was passed over. What it says is proved by a "
    "reproduction that was run."
    "\vExamples:\n"
    "  glibctrace -- code                       why does it not start?\n"
    "  glibctrace -o case.tar.zst -- code       a bundle to attach to an issue\n"
    "  glibctrace -t -- ./prog                  failing calls live, as strace prints them\n"
    "  glibctrace -p $(pidof gopls)             attach; Ctrl-C lets go and reports\n"
    "  glibctrace help                          subcommands and topics\n"
    "\n"
    "SET is failed (the default), files, loader, lookups, process or all, joined by commas.\n"
    "The exit status is COMMAND's own (128+N where signal N ended it); 125: glibctrace itself failed, 126: COMMAND "
    "could "
    "not be executed, 127: COMMAND was not found.";

int options_parse(int argc, char **argv, struct options *ret, struct err *err)
{
    static const char usage[] = "-- COMMAND [ARG]...\n-p PID [-p PID]...";
    const struct argp argp = {rows, parse_option, usage, doc, NULL, NULL, NULL};
    struct parse parse = {.options = ret, .err = err};

    *ret = (struct options){0};
    argp_program_version = "glibctrace " GLIBCTRACE_VERSION;
    argp_err_exit_status = 125;
    /* In order: options end at the first word that is none, the rest is the command's. */
    return argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &parse) || parse.failed ? -1 : 0;
}

/* ---- subcommands ---- */

static error_t parse_rest_option(int key, char *arg, struct argp_state *state)
{
    if (key == ARGP_KEY_INIT)
        state->err_stream = NULL; /* getopt's own line is enough; and argp does not end the program then */
    return parse_option(key, arg, state);
}

static bool is_taken(const struct usage *usage, const struct argp_option *row)
{
    for (const char *const *name = usage->takes; *name; name++)
        if (!strcmp(*name, row->name))
            return true;
    return false;
}

static struct argp_option told_as(const struct usage *usage, struct argp_option row)
{
    if (row.key == 'o')
        row.doc = usage->output;
    else if (row.key == 'q')
        row.doc = "no report on standard output";
    return row;
}

/* The rows that USAGE takes; room is enough for all that there are. */
static void take_rows(const struct usage *usage, struct argp_option *ret)
{
    static const struct argp_option *const tables[] = {rows, more_rows};
    size_t n = 0;

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const struct argp_option *row = tables[i]; row->name; row++)
            if (is_taken(usage, row) && !(row->flags & OPTION_HIDDEN))
                ret[n++] = usage->output ? told_as(usage, *row) : *row;
    ret[n] = (struct argp_option){0};
}

enum { ROWS_MOST = (sizeof rows + sizeof more_rows) / sizeof(struct argp_option) };

static int check_count(const struct options *options, const struct usage *usage, struct err *err)
{
    if (options->rest_count < usage->least)
        return err_set(err, "%s: %s is wanted (see glibctrace %s --help)", usage->name, usage->arguments, usage->name);
    if (options->rest_count > usage->most)
        return err_set(err, "%s: %s is one too many, %s is wanted (see glibctrace %s --help)", usage->name,
                       options->rest[usage->most], *usage->arguments ? usage->arguments : "nothing", usage->name);
    return 0;
}

/* Cuts off the command after "--". */
static void take_command(struct options *options, const struct usage *usage)
{
    for (size_t i = 1; usage->command && i < options->rest_count; i++)
        if (!strcmp(options->rest[i], "--")) {
            options->after = options->rest + i + 1;
            options->after_count = options->rest_count - i - 1;
            options->rest_count = i;
            return;
        }
}

int options_parse_rest(struct options *options, const struct usage *usage, struct err *err)
{
    struct argp_option taken[ROWS_MOST];
    const struct argp argp = {
        *usage->takes ? taken : NULL, parse_rest_option, usage->arguments, usage->about, NULL, NULL, NULL};
    struct parse parse = {.options = options, .err = err};
    char **argv = options->rest;
    int argc;

    take_command(options, usage);
    argc = (int)options->rest_count;
    err_set(err, "%s", "");
    take_rows(usage, taken);
    free(options->called);
    argv[0] = options->called = xasprintf("glibctrace %s", usage->name);
    options->rest_count = 0;
    if (argp_parse(&argp, argc, argv, 0, NULL, &parse) || parse.failed)
        return -1;
    options->command = false; /* a "--" only ended the options */
    return check_count(options, usage, err);
}

void options_help(const struct usage *usage)
{
    struct argp_option taken[ROWS_MOST];
    const struct argp argp = {
        *usage->takes ? taken : NULL, parse_rest_option, usage->arguments, usage->about, NULL, NULL, NULL};
    char name[64], help[] = "--help";
    char *argv[] = {name, help, NULL};
    struct options unused = {0};
    struct parse parse = {.options = &unused};

    take_rows(usage, taken);
    snprintf(name, sizeof name, "glibctrace %s", usage->name);
    argp_parse(&argp, 2, argv, 0, NULL, &parse);
}

void options_deinit(struct options *options)
{
    free(options->called);
    strings_deinit(&options->outputs);
    strings_deinit(&options->env);
    free(options->live_set);
    free(options->bindings_file);
    free(options->user);
    free(options->root);
    strings_deinit(&options->libc);
    free(options->against);
    free(options->libcs);
    free(options->pids);
    free(options->run_pattern);
    free(options->only);
    free(options->complaint);
    free(options->lsp);
    free(options->dap);
    free(options->open);
    free(options->launch);
}

static bool names(const char *entry, const char *name, size_t n)
{
    return !strncmp(entry, name, n) && entry[n] == '=';
}

char **options_environment(const struct options *options)
{
    size_t count = 0, cap = 0;
    char **env = NULL;

    for (char **entry = environ; *entry; entry++)
        *(char **)array_add(&env, &count, &cap, sizeof *env) = xstrdup(*entry);
    for (size_t i = 0; i < options->env.n; i++) {
        const char *change = options->env.v[i];
        size_t n = strcspn(change, "="), kept = 0;

        for (size_t k = 0; k < count; k++)
            if (names(env[k], change, n))
                free(env[k]);
            else
                env[kept++] = env[k];
        count = kept;
        if (change[n])
            *(char **)array_add(&env, &count, &cap, sizeof *env) = xstrdup(change);
    }
    array_add(&env, &count, &cap, sizeof *env);
    return env;
}

void environment_free(char **env)
{
    for (size_t i = 0; env && env[i]; i++)
        free(env[i]);
    free(env);
}
