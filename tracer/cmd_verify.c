/* glibctrace verify: gopls, go test and the debug adapter, after a change. */
#include "commands.h"

#include "outlets.h"
#include "verify.h"

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/path.h>
#include <probes/proc.h>

#include <string.h>

enum { LIMIT_MS = 120 * 1000 }; /* go compiles its own library first where nothing is in its cache */

static const struct verify_check *const checks[] = {&verify_lsp, &verify_test, &verify_dap};
enum { CHECKS = sizeof checks / sizeof *checks };

/* ---- which, and with which programs ---- */

/* Whether KEY is a word of LIST. */
static bool is_in(const char *list, const char *key)
{
    size_t n = strlen(key);

    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
        if (strncmp(at, key, n) == 0 && (!at[n] || at[n] == ','))
            return true;
    return false;
}

static int check_list(const char *list, struct err *err)
{
    for (const char *at = list; at; at = *at ? at + 1 : NULL) {
        size_t n = strcspn(at, ",");
        bool known = false;

        for (size_t i = 0; i < CHECKS; i++)
            known |= strlen(checks[i]->key) == n && strncmp(checks[i]->key, at, n) == 0;
        if (!known)
            return err_set(err, "verify: --only wants lsp, test or dap, joined by commas, not \"%s\"", list);
        at += n;
        if (!*at)
            break;
    }
    return 0;
}

static void add_words(struct strings *to, const char *const *words)
{
    for (; *words; words++)
        strings_add(to, xstrdup(*words));
}

static int fill_command(const struct verify *verify, struct verify_job *job, struct err *err)
{
    const struct options *options = verify->options;
    const char *const gopls[] = {"gopls", NULL}, *const dlv[] = {"dlv", "dap", "--listen=127.0.0.1:0", NULL};
    /* -count=1: a result that is kept would be told without a look at anything (go help test). */
    const char *const test[] = {"go", "test", "-count=1", "-run", verify->pattern, "./...", NULL};

    if (job->check == &verify_lsp && options->lsp)
        return verify_words(options->lsp, &job->command, err);
    if (job->check == &verify_dap && options->dap)
        return verify_words(options->dap, &job->command, err);
    add_words(&job->command, job->check == &verify_lsp ? gopls : job->check == &verify_dap ? dlv : test);
    return 0;
}

static int fill_job(const struct verify *verify, const struct verify_check *check, struct verify_job *ret,
                    struct err *err)
{
    char *path;

    *ret = (struct verify_job){.check = check};
    if (fill_command(verify, ret, err) < 0)
        return -1;
    ret->title = check == &verify_test ? xstrdup("go test") : xstrdup(path_base(ret->command.v[0]));
    ret->quiet_input = check == &verify_test;
    for (size_t i = 1; check == &verify_dap && i < ret->command.n; i++) /* it talks over a port */
        ret->quiet_input |= strncmp(ret->command.v[i], "--listen", 8) == 0;
    path = verify_find(ret->command.v[0], (const char *const *)verify->env, &ret->looked);
    ret->found = path != NULL;
    if (path) {
        free(ret->command.v[0]);
        ret->command.v[0] = path;
    }
    return 0;
}

/* ---- all of it ---- */

static int run_all(struct verify *verify, struct verify_job *jobs, size_t count, struct err *err)
{
    bool all = true;
    struct report *report;
    int status;

    for (size_t i = 0; i < count && !verify->host.stopped; i++) {
        verify_run(verify, &jobs[i]);
        all &= jobs[i].result.passes;
    }
    if (verify->host.stopped)
        return 128 + verify->host.stopped; /* not told: the signal ends this process */
    report = verify_report(verify, jobs, count);
    status = outlets_put_static(verify->options, report, err);
    report_destroy(report);
    return status < 0 ? -1 : all ? 0 : STATUS_FOUND;
}

/* A program that is killed leaves what it has made for a while: it makes it in a directory that goes with all that is
 * in it, on the same file system. Where a program's own cannot be written to, that is for it to meet. */
static void move_temporary(struct verify *verify, struct strings *changes)
{
    static const struct {
        const char *name, *otherwise;
    } variables[] = {{"TMPDIR", "/tmp"}, {"GOTMPDIR", NULL}};
    char **env = options_environment(verify->options);

    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = env_value((const char *const *)env, variables[i].name),
                   *at = value && *value ? value : variables[i].otherwise;
        CLEANUP_FREE char *path = at && *at == '/' ? xasprintf("%s/glibctrace-verify-XXXXXX", at) : NULL;

        if (!path || !mkdtemp(path))
            continue;
        strings_addf(changes, "%s=%s", variables[i].name, path);
        strings_add(&verify->module.temporary, steal_pointer(&path));
    }
    environment_free(env);
}

