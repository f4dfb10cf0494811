/* glibctrace libc [PID|FILE|DIR]...: which C library is really in use, and how that is known. */
#include "commands.h"

#include "outlets.h"

#include <reports/libc_use.h>

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/path.h>
#include <probes/proc.h>
#include <probes/proc_tree.h>
#include <probes/system.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

struct question {
    const struct options *options;
    struct libc_where where;
    struct libc_uses uses;
    struct report *report;
    char *system; /* the root that the answer is about: of one process, of a directory; or NULL */
    const char *context;
    size_t refused; /* processes of a tree that could not be looked at */
};

/* ---- processes ---- */

static bool is_number(const char *word)
{
    return *word && !word[strspn(word, "0123456789")];
}

/* What has ended since the list was made is none of them any more; what may not be looked at is counted. */
static void ask_tree(struct question *q, pid_t top)
{
    size_t count;
    CLEANUP_FREE pid_t *pids = proc_tree(top, &count);

    for (size_t i = 0; i < count; i++) {
        struct proc_status status;
        struct err unused;

        if (pids[i] == top || proc_status_read(pids[i], &status) < 0)
            continue;
        proc_status_deinit(&status);
        if (!status.kernel_thread && status.state != 'Z' && status.state != 'X')
            q->refused += libc_use_process(pids[i], &q->uses, &unused) < 0 && proc_status_read(pids[i], &status) == 0;
        proc_status_deinit(&status);
    }
}

static int ask_process(struct question *q, const char *word, struct err *err)
{
    char *end;
    long number = (errno = 0, strtol(word, &end, 10));
    pid_t pid = errno || number > INT_MAX ? 0 : (pid_t)number;

    if (q->options->root)
        return err_set(err, "--root and process %s: a process has a root of its own", word);
    if (!pid)
        return err_set(err, "there is no process %s", word);
    if (libc_use_process(pid, &q->uses, err) < 0)
        return -1;
    q->report->pid = pid;
    free(q->system);
    q->system = proc_root(pid);
    q->context = system_context_of(pid, q->system);
    if (q->options->tree)
        ask_tree(q, pid);
    return 0;
}

/* ---- files ---- */

static int ask_directory(struct question *q, const char *path, struct err *err)
{
    struct libc_where inside = {.root = path, .cwd = "/"};
    CLEANUP_FREE char *real = q->where.root[0] ? NULL : realpath(path, NULL);

    if (!real || !libc_is_root(real))
        return libc_use_tree(&q->where, path, &q->uses, err);
    if (strcmp(real, "/") == 0) {
        libc_use_root(&q->where, "", &q->uses);
        return 0;
    }
    libc_use_root(&inside, path, &q->uses);
    q->report->files = FILES_ROOT;
    free(q->system);
    q->system = xstrdup(path);
    return 0;
}

static int ask_path(struct question *q, const char *word, struct err *err)
{
    CLEANUP_FREE char *path = word[0] == '/' ? xstrdup(word) : path_join(q->where.cwd, word);
    struct stat st;
    int error = path_stat(q->where.root, path, &st);

    if (q->options->tree)
        return err_set(err, "--tree is for processes, and %s is none", word);
    if (error < 0 || !*word)
        return err_errno(err, *word ? -error : ENOENT, "%s", *word ? word : "\"\"");
    return S_ISDIR(st.st_mode) ? ask_directory(q, path, err) : libc_use_file(&q->where, path, &q->uses, err);
}

static int ask_here(struct question *q)
{
    if (q->options->tree) {
        ask_tree(q, 0);
        return 0;
    }
    libc_use_root(&q->where, q->where.root, &q->uses);
    return 0;
}

/* ---- all ---- */

/* Of several, those that can be answered are; the others have a line each. */
static int ask(struct question *q, bool *failed, struct err *err)
{
    const struct options *options = q->options;

    if (!options->rest_count)
        return ask_here(q);
    for (size_t i = 0; i < options->rest_count; i++) {
        const char *word = options->rest[i];
        int status = is_number(word) ? ask_process(q, word, err) : ask_path(q, word, err);

        strings_add(&q->report->argv, xstrdup(word));
        if (status == 0)
            continue;
        if (options->rest_count == 1)
            return -1;
        fprintf(stderr, "glibctrace: %s\n", err->text);
        *failed = true;
    }
    return 0;
}

