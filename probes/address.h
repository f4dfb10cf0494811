/* What an address is: null, a stack's guard page, just past a mapping, read-only data of a file …
 *
 * Looks at /proc/PID/maps (proc_pid_maps(5)) and at the stack pointers that its caller tells it; whether using the
 * address was wrong is not its business. */
#ifndef GLIBCTRACE_PROBES_ADDRESS_H
#define GLIBCTRACE_PROBES_ADDRESS_H

#include "maps.h"

enum address_what {
    ADDRESS_UNKNOWN,       /* the mappings could not be read */
    ADDRESS_NULL,          /* below vm.mmap_min_addr's usual 64 KB: nothing is ever mapped there */
    ADDRESS_NON_CANONICAL, /* bits 63 to 47 differ: the processor takes it for no address at all */
    ADDRESS_KERNEL,        /* the upper half */
    ADDRESS_BELOW_STACK,   /* a stack has grown past its end: its guard page, or just below where there is none */
    ADDRESS_PAST,          /* nothing is there, and a mapping ends just before */
    ADDRESS_UNMAPPED,      /* nothing is there or near */
    ADDRESS_NO_ACCESS,     /* mapped with PROT_NONE */
    ADDRESS_CODE,          /* executable */
    ADDRESS_READ_ONLY,
    ADDRESS_STACK, /* of a thread, writable */
    ADDRESS_HEAP,  /* malloc's first arena, brk(2) */
    ADDRESS_DATA,  /* other writable memory */
};

struct address {
    enum address_what what;
    uint64_t addr;
    uint64_t distance;      /* NULL: the address itself; PAST: from the end of the mapping */
    struct mapping mapping; /* that holds it, or is meant by PAST and BELOW_STACK; name NULL: none. Borrowed */
    pid_t thread;           /* BELOW_STACK, STACK: whose, 0: not known */
};

/* The mappings of one process, at one time. */
struct addresses;
/* NULL where they cannot be read: the functions below take that. */
struct addresses *addresses_read(pid_t pid);
void addresses_destroy(struct addresses *addresses);
/* The stack pointer of a thread. */
void addresses_stack(struct addresses *addresses, pid_t tid, uint64_t sp_addr);
/* The mapping that holds ADDR, or NULL; ADDRESSES's. */
const struct mapping *addresses_at(const struct addresses *addresses, uint64_t addr);
/* The first mapping of the file that MAPPING is of; MAPPING itself where it is of none. */
const struct mapping *addresses_head(const struct addresses *addresses, const struct mapping *mapping);
/* The first mapping of glibc's libc.so.6 (libc-2.31.so and the like before 2.34), or NULL. */
const struct mapping *addresses_libc(const struct addresses *addresses);
/* RET borrows from ADDRESSES. */
void address_look(const struct addresses *addresses, uint64_t addr, struct address *ret);
/* "read-only data of /usr/bin/x", "the guard page below the stack of thread 12"; PID's first thread is called the main
 * one. malloced. */
char *address_text(const struct address *address, pid_t pid);

#endif
