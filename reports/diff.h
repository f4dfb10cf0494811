/* What differs between two runs: two machines, before and after an update.
 *
 * Both are taken apart into what they are about (run.h) and compared thing by thing: programs by their names, libraries
 * by theirs, files by their paths, variables by theirs; never line by line. What leads to the failure of BAD comes
 * first, then what explains it, then the rest. */
#ifndef GLIBCTRACE_REPORTS_DIFF_H
#define GLIBCTRACE_REPORTS_DIFF_H

#include "evidence.h"
#include "run.h"

/* In the order in which they are told. */
enum difference_rank {
    RANK_CAUSE,       /* what BAD fails of, and GOOD does not */
    RANK_EXPLAINS,    /* a difference that has to do with it */
    RANK_SYSTEM,      /* C library, distribution, machine, kernel */
    RANK_ENVIRONMENT, /* a variable */
    RANK_PROGRAM,
    RANK_STATUS,
    RANK_LIBRARY,
    RANK_FILE,
};

struct difference {
    enum difference_rank rank;
    const char *kind; /* static: a kind of cause, or "environment", "libc", "system", "program", "argument",
                         "exit-status", "library", "file" */
    char *what;       /* the version, the variable, the library, the path */
    char *title;      /* a sentence, or NULL: WHAT says it */
    char *good, *bad; /* how it was there */
};

/* One side. */
struct side {
    struct evidence evidence;
    const struct report *report; /* the evidence's, else OWN */
    struct report *own;          /* made of the log, where there was none */
    struct run run;              /* empty where there is no log */
};

struct diff {
    struct side good, bad;
    struct difference *list; /* sorted */
    size_t count, cap;
    size_t files_left; /* differences of files that are not in the list: they are too many */
};

/* Compares the evidence at GOOD and BAD (evidence_open()). Free RET with diff_deinit() in either case. */
int diff_open(const char *good, const char *bad, struct diff *ret, struct err *err);
void diff_deinit(struct diff *diff);

/* diff_show.c: as text, and as JSON (schema glibctrace.diff/1). */
void diff_text(const struct diff *diff, FILE *out);
void diff_json(const struct diff *diff, FILE *out);

/* Between diff.c and diff_cause.c: an entry, whose strings are taken. */
struct difference *diff_add(struct diff *diff, enum difference_rank rank, const char *kind, char *what, char *good,
                            char *bad);
/* diff_align.c: for each program of GOOD the index of its match in BAD, and the other way round, DIFF_ALONE where there
 * is none. Both are malloced. */
#define DIFF_ALONE ((size_t)-1)
void diff_align(const struct diff *diff, size_t **of_good, size_t **of_bad);
/* Causes that one side has and the other has not; returns the first of BAD's, or NULL. */
const struct cause *diff_causes(struct diff *diff);
/* Whether a variable's value, or a library, has to do with CAUSE. */
bool diff_variable_explains(const struct diff *diff, const struct cause *cause, const char *name, const char *good,
                            const char *bad);
bool diff_library_explains(const struct cause *cause, const char *name);

#endif
