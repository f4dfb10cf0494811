/* One check: its program started and talked to, and once more under glibctrace itself where that failed. */
#include "verify.h"

#include <probes/alloc.h>

#include <string.h>
#include <sys/stat.h>

enum {
    GRACE_MS = 2000,       /* for a program to end by itself */
    REPORT_MS = 60 * 1000, /* for glibctrace to write its report, with the reproduction */
    AGAIN_MS = 20 * 1000,  /* a second run gets so long at least … */
    SLOWER = 6,            /* … or so many times as long as the first one took */
};

void verify_result_deinit(struct verify_result *result)
{
    free(result->seen);
    free(result->words);
    free(result->refused);
}

void verify_job_deinit(struct verify_job *job)
{
    free(job->title);
    strings_deinit(&job->command);
    strings_deinit(&job->looked);
    verify_result_deinit(&job->result);
    free(job->why_not);
    report_destroy(job->report);
}

static const char *directory_of(const struct verify_module *module, const struct verify_check *check)
{
    if (check == &verify_dap && module->launched_from)
        return module->launched_from;
    return check == &verify_test ? module->tested : module->directory;
}

/* Starts FILE with ARGV and has the check talk with it. REPORT: it is glibctrace, with the check's program behind it,
 * and that is the file that it writes; else NULL. */
static void run(struct verify *verify, const struct verify_job *job, const char *file, char *const *argv,
                const char *report, unsigned limit_ms, struct verify_result *ret)
{
    const struct verify_module *module = &verify->module;
    const struct peer_start start = {
        .file = file,
        .argv = argv,
        .directory = directory_of(module, job->check),
        .env = verify->env,
        .quiet_input = job->quiet_input,
    };
    struct peer peer;
    struct verify_talk talk = {.module = module, .peer = &peer, .from_ns = peer_now(), .result = ret};
    struct err err;

    *ret = (struct verify_result){0};
    talk.deadline_ns = peer_after(limit_ms);
    if (peer_start(&verify->host, &start, &peer, &err) < 0) {
        ret->seen = xstrdup(err.text);
        return;
    }
    peer.tracer = report != NULL;
    ret->passes = job->check->run(&talk);
    if (!ret->passes || ret->seconds <= 0)
        ret->seconds = verify_elapsed(&talk);
    peer_end(&peer, GRACE_MS, REPORT_MS, report);
}

static unsigned again_ms(const struct verify *verify, const struct verify_job *job)
{
    double ms = job->result.seconds * 1000 * SLOWER, most = 2.0 * verify->limit_ms;

    ms = ms < AGAIN_MS ? AGAIN_MS : ms;
    return (unsigned)(ms < most ? ms : most);
}

static void add(struct strings *words, const char *word)
{
    strings_add(words, xstrdup(word));
}

/* The command line of glibctrace for it, NULL-terminated. */
static void traced_command(const struct verify *verify, const struct verify_job *job, const char *file, unsigned ms,
                           struct strings *ret)
{
    add(ret, "glibctrace");
    add(ret, "--quiet");
    if (verify->options->no_redact)
        add(ret, "--no-redact");
    if (verify->options->no_repro)
        add(ret, "--no-repro");
    if (job->result.words)
        strings_addf(ret, "--complaint=%s", job->result.words);
    if (job->check->traces)
        add(ret, "--seccomp=no");
    strings_addf(ret, "--for=%u", (ms + GRACE_MS) / 1000);
    strings_addf(ret, "--output=%s", file);
    add(ret, "--");
    for (size_t i = 0; i < job->command.n; i++)
        add(ret, job->command.v[i]);
    strings_add(ret, NULL);
}

static void run_again(struct verify *verify, struct verify_job *job)
{
    CLEANUP_FREE char *file = xasprintf("%s/again.json", verify->module.scratch);
    unsigned ms = again_ms(verify, job);
    struct strings words = {0};
    struct verify_result result;
    struct err err;

    unlink(file);
    traced_command(verify, job, file, ms, &words);
    run(verify, job, "/proc/self/exe", words.v, file, ms, &result);
    job->passed_again = result.passes;
    if (report_json_load(file, &job->report, &err) < 0)
        job->why_not = result.words ? xasprintf("it could not be run under glibctrace: %s", result.words)
                                    : xstrdup("it could not be run under glibctrace");
    strings_deinit(&words);
    verify_result_deinit(&result);
}

void verify_run(struct verify *verify, struct verify_job *job)
{
    CLEANUP_FREE char *task = xasprintf("trying %s", job->title);
    CLEANUP_FREE char *again = xasprintf("%s fails, run again to see why", job->title);
    bool quiet = verify->options->quiet;

    progress_task(verify->host.progress, task, quiet);
    if (job->found) {
        struct strings words = {0};

        for (size_t i = 0; i < job->command.n; i++)
            add(&words, job->command.v[i]);
        strings_add(&words, NULL);
        run(verify, job, words.v[0], words.v, NULL, verify->limit_ms, &job->result);
        strings_deinit(&words);
    } else {
        job->result.seen = xasprintf("is not there: %s is in no directory of PATH%s", job->command.v[0],
                                     job->looked.n ? ", nor where go install puts programs" : "");
    }
    if (!job->result.passes && !verify->host.stopped) {
        progress_task(verify->host.progress, again, quiet);
        run_again(verify, job);
    }
    progress_end(verify->host.progress, NULL);
}
