/* Archives as software comes in: .vsix and other .zip, .deb, .rpm, .tar with whatever it was packed by, .AppImage. They
 * are known by their bytes, not by their names. */
#ifndef GLIBCTRACE_REPORTS_ARCHIVES_H
#define GLIBCTRACE_REPORTS_ARCHIVES_H

#include "unpack.h"

enum archive_kind {
    ARCHIVE_NOT, /* something else */
    ARCHIVE_ZIP,
    ARCHIVE_TAR, /* or what may be one, compressed */
    ARCHIVE_DEB,
    ARCHIVE_RPM,
    ARCHIVE_APPIMAGE, /* a program with a file system behind it, which is not read here */
};

/* What FD, a regular file, is by its first bytes. */
enum archive_kind archives_kind(int fd);
/* Whether what it holds is installed below "/" as it is named. */
bool archives_is_package(enum archive_kind kind);
/* A new directory of ours for what is unpacked, malloced; NULL and ERR. archives_remove() takes it away, with all in
 * it.
 */
char *archives_directory(struct err *err);
void archives_remove(const char *directory);
/* Unpacks what a loader or a kernel could take, ELF files and scripts, out of FILE into DIRECTORY; the rest is read
 * too, and must be whole. *SKIPPED: links that lead out of the archive, devices. */
int archives_unpack(const char *file, enum archive_kind kind, const char *directory, size_t *skipped, struct err *err);

/* Parts of the above: a file of the archive whose bytes come one after the other. Only one that begins like a program
 * is made. */
struct arriving {
    struct unpack *unpack;
    const struct unpack_item *item;
    int fd; /* -1 before the first bytes, or where they are not wanted */
    bool begun;
};
int arriving_bytes(void *ctx, const unsigned char *data, size_t size, struct err *err);
/* bundle.c: all entries of FD, a .tar or a .cpio, compressed or behind an .rpm's header. */
int bundle_unpack_foreign(int fd, const char *file, struct unpack *unpack, size_t *skipped, struct err *err);
/* The bytes of a .deb's data.tar to OUT. */
int bundle_deb_data(int fd, const char *file, int out, struct err *err);

#endif
