/* What goes into a bundle, in order, before any of it is written: the list that report.txt begins with. */
#ifndef GLIBCTRACE_REPORTS_PACK_H
#define GLIBCTRACE_REPORTS_PACK_H

#include "bundle.h"

/* One file to be. */
struct member {
    char *name; /* below the top folder, "repro/lib/libx.so.1" */
    char *path; /* where its bytes are, or NULL */
    char *data; /* or these, SIZE of them */
    size_t size;
    char *link;   /* or a symbolic link's text */
    FILE *stream; /* or all of this; not owned */
    mode_t mode;  /* 0: a directory */
};

struct pack {
    struct member *members;
    size_t count, cap;
};

/* Renders REPORT and lists PARTS. PACK starts as {0}, and is to be deinitialised in either case. */
int pack_all(struct pack *pack, const struct report *report, const struct bundle_parts *parts, struct err *err);
/* What the file NAME ("report.json") is for, "" for one of which no more is known. */
const char *pack_purpose(const char *name);
void pack_deinit(struct pack *pack);

#endif
