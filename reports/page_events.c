/* The events. All of them that the page has room for stand in it as compact JSON, which the script lists and filters;
 * those that failed or are evidence stand there as a plain table as well, for readers without it.
 *
 * The JSON, one object: "texts", every different line once; then for each event, in columns of equal length, "n" and
 * "t" (its number and its microseconds, each as the difference from the one before), "p" (index into "pids"), "d" (its
 * thread's id less the process's), "k" (struct line's kinds as bits, EVIDENCE besides), "x" (index into "texts");
 * "s": pairs of an event's number and the index of its stack's text. */
#include "page.h"

#include "json_text.h"
#include "line.h"
#include "page_text.h"
#include "text.h"
#include "utf8.h"
#include "wording.h"

#include <probes/alloc.h>

#include <string.h>
#include <uthash.h>

enum {
    EVIDENCE = 64,         /* in kept.kinds, above enum line_kind's bits */
    HALF = 60000,          /* ordinary events: the first and the last so many */
    NOTABLE_MOST = 100000, /* that failed or are evidence */
    LINE_MOST = 1500,      /* bytes of one */
    STACK_MOST = 6000,     /* bytes of one's text */
    STACKS_MOST = 20000,   /* events with a stack */
    TEXTS_MOST = 24 << 20, /* bytes of all lines and stacks */
    OUTPUT_SHOWN = 600,    /* of what a program wrote */
    PLAIN_MOST = 600,      /* rows of a plain table: half of them the first, half the last */
};

struct kept {
    uint64_t n, t_us;
    pid_t pid, tid;
    unsigned kinds;
    char *line, *stack; /* STACK: or NULL */
};

struct program {
    pid_t pid;
    size_t index;
    char *name; /* the last that it was, or NULL */
    UT_hash_handle hh;
};

struct page_events {
    const struct report *report;
    struct kept *kept; /* notable ones, and the first HALF of the others */
    size_t count, cap;
    size_t notable, ordinary;
    struct kept *ring; /* the last of the others, the oldest of them at RING_AT */
    size_t ring_count, ring_at;
    size_t bytes, stacks;
    uint64_t seen, left_out;
    struct program *programs;
    size_t program_count;
    struct text scratch;
};

struct page_events *page_events_create(const struct report *report)
{
    struct page_events *events = xcalloc(1, sizeof *events);

    events->report = report;
    return events;
}

static size_t kept_size(const struct kept *kept)
{
    return strlen(kept->line) + (kept->stack ? strlen(kept->stack) : 0);
}

static void kept_deinit(struct kept *kept)
{
    free(kept->line);
    free(kept->stack);
}

void page_events_destroy(struct page_events *events)
{
    struct program *program, *next;

    for (size_t i = 0; i < events->count; i++)
        kept_deinit(&events->kept[i]);
    for (size_t i = 0; i < events->ring_count; i++)
        kept_deinit(&events->ring[i]);
    HASH_ITER(hh, events->programs, program, next)
    {
        HASH_DEL(events->programs, program);
        free(program->name);
        free(program);
    }
    free(events->kept);
    free(events->ring);
    text_deinit(&events->scratch);
    free(events);
}

bool page_is_evidence(const struct report *report, uint64_t n)
{
    for (size_t i = 0; i < report->cause_count; i++)
        for (size_t k = 0; k < report->causes[i]->evidence_count; k++)
            if (report->causes[i]->evidence[k] == n)
                return true;
    return false;
}

/* --- taking --- */

static void note_program(struct page_events *events, const struct event *event)
{
    struct program *program;

    HASH_FIND_INT(events->programs, &event->pid, program);
    if (!program) {
        program = xcalloc(1, sizeof *program);
        program->pid = event->pid;
        program->index = events->program_count++;
        HASH_ADD_INT(events->programs, pid, program);
    }
    if (event->type == EVENT_PROCESS && event->process.what == PROCESS_START && !program->name) {
        pid_t parent = event->process.parent;
        const struct program *above;

        HASH_FIND_INT(events->programs, &parent, above);
        program->name = above ? xstrdup_or_null(above->name) : NULL;
    }
    if (event->type != EVENT_PROCESS || !event->process.image)
        return;
    free(program->name);
    program->name = page_program(event->process.image->exe, event->process.image->argv);
}

/* As the live view prints it; of what a program writes, more. */
static char *line_of(struct page_events *events, const struct event *event)
{
    static const struct line_options plain = {0};
    struct text *text = &events->scratch;

    text_clear(text);
    if (event->type == EVENT_OUTPUT) {
        size_t size = event->output.size;

        text_addf(text, "write(%d, ", event->output.fd);
        text_quote(text, event->output.data, size > OUTPUT_SHOWN ? OUTPUT_SHOWN : size);
        text_addf(text, "%s, %zu)", event->output.whole > OUTPUT_SHOWN ? "..." : "", event->output.whole);
    } else {
        line_add(event, &plain, text);
    }
    while (text->n && text->v[text->n - 1] == '\n')
        text->v[--text->n] = '\0';
    if (!text->n)
        return NULL;
    if (text->n > LINE_MOST) {
        text->v[text->n = LINE_MOST] = '\0';
        text_add(text, "…");
    }
    return utf8_plain(text->v);
}

