/* glibctrace sandbox BUILD… -o DIR [--libc LIBC] [-- COMMAND]: a copy that runs on a C library of its own. */
#include "commands.h"

#include "outlets.h"
#include "sandbox.h"

#include <probes/alloc.h>
#include <reports/bundle.h>
#include <reports/output.h>
#include <reports/report_rename.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- what was asked for ---- */

/* -o names the directory, and reports by their endings. */
static const char *directory_of(const struct options *options, struct options *without, struct err *err)
{
    const char *directory = NULL;

    for (size_t i = 0; i < options->outputs.n; i++) {
        const char *name = options->outputs.v[i];

        if (strcmp(name, "-") == 0 || ((renderer_for(name) || bundle_named(name)) && name[strlen(name) - 1] != '/'))
            strings_add(&without->outputs, xstrdup(name));
        else if (directory) {
            err_set(err, "sandbox: -o names one directory, and %s is a second one", name);
            return NULL;
        } else
            directory = name;
    }
    if (!directory)
        err_set(err, "sandbox: -o DIR is wanted: the directory that is to be made");
    return directory;
}

static bool is_empty(const char *path)
{
    DIR *list = opendir(path);
    const struct dirent *entry;
    bool empty = list;

    while (empty && (entry = readdir(list)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (list)
        closedir(list);
    return empty;
}

/* DIR without links on the way, as it will be; NULL and ERR. */
static char *directory_to_be(const char *name, struct err *err)
{
    CLEANUP_FREE char *plain = xstrdup(name), *above = NULL, *real = NULL;
    size_t n = strlen(plain);
    struct stat st;

    while (n > 1 && plain[n - 1] == '/')
        plain[--n] = '\0';
    if (lstat(plain, &st) == 0) {
        real = realpath(plain, NULL);
        if (real && is_empty(real))
            return steal_pointer(&real);
        err_set(err, "%s is there, and is no empty directory: it stays as it is", plain);
        return NULL;
    }
    above = path_dir(plain);
    real = realpath(above, NULL);
    if (!real)
        err_errno(err, errno, "%s, where the directory is to be", above);
    return real ? xasprintf("%s/%s", strcmp(real, "/") == 0 ? "" : real, path_base(plain)) : NULL;
}

static char *find_patchelf(struct err *err)
{
    char *program = sandbox_find_tool("patchelf");

    if (!program)
        err_set(err, "the program patchelf is needed, and is not on PATH (package patchelf); nothing was made");
    return program;
}

/* ---- the work ---- */

static char *inside(const char *root, const char *word, const char *cwd)
{
    if (*root)
        return path_join("/", word);
    return word[0] == '/' ? xstrdup(word) : path_join(cwd, word);
}

static int add_builds(const struct options *options, struct sandbox *sandbox, struct err *err)
{
    CLEANUP_FREE char *cwd = getcwd(NULL, 0);

    if (!cwd)
        return err_errno(err, errno, "the working directory");
    for (size_t i = 0; i < options->rest_count; i++) {
        CLEANUP_FREE char *build = inside(sandbox->root, options->rest[i], cwd);

        if (sandbox_add_build(sandbox, build, err) < 0)
            return -1;
    }
    return 0;
}

/* The root that --libc names, malloced: a directory, or packages that become one. Without --libc, the root in which
 * BUILD is. */
static char *libc_root(const struct strings *libc, struct sandbox *sandbox, struct err *err)
{
    struct stat st;

    if (!libc->n)
        return realpath(*sandbox->root ? sandbox->root : "/", NULL);
    for (size_t i = 0; i < libc->n; i++)
        if (stat(libc->v[i], &st) < 0 || (libc->n > 1 && !S_ISREG(st.st_mode))) {
            err_errno(err, S_ISDIR(st.st_mode) ? EISDIR : errno, "--libc %s", libc->v[i]);
            return NULL;
        }
    if (!S_ISREG(st.st_mode))
        return realpath(libc->v[0], NULL);
    return sandbox_unpack(sandbox, libc, err) < 0 ? NULL : realpath(sandbox->packages.path, NULL);
}

static int find_libc(const struct options *options, struct sandbox *sandbox, struct err *err)
{
    CLEANUP_FREE char *root = NULL;
    const struct elffile *model;
    int status;

    if (sandbox_model(sandbox, &model, err) < 0)
        return -1;
    root = libc_root(&options->libc, sandbox, err);
    status = root ? libcroot_find(strcmp(root, "/") == 0 ? "" : root, model, &sandbox->libc, err) : -1;
    elffile_put(model);
    return status;
}

static int make(const struct options *options, struct sandbox *sandbox, struct report *report, struct err *err)
{
    struct report *run = NULL;
    int status;

    if (add_builds(options, sandbox, err) < 0 || find_libc(options, sandbox, err) < 0 ||
        (options->after_count && sandbox_command(sandbox, options->after[0], err) < 0) ||
        sandbox_needs(sandbox, err) < 0)
        return -1;
    sandbox_data(sandbox);
    if (sandbox_make(sandbox, err) < 0)
        return -1;
    sandbox_check(sandbox, report);
    sandbox_tell(sandbox, report);
    if (options->after_count && sandbox_try(sandbox, options->after, options->after_count, &run, err) < 0)
        return -1;
    status = sandbox_tell_run(sandbox, options->after, options->after_count, run, report) ? 0 : STATUS_FOUND;
    if (run)
        report_destroy(run);
    for (size_t i = 0; i < sandbox->count; i++)
        if (sandbox->files[i].bad)
            status = STATUS_FOUND;
    return report->cause_count ? STATUS_FOUND : status;
}

static int make_and_tell(const struct options *options, const struct options *outputs, struct sandbox *sandbox,
                         struct err *err)
{
    struct report *report = report_static("");
    int status;

    for (size_t i = 0; i < options->rest_count; i++)
        strings_add(&report->argv, xstrdup(options->rest[i]));
    status = make(options, sandbox, report, err);
    if (sandbox->unpacked.path)
        report_rename(report, 0, sandbox->unpacked.path, "(unpacked)/", "(unpacked)");
    if (status >= 0 && outlets_put_static(outputs, report, err) < 0)
        status = -1;
    report_destroy(report);
    elffile_forget_all();
    return status;
}

static int cmd_sandbox(const struct options *options, struct err *err)
{
    struct options outputs = *options;
    struct sandbox sandbox = {.root = options->root ? options->root : ""};
    const char *name;
    int status = -1;

    outputs.outputs = (struct strings){0};
    name = directory_of(options, &outputs, err);
    if (name && outlets_check_static(&outputs, "sandbox", err) == 0 && (sandbox.dir = directory_to_be(name, err)) &&
        (sandbox.patchelf = find_patchelf(err)))
        status = make_and_tell(options, &outputs, &sandbox, err);
    sandbox_deinit(&sandbox);
    strings_deinit(&outputs.outputs);
    return status;
}

static const char *const takes[] = {"output", "libc", "quiet", "color", "no-redact", "root", NULL};
static const struct usage usage = {
    .name = "sandbox",
    .arguments = "BUILD... -o DIR [--libc LIBC] [-- COMMAND [ARG]...]",
    .purpose = "a copy that runs on a libc of its own; the original stays as it is",
    .about =
        "Makes DIR: a copy of BUILD (a program, or a directory or archive whose programs and libraries are all "
        "treated) with the libraries that it needs and the C library of LIBC, changed so that it runs on that one "
        "wherever it is "
        "started. The copy is checked without running it; with COMMAND, whose first word is a program of the copy, it "
        "is run once and followed."
        "\vLIBC is the root of a system, a directory into which packages were unpacked, or a package (.deb, .rpm, "
        ".apk, .tar; several: --libc again); without it, that of BUILD's own system.\n"
        "\n"
        "  glibctrace sandbox /opt/app -o /opt/app-new --libc /srv/trixie\n"
        "  glibctrace sandbox --root /srv/trixie /usr/bin/node -o node24 -- node -e 1\n"
        "  glibctrace sandbox ./server -o server-new --libc libc6_2.41-12_amd64.deb --libc "
        "libstdc++6_14.2.0_amd64.deb\n"
        "\n"
        "Data that a program of another root names by absolute paths goes along where DIR's path is short enough.\n"
        "DIR/run starts the copy. To undo it: rm -r DIR. The change itself is made by patchelf(1).",
    .takes = takes,
    .output = "the directory that is to be made; of a FILE (.txt, .json, .md, .html): write the report there",
    .least = 1,
    .most = 1 << 16,
    .command = true,
};
const struct command command_sandbox = {"sandbox", &usage, cmd_sandbox};
