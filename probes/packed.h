/* A file read from its beginning as lines or bytes, whether it is plain, gzip's (also several in a row) or an LZ4
 * frame: package systems keep their lists in these. What it holds is hostile: the bytes that come out are counted, and
 * at the bound, or at the first that cannot be unpacked, it ends. */
#ifndef GLIBCTRACE_PROBES_PACKED_H
#define GLIBCTRACE_PROBES_PACKED_H

#include <stddef.h>
#include <sys/types.h>

struct packed;
/* Takes FD, which need not be good; BOUND: how many bytes may come out of it. NULL where it cannot be read. */
struct packed *packed_open(int fd, size_t bound);
/* As read(2), but only short at the end. */
size_t packed_read(struct packed *packed, void *buffer, size_t size);
/* The next line without its newline, with a NUL behind it (and any that are in it), or NULL at the end; *SIZE may be
 * NULL. One longer than 64 KB comes in pieces. It is good until the next call. */
char *packed_line(struct packed *packed, size_t *size);
void packed_close(struct packed *packed);

#endif
