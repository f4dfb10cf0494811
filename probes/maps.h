/* Which files a process has mapped, from /proc/PID/maps (proc_pid_maps(5)).
 *
 * Files are told by inode number: paths there are relative to the reader's root, and the device number that overlayfs
 * shows there differs from stat(2)'s. */
#ifndef GLIBCTRACE_PROBES_MAPS_H
#define GLIBCTRACE_PROBES_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct maps {
    ino_t *inodes; /* sorted, each once */
    size_t count;
    bool known; /* false: it could not be read (gone, not ours, or its memory is given back already) */
};

/* One mapping: what lies at an address. */
struct mapping {
    uint64_t start, end, offset; /* offset in the file */
    ino_t inode;                 /* 0: no file */
    char permissions[5];         /* "r-xp" */
    char *name;                  /* path as the kernel shows it, "[stack]", or "" */
};
/* The mapping of PID that holds ADDR: 0 with RET filled in (free(ret->name)), or -1. */
int maps_find(pid_t pid, uint64_t addr, struct mapping *ret);

/* All mappings of PID in the order of their addresses, malloced (mappings_free()); NULL where they cannot be read. */
struct mapping *mappings_read(pid_t pid, size_t *count);
void mappings_free(struct mapping *mappings, size_t count);

void maps_read(pid_t pid, struct maps *ret);
void maps_deinit(struct maps *maps);
/* 1: the file at PATH inside ROOT is mapped, 0: it is not, -1: not known. */
int maps_has(const struct maps *maps, const char *root, const char *path);

#endif
