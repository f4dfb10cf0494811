#include "evidence_stream.h"

#include <probes/alloc.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define STREAM_MOST (UINT64_C(4) << 30)

struct stream {
    struct stream_source source;
    bool *cut;
    char *head; /* what was read first, or NULL: it is too much to be kept */
    size_t head_size;
    uint64_t at;
};

static ssize_t on_read(void *cookie, char *to, size_t size)
{
    struct stream *stream = cookie;
    ssize_t n;

    if (stream->at < stream->head_size) {
        size_t left = stream->head_size - (size_t)stream->at;

        size = size < left ? size : left;
        memcpy(to, stream->head + stream->at, size);
        stream->at += size;
        return (ssize_t)size;
    }
    if (stream->at >= STREAM_MOST) {
        *stream->cut = true;
        return 0;
    }
    n = stream->source.read(stream->source.state, to, size);
    if (n <= 0)
        return n;
    if (stream->head && stream->head_size + (size_t)n <= STREAM_HEAD) {
        memcpy(stream->head + stream->head_size, to, (size_t)n);
        stream->head_size += (size_t)n;
    } else {
        free(steal_pointer(&stream->head));
        stream->head_size = 0;
    }
    stream->at += (uint64_t)n;
    return n;
}

static int on_seek(void *cookie, off64_t *offset, int whence)
{
    struct stream *stream = cookie;

    if (!stream->head || whence != SEEK_SET || *offset != 0) {
        errno = ESPIPE;
        return -1;
    }
    stream->at = 0;
    return 0;
}

static int on_close(void *cookie)
{
    struct stream *stream = cookie;

    stream->source.free(stream->source.state);
    free(stream->head);
    free(stream);
    return 0;
}

FILE *stream_open(const struct stream_source *source, bool *cut)
{
    const cookie_io_functions_t functions = {.read = on_read, .seek = on_seek, .close = on_close};
    struct stream *stream = xcalloc(1, sizeof *stream);
    FILE *file;

    stream->source = *source;
    stream->cut = cut;
    stream->head = xmalloc(STREAM_HEAD);
    file = fopencookie(stream, "r", functions);
    if (!file)
        alloc_failed();
    return file;
}

/* ---- over another one ---- */

static ssize_t read_file(void *state, char *to, size_t size)
{
    FILE *in = state;
    size_t n = fread(to, 1, size, in);

    return n || !ferror(in) ? (ssize_t)n : -1;
}

static void close_file(void *state)
{
    if (state != stdin)
        fclose(state);
}

FILE *stream_over(FILE *in, bool *cut)
{
    return stream_open(&(struct stream_source){in, read_file, close_file}, cut);
}

FILE *stream_keep(FILE *in, const char *name, struct err *err)
{
    CLEANUP_FREE char *buffer = xmalloc(STREAM_HEAD);
    FILE *out = tmpfile();
    bool read_all;
    size_t n;

    while (out && !ferror(out) && (n = fread(buffer, 1, STREAM_HEAD, in)) > 0)
        fwrite(buffer, 1, n, out);
    read_all = !ferror(in);
    if (!read_all)
        err_errno(err, errno, "%s cannot be read", name);
    fclose(in);
    if (out && fflush(out) == 0 && !ferror(out) && read_all) {
        rewind(out);
        return out;
    }
    if (read_all)
        err_errno(err, errno, "cannot keep %s in %s", name, P_tmpdir);
    if (out)
        fclose(out);
    return NULL;
}
