#include "output.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { NAMES_MOST = 100 /* random ones that are tried */ };

int output_check(const char *file, struct err *err)
{
    char endings[128] = "";

    if (bundle_named(file) || renderer_for(file))
        return 0;
    for (size_t i = 0, n = 0; renderers[i]; i++)
        n += (size_t)snprintf(endings + n, sizeof endings - n, "%s, ", renderers[i]->ending);
    return err_set(err,
                   "%s: the ending picks the form of a report; known are %s" BUNDLE_ENDING " and - (standard output)",
                   file, endings);
}

/* A file under construction. */
struct draft {
    char *place;  /* where it will stand */
    bool unnamed; /* it has no name yet */
    char *path;   /* where it stands until then; NULL: nowhere, or PLACE is written to as it is */
    FILE *out;
};

/* A name that nothing has yet, beside DRAFT's place; the caller's call decides whether it is so. */
static void draft_name(struct draft *draft, int tries)
{
    CLEANUP_FREE char *directory = path_dir(draft->place);
    uint64_t random = 0;

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = (uint64_t)getpid() << 32 | (uint64_t)tries;
    free(draft->path);
    draft->path = xasprintf("%s/.glibctrace-%016llx", directory, (unsigned long long)random);
}

/* A file without a name, where the file system has them (open(2), O_TMPFILE): nothing of it is left if we are killed.
 */
static int open_unnamed(const char *directory)
{
    return access("/proc/self/fd", X_OK) == 0 ? open(directory, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666) : -1;
}

/* Opens a new file beside DRAFT's place; it gets the mode that a file created there gets (open(2), umask). */
static int draft_open_beside(struct draft *draft, struct err *err)
{
    CLEANUP_FREE char *directory = path_dir(draft->place);
    int fd = open_unnamed(directory);

    draft->unnamed = fd >= 0;
    for (int tries = 0; fd < 0 && tries < NAMES_MOST; tries++) {
        draft_name(draft, tries);
        fd = open(draft->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0) {
        free(steal_pointer(&draft->path));
        return err_errno(err, errno, "%s cannot be written: no file can be made in %s", draft->place, directory);
    }
    draft->out = fdopen(fd, "w");
    if (!draft->out)
        alloc_failed();
    return 0;
}

/* A name for what is complete now, so that rename(2) can put it over what stands in its place: linkat(2) cannot. */
static int draft_link(struct draft *draft)
{
    CLEANUP_FREE char *file = xasprintf("/proc/self/fd/%d", fileno(draft->out));

    for (int tries = 0; tries < NAMES_MOST; tries++) {
        draft_name(draft, tries);
        if (linkat(AT_FDCWD, file, AT_FDCWD, draft->path, AT_SYMLINK_FOLLOW) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    free(steal_pointer(&draft->path));
    return -1;
}

static int draft_open(struct draft *draft, const char *file, struct err *err)
{
    struct stat st;

    *draft = (struct draft){0};
    if (stat(file, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return err_errno(err, EISDIR, "%s cannot be written", file);
        draft->place = S_ISREG(st.st_mode) ? realpath(file, NULL) : NULL; /* through links, as a plain open would */
    }
    if (!draft->place)
        draft->place = xstrdup(file);
    if (stat(file, &st) == 0 && !S_ISREG(st.st_mode)) {
        draft->out = fopen(file, "we");
        return draft->out ? 0 : err_errno(err, errno, "%s cannot be written", file);
    }
    return draft_open_beside(draft, err);
}

/* RESULT: that of the writing; below zero the draft is thrown away. */
static int draft_close(struct draft *draft, int result, struct err *err)
{
    bool broken = draft->out && (fflush(draft->out) != 0 || ferror(draft->out) ||
                                 (result >= 0 && draft->unnamed && draft_link(draft) < 0));
    int error = errno;

    if (draft->out && fclose(draft->out) != 0 && !broken) {
        broken = true;
        error = errno;
    }
    if (broken && result >= 0)
        result = err_errno(err, error ? error : EIO, "%s cannot be written", draft->place);
    if (draft->path && result >= 0 && rename(draft->path, draft->place) < 0)
        result = err_errno(err, errno, "%s cannot be put in its place", draft->place);
    if (draft->path && result < 0)
        unlink(draft->path);
    free(draft->path);
    free(draft->place);
    return result;
}

int output_write(const struct report *report, const char *file, const struct render_options *options,
                 const struct bundle_parts *parts, struct err *err)
{
    const struct renderer *renderer = renderer_for(file);
    const struct bundle_parts none = {0};
    const struct render_options plain = {.trace = parts ? parts->trace : NULL};
    struct draft draft;
    int result;

    if (strcmp(file, "-") == 0) {
        renderer->render(report, options ? options : &plain, stdout);
        return fflush(stdout) == 0 && !ferror(stdout) ? 0 : err_errno(err, errno, "standard output cannot be written");
    }
    if (output_check(file, err) < 0)
        return -1;
    result = draft_open(&draft, file, err);
    if (result >= 0 && renderer)
        renderer->render(report, &plain, draft.out); /* a file is no terminal: no colour, the width of a page */
    else if (result >= 0)
        result = bundle_write(report, parts ? parts : &none, file, draft.out, err);
    return draft_close(&draft, result, err);
}

int output_write_with(const char *file, void (*render)(const void *ctx, const char *file, FILE *out), const void *ctx,
                      struct err *err)
{
    struct draft draft;
    int result;

    if (strcmp(file, "-") == 0) {
        render(ctx, file, stdout);
        return fflush(stdout) == 0 && !ferror(stdout) ? 0 : err_errno(err, errno, "standard output cannot be written");
    }
    result = draft_open(&draft, file, err);
    if (result >= 0)
        render(ctx, file, draft.out);
    return draft_close(&draft, result, err);
}
