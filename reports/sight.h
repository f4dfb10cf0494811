/* What stands where an event happens, looked at while the process stands: for the log, whose readers cannot look.
 *
 * Noted is only what the event does not say by itself: that a path which is "not there" is a link which points at
 * nothing, whose interpreter a file that could not be executed wants, which libraries a loaded object needs. Nothing is
 * judged here. The way back: what a judge asks of a path it asks here, and is answered from the files where there are
 * any, else from what was noted. */
#ifndef GLIBCTRACE_REPORTS_SIGHT_H
#define GLIBCTRACE_REPORTS_SIGHT_H

#include "model.h"

#include <probes/execfile.h>

/* What is noted of one event. */
struct sighting {
    struct sight sight;
    struct path_walk walk;
    struct execfile file;
    const struct elffile *elf;
    char *owned;
    const char **lists[2];
};

/* Looks at what EVENT is about, which MODEL has been told of. Free RET with sighting_deinit(). */
void sight_look(const struct model *model, const struct event *event, struct sighting *ret);
void sighting_deinit(struct sighting *sighting);

/* A copy that stays, or NULL; sight_free(). */
struct sight *sight_copy(const struct sight *sight);
void sight_free(struct sight *sight);

/* Somebody who may do what everybody may. */
const struct cred *sight_stranger(void);
/* path_walk() and execfile_inspect() of ATTEMPT's path, as CRED sees it. */
void sight_walk(const struct attempt *attempt, const struct cred *cred, struct path_walk *ret);
/* Of ATTEMPT the log has no more than that the kernel said ENOENT. */
bool sight_unsaid(const struct attempt *attempt);
/* Whether nothing stands at ATTEMPT's path, whoever may look. */
bool sight_absent(const struct attempt *attempt);
/* Whether what ATTEMPT missed, by the call's error, was there when PROCESS ended; WALK is what sight_walk() gave. */
bool sight_has_come(const struct process *process, const struct attempt *attempt, const struct path_walk *walk);
/* Whether something stands at PATH in the root of ATTEMPT, which PROCESS made. */
bool sight_there(const struct process *process, const struct attempt *attempt, const char *path, struct stat *ret);
/* path_stat() of PATH in PROCESS's root, and the same for a log: what was answered then. */
int sight_stat(const struct process *process, const char *path, struct stat *ret);
/* The reason that a walk to PATH, of PROCESS's root, ends with: from the files, or, where there are none, as far as the
 * calls that PROCESS's program made tell (PATH_UNKNOWN otherwise). Nothing is noted: PATH may be any that a variable
 * has, and is nobody's business. */
enum path_reason sight_known(const struct process *process, const char *path, const struct cred *cred);
/* The same of a path that a failing call has to do with, which is noted. */
enum path_reason sight_reason(const struct process *process, const char *path, const struct cred *cred);
void sight_inspect(const struct attempt *attempt, const struct cred *cred, struct execfile *ret);

#endif
