/* glibctrace repro BUNDLE|DIR: shows a reproduction, runs it here under the tracer, and says whether it fails alike. */
#include "commands.h"

#include "alone.h"
#include "outlets.h"
#include "repro_run.h"

#include <reports/bundle.h>
#include <reports/here.h>
#include <reports/output.h>
#include <reports/utf8.h>

#include <probes/alloc.h>
#include <probes/elffile.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

enum { SCRIPT_MAX = 64 * 1024 /* bytes of a repro.sh that is shown before it is run; ours are some hundred */ };

/* A reproduction that lies in a scratch directory of ours. */
struct guest {
    char *scratch;
    char *directory;       /* that repro.sh is in */
    struct report *report; /* that came with it */
};

static bool is_there(const char *folder, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    struct stat st;

    return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* ---- taking it in ---- */

/* Into the scratch directory: its name there. */
static char *take_in(const char *from, const char *scratch, struct err *err)
{
    CLEANUP_FREE char *top = NULL;
    struct stat st;

    if (stat(from, &st) < 0) {
        err_errno(err, errno, "%s", from);
        return NULL;
    }
    if (S_ISDIR(st.st_mode)) {
        top = xstrdup("bundle");
        if (bundle_copy(from, scratch, top, err) < 0)
            return NULL;
    } else if (bundle_extract(from, scratch, NULL, &top, err) < 0) {
        return NULL;
    }
    return xasprintf("%s/%s", scratch, top);
}

/* What it should fail with: in the bundle, or beside a folder that is the reproduction alone. */
static int read_report(struct guest *guest, const char *folder, const char *from, struct err *err)
{
    CLEANUP_FREE char *inside = xasprintf("%s/report.json", folder), *beside = xasprintf("%s/../report.json", from);
    bool alone = is_there(folder, "repro.sh") && !is_there(folder, "report.json");
    struct err why;

    if (report_json_load(alone ? beside : inside, &guest->report, &why) < 0)
        return err_set(err, "%s: what the reproduction should fail with is not known: %s", from, why.text);
    return 0;
}

static int guest_open(const char *from, struct guest *ret, struct err *err)
{
    CLEANUP_FREE char *folder = NULL;
    const char *why;

    *ret = (struct guest){.scratch = repro_scratch_make(err)};
    if (!ret->scratch)
        return -1;
    folder = take_in(from, ret->scratch, err);
    if (!folder || read_report(ret, folder, from, err) < 0)
        return -1;
    ret->directory = is_there(folder, "repro.sh") ? xstrdup(folder) : xasprintf("%s/repro", folder);
    if (is_there(ret->directory, "repro.sh"))
        return 0;
    why = ret->report->repro_why;
    return err_set(err, "%s has no reproduction to be run%s%s", from, why ? ": " : "", why ? why : "");
}

static void guest_close(struct guest *guest)
{
    if (guest->scratch)
        repro_scratch_remove(guest->scratch);
    free(guest->scratch);
    free(guest->directory);
    report_destroy(guest->report);
}

/* ---- showing and running it ---- */

/* TEXT has room for SCRIPT_MAX bytes; how many FILE has of them, -1 with errno. */
static ssize_t read_script(const char *file, char *text)
{
    CLEANUP_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got = fd < 0 ? -1 : 1;

    while (got > 0 && n < SCRIPT_MAX) {
        got = read(fd, text + n, SCRIPT_MAX - n);
        n += got > 0 ? (size_t)got : 0;
    }
    return got < 0 ? -1 : (ssize_t)n;
}

/* Nothing that is run stays unseen: a script too long to be shown is not run. */
static int show(const struct guest *guest, const char *from, bool quiet, struct err *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/repro.sh", guest->directory), *text = xmalloc(SCRIPT_MAX + 1);
    ssize_t n = read_script(path, text);

    if (n < 0)
        return err_errno(err, errno, "%s: repro.sh cannot be read", from);
    if (n == SCRIPT_MAX)
        return err_set(err, "%s: repro.sh is longer than %d bytes, too long to be read before it is run", from,
                       SCRIPT_MAX);
    if (memchr(text, '\0', (size_t)n))
        return err_set(err, "%s: repro.sh is no text", from);
    text[n] = '\0';
    if (quiet)
        return 0;
    fprintf(stderr, "glibctrace: this is run now, in %s:\n", guest->directory);
    for (char *line = text, *end; *line; line = end) {
        CLEANUP_FREE char *plain = NULL;

        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        plain = utf8_plain(line);
        fprintf(stderr, "    %s\n", plain);
    }
    return 0;
}

/* A report that lay there already would be taken for that of the run. */
static void remove_leftover(const struct guest *guest)
{
    CLEANUP_FREE char *path = xasprintf("%s/.report.json", guest->directory);

    remove(path);
}

/* ---- the verdict ---- */

static const char *name_of(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    return slash && slash[1] ? slash + 1 : path ? path : "?";
}

static char *cause_text(const struct cause *cause)
{
    CLEANUP_FREE char *text = xasprintf("%s, %s%s%s", cause_kind_name(cause->kind), name_of(cause->subject),
                                        cause->missing ? " and " : "", cause->missing ? cause->missing : "");

    return utf8_plain(text);
}

static void tell_differences(const struct guest *guest, const struct cause *cause, const struct report *got)
{
    struct sheet sheet;

    here_differs(guest->report, cause, got, &sheet);
    fputs(sheet.count ? "\nWhat differs here:\n" : "\nNothing that is known differs here.\n", stdout);
    for (size_t i = 0; i < sheet.count; i++)
        printf("  %-12s  %s\n", sheet.rows[i].label, sheet.rows[i].text);
    sheet_deinit(&sheet);
}

/* The cause of the report that is found again in GOT, or NULL. */
static const struct cause *found_again(const struct guest *guest, const struct report *got)
{
    for (size_t i = 0; i < guest->report->cause_count; i++)
        if (repro_find_alike(guest->report->causes[i], got))
            return guest->report->causes[i];
    return NULL;
}

static int conclude(const struct guest *guest, const struct report *got, int code)
{
    const struct cause *wanted = guest->report->cause_count ? guest->report->causes[0] : NULL;
    const struct cause *alike = found_again(guest, got);
    CLEANUP_FREE char *expected = NULL, *seen = got->cause_count ? cause_text(got->causes[0]) : NULL;

    if (alike && code != 0) {
        expected = cause_text(alike);
        printf("It still fails alike here: %s (status %d).\n", expected, code);
        return 0;
    }
    expected = wanted ? cause_text(wanted) : xstrdup("nothing that is known");
    if (alike)
        printf("It fails differently here: %s, as it was, but it ends with status 0.\n", expected);
    else if (seen)
        printf("It fails differently here: %s (status %d).\nIt was: %s.\n", seen, code, expected);
    else if (code != 0)
        printf("It fails differently here: it ends with status %d, and no cause was found.\nIt was: %s.\n", code,
               expected);
    else
        printf("It does not fail here: status 0.\nIt was: %s.\n", expected);
    tell_differences(guest, wanted, got);
    return STATUS_FOUND;
}

static int write_outputs(const struct options *options, const struct report *got, struct err *err)
{
    const struct render_options plain = {0};

    for (size_t i = 0; i < options->outputs.n; i++)
        if (output_write(got, options->outputs.v[i], &plain, NULL, err) < 0)
            return -1;
    return 0;
}

static int run(struct guest *guest, const struct options *options, struct err *err)
{
    struct report *got = NULL;
    int code = 0, status;

    if (!guest->report->cause_count)
        return err_set(err, "%s: its report has no cause, so that there is nothing to compare with", options->rest[0]);
    if (show(guest, options->rest[0], options->quiet, err) < 0)
        return -1;
    remove_leftover(guest);
    if (!alone_without_network() && !options->quiet)
        fputs("glibctrace: the kernel does not let it be cut off from the network\n", stderr);
    if (repro_run_script(guest->directory, "repro.sh", &got, &code, err) < 0)
        return -1;
    status = conclude(guest, got, code);
    if (write_outputs(options, got, err) < 0)
        status = -1;
    report_destroy(got);
    return status;
}

static int cmd_repro(const struct options *options, struct err *err)
{
    struct guest guest = {0};
    int status = outlets_check_static(options, "repro", err);

    if (status >= 0)
        status = guest_open(options->rest[0], &guest, err) < 0 ? -1 : run(&guest, options, err);
    guest_close(&guest);
    fflush(stdout);
    elffile_forget_all();
    return status;
}

static const char *const takes[] = {"output", "quiet", "color", NULL};
static const struct usage usage = {
    .name = "repro",
    .arguments = "BUNDLE|DIR",
    .purpose = "run a bundle's reproduction here: does it still fail alike?",
    .about =
        "Unpacks the reproduction of a bundle (or copies that of a folder which one was unpacked into) into a "
        "directory for temporary files, prints its repro.sh on standard error, runs it under the tracer, without a "
        "network where the kernel allows that, and says "
        "whether it fails as the bundle's report says: the same kind, subject and missing thing. Where it does "
        "not, what is known to be different here is listed. -o writes the report of this run."
        "\vThe exit status is 0 where it still fails alike, 1 where it fails differently or does not fail, and 2 "
        "where there is nothing that could be run.\n\nrepro.sh is a program that somebody else may have written: "
        "-q hides it, and should be given only for bundles that you know.",
    .takes = takes,
    .output = OPTIONS_OUTPUT,
    .least = 1,
    .most = 1,
};
const struct command command_repro = {"repro", &usage, cmd_repro};
