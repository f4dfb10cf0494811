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
    char *root;         /* absolute, "" for this machine's own; NULL: none */
    bool here;          /* explain --here */
    char *against;      /* check --against, or NULL */
    char *libcs;        /* matrix --libcs, or NULL */
    bool confined;      /* a reproduction is run, which is a system of its own */
    char *complaint;    /* what COMMAND is known to say of its failure (verify's second run), or NULL */
    bool minimize, no_repro, no_redact, quiet, no_filter;
    bool list;                                            /* bundle --list */
    bool apply;                                           /* rollback --apply */
    bool tree;                                            /* libc --tree */
    char *run_pattern, *only, *lsp, *dap, *open, *launch; /* verify's, or NULL; its --timeout is SECONDS */
    struct strings libc;                                  /* sandbox --libc, in order */
    enum colour colour;
    pid_t *pids;
    size_t pid_count, pid_cap;
    char **rest; /* what is left: the command or the subcommand's arguments, NULL-terminated; of argv */
    size_t rest_count;
    char **after; /* of a subcommand that takes one: the command after its "--" */
    size_t after_count;
    bool command; /* "--" was there */
    char *called; /* a subcommand, as its messages call it */
};

#define OPTIONS_OUTPUT "write the report to FILE (.txt, .json, .md, .html; - is standard output)"

/* The command line of a subcommand. */
struct usage {
    const char *name;         /* "repro" */
    const char *arguments;    /* "BUNDLE|DIR", for --help */
    const char *purpose;      /* one line, for the list of them */
    const char *about;        /* what it does, for --help */
    const char *const *takes; /* the long names of its options, NULL-terminated */
    const char *output;       /* what -o writes, for --help, where the report goes to standard output; else NULL */
    bool command;             /* it takes a command after "--", which is no argument of it */
    unsigned least, most;     /* how many arguments it wants */
};

/* Reads ARGV (from its second word on). 0, or below zero with ERR. --help and --version print and exit. */
int options_parse(int argc, char **argv, struct options *ret, struct err *err);
/* Reads what is left in OPTIONS, whose first word is the subcommand's name, as USAGE says: afterwards it is the
 * arguments alone. Options may stand among them, up to a "--". As options_parse(); ERR is empty where the fault has
 * been told already. */
int options_parse_rest(struct options *options, const struct usage *usage, struct err *err);
/* What its --help says, to standard output; as that does, it ends the program. */
void options_help(const struct usage *usage);
void options_deinit(struct options *options);
/* The environment for the command, -E applied: malloced vector, its strings owned as well. */
char **options_environment(const struct options *options);
void environment_free(char **env);

#endif