static char *stack_of(struct page_events *events, const struct event *event)
{
    struct text *text = &events->scratch;

    if (!event->stack_count || events->stacks >= STACKS_MOST)
        return NULL;
    text_clear(text);
    line_stack_add(event, text);
    if (!text->n)
        return NULL;
    if (text->n > STACK_MOST) {
        text->v[text->n = STACK_MOST] = '\0';
        text_add(text, "…");
    }
    events->stacks++;
    return xstrdup(text->v);
}

static unsigned kinds_of(const struct page_events *events, const struct event *event)
{
    unsigned kinds = page_is_evidence(events->report, event->n) ? EVIDENCE : 0;

    for (unsigned bit = LINE_FAILED; bit < LINE_ALL; bit <<= 1)
        if (line_wanted(bit, event))
            kinds |= bit;
    return kinds;
}

/* Where the next event is to be kept, or NULL. Of ordinary ones beyond the first HALF the oldest makes room. */
static struct kept *room_for(struct page_events *events, bool notable)
{
    struct kept *kept;

    if (notable && events->notable >= NOTABLE_MOST)
        return NULL;
    if (notable || events->ordinary < HALF) {
        *(notable ? &events->notable : &events->ordinary) += 1;
        return array_add(&events->kept, &events->count, &events->cap, sizeof *events->kept);
    }
    if (!events->ring)
        events->ring = xcalloc(HALF, sizeof *events->ring);
    if (events->ring_count < HALF)
        return &events->ring[events->ring_count++];
    kept = &events->ring[events->ring_at];
    events->ring_at = (events->ring_at + 1) % HALF;
    events->bytes -= kept_size(kept);
    events->left_out++;
    kept_deinit(kept);
    return kept;
}

void page_events_take(struct page_events *events, const struct event *event)
{
    unsigned kinds = kinds_of(events, event);
    struct kept new = {.n = event->n, .t_us = event->t_ns / 1000, .pid = event->pid, .tid = event->tid, .kinds = kinds};
    struct kept *kept;

    note_program(events, event);
    events->seen++;
    new.line = line_of(events, event);
    if (!new.line)
        return;
    kept = events->bytes < TEXTS_MOST ? room_for(events, kinds & (LINE_FAILED | EVIDENCE)) : NULL;
    if (!kept) {
        kept_deinit(&new);
        events->left_out++;
        return;
    }
    new.stack = stack_of(events, event);
    events->bytes += kept_size(&new);
    *kept = new;
}

/* --- out --- */

/* All that was kept, in order; malloced. */
static const struct kept **in_order(const struct page_events *events, size_t *count)
{
    const struct kept **all = xcalloc(events->count + events->ring_count + 1, sizeof *all);
    size_t a = 0, b = 0, n = 0;

    while (a < events->count || b < events->ring_count) {
        const struct kept *next = a < events->count ? &events->kept[a] : NULL;
        const struct kept *other =
            b < events->ring_count ? &events->ring[(events->ring_at + b) % events->ring_count] : NULL;
        bool first = next && (!other || next->n <= other->n);

        all[n++] = first ? next : other;
        *(first ? &a : &b) += 1;
    }
    *count = n;
    return all;
}

static const struct program *program_of(const struct page_events *events, pid_t pid)
{
    struct program *program;

    HASH_FIND_INT(events->programs, &pid, program);
    return program;
}

/* A time since the start with as many digits as the eye compares. */
static void put_when(FILE *out, uint64_t t_us)
{
    fprintf(out, "%llu.%06llu", (unsigned long long)t_us / 1000000, (unsigned long long)t_us % 1000000);
}

static void put_row(const struct page_events *events, const struct kept *kept, bool named, FILE *out)
{
    const struct program *program = program_of(events, kept->pid);

    fputs("<tr", out);
    if (named)
        fprintf(out, " id=\"e%llu\"", (unsigned long long)kept->n);
    if (kept->kinds & EVIDENCE)
        fputs(" class=\"evidence\"", out);
    fprintf(out, "><td class=\"n\">%llu</td><td class=\"t\">", (unsigned long long)kept->n);
    put_when(out, kept->t_us);
    fputs("</td><td class=\"p\">", out);
    page_raw(out, program && program->name ? program->name : "");
    fprintf(out, " %d</td><td class=\"x\">", (int)kept->pid);
    page_escaped(out, kept->line);
    fputs("</td></tr>\n", out);
}

