/* A build of a program or an extension: one ELF file, or a directory or archive with all that are in it; and whether it
 * would load on a C library (against.h).
 *
 * Of files that stand beside each other, one for glibc and one for musl, the one that fits counts. Files for other
 * machines are not looked at, where there are some for this one. */
#ifndef GLIBCTRACE_REPORTS_BUILD_H
#define GLIBCTRACE_REPORTS_BUILD_H

#include "against.h"

struct build;

/* PATH: absolute, inside REQUEST's root. REQUEST must outlive it. -1 and ERR where it is neither an ELF file nor a
 * directory nor an archive, or one that is cut off, changed or hostile. An archive is the directory that it unpacks to,
 * until it is closed. */
int build_open(const struct check_request *request, const char *path, struct build **ret, struct err *err);
void build_close(struct build *build);
const char *build_name(const struct build *build);
/* Of an archive: REPORT, all of whose causes are of builds, names what is in it by its name there. */
void build_rename(const struct build *build, struct report *report);
/* "1.2.3", by an extension's own word, else by its name; NULL where that has none. */
const char *build_version(const struct build *build);
size_t build_files(const struct build *build);

/* How it goes on one C library. */
struct build_outcome {
    size_t asked; /* files that were */
    bool fails, warned;
    /* What decides, where it fails or is warned of; malloced, or NULL: */
    char *words;   /* "fmod@GLIBC_2.38" */
    char *subject; /* the file that asks for it */
    char *missing, *provider;
    enum cause_kind kind;
};
void build_judge(struct build *build, const struct offer *offer, struct build_outcome *ret);
void build_outcome_deinit(struct build_outcome *outcome);
/* The same, of every file, as REPORT's causes and rows. */
void build_tell(struct build *build, const struct offer *offer, struct report *report);

#endif
