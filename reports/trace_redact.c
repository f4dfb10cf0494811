#include "trace_redact.h"

#include "log.h"
#include "text.h"

#include <probes/alloc.h>

#include <errno.h>
#include <string.h>
#include <uthash.h>

enum {
    LINE_MOST = 64 << 10,  /* bytes of a line that is put together */
    BYTES_MOST = 16 << 20, /* of all such lines */
};

/* What a piece of output is written as instead. */
struct piece {
    uint64_t n; /* the event */
    char *text; /* the whole line, with the first piece; "" with the others */
    UT_hash_handle hh;
};

/* The line that a process is writing on a descriptor. */
struct open_line {
    struct {
        pid_t pid;
        int fd;
    } key;
    struct text text;
    uint64_t *events; /* its pieces so far */
    size_t count, cap;
    UT_hash_handle hh;
};

struct trace_pieces {
    struct piece *pieces;
    struct open_line *open;
    size_t bytes;
};

static void add_piece(struct trace_pieces *pieces, uint64_t n, const char *text)
{
    struct piece *piece = xcalloc(1, sizeof *piece);

    piece->n = n;
    piece->text = xstrdup(text);
    pieces->bytes += strlen(text) + sizeof *piece;
    HASH_ADD(hh, pieces->pieces, n, sizeof piece->n, piece);
}

/* LINE is complete, or as long as it may get. */
static void close_line(struct trace_pieces *pieces, struct open_line *line)
{
    bool fits = pieces->bytes + line->text.n < BYTES_MOST;

    for (size_t i = 0; line->count > 1 && i < line->count; i++)
        add_piece(pieces, line->events[i], i == 0 && fits ? line->text.v : "");
    text_clear(&line->text);
    line->count = 0;
}

static struct open_line *line_of(struct trace_pieces *pieces, pid_t pid, int fd)
{
    struct open_line *line, like = {0};

    like.key.pid = pid;
    like.key.fd = fd;
    HASH_FIND(hh, pieces->open, &like.key, sizeof like.key, line);
    if (line)
        return line;
    line = xcalloc(1, sizeof *line);
    line->key = like.key;
    HASH_ADD(hh, pieces->open, key, sizeof line->key, line);
    return line;
}

/* A piece that ends one line and begins the next belongs to both: they are put together as one. */
static void see_output(struct trace_pieces *pieces, const struct event *event)
{
    const struct event_output *output = &event->output;
    struct open_line *line = line_of(pieces, event->pid, output->fd);
    bool complete = output->size && output->data[output->size - 1] == '\n';

    *(uint64_t *)array_add(&line->events, &line->count, &line->cap, sizeof *line->events) = event->n;
    for (size_t i = 0; i < output->size; i++)
        text_addc(&line->text, output->data[i] ? output->data[i] : ' ');
    if (complete || line->text.n > LINE_MOST)
        close_line(pieces, line);
}

static void drop_line(struct trace_pieces *pieces, struct open_line *line)
{
    HASH_DEL(pieces->open, line);
    text_deinit(&line->text);
    free(line->events);
    free(line);
}

static void close_process(struct trace_pieces *pieces, pid_t pid)
{
    struct open_line *line, *next;

    HASH_ITER(hh, pieces->open, line, next)
    {
        if (line->key.pid != pid)
            continue;
        close_line(pieces, line);
        drop_line(pieces, line);
    }
}

static void pieces_event(void *ctx, const struct event *event)
{
    struct trace_pieces *pieces = ctx;

    if (event->type == EVENT_OUTPUT)
        see_output(pieces, event);
    else if (event->type == EVENT_PROCESS && event->process.what == PROCESS_EXIT)
        close_process(pieces, event->pid);
}

struct trace_pieces *trace_pieces_create(struct sink *ret)
{
    struct trace_pieces *pieces = xcalloc(1, sizeof *pieces);

    *ret = (struct sink){pieces_event, pieces};
    return pieces;
}

void trace_pieces_destroy(struct trace_pieces *pieces)
{
    struct piece *piece, *next;

    if (!pieces)
        return;
    while (pieces->open)
        drop_line(pieces, pieces->open);
    HASH_ITER(hh, pieces->pieces, piece, next)
    {
        HASH_DEL(pieces->pieces, piece);
        free(piece->text);
        free(piece);
    }
    free(pieces);
}

/* ---- the second pass ---- */

struct pass {
    const struct trace_pieces *pieces;
    const struct trace_variables *variables;
    struct sink log;
};

/* A line that was never ended is looked up as one that was. */
static void close_all(struct trace_pieces *pieces)
{
    struct open_line *line, *next;

    HASH_ITER(hh, pieces->open, line, next)
    {
        close_line(pieces, line);
        drop_line(pieces, line);
    }
}

static void pass_event(void *ctx, const struct event *event)
{
    const struct pass *pass = ctx;
    struct trace_variables_kept kept;
    struct event changed = *event;
    struct piece *piece = NULL;

    if (event->type == EVENT_OUTPUT && pass->pieces)
        HASH_FIND(hh, pass->pieces->pieces, &event->n, sizeof event->n, piece);
    if (piece) {
        changed.output.data = piece->text;
        changed.output.size = strlen(piece->text);
    }
    trace_variables_filter(pass->variables, &changed, &kept);
    pass->log.event(pass->log.ctx, &changed);
    trace_variables_kept_deinit(&kept);
}

int trace_redact(FILE *raw, struct trace_pieces *pieces, const struct trace_variables *variables,
                 struct redactor *redactor, FILE **ret, struct err *err)
{
    struct pass pass = {.pieces = pieces, .variables = variables};
    const struct sink sink = {pass_event, &pass};
    FILE *out = tmpfile();
    struct log *log;
    int status;

    if (!out)
        return err_errno(err, errno, "cannot keep the log of a bundle in %s", P_tmpdir);
    if (pieces)
        close_all(pieces);
    log = log_create(out, redactor ? redactor_callback : NULL, redactor, &pass.log);
    rewind(raw);
    status = log_read(raw, &sink, NULL, err);
    log_destroy(log);
    if (!status && (fflush(out) != 0 || ferror(out)))
        status = err_errno(err, errno, "cannot keep the log of a bundle in %s", P_tmpdir);
    if (status < 0) {
        fclose(out);
        return -1;
    }
    rewind(out);
    *ret = out;
    return 0;
}
