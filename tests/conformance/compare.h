/* One log of the real loader beside one load of the model: bindings.c compares lookups, opening.c lets the model follow
 * dlopens and dlcloses, lists.c compares search lists and searches. */
#ifndef GLIBCTRACE_TESTS_COMPARE_H
#define GLIBCTRACE_TESTS_COMPARE_H

#include "debuglog.h"

#include <probes/load.h>

/* What a line was compared as; what a difference is. */
enum outcome {
    EQUAL_EAGER,     /* a relocation made when its object was loaded, in the loader's order */
    EQUAL_LAZY,      /* a call that was bound when it was made */
    EQUAL_AGAIN,     /* a relocation seen before: two threads, or a dlsym of the same name */
    EQUAL_DLSYM,     /* no relocation of the object: dlsym, or the loader's own */
    VDSO,            /* the loader's own look into the vdso; no object of a file asks */
    FORKED,          /* said by a forked child, whose later dlopens are not the parent's */
    TORN,            /* two threads wrote at once */
    DIFFERS_TARGET,  /* another object has it */
    DIFFERS_ORDER,   /* a relocation out of the loader's order */
    DIFFERS_OBJECT,  /* an object that the model does not have */
    DIFFERS_MISSING, /* the model binds it, the loader did not */
    DIFFERS_SCOPE,   /* other search lists */
    DIFFERS_SEARCH,  /* a file is looked for in other places, or in another order */
    DIFFERS_LOAD,    /* a dlopen or dlclose that ends otherwise */
    OUTCOMES,
};

/* The relocations of one object, and how far the log is with them. */
struct progress {
    struct binding *bindings;
    size_t count, next;
    bool *seen;
    bool known;
};

struct comparison {
    struct debuglog log;
    struct load *load;
    const char *root;
    const char *program_name; /* as the log calls it: argv[0] */
    long pid;
    bool started;              /* the scopes of the start are told */
    struct progress *progress; /* by object->index */
    size_t progress_count;
    struct object **roots; /* by line: what a dlopen that ends there should have opened */
    size_t pending;        /* dlopens that have begun and not ended */
    size_t counts[OUTCOMES], scopes, searches;
    char *details;
};

/* FORMAT: a line about it, or NULL. */
__attribute__((format(printf, 3, 4))) void count(struct comparison *c, enum outcome outcome, const char *format, ...);
/* By the name that the log calls it; those that are there first, then those that were. */
struct object *object_of(const struct comparison *c, const char *name, unsigned space);

/* What the log says in line I. */
void begin_open(struct comparison *c, size_t i);
void open_known(struct comparison *c, size_t i);
void end_open(struct comparison *c, size_t i);
void made_global(struct comparison *c, size_t i);
void destroyed(struct comparison *c, size_t i);
void compare_scope(struct comparison *c, const struct log_line *object, const struct log_line *line);
void compare_search(struct comparison *c, size_t i);

#endif
