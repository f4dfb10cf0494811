/* The subcommands: one file each, one row each in main.c. */
#ifndef GLIBCTRACE_TRACER_COMMANDS_H
#define GLIBCTRACE_TRACER_COMMANDS_H

#include "options.h"

enum {
    STATUS_OURS = 125, /* glibctrace itself failed (contract.md section 1) */
    STATUS_FOUND = 1,  /* of a subcommand: a cause was found, they differ, it no longer fails */
    STATUS_USAGE = 2,  /* … bad usage or unreadable input */
};

struct command {
    const char *name;          /* the word that picks it */
    const struct usage *usage; /* its own command line; NULL: what options_parse() has read is all */
    /* Gives the exit status; below zero: ERR says what failed in glibctrace itself, or that a subcommand's arguments
     * are no good. */
    int (*run)(const struct options *options, struct err *err);
};

/* main.c: all of them, in the order in which help lists them; ends with NULL. */
extern const struct command *const commands[];

extern const struct command command_launch, command_attach;
extern const struct command command_explain, command_repro, command_diff, command_check, command_matrix, command_libc,
    command_verify, command_rollback, command_sandbox, command_doctor, command_bundle, command_help;

#endif
