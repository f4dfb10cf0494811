/* What a process said on descriptor 2, line by line (part of model.h). */
#include "environment.h"
#include "model_parts.h"

#include <ctype.h>
#include <string.h>

#include <probes/alloc.h>

static void line_add(struct process *process, const char *text, size_t size, uint64_t n, enum event_by by)
{
    struct output_line *line;

    while (size && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    if (size == 0)
        return;
    if (size > OUTPUT_KEPT / 4)
        size = OUTPUT_KEPT / 4;
    while (process->line_count && (process->line_count >= LINES_KEPT || process->line_bytes + size > OUTPUT_KEPT)) {
        process->line_bytes -= strlen(process->lines[0].text);
        free(process->lines[0].text);
        memmove(process->lines, process->lines + 1, --process->line_count * sizeof *process->lines);
    }
    line = array_add(&process->lines, &process->line_count, &process->line_cap, sizeof *line);
    line->text = xstrndup(text, size);
    line->n = n;
    line->by = by;
    process->line_bytes += strlen(line->text);
    model_last_words(process, line->text, n);
}

static void hushed_add(struct process *process, const struct event *event)
{
    struct output_line *line;

    if (process->hushed_count >= LINES_KEPT / 4) {
        free(process->hushed[0].text);
        memmove(process->hushed, process->hushed + 1, --process->hushed_count * sizeof *process->hushed);
    }
    line = array_add(&process->hushed, &process->hushed_count, &process->hushed_cap, sizeof *line);
    line->text = xstrndup(event->output.data, event->output.size < 4096 ? event->output.size : 4096);
    line->n = event->n;
    line->by = event->output.by;
}

static void spoken_keep(struct process *process, const char *text, uint64_t n, enum event_by by)
{
    struct output_line *line;

    if (process->spoken_count >= LINES_KEPT / 8) {
        free(process->spoken[0].text);
        memmove(process->spoken, process->spoken + 1, --process->spoken_count * sizeof *process->spoken);
    }
    line = array_add(&process->spoken, &process->spoken_count, &process->spoken_cap, sizeof *line);
    *line = (struct output_line){.n = n, .text = xstrdup(text), .by = by};
}

bool output_complains(const char *data, size_t size)
{
    CLEANUP_FREE char *copy = xstrndup(data, size);

    return words_object(copy) || words_ask(copy);
}

/* Things are said on standard output too, but so is all that a program is there to print: only lines that complain. */
static void spoken(struct process *process, const struct event *event)
{
    const char *data = event->output.data, *end = data + event->output.size;

    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        const char *stop = newline ? newline : end;

        CLEANUP_FREE char *line = xstrndup(data, (size_t)(stop - data));

        if (words_object(line) || words_ask(line))
            spoken_keep(process, line, event->n, event->output.by);
        data = newline ? newline + 1 : end;
    }
}

/* A write of SIZE bytes need neither begin nor end a line. */
static void said(struct process *process, const char *p, size_t size, uint64_t n, enum event_by by)
{
    const char *end = p + size, *newline;

    process->last_output_n = n;
    while ((newline = memchr(p, '\n', (size_t)(end - p))) || process->partial_size > OUTPUT_KEPT / 4) {
        if (!newline)
            newline = end;
        process->partial = xrealloc(process->partial, process->partial_size + (size_t)(newline - p) + 1);
        memcpy(process->partial + process->partial_size, p, (size_t)(newline - p));
        line_add(process, process->partial, process->partial_size + (size_t)(newline - p), n, by);
        process->partial_size = 0;
        p = newline < end ? newline + 1 : end;
        if (p == end)
            break;
    }
    if (p < end) {
        process->partial = xrealloc(process->partial, process->partial_size + (size_t)(end - p));
        memcpy(process->partial + process->partial_size, p, (size_t)(end - p));
        process->partial_size += (size_t)(end - p);
        process->partial_n = n;
        process->partial_by = by;
    }
}

