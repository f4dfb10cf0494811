/* Which C library is in the memory of a process, and which loader, whatever their files have become since.
 *
 * The loader's own list of objects says which of them they are (one that is mapped to be looked at is none, and a name
 * says nothing); what they are is read from the words that lie in their segments. Where the memory may not be read but
 * the mappings may (Yama), the files are asked that are shown to be those that are mapped. What stands at their paths
 * now is told apart from that. */
#ifndef GLIBCTRACE_PROBES_LIBC_MEMORY_H
#define GLIBCTRACE_PROBES_LIBC_MEMORY_H

#include "libc.h"

#include <sys/types.h>

enum libc_file {
    LIBC_FILE_UNKNOWN,
    LIBC_FILE_SAME,    /* it is the file that is mapped, or one of the same build (by its build-id) */
    LIBC_FILE_OTHER,   /* another one */
    LIBC_FILE_GONE,    /* none */
    LIBC_FILE_OUTSIDE, /* it was not replaced: the process has entered another root since, which has another or none */
};

/* libc.so.6, musl's, or a loader. */
struct libc_part {
    bool there;
    struct libc_identity says;
    char *least; /* "2.34": its version definitions say that it is no older; or NULL. Where SAYS has no release */
    char *path;  /* inside the process's root, as the loader opened it; or NULL */
    enum libc_file file; /* what stands there now */
};

struct libc_memory {
    bool mapped;   /* its mappings could be read; else nothing is known */
    bool read;     /* and its memory: else what the parts say was read from the files that are mapped */
    bool musl;     /* its loader is musl's, which is the libc as well */
    char *program; /* the loader was run itself, with this as its argument (ld.so(8)); or NULL */
    struct libc_part libc, loader;
    char *other; /* a second C library that is loaded (of the other family, or in another namespace), or NULL */
};

/* ROOT: proc_root(). RET is always filled in; free with libc_memory_deinit(). */
void libc_memory_read(pid_t pid, const char *root, struct libc_memory *ret);
void libc_memory_deinit(struct libc_memory *memory);
void libc_part_deinit(struct libc_part *part);

#endif
