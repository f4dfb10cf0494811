/* The subcommands: one file each, one row each in main.c. */
#ifndef GLIBCTRACE_TRACER_COMMANDS_H
#define GLIBCTRACE_TRACER_COMMANDS_H

#include "options.h"

enum { STATUS_OURS = 125 }; /* glibctrace itself failed (contract.md section 1) */

/* Each gives the exit status; below zero: ERR says what failed in glibctrace itself. */
int cmd_launch(const struct options *options, struct err *err);
int cmd_attach(const struct options *options, struct err *err);

#endif
