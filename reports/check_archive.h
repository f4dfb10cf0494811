/* `glibctrace check` of an archive: it is unpacked into a directory of ours, which is walked and removed. Paths in the
 * report are those inside the archive. */
#ifndef GLIBCTRACE_REPORTS_CHECK_ARCHIVE_H
#define GLIBCTRACE_REPORTS_CHECK_ARCHIVE_H

#include "against.h"
#include "archives.h"

/* An archive, unpacked, as a directory that can be checked by a request of its own. */
struct check_inside {
    struct unpacked unpacked;
    struct check_request request; /* of it; what it points to is this one's */
    char *file, *variable;
    const char **env;
    struct guest guest;
    struct load_guests guests;
    const char *paths[1];
};

/* FILE (absolute, inside REQUEST's root), of KIND, which is no ARCHIVE_NOT. Where that root is another system, or it is
 * asked for another (against), what is in the archive is a guest there. -1 and ERR where it is cut off, changed,
 * hostile, or cannot be read; else RET is to be closed, and may not be moved meanwhile. */
int check_inside_open(const struct check_request *request, const char *file, enum archive_kind kind,
                      struct check_inside *ret, struct err *err);
void check_inside_close(struct check_inside *inside);
/* REPORT, whose causes from FIRST on are of it, names what is inside the archive by its name there; and what could not
 * be looked at. */
void check_inside_rename(const struct check_inside *inside, size_t first, struct report *report);

/* All of it in one: -1 and ERR as above. */
int check_archive(const struct check_request *request, const char *file, enum archive_kind kind, struct report *report,
                  struct err *err);

#endif
