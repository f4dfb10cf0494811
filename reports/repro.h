/* The reproduction: a scenario as a directory with two POSIX shell scripts.
 *
 *     repro.sh     makes the failure appear; exits with the failing program's status
 *     control.sh   the same with the cause mended; exits with 0
 *     root/        the failing files; mended/: only what differs
 *
 * The scripts need a shell, env and, where permissions are the matter and root runs them, setpriv; neither glibctrace
 * nor a compiler nor a network nor a right that an ordinary user lacks. Nothing of the user's bytes is in the files but
 * names, versions and symbols. Nothing here runs anything: tracer/repro_run.h does.
 *
 * What the failure asks for is below root/ by what the stubs themselves say: run paths relative to $ORIGIN, no default
 * directories (DF_1_NODEFLIB), names and variables relative to the scripts' directory. So libraries, versions, symbols,
 * commands and files fail alike on any system of that kind of loader without a namespace and without ld.so's
 * --library-path; /etc/ld.so.cache counts only for directories that are no default ones, and /etc/ld.so.preload as for
 * every program. Two things are bound to a place that is not ours, and are shown in a namespace: a mount that forbids
 * execution, always; an interpreter (of an ELF file, of a script), whose path is written in the file, where the system
 * that the reproduction is run on has it. */
#ifndef GLIBCTRACE_REPORTS_REPRO_H
#define GLIBCTRACE_REPORTS_REPRO_H

#include "scenario.h"

struct repro {
    size_t files;   /* regular files and links, without the two scripts */
    uint64_t bytes; /* of all regular files, scripts included */
};

/* Who really runs what is in the directory: whether it fails as it should. */
struct repro_judge {
    bool (*alike)(void *ctx);
    void *ctx;
};

/* Writes SCENARIO into DIRECTORY, which is there and empty. WHOLE: what the shadow loader finds to be of no matter
 * stays in it all the same. JUDGE (or NULL) is asked too before anything is left out. Fails (ERR says why, in words for
 * the report) where it cannot be made: names that are no file names, a program that this kernel cannot run, a full
 * disk. What was written by then stays. */
int repro_write(const struct scenario *scenario, const char *directory, bool whole, const struct repro_judge *judge,
                struct repro *ret, struct err *err);

#endif
