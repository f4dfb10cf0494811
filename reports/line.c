#include "line.h"

#include "line_loader.h"
#include "line_signal.h"
#include "syscall.h"

#include <probes/alloc.h>

#include <string.h>
#include <sys/wait.h>

enum { RESULT_COLUMN = 40 }; /* strace's -a */

static const char red[] = "\033[31m", yellow[] = "\033[33m", bold[] = "\033[1m", plain[] = "\033[0m";

/* A line under construction. */
struct line {
    const struct line_options *options;
    struct text *out;
    size_t start;  /* where it begins in out */
    size_t hidden; /* bytes since then that take no column */
};

static void colour(struct line *line, const char *escape)
{
    if (!line->options->colour)
        return;
    text_add(line->out, escape);
    line->hidden += strlen(escape);
}

static void add_arguments(struct line *line, const struct event_syscall *call)
{
    struct syscall_texts made = {{0}};
    const char *const *texts = call->text;

    if (!call->text[0]) { /* a session without texts */
        syscall_texts_guess(call->desc, call->args, call->string, &made);
        texts = (const char *const *)made.text;
    }
    for (int i = 0; i < 6 && texts[i]; i++) {
        if (i)
            text_add(line->out, ", ");
        if (i == call->desc->path_arg)
            colour(line, bold);
        text_add(line->out, texts[i]);
        if (i == call->desc->path_arg)
            colour(line, plain);
    }
    syscall_texts_deinit(&made);
}

static void add_error(struct line *line, int error)
{
    /* The kernel's restart codes, which only a tracer sees; strace's explanations. */
    static const char *const restarts[] = {
        [0] = "To be restarted if SA_RESTART is set",
        [1] = "To be restarted",
        [2] = "To be restarted if no handler",
        [4] = "Interrupted by signal",
    };
    const char *name = errno_name(error);

    if (error >= 512 && error <= 516 && restarts[error - 512]) {
        text_addf(line->out, "? %s (%s)", name, restarts[error - 512]);
        return;
    }
    colour(line, red);
    if (name)
        text_addf(line->out, "-1 %s (%s)", name, strerror(error));
    else
        text_addf(line->out, "-1 (errno %d)", error);
    colour(line, plain);
}

static void add_result(struct line *line, const struct event_syscall *call)
{
    size_t column = line->out->n - line->start - line->hidden;

    text_addf(line->out, "%*s= ", column < RESULT_COLUMN ? (int)(RESULT_COLUMN - column) : 1, "");
    if (!call->returned)
        text_addc(line->out, '?');
    else if (call->error)
        add_error(line, call->error);
    else if (strncmp(call->desc->name, "mmap", 4) == 0)
        text_addf(line->out, "%#llx", (unsigned long long)call->ret);
    else
        text_addf(line->out, "%lld", (long long)call->ret);
}

static void add_syscall(struct line *line, const struct event_syscall *call)
{
    text_addf(line->out, "%s(", call->desc->name);
    add_arguments(line, call);
    text_addc(line->out, ')');
    add_result(line, call);
}

static void add_output(struct line *line, const struct event_output *output)
{
    enum { SHOWN = 32 }; /* as in any other buffer */
    struct event_syscall call = {.desc = syscall_by_name("write")};

    text_addf(line->out, "write(%d, ", output->fd);
    text_quote(line->out, output->data, output->size > SHOWN ? SHOWN : output->size);
    text_addf(line->out, "%s, %zu)", output->whole > SHOWN ? "..." : "", output->whole);
    add_result(line, &call);
}

static void add_ended(struct line *line, int status)
{
    const char *name = WIFSIGNALED(status) ? signal_name(WTERMSIG(status)) : NULL;

    colour(line, WIFSIGNALED(status) ? yellow : "");
    if (!WIFSIGNALED(status))
        text_addf(line->out, "+++ exited with %d +++", WEXITSTATUS(status));
    else if (name)
        text_addf(line->out, "+++ killed by %s%s +++", name, WCOREDUMP(status) ? " (core dumped)" : "");
    else
        text_addf(line->out, "+++ killed by signal %d%s +++", WTERMSIG(status),
                  WCOREDUMP(status) ? " (core dumped)" : "");
    colour(line, WIFSIGNALED(status) ? plain : "");
}

static void add_process(struct line *line, const struct event *event)
{
    switch (event->process.what) {
    case PROCESS_EXIT:
    case PROCESS_THREAD_EXIT:
        add_ended(line, event->process.status);
        break;
    case PROCESS_NOTE:
        text_add(line->out, "--- ");
        line_clean_add(line->out, event->process.text ? event->process.text : "");
        text_add(line->out, " ---");
        break;
    default:
        break;
    }
}

/* strace tells of a new process on a line that has no prefix. The first one, that we launched, is not told of. */
static bool add_arrival(const struct event *event, struct text *out)
{
    enum process_what what = event->process.what;

    if (event->type != EVENT_PROCESS || (what != PROCESS_START && what != PROCESS_THREAD && what != PROCESS_DETACHED))
        return false;
    if (what == PROCESS_DETACHED)
        text_addf(out, "glibctrace: Process %d detached\n", event->pid);
    else if (what == PROCESS_THREAD || event->process.parent || event->process.image)
        text_addf(out, "glibctrace: Process %d attached\n", event->tid);
    return true;
}

static bool has_line(const struct event *event)
{
    enum process_what what = event->process.what;

    return event->type != EVENT_PROCESS || what == PROCESS_EXIT || what == PROCESS_THREAD_EXIT || what == PROCESS_NOTE;
}

void line_add(const struct event *event, const struct line_options *options, struct text *out)
{
    struct line line = {.options = options, .out = out, .start = out->n};

    if (add_arrival(event, out) || !has_line(event))
        return;
    if (options->pid)
        text_addf(out, "[pid %5d] ", event->tid);
    switch (event->type) {
    case EVENT_SYSCALL:
        add_syscall(&line, &event->syscall);
        break;
    case EVENT_SIGNAL:
        colour(&line, yellow);
        line_signal_add(&event->signal, out);
        colour(&line, plain);
        break;
    case EVENT_PROCESS:
        add_process(&line, event);
        break;
    case EVENT_OUTPUT:
        add_output(&line, &event->output);
        break;
    case EVENT_LOADER:
        line_loader_add(&event->loader, options->colour, out);
        break;
    case EVENT_LOOKUP:
        line_lookup_add(&event->lookup, options->colour, out);
        break;
    }
    text_addc(out, '\n');
}

void line_stack_add(const struct event *event, struct text *out)
{
    for (size_t i = 0; i < event->stack_count; i++) {
        const struct frame *frame = &event->stack[i];

        text_add(out, " > ");
        line_clean_add(out, frame->object ? frame->object : "?");
        text_addc(out, '(');
        if (frame->symbol)
            line_clean_add(out, frame->symbol);
        if (frame->symbol && frame->into)
            text_addf(out, "+0x%llx", (unsigned long long)frame->into);
        text_addf(out, ") [0x%llx]", (unsigned long long)(frame->object ? frame->offset : frame->ip_addr));
        if (frame->file && frame->line) {
            text_addc(out, ' ');
            line_clean_add(out, frame->file);
            text_addf(out, ":%u", frame->line);
        }
        text_addc(out, '\n');
    }
}
