/* glibctrace doctor [DIR]...: this machine on one page. */
#include "commands.h"

#include "outlets.h"
#include "ptrace.h"

#include <reports/doctor.h>

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/path.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int take_directories(const struct options *options, struct strings *ret, struct err *err)
{
    CLEANUP_FREE char *cwd = getcwd(NULL, 0);
    struct stat st;

    if (!options->rest_count && cwd)
        strings_add(ret, steal_pointer(&cwd));
    for (size_t i = 0; i < options->rest_count; i++) {
        const char *word = options->rest[i];

        if (stat(word, &st) < 0)
            return err_errno(err, errno, "%s", word);
        if (!S_ISDIR(st.st_mode))
            return err_set(err, "%s is no directory: doctor wants the folders that are worked in", word);
        strings_add(ret, word[0] == '/' || !cwd ? xstrdup(word) : path_join(cwd, word));
    }
    return 0;
}

static int examine(const struct options *options, const struct strings *directories, struct err *err)
{
    const struct doctor_request request = {.directories = (const char *const *)directories->v,
                                           .directory_count = directories->n,
                                           .ptrace_error = ptrace_try(),
                                           .env = (const char *const *)environ};
    size_t bad;
    struct report *report = doctor_examine(&request, &bad);
    int status;

    status = outlets_put_static(options, report, err);
    if (status == 0)
        status = bad ? STATUS_FOUND : 0;
    report_destroy(report);
    return status;
}

static int cmd_doctor(const struct options *options, struct err *err)
{
    struct strings directories = {0};
    int status = 0;

    if (outlets_check_static(options, "doctor", err) < 0)
        return -1;
    status = take_directories(options, &directories, err);
    if (status == 0)
        status = examine(options, &directories, err);
    strings_deinit(&directories);
    elffile_forget_all();
    return status;
}

static const char *const takes[] = {"output", "quiet", "color", "no-redact", NULL};
static const struct usage usage = {
    .name = "doctor",
    .arguments = "[DIR]...",
    .purpose = "this machine on one page: what VS Code, node, go, gopls and delve need of it",
    .about =
        "Looks at this machine for VS Code, its server, node, go, gopls and delve: the C library and its loader, the "
        "processor, limits and who uses them, the file systems of the workspace (DIR, or the working directory), the "
        "environment of a desktop session against a login shell's, sandboxes, system call policies, debuggers; and "
        "each "
        "of those programs that is found: its release, what it needs of glibc, whether it and its native modules would "
        "load here. Each line is good, a warning, or bad, with what to do where it is not good. Nothing is changed and "
        "none of the programs is run; what can only be told by trying (namespaces, watching, tracing) is tried in ways "
        "that leave nothing behind."
        "\n\nIn report.json each section is an array: machine, programs, limits, workspace, session, rights; an "
        "element "
        "has verdict, what, found, advice and command."
        "\vThe exit status is 0 where nothing is bad (warnings do not count), 1 where something is, and 2 where a DIR "
        "cannot be read.",
    .takes = takes,
    .output = OPTIONS_OUTPUT,
    .most = 1 << 10,
};
const struct command command_doctor = {"doctor", &usage, cmd_doctor};
