/* Reproductions of failures that come of a state rather than of files: a limit that is reached, a system call that a
 * policy refuses. A program of a few calls makes the state for itself and then the call that fails in it; the mended
 * one makes the same call in a state that allows it. What a process cannot make for itself (a full file system, another
 * number in a user namespace) the script makes in namespaces of its own. */
#ifndef GLIBCTRACE_REPORTS_REPRO_STATE_H
#define GLIBCTRACE_REPORTS_REPRO_STATE_H

#include "scenario.h"
#include "stub.h"

#include <stdio.h>

/* The program of SCENARIO, whose way is SCENARIO_STATE; MENDED: that of control.sh. */
int repro_state_program(const struct scenario *scenario, bool mended, struct stub_file *ret, struct err *err);
/* Whether a reproduction can be made of the system call NAME being refused. */
bool repro_state_knows(const char *name);
/* The script's lines that make what is around the program, and run COMMAND in it. */
void repro_state_put_command(FILE *out, const struct scenario *scenario, bool mended, const char *command);

#endif
