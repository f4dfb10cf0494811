#include "progress.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_MS = 1000, EVERY_MS = 200, CHUNK = 256 * 1024 };

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void show(struct progress *progress)
{
    uint64_t done = progress->in ? (uint64_t)ftello(progress->in) : 0;
    int before = progress->shown;

    if (!progress->in)
        progress->shown = fprintf(stderr, "\rglibctrace: %s: %u s", progress->name,
                                  (unsigned)((now_ns() - progress->from_ns) / 1000000000));
    else if (progress->size)
        progress->shown = fprintf(stderr, "\rglibctrace: reading %s: %u %% of %.1f MB", progress->name,
                                  (unsigned)(done * 100 / progress->size), (double)progress->size / 1e6);
    else
        progress->shown = fprintf(stderr, "\rglibctrace: reading %s: %.1f MB", progress->name, (double)done / 1e6);
    if (before > progress->shown)
        fprintf(stderr, "%*s", before - progress->shown, "");
    fflush(stderr);
}

void progress_tick(struct progress *progress)
{
    uint64_t now = now_ns();

    if (progress->name && now - progress->from_ns > FIRST_MS * UINT64_C(1000000) &&
        now - progress->shown_ns > EVERY_MS * UINT64_C(1000000)) {
        progress->shown_ns = now;
        show(progress);
    }
}

void progress_task(struct progress *progress, const char *what, bool quiet)
{
    int shown = progress->shown;

    *progress = (struct progress){.name = quiet || !isatty(STDERR_FILENO) ? NULL : what, .from_ns = now_ns()};
    progress->shown = shown;
}

static ssize_t on_read(void *cookie, char *to, size_t size)
{
    struct progress *progress = cookie;
    size_t n;

    progress_tick(progress);
    n = fread(to, 1, size, progress->in);
    return n || !ferror(progress->in) ? (ssize_t)n : -1;
}

static int on_seek(void *cookie, off64_t *offset, int whence)
{
    struct progress *progress = cookie;

    if (fseeko(progress->in, *offset, whence) < 0)
        return -1;
    *offset = ftello(progress->in);
    return 0;
}

FILE *progress_start(struct progress *progress, FILE *in, const char *name, bool quiet)
{
    const cookie_io_functions_t functions = {.read = on_read, .seek = on_seek};
    struct stat st;
    FILE *stream;

    *progress = (struct progress){.name = name, .in = in, .from_ns = now_ns()};
    if (quiet || !isatty(STDERR_FILENO))
        return in;
    if (fileno(in) >= 0 && fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode))
        progress->size = (uint64_t)st.st_size;
    stream = fopencookie(progress, "r", functions);
    if (stream)
        setvbuf(stream, NULL, _IOFBF, CHUNK);
    return stream ? stream : in;
}

void progress_end(struct progress *progress, FILE *stream)
{
    if (stream && stream != progress->in)
        fclose(stream);
    if (progress->shown)
        fprintf(stderr, "\r%*s\r", progress->shown, "");
    progress->shown = 0;
    progress->name = NULL;
}
