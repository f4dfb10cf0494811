/* The bundle: one .tar.zst that holds everything about one failure. What is read here is hostile, whoever made
 * it.
 *
 * Written: one top folder; fixed order, modes, owner 0 and time 0, so that equal reports give equal bundles. Read:
 * plain files, directories and links that stay inside the folder; anything else is refused, with its name. */
#ifndef GLIBCTRACE_REPORTS_BUNDLE_H
#define GLIBCTRACE_REPORTS_BUNDLE_H

#include "report.h"

#include <probes/err.h>

/* What is packed beside the report. */
struct bundle_parts {
    FILE *trace;           /* trace.jsonl, read from its start; its position is put back. NULL: an empty one */
    const char *repro_dir; /* the directory that becomes repro/, or NULL */
};

#define BUNDLE_ENDING ".tar.zst"

bool bundle_named(const char *file); /* FILE ends in .tar.zst */
/* Writes REPORT, redacted already, and PARTS to OUT as the bundle FILE (whose name the top folder takes). */
int bundle_write(const struct report *report, const struct bundle_parts *parts, const char *file, FILE *out,
                 struct err *err);
/* Prints what FILE holds, a line each, and what was replaced in it. */
int bundle_list(const char *file, FILE *out, struct err *err);
/* The bytes of MEMBER ("report.json", without the top folder) in *DATA, malloced and followed by a NUL. */
int bundle_read(const char *file, const char *member, char **data, size_t *size, struct err *err);

struct bundle_limits {
    size_t files;   /* entries; 0: 10,000 */
    uint64_t bytes; /* of all files together, unpacked; 0: 4 GB */
};
/* Unpacks FILE into DIRECTORY (which exists), so that DIRECTORY holds its top folder, whose name is in *TOP (malloced;
 * TOP may be NULL). Nothing is ever written outside DIRECTORY, and nothing that exists is written over. On an error
 * what was unpacked so far stays, for the caller to remove with the directory. LIMITS may be NULL. */
int bundle_extract(const char *file, const char *directory, const struct bundle_limits *limits, char **top,
                   struct err *err);

#endif
