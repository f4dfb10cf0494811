#include "read_text.h"

#include "read_clean.h"
#include "read_wrap.h"
#include "read_spans.h"

#include <probes/alloc.h>

#include <errno.h>
#include <string.h>

enum {
    LINE_MOST = 1 << 20,    /* bytes: what is behind them is left out */
    CHUNK = 256 * 1024,     /* bytes that are read at once */
    SYSTEM_MOST = 512,      /* bytes of a line that may tell of the system */
    LOOKED_AT = 64 * 1024,  /* of the beginning, to know what was done to all of it */
    WAITING_MOST = 1 << 16, /* bytes of words before the first process */
    SPANS_MOST = 1 << 13,   /* bytes: no sentence that somebody has written is longer */
};

static const struct text_reader *const readers[] = {
    &text_reader_perf,    &text_reader_ltrace, &text_reader_strace,
    &text_reader_lddebug, &text_reader_words, /* the last one */
};
enum { READER_COUNT = sizeof readers / sizeof *readers };

/* ---- for the readers ---- */

void text_event(struct text_reading *reading, struct event *event)
{
    event->n = ++reading->n;
    if (!event->t_ns)
        event->t_ns = reading->t_ns;
    if (!event->tid)
        event->tid = event->pid;
    if (!event->root)
        event->root = "";
    reading->sink->event(reading->sink->ctx, event);
}

static void say(struct text_reading *reading, const char *data, size_t size)
{
    struct event event = {
        .pid = reading->about,
        .type = EVENT_OUTPUT,
        .output = {.fd = 2, .data = data, .size = size, .whole = size, .by = BY_UNKNOWN},
    };

    text_event(reading, &event);
}

void text_words(struct text_reading *reading, const char *data, size_t size)
{
    struct text *waiting = &reading->waiting;

    if (reading->about) {
        say(reading, data, size);
        return;
    }
    text_addn(waiting, data, size);
    if (waiting->n > 2 * WAITING_MOST) { /* the newest matter most */
        memmove(waiting->v, waiting->v + waiting->n - WAITING_MOST, WAITING_MOST);
        waiting->n = WAITING_MOST;
    }
}

void text_about(struct text_reading *reading, pid_t pid)
{
    reading->about = pid;
    if (reading->waiting.n)
        say(reading, reading->waiting.v, reading->waiting.n);
    text_clear(&reading->waiting);
}

/* ---- the process of a text that tells of none ---- */

static void make_up(struct text_reading *reading)
{
    enum { MADE_UP = 1 };
    const char *const env[] = {reading->library_path, NULL};
    const struct image image = {
        .env = env,
        .exe = reading->argv.n ? reading->argv.v[0] : "the program",
        .argv = (const char *const *)reading->argv.v,
        .musl = reading->musl,
        .loader_base = 1, /* some loader: whose calls are its own is known where it is told */
        .loader_end = 2,
        .class = 2,    /* ELFCLASS64 */
        .machine = 62, /* EM_X86_64 */
    };
    struct event started = {
        .pid = MADE_UP, .type = EVENT_PROCESS, .process = {.what = PROCESS_START, .image = &image, .by_words = true}};

    strings_add(&reading->argv, NULL); /* a vector's end */
    reading->argv.n--;
    reading->made_up = reading->by_words = true;
    text_event(reading, &started);
    text_about(reading, MADE_UP);
}

static void end_made_up(struct text_reading *reading)
{
    struct sight sight = {0};
    struct event ended = {
        .pid = reading->about,
        .sight = &sight,
        .type = EVENT_PROCESS,
        .process = {.what = PROCESS_EXITING, .status = reading->status_known ? reading->status : 1 << 8},
    };

    strings_add(&reading->copies, NULL);
    sight.copies = (const char *const *)reading->copies.v;
    text_event(reading, &ended);
}

/* ---- lines ---- */

/* Of words nothing is taken away: somebody has said them. */
static void offer_words(struct text_reading *reading, char *line, size_t size)
{
    text_reader_words.take(reading->states[READER_COUNT - 1], line, size);
    line[size] = '\n';
    text_words(reading, line, size + 1);
    line[size] = '\0';
}

void text_as_words(struct text_reading *reading, char *line, size_t size)
{
    offer_words(reading, line, size);
}

bool text_as_strace(struct text_reading *reading, char *line, size_t size)
{
    size_t i = 0;

    while (readers[i] != &text_reader_strace)
        i++;
    return readers[i]->take(reading->states[i], line, size);
}

/* SIZE bytes of a line as a line. */
static void offer_piece(struct text_reading *reading, char *piece, size_t size)
{
    char behind = piece[size];

    piece[size] = '\0';
    offer_words(reading, piece, size);
    piece[size] = behind;
}

static void offer(struct text_reading *reading, char *line, size_t size)
{
    const char *at = line, *from, *next;
    size_t length;

    for (size_t i = 0; i + 1 < READER_COUNT; i++) {
        if (!readers[i]->take(reading->states[i], line, size))
            continue;
        if (!reading->taker)
            reading->taker = readers[i];
        reading->taken++;
        return;
    }
    while (size < SPANS_MOST && strncmp(line, "If ", 3) != 0 && spans_next(at, &from, &length, &next)) {
        offer_piece(reading, line + (at - line), (size_t)(from - at));
        offer_piece(reading, line + (from - line), length);
        at = next;
    }
    if (at == line || *at)
        offer_words(reading, line + (at - line), size - (size_t)(at - line));
}

