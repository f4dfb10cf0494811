/* What a system call is called and how its arguments read: one row a call, one file a family of them.
 *
 * The rows know nothing of a machine's numbers (tracer/arch_*.c maps number to row) nor of ptrace: memory comes through
 * struct mem. Texts are strace's own, so that a strace user reads them without a legend. */
#ifndef GLIBCTRACE_REPORTS_SYSCALL_H
#define GLIBCTRACE_REPORTS_SYSCALL_H

#include "event.h"

#include <probes/mem.h>

enum syscall_family {
    FAMILY_FILE,
    FAMILY_MEMORY,
    FAMILY_PROCESS,
    FAMILY_NETWORK,
    FAMILY_OUTPUT,
    FAMILY_WATCH,
    FAMILY_RULES,
    FAMILY_LIMIT /* calls that are told for their failing only: they meet limits and policies */
};

enum syscall_need {
    NEED_RESULT = 1u << 0,       /* worth an exit stop: its result decides something */
    NEED_MEMORY_AFTER = 1u << 1, /* some argument is filled in by the kernel (stat, readlink): decoded at the exit */
};

struct syscall_desc {
    const char *name;
    /* One letter an argument, decoded by one generic function (the rows of strace's own table are the example):
     *   d  signed int      u  unsigned int     l  long, decimal      x  hexadecimal     p  pointer        f  descriptor
     * D  directory descriptor (AT_FDCWD) P  path (string)   s  string           S  buffer of the size in the next
     * argument               a  argument vector  e  environment vector o  open flags      m  mode, octal; only shown
     * where the flags say that it is used                A  access mode (R_OK)      F  AT_ flags …  the rest as the
     * families define them, in syscall.c's table of letters */
    const char *args;
    enum syscall_family family;
    unsigned need; /* enum syscall_need bits */
    int path_arg;  /* index of the path argument, or -1 */
    int dirfd_arg; /* index of the directory descriptor it is relative to, or -1 (working directory) */
    int flags_arg; /* index of event_syscall.flags's source, or -1 */
};

/* The row of NAME, or NULL. */
const struct syscall_desc *syscall_by_name(const char *name);
/* How many arguments it takes in registers. */
unsigned syscall_argument_count(const struct syscall_desc *desc);
/* The Ith row of all, from 0, or NULL past the last: for those that go through them (tests). */
const struct syscall_desc *syscall_row(size_t i);
/* socketcall(2) of 32-bit x86 is several calls in one: gives the row that is meant (or DESC itself, also where that row
 * is none of ours or the arguments cannot be read) and puts its arguments, read from the process, into INNER. */
const struct syscall_desc *syscall_unwrap(const struct syscall_desc *desc, const uint64_t args[6],
                                          const struct mem *mem, uint64_t inner[6]);

/* Argument texts: fills TEXT[0..5] with malloced strings (NULL past the last argument). AFTER: the call has returned
 * RET (so out arguments can be read). MEM reads the process; unreadable pointers print as addresses, as strace does. */
struct syscall_texts {
    char *text[6];
};
void syscall_texts_format(const struct syscall_desc *desc, const uint64_t args[6], bool after, int64_t ret,
                          const struct mem *mem, struct syscall_texts *texts);
/* The same without the process: pointers stay addresses but for the path argument, which is STRING (or NULL). */
void syscall_texts_guess(const struct syscall_desc *desc, const uint64_t args[6], const char *string,
                         struct syscall_texts *texts);
void syscall_texts_deinit(struct syscall_texts *texts);

#endif