static void put_table_head(FILE *out)
{
    fputs("<table class=\"plain\">\n<thead><tr><th scope=\"col\">event</th><th scope=\"col\">seconds</th>"
          "<th scope=\"col\">process</th><th scope=\"col\">what was seen</th></tr></thead>\n<tbody>\n",
          out);
}

/* The rows with KIND; of more than PLAIN_MOST the first and the last. Returns how many there were. */
static size_t put_rows(const struct page_events *events, const struct kept **all, size_t count, unsigned kind,
                       size_t total, FILE *out)
{
    size_t at = 0;
    uint64_t last = 0;

    for (size_t i = 0; i < count; i++) {
        const struct kept *kept = all[i];

        if (!(kept->kinds & kind) || (kind != EVIDENCE && kept->kinds & EVIDENCE))
            continue;
        at++;
        if (!out || (at > PLAIN_MOST / 2 && at + PLAIN_MOST / 2 <= total))
            continue;
        put_row(events, kept, kept->n > last, out);
        last = kept->n > last ? kept->n : last;
    }
    return at;
}

/* The tables for readers without the script: the evidence, and below a fold what else failed. */
static void put_tables(const struct page_events *events, const struct kept **all, size_t count, FILE *out)
{
    size_t proofs = put_rows(events, all, count, EVIDENCE, 0, NULL);
    size_t failed = put_rows(events, all, count, LINE_FAILED, 0, NULL);

    fputs("<div id=\"plain\">\n", out);
    if (proofs) {
        put_table_head(out);
        put_rows(events, all, count, EVIDENCE, proofs, out);
        fputs("</tbody>\n</table>\n", out);
    }
    if (failed) {
        CLEANUP_FREE char *number = wording_number(failed);

        fprintf(out, "<details><summary>%s other%s that failed</summary>\n", number, failed == 1 ? "" : "s");
        if (failed > PLAIN_MOST)
            fprintf(out, "<p class=\"note\">The first %d and the last %d of them.</p>\n", PLAIN_MOST / 2,
                    PLAIN_MOST / 2);
        put_table_head(out);
        put_rows(events, all, count, LINE_FAILED, failed, out);
        fputs("</tbody>\n</table>\n</details>\n", out);
    }
    fputs("<noscript><p class=\"note\">The list of all needs JavaScript.</p></noscript>\n</div>\n", out);
}

/* A JSON string that ends no element, whatever is in it. */
static void put_string(FILE *out, struct text *scratch, const char *s)
{
    text_clear(scratch);
    json_text_add(scratch, s);
    for (const char *c = scratch->v; *c; c++)
        if (*c == '<')
            fputs("\\u003c", out);
        else
            fputc(*c, out);
}

struct different {
    size_t index;
    const char *text; /* key */
    UT_hash_handle hh;
};

struct texts {
    struct different *all;
    size_t count;
};

/* The index of TEXT, which is put out if it has not been before. */
static size_t put_once(struct texts *texts, const char *text, struct text *scratch, FILE *out)
{
    struct different *different;

    HASH_FIND_STR(texts->all, text, different);
    if (different)
        return different->index;
    different = xcalloc(1, sizeof *different);
    different->text = text;
    different->index = texts->count++;
    HASH_ADD_KEYPTR(hh, texts->all, different->text, strlen(different->text), different);
    fputs(different->index ? ",\n" : "\n", out);
    put_string(out, scratch, text);
    return different->index;
}

static void texts_deinit(struct texts *texts)
{
    struct different *different, *next;

    HASH_ITER(hh, texts->all, different, next)
    {
        HASH_DEL(texts->all, different);
        free(different);
    }
}

enum column { COLUMN_N, COLUMN_T, COLUMN_P, COLUMN_D, COLUMN_K };

static long long value_of(const struct page_events *events, const struct kept **all, size_t i, enum column column)
{
    switch (column) {
    case COLUMN_N:
        return (long long)(all[i]->n - (i ? all[i - 1]->n : 0));
    case COLUMN_T:
        return (long long)(all[i]->t_us - (i ? all[i - 1]->t_us : 0));
    case COLUMN_P:
        return (long long)program_of(events, all[i]->pid)->index;
    case COLUMN_D:
        return all[i]->tid - all[i]->pid;
    case COLUMN_K:
        return all[i]->kinds;
    }
    return 0;
}

static void put_columns(const struct page_events *events, const struct kept **all, size_t count, FILE *out)
{
    static const char names[] = "ntpdk";

    for (enum column column = COLUMN_N; column <= COLUMN_K; column++) {
        fprintf(out, ",\n\"%c\":[", names[column]);
        for (size_t i = 0; i < count; i++)
            fprintf(out, "%s%lld", i ? "," : "", value_of(events, all, i, column));
        fputc(']', out);
    }
}

