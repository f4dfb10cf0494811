/* Whether inotify(7) can watch a directory, and how many watches its tree would take: one for each directory, as
 * editors set them. */
#ifndef GLIBCTRACE_PROBES_WATCHING_H
#define GLIBCTRACE_PROBES_WATCHING_H

#include <stdbool.h>
#include <stdint.h>

enum watching_step { WATCHING_INSTANCE, WATCHING_WATCH, WATCHING_OPEN, WATCHING_EVENT };

/* Really tried: asks to be told when DIRECTORY is opened, and opens it. 0: it was told; else the errno value of the
 * step that failed, in *STEP (ENODATA: it was not told). */
int watching_try(const char *directory, enum watching_step *step);
/* How many directories are in the tree of DIRECTORY, itself as well; other file systems below it are left out, and so
 * are Git's objects, as VS Code leaves them out (files.watcherExclude). Stops at MOST, or after some seconds; *WHOLE:
 * it did not, and all could be read. */
uint64_t watching_directories(const char *directory, uint64_t most, bool *whole);

#endif
