/* What may come out of a bundle, and where it may be put: nothing outside the directory, nothing over anything.
 *
 * Each name is walked component by component from the directory's descriptor without following any link, so that it
 * does not matter what the archive or somebody else puts on the way in the meantime. */
#ifndef GLIBCTRACE_REPORTS_UNPACK_H
#define GLIBCTRACE_REPORTS_UNPACK_H

#include "bundle.h"

enum {
    UNPACK_FILES = 10000 /* entries, where the limits name none */
};

/* One entry of the archive; the strings are the archive's. */
struct unpack_item {
    const char *name, *link;
    const char *hard; /* a hard link: the name of the entry that it is another name of; else NULL */
    enum { UNPACK_FILE, UNPACK_DIRECTORY, UNPACK_LINK, UNPACK_OTHER /* hard links, devices, … */ } kind;
    bool executable;
    uint64_t size; /* as the archive says; what really comes is counted too */
};

struct unpack_name;

struct unpack {
    const char *file;
    int directory; /* descriptor */
    struct bundle_limits limits;
    struct unpack_name *names; /* what was unpacked so far */
    size_t files;
    uint64_t bytes;
    char *top;    /* the folder that all names begin with; NULL before the first */
    bool package; /* "/" is the directory: where a link to an absolute path leads, as unpack_check_foreign() takes it */
    bool over;    /* a file may take the place of one that was there before */
};

int unpack_init(struct unpack *unpack, const char *file, const char *directory, const struct bundle_limits *limits,
                struct err *err);
void unpack_deinit(struct unpack *unpack);
/* Whether ITEM may come out: name, kind, link, limits, and that it is there for the first time. */
int unpack_check(struct unpack *unpack, const struct unpack_item *item, struct err *err);
/* The same for an archive that is no bundle, as software comes in: with several top folders, links that go up, hard
 * links. 1: it may come out; 0: it is passed over (a link that leads out of the archive, a device); -1 and ERR: the
 * archive is refused. */
int unpack_check_foreign(struct unpack *unpack, const struct unpack_item *item, struct err *err);
/* Makes the directory or link that ITEM is. */
int unpack_other(struct unpack *unpack, const struct unpack_item *item, struct err *err);
/* Makes the file that ITEM is: a descriptor to write to, the caller's; -1 and ERR. */
int unpack_file(struct unpack *unpack, const struct unpack_item *item, struct err *err);
int unpack_write(struct unpack *unpack, const struct unpack_item *item, int fd, const char *data, size_t size,
                 struct err *err);

#endif