void model_output(struct process *process, const struct event *event, bool nowhere)
{
    const struct event_output *output = &event->output;

    if (output->fd == 1 && !nowhere) {
        spoken(process, event);
        process->stdout_n = event->n;
        process->stdout_count++;
    }
    if (output->fd != 2)
        return;
    if (!process->first_output_n || (!nowhere && !process->last_output_n)) {
        process->first_output_n = event->n;
        process->before_words = process->last_file;
    }
    if (nowhere)
        hushed_add(process, event);
    else
        said(process, output->data, output->size, event->n, output->by);
}

void model_flush_output(struct process *process)
{
    if (process->partial_size)
        line_add(process, process->partial, process->partial_size, process->partial_n, process->partial_by);
    process->partial_size = 0;
}

void model_unhush(struct process *process)
{
    if (process->muted || !process->hushed_count || process->line_count || process->spoken_count)
        return;
    process->muted = true;
    for (size_t i = 0; i < process->hushed_count; i++)
        said(process, process->hushed[i].text, strlen(process->hushed[i].text), process->hushed[i].n,
             process->hushed[i].by);
    model_flush_output(process);
}

bool words_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.' || c == '+' || (unsigned char)c >= 0x80;
}

/* Typographic quotes are beyond ASCII, and no part of the name that stands in them. */
bool words_quote_before(const char *line, const char *at)
{
    static const char *const quotes[] = {"\u2018", "\u2019", "\u201c", "\u201d", "\u201e", "\u00ab", "\u00bb"};

    for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++) {
        size_t n = strlen(quotes[i]);

        if ((size_t)(at - line) >= n && memcmp(at - n, quotes[i], n) == 0)
            return true;
    }
    return false;
}

bool words_quote_at(const char *at)
{
    return strncmp(at, "\u2018", 3) == 0 || strncmp(at, "\u2019", 3) == 0 || strncmp(at, "\u201c", 3) == 0 ||
           strncmp(at, "\u201d", 3) == 0 || strncmp(at, "\u00bb", 2) == 0 || strncmp(at, "\u00ab", 2) == 0;
}

/* "libx.so" is a word of its own in "/opt/libx.so: cannot", not in "libx.so.5" nor "mylibx.so"; a full stop that ends a
 * sentence is no name. */
static bool stands_alone(const char *line, const char *at, size_t size)
{
    const char *end = at + size;

    if (at > line && words_name_byte(at[-1]) && at[0] != '/' && !words_quote_before(line, at))
        return false;
    if (*end == '.' && !words_name_byte(end[1]))
        return true;
    return !words_name_byte(*end) || words_quote_at(end);
}

const char *line_finds(const char *line, const char *from, const char *needle)
{
    size_t size = strlen(needle);

    for (const char *at = from; size && (at = strstr(at, needle)); at++)
        if (stands_alone(line, at, size))
            return at;
    return NULL;
}

static bool line_says(const char *line, const char *needle)
{
    return line_finds(line, line, needle) != NULL;
}

const struct output_line *process_says(const struct process *process, const char *needle)
{
    for (size_t i = process->line_count; i-- > 0;)
        if (line_says(process->lines[i].text, needle))
            return &process->lines[i];
    return NULL;
}

const struct output_line *process_spoke(const struct process *process, const char *needle)
{
    for (size_t i = process->spoken_count; i-- > 0;)
        if (line_says(process->spoken[i].text, needle))
            return &process->spoken[i];
    return NULL;
}

bool process_hushed(const struct process *process, const char *needle)
{
    for (size_t i = 0; i < process->hushed_count; i++)
        if (line_says(process->hushed[i].text, needle))
            return true;
    return false;
}

void model_inherit_words(struct process *owner, const struct process *child)
{
    for (size_t i = 0; i < child->line_count; i++)
        line_add(owner, child->lines[i].text, strlen(child->lines[i].text), child->lines[i].n, child->lines[i].by);
    for (size_t i = 0; i < child->spoken_count; i++)
        spoken_keep(owner, child->spoken[i].text, child->spoken[i].n, child->spoken[i].by);
    if (child->line_count && !owner->first_output_n)
        owner->first_output_n = child->first_output_n;
    if (child->last_output_n > owner->last_output_n)
        owner->last_output_n = child->last_output_n;
}
