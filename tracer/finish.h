/* From a finished session to what the user gets: verdict, reproduction, redaction, outputs. */
#ifndef GLIBCTRACE_TRACER_FINISH_H
#define GLIBCTRACE_TRACER_FINISH_H

#include "options.h"
#include "session.h"

#include <reports/report.h>

struct outlets;

struct finish {
    const struct options *options;
    const struct outlets *outlets;
    enum input_how how;
};

/* Writes every output. Failures are told on standard error; returns -1 where one could not be written. */
int finish_report(const struct finish *finish, const struct session_result *result);

#endif
