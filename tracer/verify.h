/* glibctrace verify: do the language server, `go test` and the debug adapter work here? Each is really started and
 * talked to, within a limit of time; what fails is run again under glibctrace itself, whose report says why. */
#ifndef GLIBCTRACE_TRACER_VERIFY_H
#define GLIBCTRACE_TRACER_VERIFY_H

#include "options.h"
#include "peer.h"
#include "progress.h"

#include <reports/frame.h>
#include <reports/report.h>

/* What the checks are made with: a module that is there, or a scratch one of ours. */
struct verify_module {
    char *directory;          /* absolute: the language server's and the debug adapter's working directory */
    char *tested;             /* … and that of go test */
    char *root;               /* of the module: where go.mod is; else DIRECTORY */
    char *open;               /* the file that the language server gets, or NULL */
    char *launch;             /* what the debug adapter gets */
    const char *mode;         /* … and how: "debug" or "test", dlv's words */
    char *scratch;            /* a directory of ours, to be removed: the scratch module is there, and what is built */
    const char *own;          /* the module is the scratch one: why; or NULL */
    struct strings temporary; /* directories in which programs make what they make for a while; to be removed */
    char *launched_from;      /* the debug adapter's own working directory, where that is not DIRECTORY; or NULL */
};
/* DIRECTORY: the user's, or NULL: the working directory. OPEN and LAUNCH: what the user wants to have opened and
 * launched, or NULL. Free with verify_module_close() in either case. */
int verify_module_open(const char *directory, const char *open, const char *launch, struct verify_module *ret,
                       struct err *err);
void verify_module_close(struct verify_module *module);

/* A place in a text where a language server may have something to say of a name; both from 0, UNIT in UTF-16 units. */
struct verify_place {
    unsigned line, unit;
};
/* At most MOST of them, names that are declared first; how many. */
size_t verify_places(const char *text, struct verify_place *ret, size_t most);

/* Where the program NAME is, by the variables of ENV: on PATH, else where `go install` puts programs; malloced. A file
 * that cannot be executed is given where there is no better one. NULL: there is none; LOOKED, where it is not NULL,
 * gets the directories besides PATH, each with what names it behind a tab. */
char *verify_find(const char *name, const char *const *env, struct strings *looked);
/* TEXT as words, as sh(1) would take them: quotes and backslashes are known, nothing is expanded. Below zero with ERR
 * where a quote is not closed or there is no word. */
int verify_words(const char *text, struct strings *ret, struct err *err);

struct verify_result {
    bool passes;
    double seconds;
    char *seen;    /* one phrase: how far it came */
    char *words;   /* what the program said of it, or NULL */
    char *refused; /* the address at which it said that it listens, and did not; or NULL */
};
void verify_result_deinit(struct verify_result *result);

/* The tools of one check. */
struct verify_talk {
    const struct verify_module *module;
    struct peer *peer;
    uint64_t from_ns, deadline_ns;
    struct verify_result *result;
};
/* RET: it failed, this far; false, to be given back. */
bool verify_failed(struct verify_talk *talk, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same where peer_wait() gave NEWS instead of what was waited for: DOING is "it answered initialize". */
bool verify_cut_short(struct verify_talk *talk, enum peer_news news, const char *doing);
/* The next message of the peer, parsed into RET, which stays valid until the next call; false: it failed. */
bool verify_receive(struct verify_talk *talk, struct frames *frames, struct json_line *ret, const char *doing);
/* Adds to what the program says. */
void verify_note(struct verify_talk *talk, const char *text);
/* Seconds since the start. */
double verify_elapsed(const struct verify_talk *talk);

struct verify_check {
    const char *key;  /* "lsp" */
    const char *what; /* "the language server" */
    bool traces;      /* its program is a tracer itself, which works below ours only without a filter */
    /* Talks with a program that was started: whether all is well; else verify_failed() was called. */
    bool (*run)(struct verify_talk *talk);
};
extern const struct verify_check verify_lsp, verify_test, verify_dap;

/* One check of this run of `verify`. */
struct verify_job {
    const struct verify_check *check;
    char *title;            /* "gopls" */
    struct strings command; /* its first word is a path, or a name that is nowhere */
    struct strings looked;  /* where it was looked for besides PATH, see verify_find() */
    bool found;
    bool quiet_input; /* its program reads nothing */
    struct verify_result result;
    struct report *report; /* of the second run, under glibctrace; NULL: it was not made */
    bool passed_again;     /* the second run passed */
    char *why_not;         /* why there is no report, or NULL */
};
void verify_job_deinit(struct verify_job *job);

/* What all of them need. */
struct verify {
    const struct options *options;
    struct peer_host host;
    struct verify_module module;
    unsigned limit_ms;
    const char *pattern;
    char **env;
};
/* verify_run.c: JOB's program is started and talked to; what fails is done a second time under glibctrace. */
void verify_run(struct verify *verify, struct verify_job *job);
/* verify_report.c: what came of all of them. */
struct report *verify_report(const struct verify *verify, struct verify_job *jobs, size_t count);

#endif
