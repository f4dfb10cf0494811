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
/* bundle_list.c: prints what FILE holds, a line each, and what was replaced in it, by which word and where. Nothing is
 * printed of one that is refused. */
int bundle_list(const char *file, FILE *out, struct err *err);
/* The bytes of MEMBER ("report.json", without the top folder) in *DATA, malloced and followed by a NUL. */
int bundle_read(const char *file, const char *member, char **data, size_t *size, struct err *err);

/* Reading one from its start to its end, nothing being unpacked: ENTRY for each entry that may come out of it (the
 * first that may not ends the reading, as bundle_extract() would refuse it), then, of a file, BYTES piece by piece. */
struct unpack_item; /* unpack.h */
struct bundle_visitor {
    void (*entry)(void *ctx, const struct unpack_item *item);
    void (*bytes)(void *ctx, const char *data, size_t size);
    void *ctx;
};
int bundle_walk(const char *file, const struct bundle_visitor *visitor, struct err *err);
/* NAME, an entry's, without the top folder. */
const char *bundle_below_top(const char *name);

struct bundle_limits {
    size_t files;   /* entries; 0: 10,000 */
    uint64_t bytes; /* of all files together, unpacked; 0: 4 GB */
};
/* Unpacks FILE into DIRECTORY (which exists), so that DIRECTORY holds its top folder, whose name is in *TOP (malloced;
 * TOP may be NULL). Nothing is ever written outside DIRECTORY, and nothing that exists is written over. On an error
 * what was unpacked so far stays, for the caller to remove with the directory. LIMITS may be NULL. */
int bundle_extract(const char *file, const char *directory, const struct bundle_limits *limits, char **top,
                   struct err *err);
/* The same for FOLDER, which a bundle was unpacked into: a copy of it in DIRECTORY, as TOP (bundle_copy.c). */
int bundle_copy(const char *folder, const char *directory, const char *top, struct err *err);

#endif
