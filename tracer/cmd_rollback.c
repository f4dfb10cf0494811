/* glibctrace rollback DIR: the newest build in DIR that loads here, and how to pin it. */
#include "commands.h"

#include "outlets.h"

#include <reports/rollback.h>
#include <reports/table.h>

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/path.h>

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs the user's own code: 0, or -1 and ERR where it cannot be run or says no. */
static int install(const struct rollback_choice *choice, struct err *err)
{
    int error, status;
    pid_t pid;

    fflush(stdout);
    error = posix_spawnp(&pid, choice->install[0], NULL, NULL, choice->install, environ);
    if (error)
        return err_errno(err, error, "%s cannot be run: %s %s is not installed", choice->install[0], choice->id,
                         choice->version);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(err, errno, "%s", choice->install[0]);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return err_set(err, "%s has not installed %s %s: it ended with %s %d", choice->install[0], choice->id,
                   choice->version, WIFEXITED(status) ? "status" : "signal",
                   WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static int apply(const struct rollback *rollback, struct err *err)
{
    for (size_t i = 0; i < rollback->count; i++)
        if (install(&rollback->choices[i], err) < 0)
            return -1;
    return 0;
}

static int find(const struct options *options, struct report *report, struct rollback *rollback, struct err *err)
{
    CLEANUP_FREE char *cwd = getcwd(NULL, 0);
    CLEANUP_FREE char *directory = NULL;
    const struct check_request request = {.root = "", .env = (const char *const *)environ, .cwd = cwd};

    if (!cwd)
        return err_errno(err, errno, "the working directory");
    directory = options->rest[0][0] == '/' ? xstrdup(options->rest[0]) : path_join(cwd, options->rest[0]);
    strings_add(&report->argv, xstrdup(options->rest[0]));
    return rollback_find(&request, directory, report, rollback, err);
}

/* Something that is at hand would not load, or was refused. */
static bool found_fault(const struct report *report)
{
    bool found = report->cause_count > 0;

    for (size_t i = 0; i < report->table_count; i++)
        for (size_t k = 0; k < report->tables[i]->cell_count; k++)
            found |= report->tables[i]->cells[k].mark == TABLE_BAD;
    return found;
}

static int cmd_rollback(const struct options *options, struct err *err)
{
    struct report *report = report_static("");
    struct rollback rollback = {0};
    int status = 0;

    status = outlets_check_static(options, "rollback", err);
    if (status == 0)
        status = find(options, report, &rollback, err);
    if (status == 0)
        status = outlets_put_static(options, report, err);
    if (status == 0 && options->apply)
        status = apply(&rollback, err);
    if (status == 0)
        status = found_fault(report) ? STATUS_FOUND : 0;
    rollback_deinit(&rollback);
    report_destroy(report);
    elffile_forget_all();
    return status;
}

static const char *const takes[] = {"output", "quiet", "color", "no-redact", "apply", NULL};
static const struct usage usage = {
    .name = "rollback",
    .arguments = "DIR",
    .purpose = "the newest build in DIR that loads here, and how to pin it",
    .about = "Of the .vsix files in DIR, or the extensions unpacked in it, says for each extension which is the newest "
             "version that is whole and whose files all load here, prints the command that installs it and the setting "
             "that keeps it, and what is lost by that. Nothing is changed unless --apply is given.",
    .takes = takes,
    .output = OPTIONS_OUTPUT,
    .least = 1,
    .most = 1,
};
const struct command command_rollback = {"rollback", &usage, cmd_rollback};
