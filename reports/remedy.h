/* What helps: the parts that the cause_*.c share.
 *
 * A remedy is told only where it fits what was seen. Where the shadow loader can be asked again with the change
 * (probes/load.h, load_again()), it is, and a change that does not help, or that brings another failure, is not told.
 * Everything is decided while the process stands; nothing on the system is changed. */
#ifndef GLIBCTRACE_REPORTS_REMEDY_H
#define GLIBCTRACE_REPORTS_REMEDY_H

#include "judge.h"

/* WORD as a shell reads it back: quoted only where it has to be. malloced. */
char *remedy_word(const char *word);
/* "VARIABLE=VALUE PROGRAM", or "env -u VARIABLE PROGRAM" where VALUE is NULL, with the program of FINDING's process as
 * it was called. malloced. */
char *remedy_run(const struct finding *finding, const char *variable, const char *value);
/* LIST without its entries that are DIRECTORY (as the loader takes them: a slash at the end does not count), split at
 * any of SEPARATORS; malloced; NULL where nothing is left. */
char *remedy_without(const char *list, const char *directory, const char *separators);
/* LIST, which may be NULL or empty, with DIRECTORY before it. malloced. */
char *remedy_before(const char *directory, const char *list);

/* Whether the shadow loader, asked again with CHANGE, no longer meets FINDING's fault, nor any that it had not met. */
bool remedy_loads(const struct finding *finding, const struct load_change *change);

/* A remedy with one command (taken; NULL: none) that the model says (PROOF) or that is known, and what it is in
 * miniature. */
struct remedy *remedy_add(struct cause *cause, enum proof proof, enum trial trial, char *command, const char *format,
                          ...) __attribute__((format(printf, 5, 6)));

/* remedy_load.c: */
/* LD_LIBRARY_PATH, LD_PRELOAD or a run path (BY) put a wrong copy first. */
void remedy_shadowed(const struct finding *finding, struct cause *cause, const char *by);
/* FINDING->elsewhere is what is asked for, but no directory of the search holds it. */
void remedy_off_path(const struct finding *finding, struct cause *cause);
/* Looking through the system for another copy takes time: where a process lacks hundreds of things, not for each. */
bool remedy_is_worth_a_search(const struct finding *finding);
/* A copy of the provider that defines what is lacking stands elsewhere on this system. */
void remedy_better_copy(const struct finding *finding, struct cause *cause);
/* The file at FINDING->place is broken or a link that leads nowhere: a sound one of its name or kind is there. */
void remedy_sound_copy(const struct finding *finding, struct cause *cause);

/* A copy of the library that is asked for stands elsewhere, for the right machine. */
void remedy_other_machine(const struct finding *finding, struct cause *cause);
/* OBJECT is where it is by an entry of LD_LIBRARY_PATH or LD_PRELOAD: without that entry (or the variable) the program
 * loads. */
bool remedy_take_out(const struct finding *finding, struct cause *cause, const struct object *object);
/* The object FINDING->missing is loaded at the start instead. */
void remedy_preload(const struct finding *finding, struct cause *cause);
/* SUBJECT is an add-on below a node_modules directory: npm can build or fetch it again for this system. */
bool remedy_npm(const struct finding *finding, struct cause *cause, const char *subject);

/* The loader that FINDING->path names is not there; one of that name stands in its usual place, and loads it. */
void remedy_other_loader(const struct finding *finding, struct cause *cause);

/* remedy_version.c: */
/* The releases of systems that define every version which is lacking in FINDING's load; false where none is known. */
bool remedy_newer_system(const struct finding *finding, struct cause *cause);
/* A whole C library elsewhere on this system that would do. */
void remedy_other_libc(const struct finding *finding, struct cause *cause);

/* remedy_file.c: */
/* The program of a script's first line is not there, or is followed by a carriage return. */
void remedy_script(const struct finding *finding, struct cause *cause);
/* The command FINDING->missing is in a directory of programs that PATH does not name. */
void remedy_command(const struct finding *finding, struct cause *cause);
/* Mode bits, or a directory's, at AT, of which MODE (R_OK, W_OK, X_OK) was wanted. */
void remedy_permission(const struct finding *finding, struct cause *cause, const char *at, int mode);
void remedy_noexec(const struct finding *finding, struct cause *cause);
/* AT is the link that leads nowhere or back to itself. */
void remedy_link(const struct finding *finding, struct cause *cause, const char *at);

/* remedy_package.c: */
/* Puts a question to the package system's databases in this place of CAUSE's remedies. MACHINE: elffile_machine_name(),
 * or NULL. */
void remedy_ask(const struct finding *finding, struct cause *cause, enum remedy_ask ask, const char *what,
                const char *machine);
/* ASK_LIBRARY, where the system's packages are linked to the C library that the process runs on. */
void remedy_ask_library(const struct finding *finding, struct cause *cause, const char *name);
/* Answers CAUSE's questions: each becomes a remedy, or is gone where no database says anything. The process stands, so
 * that its root can be read. */
void remedies_resolve(struct cause *cause);
/* Those that were never answered are gone. */
void remedies_drop_questions(struct cause *cause);

#endif
