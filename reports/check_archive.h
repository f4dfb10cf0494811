/* `glibctrace check` of an archive: it is unpacked into a directory of ours, which is walked and removed. Paths in the
 * report are those inside the archive. */
#ifndef GLIBCTRACE_REPORTS_CHECK_ARCHIVE_H
#define GLIBCTRACE_REPORTS_CHECK_ARCHIVE_H

#include "archives.h"
#include "check.h"

/* FILE, of KIND, which is no ARCHIVE_NOT. -1 and ERR where it is cut off, changed, hostile, or cannot be read. */
int check_archive(const struct check_request *request, const char *file, enum archive_kind kind, struct report *report,
                  struct err *err);

#endif
