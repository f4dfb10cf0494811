/* One line of strace: what it is, and where in it what stands. Nothing is decoded that nobody asks for.
 *
 * strace's printing has changed little in twenty years, and where it has, both forms are read: its source is
 * src/syscall.c (syscall_entering_trace() and what follows), src/strace.c (printleader()) and, for how arguments read,
 * the files of each call there. */
#ifndef GLIBCTRACE_REPORTS_STRACE_LINE_H
#define GLIBCTRACE_REPORTS_STRACE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum strace_kind {
    STRACE_NOTHING,    /* no line of strace's */
    STRACE_CALL,       /* name(arguments) = result */
    STRACE_UNFINISHED, /* name(arguments <unfinished ...> */
    STRACE_RESUMED,    /* <... name resumed>arguments) = result */
    STRACE_PARTIAL,    /* name(arguments, and there it ends */
    STRACE_SIGNAL,     /* --- SIGSEGV {…} --- */
    STRACE_EXITED,     /* +++ exited with 127 +++ */
    STRACE_KILLED,     /* +++ killed by SIGSEGV (core dumped) +++ */
    STRACE_ATTACHED,   /* strace: Process 123 attached */
    STRACE_OTHER,      /* a frame of -k, other messages */
};

struct strace_line {
    enum strace_kind kind;
    pid_t pid; /* 0: the line has none */
    bool has_time, relative;
    uint64_t t_ns;
    char *name; /* CALL, UNFINISHED, RESUMED, PARTIAL; not ended by a NUL; SIGNAL, KILLED: the signal's … */
    size_t name_size;
    char *args; /* behind the parenthesis; RESUMED: behind the ">"; SIGNAL: what it says besides; or NULL */
    size_t args_size;
    char *result; /* CALL, RESUMED: behind "= " */
    int status;   /* EXITED */
    bool core;    /* KILLED */
    pid_t other;  /* ATTACHED: who; PARTIAL, where the message stands in the call: likewise, else 0 */
};

/* KNOWN: whether a name (of N bytes) is that of a system call: others need a result or a process number before them.
 * NULL: any name may be. */
void strace_parse(char *line, size_t size, bool (*known)(const void *ctx, const char *name, size_t n), const void *ctx,
                  struct strace_line *ret);

/* The arguments at ARGS, ended by NULs; at most MOST. Returns how many; *END is behind the closing parenthesis, or NULL
 * where there is none. */
unsigned strace_split(char *args, char *ret[], unsigned most, char **end);

struct strace_result {
    bool returned;
    int64_t value;
    int error;  /* errno */
    char *rest; /* behind the number */
};
struct strace_result strace_result(char *text);

#endif
