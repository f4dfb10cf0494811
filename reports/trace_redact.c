#include "trace_redact.h"

#include "log.h"
#include "syscall.h"
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
    struct redactor *redactor; /* or NULL */
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

/* The command line of a call or an image, hidden. */
struct hidden_line {
    struct strings words;
    const char **argv;
    struct image image;
    char *text; /* as it stands among a call's arguments */
};

static void hide_line(struct redactor *redactor, const char *const *argv, struct hidden_line *ret)
{
    redactor_argv(redactor, argv, &ret->words);
    ret->argv = xcalloc(ret->words.n + 1, sizeof *ret->argv);
    for (size_t i = 0; i < ret->words.n; i++)
        ret->argv[i] = ret->words.v[i];
}

/* ["prog", "word"], as strace has it. */
static char *line_text(const struct hidden_line *line)
{
    struct text text = {0};

    text_addc(&text, '[');
    for (size_t i = 0; i < line->words.n; i++) {
        text_add(&text, i ? ", " : "");
        text_quote(&text, line->words.v[i], strlen(line->words.v[i]));
    }
    text_addc(&text, ']');
    return text.v;
}

static void hide_command(const struct pass *pass, struct event *event, struct hidden_line *ret)
{
    *ret = (struct hidden_line){0};
    if (!pass->redactor)
        return;
    if (event->type == EVENT_PROCESS && event->process.image && event->process.image->argv) {
        hide_line(pass->redactor, event->process.image->argv, ret);
        ret->image = *event->process.image;
        ret->image.argv = ret->argv;
        event->process.image = &ret->image;
    } else if (event->type == EVENT_SYSCALL && event->syscall.desc->family == FAMILY_PROCESS) {
        if (event->syscall.argv) {
            hide_line(pass->redactor, event->syscall.argv, ret);
            event->syscall.argv = ret->argv;
        }
        for (size_t i = 0; i < 6 && event->syscall.text[i]; i++)
            if (strncmp(event->syscall.text[i], "[\"", 2) == 0 && !ret->text)
                event->syscall.text[i] = ret->text = line_text(ret); /* of one that could not be read: nothing */
    }
}

static void hidden_line_deinit(struct hidden_line *line)
{
    strings_deinit(&line->words);
    free(line->argv);
    free(line->text);
}

static void pass_event(void *ctx, const struct event *event)
{
    const struct pass *pass = ctx;
    struct trace_variables_kept kept = {0};
    struct hidden_line line;
    struct event changed = *event;
    struct piece *piece = NULL;

    if (event->type == EVENT_OUTPUT && pass->pieces)
        HASH_FIND(hh, pass->pieces->pieces, &event->n, sizeof event->n, piece);
    if (piece) {
        changed.output.data = piece->text;
        changed.output.size = strlen(piece->text);
    }
    if (pass->variables)
        trace_variables_filter(pass->variables, &changed, &kept);
    hide_command(pass, &changed, &line);
    pass->log.event(pass->log.ctx, &changed);
    hidden_line_deinit(&line);
    trace_variables_kept_deinit(&kept);
}

int trace_redact(FILE *raw, struct trace_pieces *pieces, const struct trace_variables *variables,
                 struct redactor *redactor, FILE **ret, struct err *err)
{
    struct pass pass = {.pieces = pieces, .variables = variables, .redactor = redactor};
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
