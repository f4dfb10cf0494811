/* Archives as software comes in: .vsix and other .zip, .deb, .rpm, .apk, .tar with whatever it was packed by,
 * .AppImage. They are known by their bytes, not by their names. One is unpacked into a directory of ours (scratch.h)
 * and is that directory from then on. */
#ifndef GLIBCTRACE_REPORTS_ARCHIVES_H
#define GLIBCTRACE_REPORTS_ARCHIVES_H

#include "report.h"
#include "scratch.h"

enum archive_kind {
    ARCHIVE_NOT, /* something else */
    ARCHIVE_ZIP,
    ARCHIVE_TAR, /* or what may be one, compressed */
    ARCHIVE_DEB,
    ARCHIVE_RPM,
    ARCHIVE_APPIMAGE, /* a program with a file system behind it */
};

/* What FD, a regular file, is by its first bytes. */
enum archive_kind archives_kind(int fd);
/* The same of the file at PATH inside ROOT (path.h): ARCHIVE_NOT for what is no regular file; negative, an errno value:
 * it cannot be opened. */
int archives_at(const char *root, const char *path);

struct unpacked {
    struct scratch scratch;
    const char *directory; /* the scratch's */
    bool package;          /* what it holds is installed below "/" as it is named */
    size_t skipped;        /* links that lead out of the archive, devices */
    bool unclosed;         /* a .tar without an end: it may be cut off */
    char *unread;          /* why what it holds could not be looked at, though nothing is wrong with it; or NULL */
};

/* Unpacks what a loader or a kernel could take, ELF files and scripts, out of FD, which is FILE, of KIND; the rest is
 * read too, and must be whole. -1 and ERR where it is cut off, changed, hostile, or cannot be read; else RET is to be
 * closed. */
int archives_open(int fd, const char *file, enum archive_kind kind, struct unpacked *ret, struct err *err);
void archives_close(struct unpacked *unpacked);
/* What of FILE was not looked at, to REPORT's unseen. */
void archives_tell(const struct unpacked *unpacked, const char *file, struct report *report);
/* All files of a package, as they are, into DIRECTORY, which may have those of others: whose files they are written
 * over. Links to absolute paths lead to where that is in DIRECTORY. */
int archives_install(int fd, const char *file, const char *directory, struct err *err);

#endif
