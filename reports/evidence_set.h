/* Several files that are one log: what `strace -ff -o log` writes (log.PID, one process each), what LD_DEBUG_OUTPUT
 * does (the same), or texts that somebody gives together.
 *
 * They are made one text, as `strace -f -o log` would have written it: each line with the number of its process, which
 * strace's files have in their names only. The order is that of the times where the lines have any finer than a second;
 * else a child's lines stand where it was made, or behind its parent's last where that has not waited for it. */
#ifndef GLIBCTRACE_REPORTS_EVIDENCE_SET_H
#define GLIBCTRACE_REPORTS_EVIDENCE_SET_H

#include "text.h"

#include <probes/err.h>

#include <stdio.h>
#include <stdint.h>
#include <sys/types.h>

struct set_file {
    char *path;
    FILE *in;    /* where it was packed or is no plain file: read from here; else NULL, and opened for each piece */
    pid_t pid;   /* by its name, or 0 */
    bool strace; /* its lines are strace's … */
    bool bare;   /* … and have no number */
    bool timed;  /* they begin with a time finer than a second */
    /* evidence_order.c: */
    struct set_file *parent, *child, *last_child, *next; /* by what fork(2) and its like gave */
    bool waited;                                         /* its parent has heard of its end */
    bool making;                /* it ended within a call that makes a process or a thread … */
    struct set_file *made_last; /* … which is this one, as no other can be it; or NULL */
    bool done;
    uint64_t at;     /* what was read of it so far */
    char *window;    /* a piece of it, or NULL */
    size_t from, to; /* what is not handed out yet */
    bool over;       /* nothing comes behind that */
    bool within;     /* what comes is the rest of a line */
    uint64_t next_ns;
};

struct evidence_set {
    struct set_file *files;
    size_t count, cap;
    bool cut; /* one that is packed ends too early */
};

/* The files NAME.PID beside NAME, or in the folder NAME whatever is before their numbers, that hold such logs. 0 where
 * there is none; -1 with ERR. */
int evidence_set_find(const char *name, struct evidence_set *ret, struct err *err);
/* Adds a file that was asked for by name, IN from its start, which is taken over. */
int evidence_set_add(struct evidence_set *set, const char *name, FILE *in, struct err *err);
/* All of them as one text, in a file without a name; NULL with ERR. NAME is for messages. */
FILE *evidence_set_merge(struct evidence_set *set, const char *name, struct err *err);
void evidence_set_deinit(struct evidence_set *set);

/* evidence_order.c: hands the lines out in their order: PUT gets each with its file, BEGINS and ENDS where it is whole.
 */
struct set_piece {
    const struct set_file *file;
    const char *data;
    size_t size; /* with the newline */
    bool begins;
};
int evidence_order(struct evidence_set *set, int (*put)(void *ctx, const struct set_piece *piece, struct err *err),
                   void *ctx, struct err *err);

#endif
