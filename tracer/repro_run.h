/* Proof of a reproduction: it is written into a scratch directory, run under glibctrace itself, and called verified
 * only where it fails alike twice and its control does not.
 *
 * Nothing of the user's is run: stubs and two scripts of ours are, without the user's environment, with a limit on
 * time. */
#ifndef GLIBCTRACE_TRACER_REPRO_RUN_H
#define GLIBCTRACE_TRACER_REPRO_RUN_H

#include <reports/scenario.h>

/* Whether GOT is what WANTED was: the same kind, subject name and missing thing. A path counts by its last component
 * where it is one of the user's that the reproduction has elsewhere; what a program names itself (an interpreter, a
 * soname) counts whole. */
bool repro_alike(const struct cause *wanted, const struct cause *got);

/* Makes and tries the reproduction of SCENARIO (NULL: what WANTED alone allows, scenario_of_cause()) and fills in
 * FILL's repro_ fields, always: a reproduction that could not be made or tried is "not attempted", with the reason.
 * DIRECTORY: an empty one in which it is made and stays (for a bundle), or NULL: a scratch directory that is removed
 * again. Below zero, with ERR, only where glibctrace itself failed; the fields say so too. */
int repro_run(const struct scenario *scenario, const struct cause *wanted, const char *directory, struct report *fill,
              struct err *err);

/* The parts of it that remedy_try.c uses as well. */
/* The cause of REPORT that is what WANTED was, or NULL. */
const struct cause *repro_find_alike(const struct cause *wanted, const struct report *report);
/* Runs SCRIPT of DIRECTORY under glibctrace; its report goes to RET, its exit status to CODE (128+N for a signal). */
int repro_run_script(const char *directory, const char *script, struct report **ret, int *code, struct err *err);
/* A new directory from which programs may be run (a noexec /tmp would be a failure of its own), malloced; or NULL. */
char *repro_scratch_make(struct err *err);
void repro_scratch_remove(const char *path);

#endif
