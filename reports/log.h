/* trace.jsonl (contract.md section 4): events into a file, one JSON object a line, and back.
 *
 * Written by hand, not by a library: a session can have a million events. Every line is valid JSON whatever the bytes
 * were: those that are no UTF-8 become U+FFFD. Beyond the contract's keys a line holds what the judges need to read the
 * log as if they had been there: see log.c's functions, one for each type. */
#ifndef GLIBCTRACE_REPORTS_LOG_H
#define GLIBCTRACE_REPORTS_LOG_H

#include "event.h"

#include <probes/err.h>

#include <stdio.h>

struct log;
struct model;

/* A writer to OUT, which is not closed; write errors are left for ferror(3). REDACT, which may be NULL, is asked for
 * each string from the program and gives the text to write instead (malloced, or NULL to keep it). */
struct log *log_create(FILE *out, char *(*redact)(void *ctx, const char *string), void *ctx, struct sink *ret);
void log_destroy(struct log *log);
/* What events do not say by themselves is looked at as well, and noted with them (sight.h): the processes stand and
 * their files are there. MODEL is told of each event before LOG is. */
void log_sight(struct log *log, const struct model *model);

/* Reads such a file and hands its events to SINK, in order, each valid during the call only. Lines are bounded (16 MB),
 * as are the strings of an array; unknown keys are passed over, unknown types and system calls are an event less, which
 * *SKIPPED (may be NULL) counts. Below zero at the first line that is no such object, with ERR naming its number. */
int log_read(FILE *in, const struct sink *sink, uint64_t *skipped, struct err *err);

#endif
