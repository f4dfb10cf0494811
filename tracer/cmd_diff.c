/* glibctrace diff GOOD BAD: what differs between two runs, what leads to the failure first. */
#include "commands.h"

#include <reports/diff.h>
#include <reports/output.h>

#include <probes/alloc.h>
#include <probes/elffile.h>

#include <errno.h>
#include <string.h>

/* .json and .txt, and - for text on standard output. */
static int check_outputs(const struct options *options, struct err *err)
{
    for (size_t i = 0; i < options->outputs.n; i++) {
        const struct renderer *renderer = renderer_for(options->outputs.v[i]);

        if (renderer != &renderer_text && renderer != &renderer_json)
            return err_set(err, "diff: %s: a comparison is written as .json or .txt, or to - as text",
                           options->outputs.v[i]);
    }
    return 0;
}

static void render(const void *ctx, const char *file, FILE *out)
{
    if (renderer_for(file) == &renderer_json)
        diff_json(ctx, out);
    else
        diff_text(ctx, out);
}

static int put(const struct options *options, const struct diff *diff, struct err *err)
{
    bool told = options->quiet;

    for (size_t i = 0; i < options->outputs.n; i++) {
        if (output_write_with(options->outputs.v[i], render, diff, err) < 0)
            return -1;
        told |= renderer_for(options->outputs.v[i]) == &renderer_text;
    }
    if (!told)
        diff_text(diff, stdout);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : err_errno(err, errno, "standard output cannot be written");
}

static int cmd_diff(const struct options *options, struct err *err)
{
    struct diff diff = {0};
    int status = check_outputs(options, err);

    if (status >= 0)
        status = diff_open(options->rest[0], options->rest[1], &diff, err);
    if (status >= 0)
        status = put(options, &diff, err);
    if (status >= 0)
        status = diff.count ? STATUS_FOUND : 0;
    diff_deinit(&diff);
    elffile_forget_all();
    return status;
}

static const char *const takes[] = {"output", "quiet", "color", NULL};
static const struct usage usage = {
    .name = "diff",
    .arguments = "GOOD BAD",
    .purpose = "what differs between two runs, what leads to the failure first",
    .about = "Compares two bundles (.tar.zst), folders that one was unpacked into, traces (trace.jsonl) or reports "
             "(report.json): of two machines, or of before and after an update. Programs, libraries, files and "
             "variables are aligned by what they are, not by when they came. What BAD fails of comes first, then what "
             "explains it (another C library, a variable that leads elsewhere), then the rest. What is different in "
             "any two runs (numbers of processes, addresses, times, names of temporary files) is no difference."
             "\vThe exit status is 0 where they are alike, 1 where they differ, and 2 where one cannot be read.",
    .takes = takes,
    .output = "write the comparison to FILE (.txt, .json; - is standard output)",
    .least = 2,
    .most = 2,
};
const struct command command_diff = {"diff", &usage, cmd_diff};
