/* The reproduction: a scenario as a directory with two POSIX shell scripts.
 *
 *     repro.sh     makes the failure appear; exits with the failing program's status
 *     control.sh   the same with the cause mended; exits with 0
 *     root/        the failing files; mended/: only what differs
 *
 * The scripts need a shell, env and, where permissions are the matter and root runs them, setpriv; neither glibctrace
 * nor a compiler nor a network nor a right that an ordinary user lacks. Nothing of the user's bytes is in the files but
 * names, versions and symbols. Nothing here runs anything: tracer/repro_run.h does. */
#ifndef GLIBCTRACE_REPORTS_REPRO_H
#define GLIBCTRACE_REPORTS_REPRO_H

#include "scenario.h"

struct repro {
    size_t files;   /* regular files and links, without the two scripts */
    uint64_t bytes; /* of all regular files, scripts included */
};

/* Writes SCENARIO into DIRECTORY, which is there and empty. Fails (ERR says why, in words for the report) where it
 * cannot be made: names that are no file names, a program that this kernel cannot run, a full disk. What was written by
 * then stays. */
int repro_write(const struct scenario *scenario, const char *directory, struct repro *ret, struct err *err);

#endif
