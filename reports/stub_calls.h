/* A program of a few instructions that makes a list of system calls, one after the other, and tells of the one that
 * fails as expected: static, without a loader, some hundred bytes. It stands for whoever made the call in the failure
 * that is reproduced, and makes the state in which the call fails. */
#ifndef GLIBCTRACE_REPORTS_STUB_CALLS_H
#define GLIBCTRACE_REPORTS_STUB_CALLS_H

#include "stub.h"

/* One argument of a call: six at most (syscall(2)). {0} is the number 0. */
struct stub_word {
    enum {
        WORD_VALUE,  /* .value */
        WORD_BYTES,  /* the address of .bytes (.value of them), which the program holds */
        WORD_VECTOR, /* the address of a vector of two: .bytes, a string, and NULL */
        WORD_FILTER, /* the address of a struct sock_fprog of .bytes (.value of them) */
        WORD_ROOM,   /* the address of .value in the one place that may be written to: 128 bytes, 0 but for the first 8,
                        which hold the number 120, the size of the rest */
        WORD_KEPT,   /* the result that was kept last; of the first three arguments only */
    } is;
    uint64_t value;
    const void *bytes;
};

enum stub_how {
    STEP_WATCHED = 1, /* where it fails with the expected error, the program says so and ends with its status */
    STEP_KEEP = 2,    /* its result is kept */
    STEP_ANY = 4,     /* whether it goes well is no matter. Without this one, a failing call ends it with 125 */
    STEP_LENIENT = 8, /* WATCHED, and another error is as good as none: only how the kernel answers is the matter */
};

struct stub_step {
    long call; /* SYS_… of <sys/syscall.h> */
    unsigned how;
    struct stub_word args[6];
};

struct stub_calls {
    const struct stub_step *steps; /* after the last one the program ends with 0 */
    size_t count;
    int error;         /* the errno value that is expected: … */
    unsigned status;   /* … the status of the program then … */
    const char *words; /* … and what it writes to its standard error, with a newline */
};

/* Fails where the instructions of this machine are not known, or WORD_BYTES and the like are too many. */
int stub_calls_build(const struct stub_calls *calls, struct stub_file *ret, struct err *err);

#endif
