#include "read_text.h"

static void *begin(struct text_reading *reading)
{
    return reading;
}

static bool take(void *state, char *line, size_t size)
{
    (void)state;
    (void)line;
    (void)size;
    return false;
}

static void end(void *state)
{
    (void)state;
}

const struct text_reader text_reader_strace = {
    .name = "strace", .how = INPUT_STRACE_LOG, .begin = begin, .take = take, .end = end};
