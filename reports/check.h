/* `glibctrace check`: what the loader and the kernel would do with a file, without running anything: the shadow loader
 * is asked, and the judges that tell of a failed run tell of what would fail.
 *
 * A program is checked as its start; a library as it would be opened by a program that has nothing of its own (what it
 * takes from whoever loads it is listed, and no fault); a script by the program of its first line. */
#ifndef GLIBCTRACE_REPORTS_CHECK_H
#define GLIBCTRACE_REPORTS_CHECK_H

#include "report.h"

#include <probes/err.h>
#include <probes/offer.h>

struct check_request {
    const char *root;       /* "": this system's own */
    const char *const *env; /* NAME=VALUE, NULL-terminated: of the loader's variables, those that count */
    const char *cwd;
    const char *installed; /* the directory that stands for "/" where an archive was unpacked; or NULL */
    bool copied;           /* what is looked at was copied to where it stands: the place means nothing */
    bool brief;            /* one of many: its row, and nothing of what it is made of */
    void (*seen)(void *ctx, const struct load *load); /* is told what each program would be made of; or NULL */
    bool (*brings)(void *ctx, const char *name);      /* a command of that name comes with it; or NULL */
    void *ctx;
    struct strings *sound;       /* programs of scripts that would load: filled, so that each is asked once; or NULL */
    const struct offer *against; /* on that C library, or NULL: on what there is */
    const struct load_guests *guests; /* OFFER_ROOT: what is checked is a guest of ROOT; else NULL */
};

/* The root in which what is checked is: with guests not that in which it would be. */
const char *check_root(const struct check_request *request);
/* The one that the file at PATH is in, which is a guest's or the system's. */
const char *check_root_of(const struct check_request *request, const char *path);
/* Checks the file at PATH (absolute, inside the root): adds what it would fail of to REPORT's causes, what it is made
 * of to its table "objects", and one row for it to its table "files". False where it is neither an ELF file nor a
 * script: nothing is said of it then. */
bool check_file(const struct check_request *request, const char *path, struct report *report);
/* The report's first sentence, of all that was checked; AGAINST as in struct check_request. */
void check_headline(struct report *report, const struct offer *against);

#endif
