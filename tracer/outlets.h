/* Where a session's events go: the model always, the live view with -t, trace.jsonl for a bundle or a page. */
#ifndef GLIBCTRACE_TRACER_OUTLETS_H
#define GLIBCTRACE_TRACER_OUTLETS_H

#include "options.h"

#include <reports/model.h>

struct line_view;
struct log;
struct redactor;
struct trace_pieces;

enum { OUTLETS_MOST = 5 };

struct outlets {
    struct model *model;
    struct line_view *view;      /* or NULL */
    struct redactor *redactor;   /* of the report and what goes with it; NULL: nothing is to be hidden */
    FILE *trace;                 /* trace.jsonl with nothing hidden yet, in a file without a name; NULL where no output
                                    shows events */
    struct log *log;             /* its writer */
    struct trace_pieces *pieces; /* what redaction has to know of it */
    bool lookups;                /* somebody wants symbol lookups */
    FILE *bindings;              /* of --bindings: standard error, a file of its own, or NULL */
    bool texts;                  /* somebody wants event_syscall.text */
    struct sink sinks[OUTLETS_MOST];
    size_t count;
};

/* 0, or -1 and ERR for an unknown word in -t's SET, or where a bundle's log cannot be kept. Free with outlets_close()
 * in either case. RET must stay where it is: its sinks point at it. */
int outlets_open(const struct options *options, struct outlets *ret, struct err *err);
void outlets_close(struct outlets *outlets);
/* Whether EVENT is printed live with its stack, for session_options.stack_wanted; CTX is the outlets. */
bool outlets_stack_wanted(void *ctx, const struct event *event);
/* Whether an output is a bundle. */
bool outlets_bundle(const struct options *options);
/* Whether all -o of OPTIONS can be written, before anything is run: 0, or -1 and ERR. */
int outlets_check(const struct options *options, struct err *err);
/* The same for a report that is not about a run, of which no bundle is made: COMMAND's. */
int outlets_check_static(const struct options *options, const char *command, struct err *err);
/* Whether FILE of -o takes the text form, which is then not on standard error. */
bool outlets_text(const char *file);
/* The text form on OUT, as wide as that terminal and coloured as asked for. */
void outlets_put_text(const struct options *options, const struct report *report, FILE *out);
/* Where -o says, and as text on TEXT where no -o takes that form and -q was not given. TRACE: a trace.jsonl, or NULL.
 */
int outlets_put_report(const struct options *options, const struct report *report, FILE *trace, FILE *text,
                       struct err *err);
/* The same on standard output for REPORT, which is about this machine and not about a run: redacted here, where the
 * options allow that. */
int outlets_put_static(const struct options *options, struct report *report, struct err *err);
/* Whether anything on OUT is to be coloured. */
bool outlets_colour(const struct options *options, FILE *out);

#endif
