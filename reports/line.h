/* The live view: an event as the one line that strace would print for it.
 *
 *     [pid  4711] openat(AT_FDCWD, "/x", O_RDONLY) = -1 ENOENT (No such file or directory)
 *     [pid  4711] --- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL} ---
 *     [pid  4711] +++ killed by SIGSEGV +++
 *     [pid  4711] libssl.so.3 → SSL_read@OPENSSL_3.0.0 = libcrypto.so.3
 *
 * A call is told once, when it has returned, so that there are no "<unfinished ...>" halves. What strace has no line
 * for (the loader's words, lookups, notes) is told in its manner. Which events are told is a set of kinds. */
#ifndef GLIBCTRACE_REPORTS_LINE_H
#define GLIBCTRACE_REPORTS_LINE_H

#include "event.h"
#include "text.h"

#include <probes/err.h>

#include <stdio.h>

enum line_kind {                         /* bits of a set; contract.md section 1, -t */
                 LINE_FAILED = 1u << 0,  /* failing calls, what the loader says, fatal signals, ends that are not 0 */
                 LINE_FILES = 1u << 1,   /* calls that take a path */
                 LINE_LOADER = 1u << 2,  /* the loader's own calls and words */
                 LINE_LOOKUPS = 1u << 3, /* symbol lookups */
                 LINE_PROCESS = 1u << 4, /* processes, threads and signals */
                 LINE_ALL = 1u << 5,
};

/* Reads "failed,process"; NULL or "" is "failed". Below zero for an unknown word, with ERR. */
int line_set_parse(const char *words, unsigned *ret, struct err *err);
bool line_wanted(unsigned set, const struct event *event);

struct line_options {
    bool colour; /* errors red, signals yellow, paths bold */
    bool pid;    /* begin with "[pid  4711] " */
};
/* Appends EVENT's line with its newline to OUT; nothing where there is no line for it (a process about to end, an
 * image). */
void line_add(const struct event *event, const struct line_options *options, struct text *out);
/* Appends the lines of EVENT's stack, as strace -k writes them, with file and line where they are known:
 *
 *      > /usr/lib/x86_64-linux-gnu/libc.so.6(open64+0x51) [0xf8011]
 *      > /opt/x/prog(read_settings+0x1d) [0x119d] /src/prog.c:6 */
void line_stack_add(const struct event *event, struct text *out);

/* Prints the wanted events to OUT, each with one fwrite(3). As strace -f does, a line names its process while more than
 * one thread is there. OUT is not closed; write errors are left for ferror(3). */
struct line_view;
struct line_view *line_view_create(FILE *out, unsigned set, bool colour, struct sink *ret);
/* Whether EVENT is one of those. */
bool line_view_wants(const struct line_view *view, const struct event *event);
void line_view_destroy(struct line_view *view);

#endif
