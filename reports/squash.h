/* A squashfs image (linux: fs/squashfs/squashfs_fs.h), entry by entry: what is behind the program of an AppImage. What
 * it says is hostile: what an entry may be, and where it may be put, is unpack.h's; here the depth, the number of
 * entries and what is allocated for tables are bounded. */
#ifndef GLIBCTRACE_REPORTS_SQUASH_H
#define GLIBCTRACE_REPORTS_SQUASH_H

#include <probes/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False: this glibctrace was built without libsquashfs, and reads none. */
bool squash_is_known(void);
/* Whether an image begins at OFFSET of FD. */
bool squash_is_at(int fd, uint64_t offset);

/* One that is being read, at one of its files. */
struct squash;
struct unpack_item;
struct squash_visitor {
    /* For each entry; below zero (and ERR) ends the reading. */
    int (*entry)(void *ctx, const struct unpack_item *item, struct squash *squash, struct err *err);
    void *ctx;
    size_t entries; /* how many there may be */
};
/* The image at OFFSET of FD, a part of FILE. -1 and ERR where it is cut off, contradicts itself or cannot be read. */
int squash_walk(int fd, uint64_t offset, const char *file, const struct squash_visitor *visitor, struct err *err);
/* Of the entry, which is a file, all bytes to BYTES, which may end it by -1 and ERR. */
int squash_bytes(struct squash *squash,
                 int (*bytes)(void *ctx, const unsigned char *data, size_t size, struct err *err), void *ctx,
                 struct err *err);

#endif
