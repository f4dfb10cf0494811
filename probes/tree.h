/* The files below a directory that a kernel or a loader could take: ELF files, and scripts that may be executed.
 *
 * Bounded in number and depth. No symbolic link is followed, so that nothing outside is looked at; what is no regular
 * file is not opened. Names are in byte order, so that equal trees give equal lists. */
#ifndef GLIBCTRACE_PROBES_TREE_H
#define GLIBCTRACE_PROBES_TREE_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

enum { TREE_ENTRIES = 1000000, TREE_FILES = 20000, TREE_DEPTH = 48 };

struct tree_file {
    char *path; /* absolute inside the root */
    bool elf;   /* it begins like one, or is called a library and is nothing else that is known; else a script */
    bool executable;
};

struct tree {
    struct tree_file *files;
    size_t count, cap;
    size_t entries; /* looked at, of whatever kind */
    size_t unread;  /* directories and files that could not be opened */
    bool cut;       /* there was more than the limits allow */
};

/* Reads DIRECTORY (absolute, inside ROOT). -1 and ERR where it cannot be opened at all. MODES: its files have mode bits
 * that mean something; else every script counts as one that may be executed, and every ELF file. */
int tree_read(const char *root, const char *directory, bool modes, struct tree *ret, struct err *err);
/* NAME, or a path's end, is that of a library or of an add-on: libx.so, libx.so.1, x.node. */
bool tree_called_library(const char *name);
/* A file that begins with the text START is for the linker, which takes it for the library that it is called. */
bool tree_is_linker_script(const char *start);
void tree_deinit(struct tree *tree);

#endif
