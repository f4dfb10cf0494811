/* Reading .zip archives, with nothing taken on trust: where one is cut off, changed or contradicts itself, it says so.
 *
 * PKWARE's APPNOTE.TXT. libarchive's own reader links in a cryptography library (nettle) for entries that are
 * encrypted, which nobody here wants. What is stored or deflated is read; ZIP64 and several disks are not. */
#ifndef GLIBCTRACE_REPORTS_ZIP_H
#define GLIBCTRACE_REPORTS_ZIP_H

#include <probes/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zip_entry {
    char *name;
    uint64_t size, packed; /* bytes, unpacked and as they stand */
    uint64_t offset;       /* of its local header */
    uint32_t crc;
    unsigned method;
    unsigned mode; /* of Unix, with the file's type; 0: its maker had none */
};

struct zip {
    char *file;
    int fd;
    uint64_t file_size;
    struct zip_entry *entries;
    size_t count, cap;
};

/* Reads the directory of FILE and checks it. -1 and ERR: no archive, cut off, or one that contradicts itself. RET is to
 * be closed only where it was opened. */
int zip_open(const char *file, struct zip *ret, struct err *err);
/* The same of FD, which is FILE and stays the caller's. */
int zip_open_fd(int fd, const char *file, struct zip *ret, struct err *err);
void zip_close(struct zip *zip);
/* All bytes of ENTRY to BYTES, which may end the reading by -1 and ERR. Afterwards its length and its checksum have
 * been compared. BYTES may be NULL: they are compared only. */
int zip_stream(const struct zip *zip, const struct zip_entry *entry,
               int (*bytes)(void *ctx, const unsigned char *data, size_t size, struct err *err), void *ctx,
               struct err *err);
/* The same into memory, at most LIMIT: malloced, and followed by a NUL. */
int zip_read(const struct zip *zip, const struct zip_entry *entry, size_t limit, char **data, size_t *size,
             struct err *err);
/* The entry of that name, or NULL. */
const struct zip_entry *zip_find(const struct zip *zip, const char *name);

#endif
