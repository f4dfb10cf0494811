/* A program image that a log tells of, with what its file tells besides: which file it is in the end, for which
 * machine.
 *
 * A log has the path that was executed; a process that is looked at has the file that runs, all links resolved, and of
 * a script the interpreter. */
#ifndef GLIBCTRACE_REPORTS_IMAGE_THERE_H
#define GLIBCTRACE_REPORTS_IMAGE_THERE_H

#include "event.h"

struct image_there {
    struct image image;
    char *exe; /* or NULL */
};

/* IMAGE as its file stands in ROOT. RET borrows from IMAGE; image_there_deinit(). */
void image_look(const char *root, const struct image *image, struct image_there *ret);
/* Whether a program NAME is in ROOT where commands are; *RET (may be NULL) is its path, malloced. */
bool image_on_path(const char *root, const char *name, char **ret);
void image_there_deinit(struct image_there *there);

#endif
