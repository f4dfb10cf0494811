/* glibctrace check FILE|DIR|PID…: would it load, without running anything. */
#include "commands.h"

#include "outlets.h"

#include <reports/check.h>
#include <reports/output.h>
#include <reports/redact.h>

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/path.h>
#include <probes/proc.h>
#include <probes/system.h>

#include <errno.h>
#include <sys/utsname.h>
#include <unistd.h>

static char *absolute(const char *path, const char *cwd)
{
    return path[0] == '/' ? xstrdup(path) : path_join(cwd, path);
}

static int check_one(const struct options *options, const char *word, const char *cwd, struct report *report,
                     struct err *err)
{
    const char *root = options->root ? options->root : "";
    const struct check_request request = {
        .root = root, .env = *root ? NULL : (const char *const *)environ, .cwd = *root ? "/" : cwd};
    CLEANUP_FREE char *path = absolute(word, request.cwd);
    struct stat st;

    if (path_stat(root, path, &st) < 0)
        return err_errno(err, errno, "%s%s", root, path);
    if (!check_file(&request, path, report))
        return err_set(err, "%s is neither an ELF file nor a script: there is nothing to load", word);
    return 0;
}

static void fill_system(const struct options *options, struct report *report)
{
    struct system_facts facts;

    system_facts_read(options->root ? options->root : "", &facts);
    report->context = xstrdup_or_null(facts.context);
    report->kernel = xstrdup_or_null(facts.kernel);
    report->machine = xstrdup_or_null(facts.machine);
    report->distribution = xstrdup_or_null(facts.distribution);
    system_facts_deinit(&facts);
}

static int check_all(const struct options *options, struct report *report, struct err *err)
{
    CLEANUP_FREE char *cwd = getcwd(NULL, 0);

    if (!cwd)
        return err_errno(err, errno, "the working directory");
    for (size_t i = 0; i < options->rest_count; i++) {
        strings_add(&report->argv, xstrdup(options->rest[i]));
        if (check_one(options, options->rest[i], cwd, report, err) < 0)
            return -1;
    }
    fill_system(options, report);
    check_headline(report);
    return 0;
}

static void hide(struct report *report)
{
    struct redactor *redactor = redactor_create();
    struct utsname here;

    redactor_add_environment(redactor, (const char *const *)environ);
    if (uname(&here) == 0)
        redactor_add_host(redactor, here.nodename);
    report_redact(report, redactor);
    redactor_tell(redactor, &report->redacted);
    redactor_destroy(redactor);
}

static int cmd_check(const struct options *options, struct err *err)
{
    struct report *report = report_create();
    int status;

    for (size_t i = 0; i < options->outputs.n; i++)
        if (output_check(options->outputs.v[i], err) < 0)
            return -1;
    report->how = INPUT_STATIC;
    report->status = OUTCOME_UNKNOWN;
    status = check_all(options, report, err);
    if (status == 0 && !options->no_redact)
        hide(report);
    if (status == 0)
        status = outlets_put_report(options, report, NULL, stdout, err);
    if (status == 0)
        status = report->cause_count ? STATUS_FOUND : 0;
    report_destroy(report);
    elffile_forget_all();
    return status;
}

static const char *const takes[] = {"output", "quiet", "color", "no-redact", "root", NULL};
static const struct usage usage = {
    .name = "check",
    .arguments = "FILE...",
    .purpose = "without running anything: would it load, here or under --root",
    .about = "Asks what the kernel and the loader would do with FILE: a program, a library, a script.",
    .takes = takes,
    .least = 1,
    .most = 1 << 16,
};
const struct command command_check = {"check", &usage, cmd_check};
