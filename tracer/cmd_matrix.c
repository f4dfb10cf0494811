/* glibctrace matrix BUILD...: which build loads on which C library. */
#include "commands.h"

#include "outlets.h"

#include <reports/matrix.h>

#include <probes/alloc.h>
#include <probes/path.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct matrix {
    struct check_request request;
    struct build **builds;
    size_t build_count, build_cap;
    struct offer **offers;
    size_t offer_count, offer_cap;
    struct offer *here;
};

enum { COLUMNS_MOST = 64 };

static int open_offers(struct matrix *matrix, const char *list, struct err *err)
{
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ",");
        CLEANUP_FREE char *word = xstrndup(p, n);

        p += n + (p[n] == ',');
        if (!*word)
            continue;
        for (size_t i = 0; i < matrix->offer_count; i++)
            if (strcmp(matrix->offers[i]->word, word) == 0)
                return err_set(err, "--libcs names %s twice", word);
        if (matrix->offer_count == COLUMNS_MOST)
            return err_set(err, "--libcs takes %d at most", COLUMNS_MOST);
        struct offer *offer, **place;
        if (offer_open(word, &offer, err) < 0)
            return -1;
        place = array_add(&matrix->offers, &matrix->offer_count, &matrix->offer_cap, sizeof *place);
        *place = offer;
    }
    if (!matrix->offer_count)
        return err_set(err, "--libcs names no C library");
    return offer_open("here", &matrix->here, err);
}

static int open_builds(struct matrix *matrix, const struct options *options, struct report *report, struct err *err)
{
    for (size_t i = 0; i < options->rest_count; i++) {
        const char *word = options->rest[i];
        CLEANUP_FREE char *path = word[0] == '/' ? path_join(word, "") : path_join(matrix->request.cwd, word);
        size_t n = strlen(path);
        struct build *build, **place;

        while (n > 1 && path[n - 1] == '/')
            path[--n] = '\0';
        strings_add(&report->argv, xstrdup(word));
        if (!*word)
            return err_errno(err, ENOENT, "\"\"");
        if (build_open(&matrix->request, path, &build, err) < 0)
            return -1;
        place = array_add(&matrix->builds, &matrix->build_count, &matrix->build_cap, sizeof *place);
        *place = build;
    }
    return 0;
}

static void matrix_deinit(struct matrix *matrix)
{
    for (size_t i = 0; i < matrix->build_count; i++)
        build_close(matrix->builds[i]);
    for (size_t i = 0; i < matrix->offer_count; i++)
        offer_close(matrix->offers[i]);
    offer_close(matrix->here);
    free(matrix->builds);
    free(matrix->offers);
}

/* Below zero, or the number of builds that load here. */
static long make(const struct options *options, const char *cwd, struct report *report, struct err *err)
{
    struct matrix matrix = {.request = {.root = "", .env = (const char *const *)environ, .cwd = cwd}};
    CLEANUP_FREE char *columns = options->libcs ? xstrdup(options->libcs) : matrix_columns();
    long running = -1;

    if (open_offers(&matrix, columns, err) == 0 && open_builds(&matrix, options, report, err) == 0) {
        running = (long)matrix_make(matrix.builds, matrix.build_count, matrix.offers, matrix.offer_count, matrix.here,
                                    report);
        against_fill(matrix.here, report);
    }
    matrix_deinit(&matrix);
    return running;
}

static int cmd_matrix(const struct options *options, struct err *err)
{
    struct report *report = report_static("");
    CLEANUP_FREE char *cwd = getcwd(NULL, 0);
    int status = cwd ? 0 : err_errno(err, errno, "the working directory");
    long running = -1;

    if (status == 0)
        status = outlets_check_static(options, "matrix", err);
    if (status == 0)
        running = make(options, cwd, report, err);
    if (running < 0)
        status = -1;
    if (status == 0)
        status = outlets_put_static(options, report, err);
    if (status == 0)
        status = running ? 0 : STATUS_FOUND;
    report_destroy(report);
    elffile_forget_all();
    return status;
}

static const char *const takes[] = {"output", "quiet", "color", "no-redact", "libcs", NULL};
static const struct usage usage = {
    .name = "matrix",
    .arguments = "BUILD...",
    .purpose = "which builds load on which C library, as a table",
    .about =
        "A row for each BUILD (an ELF file, or a directory or an archive, such as a .vsix or .deb, with all that are "
        "in it), a column for each C library, and in each cell whether it loads there or which symbol and version "
        "it would fail of. The last line is the newest build that runs here, by the versions that extensions say "
        "of themselves and others have in their names; the exit status is 1 where none does."
        "\vExamples:\n"
        "  glibctrace matrix node-v18.20.0 node-v20.11.1 node-v22.1.0\n"
        "  glibctrace matrix ~/Downloads/*.vsix\n"
        "  glibctrace matrix --libcs 2.28,2.31,musl,/srv/rootfs,here ext-1.2.3 ext-1.3.0 -o table.md\n"
        "\n"
        "Of a release alone, and of musl, nothing is known but the C library and, for glibc, the libstdc++ and "
        "libgcc_s of the systems that have it; a root is asked for everything.",
    .takes = takes,
    .output = OPTIONS_OUTPUT,
    .least = 1,
    .most = 1 << 16,
};
const struct command command_matrix = {"matrix", &usage, cmd_matrix};
