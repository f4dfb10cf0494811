/* A run as a comparison needs it: which programs ran, with what they were given, what they loaded and which files they
 * used. Gathered from a log's events (it is a sink); nothing is judged. What differs from one run to the next whatever
 * is wrong (numbers of processes, addresses, times, names of temporary files) is left out or made equal. */
#ifndef GLIBCTRACE_REPORTS_RUN_H
#define GLIBCTRACE_REPORTS_RUN_H

#include "event.h"
#include "report.h"

#include <uthash.h>

/* A library that was loaded, by its name. */
struct run_object {
    char *name; /* its file's last component, which mostly is the soname */
    char *path;
    struct strings versions; /* the newest of each series that it defines, as far as the log notes them */
    UT_hash_handle hh;
};

/* A file that the program itself asked for. */
struct run_file {
    char *path;
    bool found; /* one call on it at least succeeded */
    int error;  /* else: of the first */
    UT_hash_handle hh;
};

/* One execve that succeeded: the program, until it ended or executed another. */
struct run_program {
    char *name;   /* what it was called as, its last component: a script's name, not its interpreter's */
    char *called; /* the path that was executed, */
    char *exe;    /* and what ran: the program itself, or a script's interpreter */
    struct strings argv, env;
    struct strings env_left;    /* names of variables whose values the log has not */
    struct run_object *objects; /* hashes */
    struct run_file *files;
    bool ended;
    int status; /* wait status */
};

struct run {
    struct run_program **programs; /* in the order in which they were executed */
    size_t count, cap;
    struct run_process *processes; /* hash by pid */
};

/* RET starts as {0}. */
void run_event(void *ctx, const struct event *event);
void run_deinit(struct run *run);
/* The first program of RUN that is called NAME, or NULL. */
const struct run_program *run_program(const struct run *run, const char *name);
/* In that program alone. */
const struct run_file *run_program_file(const struct run_program *program, const char *path);
const struct run_object *run_program_object(const struct run_program *program, const char *name);
/* The library called NAME in the first program that loaded it, or NULL; and the file at PATH. */
const struct run_object *run_object(const struct run *run, const char *name);
const struct run_file *run_file(const struct run *run, const char *path);
/* TEXT with "*" for what changes from run to run: numbers of processes, random names in places for temporary files.
 * malloced. */
char *run_comparable(const struct run *run, const char *text);
/* The same of a file that one run alone has: in a place for temporary files nothing but its ending counts. */
char *run_comparable_file(const struct run *run, const char *path);

#endif
