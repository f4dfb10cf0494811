/* Archives entry by entry, written and read: all that is libarchive's (libarchive_write(3), libarchive_read(3)). Of it
 * the formats and filters alone are used that software comes packed in, so that a static link drags in little (for
 * .zip: see zip.h).
 *
 * What is read is hostile. What an entry may be, and where it may be put, is unpack.h's. */
#ifndef GLIBCTRACE_REPORTS_ENTRIES_H
#define GLIBCTRACE_REPORTS_ENTRIES_H

#include <probes/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- reading ---- */

enum entries_form {
    ENTRIES_BUNDLE,   /* .tar.zst */
    ENTRIES_AR,       /* the outer form of a .deb */
    ENTRIES_SOFTWARE, /* .tar or .cpio, plain or packed by gzip, bzip2, xz, lzma or zstd */
    ENTRIES_ISO,      /* ISO 9660 */
};

struct entries;
struct unpack_item;

/* Begins to read FD, which stays the caller's, from where it stands; FILE is its name in messages. -1 and ERR where it
 * is none of FORM. */
int entries_open(int fd, const char *file, enum entries_form form, struct entries **ret, struct err *err);
/* What the next entry is: 1 and *ITEM, whose strings are good until the next call. 0 at the end: then what is behind
 * the last one was read too, as far as it is a part of the archive, and the checksums that there are were compared. */
int entries_next(struct entries *entries, struct unpack_item *item, struct err *err);
/* All bytes of that entry to BYTES, which may end the reading by -1 and ERR. */
int entries_bytes(struct entries *entries,
                  int (*bytes)(void *ctx, const unsigned char *data, size_t size, struct err *err), void *ctx,
                  struct err *err);
/* After the end, of a .tar: the blocks of zeros that close one (tar(5)) were not there. */
bool entries_unclosed(const struct entries *entries);
void entries_close(struct entries *entries);

/* ---- writing a bundle ---- */

struct entries_writer;

int entries_create(FILE *out, const char *file, struct entries_writer **ret, struct err *err);
/* The header of NAME: with MODE 0 a directory, with LINK a symbolic link, else a file of SIZE bytes. Owner and time are
 * 0. */
int entries_put(struct entries_writer *writer, const char *name, unsigned mode, const char *link, uint64_t size,
                struct err *err);
/* Some of its bytes. */
int entries_put_bytes(struct entries_writer *writer, const char *name, const void *data, size_t size, struct err *err);
int entries_finish(struct entries_writer *writer, struct err *err);
void entries_writer_destroy(struct entries_writer *writer);

#endif