static void fill(struct question *q)
{
    struct report *report = q->report;
    struct system_facts facts;

    if (q->refused)
        strings_addf(&report->unseen, "%zu process%s that may not be looked at: that takes the rights of ptrace(2)",
                     q->refused, q->refused == 1 ? "" : "es");
    if (report->argv.n > 1 || q->options->tree)
        report->pid = 0;
    system_facts_read(q->system && report->argv.n == 1 ? q->system : q->where.root, &facts);
    report->context = xstrdup_or_null(report->pid ? q->context : facts.context);
    report->kernel = steal_pointer(&facts.kernel);
    report->machine = steal_pointer(&facts.machine);
    report->distribution = steal_pointer(&facts.distribution);
    system_facts_deinit(&facts);
    libc_uses_put(&q->uses, report);
}

static int answer(struct question *q, struct err *err)
{
    bool failed = false;

    if (ask(q, &failed, err) < 0)
        return -1;
    if (!q->uses.n)
        return failed ? STATUS_USAGE : err_set(err, "no process may be looked at");
    fill(q);
    if (outlets_put_static(q->options, q->report, err) < 0)
        return -1;
    return failed ? STATUS_USAGE : q->report->cause_count ? STATUS_FOUND : 0;
}

static int cmd_libc(const struct options *options, struct err *err)
{
    CLEANUP_FREE char *cwd = getcwd(NULL, 0);
    const char *root = options->root ? options->root : "";
    struct question q = {.options = options};
    int status;

    if (outlets_check_static(options, "libc", err) < 0)
        return -1;
    if (options->tree && options->root)
        return err_set(err, "--root and --tree: a process has a root of its own");
    q.where = (struct libc_where){
        .root = root, .env = *root ? NULL : (const char *const *)environ, .cwd = *root || !cwd ? "/" : cwd};
    q.report = report_create();
    q.report->how = INPUT_STATIC;
    q.report->files = *root ? FILES_ROOT : FILES_HERE;
    status = answer(&q, err);
    libc_uses_deinit(&q.uses);
    free(q.system);
    report_destroy(q.report);
    elffile_forget_all();
    return status;
}

static const char *const takes[] = {"output", "quiet", "color", "no-redact", "root", "tree", NULL};
static const struct usage usage = {
    .name = "libc",
    .arguments = "[PID|FILE|DIR]...",
    .purpose = "which C library is really in use, how that is known, and how sure",
    .about =
        "Says which C library (glibc or musl, which release, which build) is in use: by the process PID, by the "
        "program or library in FILE, by the programs of the system whose root DIR is (a container's, a chroot), by all "
        "that is in and below another DIR; without arguments, by this system. Nothing is run.\n\n"
        "A process is judged by its memory, where the C library says what it is: that holds in a chroot, in a "
        "container, and where the file has been replaced since (which is told). A program in a file is judged by what "
        "its loader would find, with the environment as it is. Where a library says nothing, the versions that it "
        "defines are a lower bound (\"at least 2.34\"). Static programs, Go's as well, have none.\n\n"
        "A loader and a C library of different builds are a cause (loader-libc-skew)."
        "\vThe exit status is 0, 1 where a loader and a C library do not belong together, and 2 where something could "
        "not be looked at (no such process, no permission, no ELF file).\n\nExamples:\n"
        "  glibctrace libc                        this system's\n"
        "  glibctrace libc $(pidof node)          what these run on\n"
        "  glibctrace libc --tree $$              all that this shell has started\n"
        "  glibctrace libc /usr/bin/node ./image  a program's; those in a container image\n"
        "  glibctrace libc --root ./image /bin/sh that program's, in there",
    .takes = takes,
    .output = OPTIONS_OUTPUT,
    .most = 1 << 16,
};
const struct command command_libc = {"libc", &usage, cmd_libc};
