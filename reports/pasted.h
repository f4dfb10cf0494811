/* Messages of which only the text is known (judge_pasted.c): one file for each sort. Part of judge.h.
 *
 * A reader looks at one line, which is hostile, and tells of at most one cause; what else was pasted is in the
 * process's lines. */
#ifndef GLIBCTRACE_REPORTS_PASTED_H
#define GLIBCTRACE_REPORTS_PASTED_H

#include "judge.h"

struct pasted {
    struct process *process;
    const struct output_line *line;
    const char *text; /* of it, without what tools put before it */
    bool found;
    enum cause_kind kind;
    char *subject, *missing;
    char *provider; /* or NULL */
    double sure;
    bool degraded; /* it went on without */
};

bool pasted_preload(struct pasted *pasted, const char *line);
bool pasted_module(struct pasted *pasted, const char *line);
bool pasted_execution(struct pasted *pasted, const char *line);
bool pasted_runtime(struct pasted *pasted, const char *line);
bool pasted_started(struct pasted *pasted, const char *line);
bool pasted_kernel(struct pasted *pasted, const char *line);
bool pasted_display(struct pasted *pasted, const char *line);
bool pasted_limit(struct pasted *pasted, const char *line);
bool pasted_connection(struct pasted *pasted, const char *line);
bool pasted_sandbox(struct pasted *pasted, const char *line);
bool pasted_policy(struct pasted *pasted, const char *line);
bool pasted_file(struct pasted *pasted, const char *line);
bool pasted_crash(struct pasted *pasted, const char *line);

/* PATH, which is taken, or a name on PATH was to be executed, and something that is wanted for it is not there. */
void pasted_not_found(struct pasted *pasted, char *name);
/* … and is there, but nothing that this machine executes. BINARY: the message says that it is one. */
void pasted_no_executable(struct pasted *pasted, char *path, bool binary);

/* LINE without what tools put around the lines of what they run: prefixes, logs of key and value, JSON. malloced. */
char *pasted_bare(const char *line);
/* The program that a word for the end of PROCESS's names, or else PROCESS's own; malloced. */
char *pasted_crash_program(const struct process *process);

/* SIZE bytes without blanks and quotes around them, malloced; NULL: nothing is left. */
char *pasted_word(const char *at, size_t size);
/* What stands between the last ": " before AT and AT. */
char *pasted_field_before(const char *line, const char *at);
/* What stands in quotes of any sort behind AT, or NULL. */
char *pasted_quoted(const char *at);
/* Who says LINE: "bash" of "bash: line 1: …", else the program that is known. */
char *pasted_speaker(const struct pasted *pasted, const char *line);
/* Tells of a cause; SUBJECT and MISSING are taken. NULL for either: of none. */
void pasted_found(struct pasted *pasted, enum cause_kind kind, char *subject, char *missing, double sure);

/* What another command in the paste says of FILE (pasted_proof.c). */
struct pasted_proof {
    char *interpreter; /* of file(1) or readelf(1): PT_INTERP; or the program of the first line; or NULL */
    bool script;       /* … the latter */
    char *machine;     /* as the contract spells it, or NULL */
    char *target;      /* of a link that leads nowhere, or NULL */
    bool empty, there, carriage_return;
};
void pasted_proof_of(const struct process *process, const char *file, struct pasted_proof *ret);
void pasted_proof_deinit(struct pasted_proof *proof);
/* The machine that it was, by what uname(1) and others say of it in the paste; NULL: nothing does. */
const char *pasted_machine(const struct process *process);

/* The mount point of PATH (or NULL: of whatever could not be mapped) that the paste says, or that is likely, to be
 * mounted noexec; malloced, or NULL. */
/* … only if it is shown; and whether ls(1) shows that everybody may execute PATH. */
char *pasted_noexec_shown(const struct process *process, const char *path);
bool pasted_all_may_run(const struct process *process, const char *path);
char *pasted_noexec_mount(const struct process *process, const char *path);

/* FINDING, of what the loader said, as another command in the paste shows it (pasted_second.c). OWNED takes what it
 * then points to; returns how many strings. */
size_t pasted_second(struct finding *finding, char *owned[2]);

/* A symbol that programs for glibc want and musl has not. */
bool pasted_glibc_alone_has(const char *symbol);

/* OBJECT is a part of glibc, and SYMBOL one that its parts have of each other. */
bool pasted_among_glibc(const char *object, const char *symbol);
/* Why a loader could not have the library NAME, by the text for errno in what it SAID: fills in FINDING; false where
 * PROCESS is known by more than its words, or it does not say. */
bool pasted_error(const struct process *process, const struct loader_error *said, const char *name,
                  struct finding *finding);
/* Of words alone: PROVIDER, which SUBJECT found, was put before another by a variable; or SUBJECT is of the system,
 * whose own copy would do, and PROVIDER is not. */
bool pasted_put_before(const struct process *process, const char *subject, const char *provider);
/* What SUBJECT needs and a variable has put before another, or NULL. */
const char *pasted_needed_before(const struct process *process, const char *subject);

#endif
