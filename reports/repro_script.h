/* The two shell scripts of a reproduction, as text. POSIX sh; every name from outside is quoted. */
#ifndef GLIBCTRACE_REPORTS_REPRO_SCRIPT_H
#define GLIBCTRACE_REPORTS_REPRO_SCRIPT_H

#include "repro_plan.h"

#include <stdio.h>

/* Both malloced. */
char *repro_script(const struct plan *plan);
char *repro_control_script(const struct plan *plan);
/* WORD in single quotes as sh reads it (POSIX 2.2.2), malloced. */
char *repro_quote(const char *word);

/* For repro_trial.c, parts of them. The command that fails, and `env -i VARIABLE=VALUE … FILE` with FILE in DIRECTORY;
 * LIBRARIES and PRELOAD may be NULL. malloced. */
char *repro_failing_command(const struct plan *plan);
char *repro_file_command(const struct plan *plan, const char *directory, const char *name, const char *libraries,
                         const char *preload);
/* What each script begins with: it goes to DIRECTORY. */
void repro_script_start(FILE *out, const char *what, const char *directory);
/* COMMAND where FILE may not be read, or where it is on a mount that forbids execution. MEND: a line that takes the ban
 * away again ("" for none), or a command for that, with "&& " behind it. */
void repro_script_forbidden(FILE *out, const char *file, const char *command, const char *mend);
/* COMMAND behind a file system in memory that is mounted as MOUNT with OPTIONS; INSIDE: commands before it, each with
 * "&& " behind it. */
void repro_script_mounted(FILE *out, const char *mount, const char *options, const char *inside, const char *command);
void repro_script_sealed(FILE *out, const char *mount, const char *file, const char *command, const char *mend);

#endif