/* On its way from the file to the readers. */
struct passage {
    struct text_reading *reading;
    struct wrap wrap;
    struct clean clean;
};

static void on_unwrapped(void *ctx, char *line, size_t size)
{
    struct passage *passage = ctx;

    if (!clean_line(&passage->clean, &line, &size))
        return;
    if (size < SYSTEM_MOST)
        told_system_read(passage->reading->system, line);
    offer(passage->reading, line, size);
}

static void on_line(struct passage *passage, char *line, size_t size)
{
    passage->reading->number++;
    wrap_line(&passage->wrap, line, size, on_unwrapped, passage);
}

/* A window over the file: a line in the making and what was read behind it. */
struct window {
    char *v;
    size_t from, to; /* what is not handed out yet */
    bool cut;        /* the rest of a line too long is passed over */
};

static void hand_out(struct passage *passage, struct window *window, bool last)
{
    char *newline;

    while ((newline = memchr(window->v + window->from, '\n', window->to - window->from))) {
        char *line = window->v + window->from;

        *newline = '\0';
        window->from = (size_t)(newline - window->v) + 1;
        if (!window->cut)
            on_line(passage, line, (size_t)(newline - line));
        window->cut = false;
    }
    if (window->to - window->from >= LINE_MOST || (last && window->to > window->from)) {
        window->v[window->to] = '\0';
        if (!window->cut)
            on_line(passage, window->v + window->from, window->to - window->from);
        window->cut = !last;
        window->from = window->to;
    }
    memmove(window->v, window->v + window->from, window->to - window->from);
    window->to -= window->from;
    window->from = 0;
}

static int read_lines(FILE *in, struct text_reading *reading, struct err *err)
{
    CLEANUP_FREE char *memory = xmalloc(LINE_MOST + CHUNK + 2); /* the NUL, and a newline in its place */
    struct window window = {.v = memory};
    struct passage passage = {.reading = reading};
    size_t got;

    while ((got = fread(window.v + window.to, 1, CHUNK, in)) > 0) {
        window.to += got;
        if (!passage.reading->number && !passage.clean.begun) {
            window.v[window.to] = '\0';
            wrap_look(&passage.wrap, window.v, window.to < LOOKED_AT ? window.to : LOOKED_AT);
            marks_look(&passage.clean.marks, window.v, window.to < LOOKED_AT ? window.to : LOOKED_AT);
        }
        hand_out(&passage, &window, false);
    }
    if (ferror(in)) {
        text_deinit(&passage.wrap.held);
        return err_errno(err, errno, "line %llu cannot be read", (unsigned long long)reading->number + 1);
    }
    hand_out(&passage, &window, true);
    wrap_end(&passage.wrap, on_unwrapped, &passage);
    return 0;
}

int text_read(FILE *in, const struct sink *sink, enum input_how *how, struct told_system *system, struct err *err)
{
    void *states[READER_COUNT];
    struct text_reading reading = {.sink = sink, .states = states, .system = system};
    int status;

    for (size_t i = 0; i < READER_COUNT; i++)
        states[i] = readers[i]->begin(&reading);
    status = read_lines(in, &reading, err);
    for (size_t i = READER_COUNT; i-- > 0;)
        if (readers[i]->close)
            readers[i]->close(states[i]);
    if (!reading.about)
        make_up(&reading);
    for (size_t i = READER_COUNT; i-- > 0;) /* words belong to processes that end with their own readers */
        readers[i]->end(states[i]);
    if (reading.made_up)
        end_made_up(&reading);
    *how = reading.taker ? reading.taker->how : INPUT_TEXT;
    strings_deinit(&reading.argv);
    free(reading.library_path);
    text_deinit(&reading.waiting);
    strings_deinit(&reading.refused);
    strings_deinit(&reading.told);
    strings_deinit(&reading.copies);
    return status;
}

bool text_knows(const char *head, size_t size)
{
    enum {
        BLOCKS = 4, /* of NULs, as a file system leaves them in a log that was being written when all stopped */
        FEW = 6,    /* a shell that takes an ELF file for a script says its first bytes, but no NUL */
    };
    size_t strange = 0, zeros = 0, blocks = 0;

    if (size >= 4 && memcmp(head, "\177ELF", 4) == 0) /* the file itself */
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)head[i];

        zeros += c == 0;
        blocks += c == 0 && (i == 0 || head[i - 1] != 0);
        strange += c == 0x7f || (c && c < ' ' && !strchr("\t\n\v\f\r\b\a\033", c));
    }
    if (blocks > BLOCKS)
        strange += zeros;
    else
        size -= zeros;
    return size > 0 && strange <= size / 64 + (strange <= FEW && !zeros ? FEW : 0); /* a keyboard's ^C here and there */
}