/* In the order of their indexes: uthash keeps that in which they were added. */
static void put_programs(const struct page_events *events, struct text *scratch, FILE *out)
{
    fputs(",\n\"pids\":[", out);
    for (const struct program *program = events->programs; program; program = program->hh.next)
        fprintf(out, "%s%d", program->index ? "," : "", (int)program->pid);
    fputs("],\n\"programs\":[", out);
    for (const struct program *program = events->programs; program; program = program->hh.next) {
        CLEANUP_FREE char *name = utf8_plain(program->name ? program->name : "");

        fputs(program->index ? "," : "", out);
        put_string(out, scratch, name);
    }
    fputc(']', out);
}

static void put_data(struct page_events *events, const struct kept **all, size_t count, FILE *out)
{
    CLEANUP_FREE size_t *line = xcalloc(count + 1, sizeof *line), *stack = xcalloc(count + 1, sizeof *stack);
    struct texts texts = {0};
    const char *comma = "";

    fputs("<script type=\"application/json\" id=\"data\">{\"texts\":[", out);
    for (size_t i = 0; i < count; i++) {
        line[i] = put_once(&texts, all[i]->line, &events->scratch, out);
        if (all[i]->stack)
            stack[i] = put_once(&texts, all[i]->stack, &events->scratch, out);
    }
    fputc(']', out);
    put_programs(events, &events->scratch, out);
    put_columns(events, all, count, out);
    fputs(",\n\"x\":[", out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%zu", i ? "," : "", line[i]);
    fputs("],\n\"s\":[", out);
    for (size_t i = 0; i < count; i++) {
        if (!all[i]->stack)
            continue;
        fprintf(out, "%s%llu,%zu", comma, (unsigned long long)all[i]->n, stack[i]);
        comma = ",";
    }
    fputs("]}</script>\n", out);
    texts_deinit(&texts);
}

static const char controls[] =
    "<div id=\"filter\" role=\"search\" hidden>\n"
    "<label class=\"find\"><span class=\"sr\">Find</span><input id=\"find\" type=\"search\" placeholder=\"Find, for "
    "example openat ENOENT\" autocomplete=\"off\" spellcheck=\"false\"></label>\n"
    "<label><span class=\"sr\">Process</span><select id=\"process\"><option value=\"\">all processes</option></select>"
    "</label>\n"
    "<fieldset><legend class=\"sr\">Kinds</legend>\n"
    "<label class=\"chip\"><input type=\"radio\" name=\"kind\" value=\"64\"><span>evidence</span></label>\n"
    "<label class=\"chip\"><input type=\"radio\" name=\"kind\" value=\"1\"><span>failed</span></label>\n"
    "<label class=\"chip\"><input type=\"radio\" name=\"kind\" value=\"2\"><span>files</span></label>\n"
    "<label class=\"chip\"><input type=\"radio\" name=\"kind\" value=\"4\"><span>loader</span></label>\n"
    "<label class=\"chip\"><input type=\"radio\" name=\"kind\" value=\"8\"><span>lookups</span></label>\n"
    "<label class=\"chip\"><input type=\"radio\" name=\"kind\" value=\"16\"><span>process</span></label>\n"
    "<label class=\"chip\"><input type=\"radio\" name=\"kind\" value=\"0\" checked><span>all</span></label>\n"
    "</fieldset>\n"
    "<output id=\"matches\" role=\"status\"></output>\n"
    "</div>\n"
    "<div id=\"list\" hidden tabindex=\"0\" role=\"listbox\" aria-label=\"Events\"></div>\n"
    "<div id=\"detail\" hidden aria-live=\"polite\"></div>\n";

/* What is on the page, and what is not. */
static void put_counts(const struct page_events *events, const char *broken, FILE *out)
{
    CLEANUP_FREE char *seen = wording_number(events->seen), *notable = wording_number(events->notable);
    CLEANUP_FREE char *left_out = wording_number(events->left_out);

    fprintf(out, "<p class=\"note\">%s event%s, %s of them failed or %s evidence.", seen, events->seen == 1 ? "" : "s",
            notable, events->notable == 1 ? "is" : "are");
    if (events->left_out)
        fprintf(out, " %s are left out of this page, from the middle: trace.jsonl in a bundle has them.", left_out);
    if (broken)
        page_element(out, " The trace is broken after these: ", broken, ".");
    fputs("</p>\n", out);
}

void page_events_put(struct page_events *events, const char *broken, FILE *out)
{
    size_t count;
    CLEANUP_FREE const struct kept **all = in_order(events, &count);

    fputs("<section id=\"events\">\n<h2>Events</h2>\n", out);
    put_counts(events, broken, out);
    fputs(controls, out);
    put_tables(events, all, count, out);
    put_data(events, all, count, out);
    fputs("</section>\n", out);
}
