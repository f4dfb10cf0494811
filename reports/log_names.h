/* The words of trace.jsonl for our enumerations, shared by its writer and its reader. */
#ifndef GLIBCTRACE_REPORTS_LOG_NAMES_H
#define GLIBCTRACE_REPORTS_LOG_NAMES_H

#include "event.h"

const char *log_type_name(enum event_type type);
const char *log_what_name(enum process_what what);
const char *log_by_name(enum event_by by); /* NULL where it is not known */
const char *log_loader_name(enum loader_what what);
const char *log_outcome_name(enum loader_outcome outcome);
const char *log_reason_name(enum object_reason reason); /* NULL where it is not known */
/* Back; -1 for unknown words. */
int log_type_value(const char *name);
int log_what_value(const char *name);
int log_by_value(const char *name);
int log_loader_value(const char *name);
int log_outcome_value(const char *name);
int log_reason_value(const char *name);

#endif
