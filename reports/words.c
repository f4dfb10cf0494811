/* What a process said on descriptor 2, line by line (part of model.h). */
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
}

void model_output(struct process *process, const struct event *event)
{
    const struct event_output *output = &event->output;
    const char *p = output->data, *end = p + output->size, *newline;

    if (output->fd != 2)
        return;
    if (!process->first_output_n) {
        process->first_output_n = event->n;
        process->before_words = process->last_file;
    }
    process->last_output_n = event->n;
    while ((newline = memchr(p, '\n', (size_t)(end - p))) || process->partial_size > OUTPUT_KEPT / 4) {
        if (!newline)
            newline = end;
        process->partial = xrealloc(process->partial, process->partial_size + (size_t)(newline - p) + 1);
        memcpy(process->partial + process->partial_size, p, (size_t)(newline - p));
        line_add(process, process->partial, process->partial_size + (size_t)(newline - p), event->n, output->by);
        process->partial_size = 0;
        p = newline < end ? newline + 1 : end;
        if (p == end)
            break;
    }
    if (p < end) {
        process->partial = xrealloc(process->partial, process->partial_size + (size_t)(end - p));
        memcpy(process->partial + process->partial_size, p, (size_t)(end - p));
        process->partial_size += (size_t)(end - p);
        process->partial_n = event->n;
        process->partial_by = output->by;
    }
}

void model_flush_output(struct process *process)
{
    if (process->partial_size)
        line_add(process, process->partial, process->partial_size, process->partial_n, process->partial_by);
    process->partial_size = 0;
}

static bool part_of_a_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.' || c == '+' || (unsigned char)c >= 0x80;
}

/* "libx.so" is a word of its own in "/opt/libx.so: cannot", not in "libx.so.5" nor "mylibx.so"; a full stop that ends a
 * sentence is no name. */
static bool stands_alone(const char *line, const char *at, size_t size)
{
    const char *end = at + size;

    if (at > line && part_of_a_name(at[-1]) && at[0] != '/')
        return false;
    if (*end == '.' && !part_of_a_name(end[1]))
        return true;
    return !part_of_a_name(*end);
}

const struct output_line *process_says(const struct process *process, const char *needle)
{
    size_t size = strlen(needle);

    if (size == 0)
        return NULL;
    for (size_t i = process->line_count; i-- > 0;) {
        const char *line = process->lines[i].text, *at = line;

        while ((at = strstr(at, needle))) {
            if (stands_alone(line, at, size))
                return &process->lines[i];
            at++;
        }
    }
    return NULL;
}
