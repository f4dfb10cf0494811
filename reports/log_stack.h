/* The stack that an event of a log carries (`-k`), for log_read.c. */
#ifndef GLIBCTRACE_REPORTS_LOG_STACK_H
#define GLIBCTRACE_REPORTS_LOG_STACK_H

#include "json_line.h"

#include <probes/stack.h>

/* Reused from line to line; start with {0}; FRAMES is malloced, and nothing that its frames point at is its own. */
struct log_stack {
    struct frame *frames;
    size_t cap;
};

/* The frames of LINE, which stay valid as long as its text and until the next call; how many. */
size_t log_stack_read(const struct json_line *line, struct log_stack *stack);

#endif
