/* glibctrace check FILE|DIR|PID…: would it load, without running anything. */
#include "commands.h"

#include "outlets.h"

#include <reports/check.h>
#include <reports/check_archive.h>
#include <reports/check_python.h>
#include <reports/check_walk.h>

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/path.h>
#include <probes/proc.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* "..": what it leads to, which links decide. */
static char *absolute(const char *root, const char *path, const char *cwd)
{
    CLEANUP_FREE char *joined = path[0] == '/' ? xstrdup(path) : path_join(cwd, path);
    struct path_walk walk;
    char *ret;

    if (!strstr(joined, "/../") && strcmp(path_base(joined), "..") != 0)
        return steal_pointer(&joined);
    path_walk(root, "/", joined, NULL, &walk);
    ret = walk.final ? steal_pointer(&walk.final) : steal_pointer(&joined);
    path_walk_deinit(&walk);
    return ret;
}

/* EXE, as the kernel spells it (proc(5)), is of a file that is gone: where another has its name, that is what would be
 * started now, and EXE is cut to it. */
static bool is_replaced(const char *root, char *exe)
{
    static const char gone[] = " (deleted)";
    size_t n = strlen(exe), tail = sizeof gone - 1;
    struct stat st;

    if (n <= tail || strcmp(exe + n - tail, gone) != 0 || path_stat(root, exe, &st) == 0)
        return false;
    exe[n - tail] = '\0';
    if (path_stat(root, exe, &st) == 0)
        return true;
    exe[n - tail] = ' ';
    return false;
}

/* The program that PID runs, in its own root and with the environment that it was started with. */
static int check_process(pid_t pid, struct report *report, struct err *err)
{
    CLEANUP_FREE char *root = proc_root(pid);
    struct proc_image image;
    int result = 0;

    if (proc_image_read(pid, root, NULL, 0, &image) < 0) {
        result = err_set(err, "there is no process %d", (int)pid);
    } else if (image.exe) {
        const struct check_request request = {
            .root = root, .env = (const char *const *)image.env, .cwd = image.cwd ? image.cwd : "/"};
        bool replaced = is_replaced(root, image.exe);

        if (!check_file(&request, image.exe, report))
            result = err_set(err, "process %d: %s is not there any more, or no ELF file", (int)pid, image.exe);
        else if (replaced)
            strings_addf(&report->unseen,
                         "what process %d runs: %s was replaced since, and what stands there now was looked at",
                         (int)pid, image.exe);
    } else {
        result = err_set(err, "process %d: what it runs cannot be seen", (int)pid);
    }
    proc_image_deinit(&image);
    return result;
}

/* WORD as the number of a process, 0: it is none. */
static pid_t process_number(const char *word)
{
    size_t digits = strspn(word, "0123456789");

    return digits && digits < 10 && !word[digits] ? atoi(word) : 0;
}

/* As who opens it would: node, or Python. */
static bool check_lone_module(const struct check_request *request, const char *path, struct report *report)
{
    return check_lone_addon(request, path, report) || check_python_module(request, path, report);
}

/* On AGAINST, which may be NULL. */
static int check_one(const struct options *options, const char *word, const char *cwd, const struct offer *against,
                     struct report *report, struct err *err)
{
    const char *root = options->root ? options->root : "";
    struct check_request request = {
        .root = root, .env = *root ? NULL : (const char *const *)environ, .cwd = *root ? "/" : cwd, .against = against};
    CLEANUP_FREE char *path = absolute(root, word, request.cwd);
    int archive;
    struct guest guest;
    struct stat st;
    int error = *word ? path_stat(root, path, &st) : -ENOENT, status = 0;

    if (error < 0 && !*root && process_number(word)) {
        if (against)
            return err_set(err, "%s is a process, which has its C library: --against takes files", word);
        return check_process(process_number(word), report, err);
    }
    if (error < 0 && *root && stat(word, &st) == 0)
        return err_set(err, "%s%s is not there; with --against %s what is on this system is checked for that one", root,
                       path, root);
    if (error < 0)
        return err_errno(err, -error, "%s%s", root, *word ? path : "\"\"");
    archive = S_ISREG(st.st_mode) ? archives_at(root, path) : (int)ARCHIVE_NOT;
    if (archive < 0)
        return err_errno(err, -archive, "%s%s", root, path);
    if (archive != ARCHIVE_NOT)
        return check_archive(&request, path, (enum archive_kind)archive, report, err);
    guest_enter(&guest, path, &request);
    if (S_ISDIR(st.st_mode))
        status = check_tree(&request, path, true, report, err);
    else if (!(!against && !request.guests && check_lone_module(&request, path, report)) &&
             !check_file(&request, path, report))
        status = err_set(err, "%s is neither an ELF file nor a script, nor an archive: there is nothing to load", word);
    guest_deinit(&guest);
    return status;
}

static int check_all(const struct options *options, const struct offer *against, struct report *report, struct err *err)
{
    CLEANUP_FREE char *cwd = getcwd(NULL, 0);

    if (!cwd)
        return err_errno(err, errno, "the working directory");
    if (against)
        against_fill(against, report);
    for (size_t i = 0; i < options->rest_count; i++) {
        strings_add(&report->argv, xstrdup(options->rest[i]));
        if (check_one(options, options->rest[i], cwd, against, report, err) < 0)
            return -1;
    }
    check_headline(report, against);
    return 0;
}

static int cmd_check(const struct options *options, struct err *err)
{
    struct report *report;
    struct offer *against = NULL;
    int status;

    if (outlets_check_static(options, "check", err) < 0)
        return -1;
    report = report_static(options->root ? options->root : "");
    status = options->against ? offer_open(options->against, &against, err) : 0;
    if (status == 0)
        status = check_all(options, against, report, err);
    if (status == 0)
        status = outlets_put_static(options, report, err);
    if (status == 0)
        status = report->cause_count ? STATUS_FOUND : 0;
    report_destroy(report);
    offer_close(against);
    elffile_forget_all();
    return status;
}

static const char *const takes[] = {"output", "quiet", "color", "no-redact", "root", "against", NULL};
static const struct usage usage = {
    .name = "check",
    .arguments = "FILE|DIR|ARCHIVE|PID...",
    .purpose = "without running anything: would it load, here or under --root",
    .about =
        "Asks what the kernel and the loader would do with FILE: a program, a library (as a program without anything "
        "of "
        "its own would open it: what it takes from who loads it is no fault), a script; with each of them below DIR, "
        "or in an archive (.vsix, .zip, .deb, .rpm, .apk, .tar, .AppImage), add-ons by the node that is there; or with "
        "the program that "
        "process PID runs. All that is missing is told at "
        "once, each as a failed run would tell it; then the tree of objects and where each is found, the oldest C "
        "library and systems that would do with the symbols that decide it, and what else is to be known of the files. "
        "LD_LIBRARY_PATH and its like count as they are set, unless --root is given: then nothing of this system does, "
        "and the files may be for another machine."
        "\n\n-o picks the form by its ending: .txt .json .md .html, .sarif for continuous integration, .dot and .mmd "
        "for a drawing of the tree."
        "\vThe exit status is 0 where all would load, 1 where something would not, and 2 where FILE cannot be checked.",
    .takes = takes,
    .output = "write the report to FILE (.txt, .json, .md, .html, .sarif, .dot, .mmd; - is standard output)",
    .least = 1,
    .most = 1 << 16,
};
const struct command command_check = {"check", &usage, cmd_check};
