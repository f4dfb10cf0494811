/* The lines of LD_DEBUG=libs,files,scopes,bindings, of one process image: what the real loader says that it does. */
#ifndef GLIBCTRACE_TESTS_DEBUGLOG_H
#define GLIBCTRACE_TESTS_DEBUGLOG_H

#include <stdbool.h>
#include <stddef.h>

enum line_kind {
    LINE_OTHER,
    LINE_LOADED_BY, /* a dlopen begins: A as asked, SPACE where it goes, B the caller */
    LINE_NEEDED,    /* A as asked, SPACE where it goes, B who needs it */
    LINE_FIND,      /* A is looked for … */
    LINE_TRYING,    /* … in the place A */
    LINE_GENERATED, /* a link map is made for A */
    LINE_INITIAL,   /* the scopes of the start follow */
    LINE_OBJECT,    /* A, whose scopes follow */
    LINE_SCOPE,     /* its list number N, A being the names with blanks between */
    LINE_GLOBAL,    /* A becomes global */
    LINE_OPENING,   /* a dlopen of A has come to its end */
    LINE_BINDING,   /* A asks for SYMBOL, VERSION; B has it */
    LINE_CLOSING,   /* a dlclose that leaves A there */
    LINE_DESTROYED, /* A is gone */
    LINE_FINI,      /* the end of the program (or of A) begins */
    LINE_TORN,      /* two threads wrote at once */
};

struct log_line {
    enum line_kind kind;
    long pid;
    char *a, *b;
    unsigned a_space, b_space, n;
    char *symbol, *version; /* VERSION: NULL where there is none */
};

struct debuglog {
    struct log_line *lines;
    size_t count, capacity;
};

/* IMAGE: which of the programs that the process has executed one after the other, from 0. */
bool debuglog_read(const char *path, unsigned image, struct debuglog *ret);
void debuglog_deinit(struct debuglog *log);

#endif
