/* The system that a text tells of, by what other commands in it say: ldd --version, uname -a, /etc/os-release. */
#ifndef GLIBCTRACE_REPORTS_TOLD_SYSTEM_H
#define GLIBCTRACE_REPORTS_TOLD_SYSTEM_H

#include <stdbool.h>

struct told_system {
    char *family, *version; /* of the C library; or NULL */
    const char *from;       /* the command that says so, or NULL */
    char *kernel, *machine, *distribution;
    char *other; /* the text contradicts itself: "glibc 2.36 and glibc 2.31", or NULL */
};

/* What LINE says of it, if anything. */
void told_system_read(struct told_system *system, const char *line);
void told_system_deinit(struct told_system *system);

#endif