/* The scratch module is no part of what the user's variables speak of. */
static char **environment(struct verify *verify)
{
    struct options changed = *verify->options;
    char **env;

    changed.env = (struct strings){0};
    for (size_t i = 0; i < verify->options->env.n; i++)
        strings_add(&changed.env, xstrdup(verify->options->env.v[i]));
    if (verify->module.own) {
        strings_add(&changed.env, xstrdup("GO111MODULE=on"));
        strings_add(&changed.env, xstrdup("GOWORK=off"));
    }
    move_temporary(verify, &changed.env);
    env = options_environment(&changed);
    strings_deinit(&changed.env);
    return env;
}

static int verify_with(struct verify *verify, struct err *err)
{
    const struct options *options = verify->options;
    struct verify_job jobs[CHECKS] = {0};
    struct progress progress = {0};
    size_t count = 0;
    int status = 0;

    verify->pattern = options->run_pattern ? options->run_pattern : verify->module.own ? "." : "^$";
    verify->env = environment(verify);
    for (size_t i = 0; i < CHECKS && status == 0; i++)
        if (!options->only || is_in(options->only, checks[i]->key))
            status = fill_job(verify, checks[i], &jobs[count++], err);
    if (status == 0)
        status = peer_host_open(&progress, &verify->host, err);
    if (status == 0)
        status = run_all(verify, jobs, count, err);
    for (size_t i = 0; i < count; i++)
        verify_job_deinit(&jobs[i]);
    environment_free(verify->env);
    return status;
}

static int check_options(const struct options *options, struct err *err)
{
    if (options->only && check_list(options->only, err) < 0)
        return -1;
    return outlets_check_static(options, "verify", err);
}

static int cmd_verify(const struct options *options, struct err *err)
{
    struct verify verify = {.options = options, .limit_ms = LIMIT_MS, .host = {.stop = -1}};
    int status = check_options(options, err);

    if (status < 0)
        return status;
    if (options->seconds > 0)
        verify.limit_ms = (unsigned)(options->seconds * 1000);
    status = verify_module_open(options->rest_count ? options->rest[0] : NULL, options->open, options->launch,
                                &verify.module, err);
    if (status >= 0)
        status = verify_with(&verify, err);
    verify_module_close(&verify.module);
    fflush(stdout);
    if (verify.host.stop >= 0)
        peer_host_close(&verify.host);
    elffile_forget_all();
    return status;
}

static const char *const takes[] = {"output",  "quiet", "color", "no-redact", "no-repro", "env",    "run",
                                    "timeout", "only",  "lsp",   "dap",       "open",     "launch", NULL};
static const struct usage usage = {
    .name = "verify",
    .arguments = "[DIR]",
    .purpose = "gopls, go test and the debug adapter, after a change: do they work?",
    .about =
        "Three checks in the Go module of DIR (the working directory), each within a limit of time: gopls answers "
        "initialize, opens a file of the module and has a hover or diagnostics for it; go test builds the module with "
        "its tests and runs those that --run names (none, if not given); the debug adapter, dlv dap, answers "
        "initialize "
        "and launches a program of the module, which is ended at its entry. Where there is no go.mod, a scratch module "
        "is made and removed again.\n\n"
        "gopls, go and dlv are looked for on PATH, in GOBIN, in GOPATH's bin and in ~/go/bin. A check that fails is "
        "run a "
        "second time, under glibctrace itself, and the report says why it fails."
        "\vCMD is a program with its arguments, in quotes as for a shell; no shell is run. An adapter that says "
        "\"listening at: 127.0.0.1:PORT\" on its standard output is talked to there, others over their pipes.\n\n"
        "The exit status is 0 where all pass, 1 where a check fails, and 2 where DIR cannot be read.\n\nExamples:\n"
        "  glibctrace verify                              in the module that I am in\n"
        "  glibctrace verify --run TestParse ~/src/x      and run that test\n"
        "  glibctrace verify --only lsp --lsp clangd --open main.c\n"
        "  glibctrace verify --only dap --dap 'python3 -m debugpy.adapter' --launch main.py",
    .takes = takes,
    .output = OPTIONS_OUTPUT,
    .least = 0,
    .most = 1,
};
const struct command command_verify = {"verify", &usage, cmd_verify};
