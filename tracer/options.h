/* The command line of contract.md section 1, as plain values. */
#ifndef GLIBCTRACE_TRACER_OPTIONS_H
#define GLIBCTRACE_TRACER_OPTIONS_H

#include <probes/err.h>
#include <reports/report.h>

#include <stdbool.h>

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct options {
    struct strings outputs; /* -o, in order */
    bool live;              /* -t */
    char *live_set;         /* its SET, or NULL */
    bool stack;             /* -k */
    bool bindings;          /* --bindings */
    char *bindings_file;    /* its FILE, or NULL: standard error */
    double seconds;         /* --for; 0: none */
    char *user;
    struct strings env; /* -E, in order: NAME=VALUE or NAME */
    char *root;
    bool confined; /* a reproduction is run, which is a system of its own */
    bool minimize, no_repro, no_redact, quiet, no_filter;
    enum colour colour;
    pid_t *pids;
    size_t pid_count, pid_cap;
    char **rest; /* what is left: the command or the subcommand's arguments, NULL-terminated; of argv */
    size_t rest_count;
    bool command; /* "--" was there */
};

/* Reads ARGV (from its second word on). 0, or below zero with ERR. --help and --version print and exit. */
int options_parse(int argc, char **argv, struct options *ret, struct err *err);
void options_deinit(struct options *options);
/* The environment for the command, -E applied: malloced vector, its strings owned as well. */
char **options_environment(const struct options *options);
void environment_free(char **env);

#endif
