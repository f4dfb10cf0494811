/* The value of an environment variable, taken apart: which paths stand in it, and how such a path lies to another one.
 *
 * A value may be a path, a list of them (PATH-like, environ(7)), or arguments of a program with paths in them
 * ("--require=/x.js -I/y"). Nothing here looks at files or judges; no variable is known by name, except those whose
 * values say nothing about what a program wants (where a shell is, what it ran last). */
#ifndef GLIBCTRACE_REPORTS_VARIABLE_H
#define GLIBCTRACE_REPORTS_VARIABLE_H

#include "report.h"

struct variable {
    const char *entry; /* "NAME=value", borrowed */
    size_t name_size;
    const char *value;
};

/* False where ENTRY has no name or an empty value, or is one of those that never lead a program anywhere (PWD, PATH:
 * a search on it that fails is command-not-found). */
bool variable_of(const char *entry, struct variable *ret);
bool variable_is(const struct variable *variable, const char *name);

/* The absolute paths in VALUE, lexically clean, relative ones (they have a slash) from CWD (or left out where that is
 * NULL); the whole value first. At most VARIABLE_PATHS of them. "/" alone is none. */
enum { VARIABLE_PATHS = 128 };
void variable_paths(const char *value, const char *cwd, struct strings *ret);

enum variable_fit {
    FIT_NONE,
    FIT_ABOVE,   /* PATH is a directory on the way to what the variable names */
    FIT_BENEATH, /* PATH lies in the tree that it names */
    FIT_EXACT,
};
/* NAMED and PATH: clean absolute paths. */
enum variable_fit variable_fit(const char *named, const char *path);

#endif
