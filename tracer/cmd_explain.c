/* glibctrace explain FILE|-: the report again, from the log alone. */
#include "commands.h"

#include "outlets.h"
#include "progress.h"

#include <reports/explain.h>
#include <reports/output.h>
#include <reports/redact.h>
#include <reports/trace_redact.h>

#include <probes/alloc.h>
#include <probes/elffile.h>

#include <sys/utsname.h>
#include <unistd.h>

/* As of a run: what others sent is passed on as well. What was replaced when the log was written stands beside it. */
static void hide(const struct evidence *evidence, struct redactor *redactor, struct report *report)
{
    struct strings now = {0};

    if (evidence->report)
        for (size_t i = 0; i < evidence->report->redacted.n; i++)
            strings_add(&report->redacted, xstrdup(evidence->report->redacted.v[i]));
    if (!redactor)
        return;
    report_redact(report, redactor);
    redactor_tell(redactor, &now);
    strings_move(&now, &report->redacted);
    strings_deinit(&now);
}

/* REPORT, and with it the log, where that is a whole one, which text is not. */
static int put_hidden(const struct evidence *evidence, const struct options *options, struct redactor *redactor,
                      struct report *report, struct err *err)
{
    FILE *log = evidence->reader && evidence->reader->whole ? evidence->log : NULL, *hidden = NULL;
    int status = 0;

    hide(evidence, redactor, report);
    if (log && redactor)
        status = trace_redact(log, NULL, NULL, redactor, &hidden, err);
    if (status == 0)
        status = outlets_put_report(options, report, hidden ? hidden : log, stderr, err);
    if (hidden)
        fclose(hidden);
    return status;
}

static int explain(struct evidence *evidence, const struct options *options, struct redactor *redactor, struct err *err)
{
    const struct sink learns = redactor ? redactor_sink(redactor) : (struct sink){0};
    struct report *report;
    struct progress progress;
    FILE *log = evidence->log;
    int status;

    if (!evidence->log)
        return err_set(err, "%s is a report already: what is explained is a log, %s", evidence->name, evidence_known());
    if (!(evidence->reader && evidence->reader->whole) && outlets_bundle(options)) /* text is no trace.jsonl */
        return err_set(err, "%s: a bundle is made of a run, or of the log of one; of text, -o wants another form",
                       evidence->name);
    evidence->log = progress_start(&progress, log, evidence->name, options->quiet);
    status = explain_log(evidence, options->here ? "" : options->root, redactor ? &learns : NULL, &report, err);
    progress_end(&progress, evidence->log);
    evidence->log = log;
    if (status < 0)
        return -1;
    rewind(log);
    status = put_hidden(evidence, options, redactor, report, err);
    if (status == 0)
        status = report->cause_count ? STATUS_FOUND : 0;
    report_destroy(report);
    return status;
}

static int cmd_explain(const struct options *options, struct err *err)
{
    struct redactor *redactor = NULL;
    struct evidence evidence;
    struct utsname here;
    int status;

    if (options->here && options->root && *options->root)
        return err_set(err, "--here and --root %s are two systems", options->root);
    if (outlets_check(options, err) < 0)
        return -1;
    if (evidence_open_all(options->rest, options->rest_count, &evidence, err) < 0)
        return -1;
    if (!options->no_redact) {
        redactor = redactor_create();
        redactor_add_environment(redactor, (const char *const *)environ);
        if (uname(&here) == 0) /* no file of this machine is looked at */
            redactor_add_host(redactor, here.nodename);
    }
    status = explain(&evidence, options, redactor, err);
    redactor_destroy(redactor);
    evidence_close(&evidence);
    elffile_forget_all();
    return status;
}

static const char *const takes[] = {"output", "quiet", "color", "no-redact", "root", "here", NULL};
static const struct usage usage = {
    .name = "explain",
    .arguments = "FILE...|-",
    .purpose = "the report from what was recorded elsewhere: a bundle's log, strace's output, a paste",
    .about =
        "Reads the log of a bundle (.tar.zst), of the folder that one was unpacked into, or a trace.jsonl alone; "
        "strace's output; LD_DEBUG's; or what a terminal showed (loader messages, ldd, a program's last words), all "
        "in one file if need be, packed with gzip or zstd or not, and says why the program failed. Nothing is run, "
        "and no file of this machine is looked at: what only the files could tell is not known then, and the report "
        "says so. Where FILE tells of this machine (--here), or of a system whose root is at hand (--root), the files "
        "there are looked at, as they are now."
        "\n\nSeveral files are read as one: what strace -ff -o log or LD_DEBUG_OUTPUT=log wrote (log.PID for each "
        "process), in the order of their times or of who started whom. The folder that they are in, or \"log\" alone, "
        "names them too."
        "\vThe exit status is 0 where no cause is found, 1 where one is, and 2 where FILE cannot be read.",
    .takes = takes,
    .output = "write the report to FILE (.txt, .json, .md, .html, or .tar.zst for the bundle; - is standard output)",
    .least = 1,
    .most = 1 << 16,
};
const struct command command_explain = {"explain", &usage, cmd_explain};
