/* The stacks of trace.jsonl, back into frames: the inverse of log.c's put_stack(). */
#include "log_stack.h"

#include <probes/alloc.h>

enum { FRAMES_MOST = 1024 /* more than is ever written */ };

static const char *text(const struct json_line *line, const struct json_value *frame, const char *key)
{
    const struct json_value *value = json_line_within(line, frame, key);

    return value && value->type == JSON_STRING ? value->string : NULL;
}

static uint64_t addr(const struct json_line *line, const struct json_value *frame, const char *key)
{
    const struct json_value *value = json_line_within(line, frame, key);

    return value ? json_value_addr(value) : 0;
}

static unsigned number(const struct json_line *line, const struct json_value *frame, const char *key)
{
    const struct json_value *value = json_line_within(line, frame, key);

    return value && value->type == JSON_NUMBER && value->number >= 0 && value->number < 1e9 ? (unsigned)value->number
                                                                                            : 0;
}

size_t log_stack_read(const struct json_line *line, struct log_stack *stack)
{
    const struct json_value *array = json_line_get(line, "stack");
    size_t n = array && array->type == JSON_ARRAY ? array->size : 0;

    n = n < FRAMES_MOST ? n : FRAMES_MOST;
    if (n > stack->cap) {
        stack->frames = xreallocarray(stack->frames, n, sizeof *stack->frames);
        stack->cap = n;
    }
    for (size_t i = 0; i < n; i++) {
        const struct json_value *frame = &line->items[array->first + i];

        /* The strings stay the line's own: whoever keeps a frame copies it (struct event). */
        stack->frames[i] = (struct frame){
            .ip_addr = addr(line, frame, "ip"),
            .object = (char *)text(line, frame, "object"),
            .offset = addr(line, frame, "offset"),
            .symbol = (char *)text(line, frame, "symbol"),
            .file = (char *)text(line, frame, "file"),
            .line = number(line, frame, "line"),
        };
    }
    return n;
}
