/* Variables that lead a program astray (environment-wrong): which entry of a process's environment a failing path came
 * from, found by its value, and what a program says of a variable whose value is no path. Part of judge.h; the parsing
 * of values is variable.h's. */
#ifndef GLIBCTRACE_REPORTS_ENVIRONMENT_H
#define GLIBCTRACE_REPORTS_ENVIRONMENT_H

#include "judge.h"
#include "variable.h"

/* What was found out about a variable, for cause_environment_tell(). */
struct lead {
    struct variable variable; /* borrows from the process's environment */
    char *path;               /* the part of its value that is wrong, absolute; NULL where the value is no path */
    enum lead_fault {
        LEAD_ABSENT,
        LEAD_NOT_MEANT, /* something is there, but not what is meant */
        LEAD_FOREIGN,   /* it is another user's */
        LEAD_UNSET,     /* it is not set, or empty, and the program cannot do without */
        LEAD_VALUE,     /* the program, or the C library, does not take the value */
    } fault;
};

/* Whether a variable of FINDING's process led to finding->path, at which ATTEMPT failed: then FINDING is named so, and
 * borrows from RET. lead_deinit() in any case. */
bool judge_led(struct finding *finding, const struct process *actor, const struct attempt *attempt, struct lead *ret);
/* The same for a library that the loader did not find although it is on this system. */
bool judge_led_library(struct finding *finding, struct lead *ret);
void lead_deinit(struct lead *lead);
/* Suspects of PROCESS, which stands at its end and whose other suspects are settled, from its words and the loader's.
 */
void judge_environment(struct process *process);
/* Part of it: graphical programs that no variable tells which display is theirs. */
void judge_display(struct process *process);
/* PATH stands in the value of VARIABLE, of IMAGE's environment. */
bool lead_has_path(const struct process *image, const struct variable *variable, const char *path);
/* The program rather reads ONE: its words have that name, it begins with the program's own, or the executable has it in
 * it. */
bool lead_is_nearer(const struct process *image, const struct variable *one, const struct variable *than);
/* PATH stands in another variable's value, too, which is rather the one that was read. */
bool lead_is_outdone(const struct process *image, const struct variable *variable, const char *path);
/* PATH, to which VARIABLE leads, is there but has not in it what such a variable means (JAVA_HOME without bin/java). */
bool lead_not_meant(const struct process *image, const struct variable *variable, const char *path);
/* VARIABLE is one of those that name the tree of a program (GOROOT, PYTHONHOME). */
bool lead_is_tree(const struct variable *variable);
/* As above, of parts of it: where locales were looked for (locale(7)). */
bool lead_locale(const struct process *process, const struct output_line *line, struct variable *ret);

/* LINE objects to something: in the C library's words for ERROR (0: none), or in those that most programs use. */
bool words_complain(const char *line, int error);
bool words_object(const char *line);
/* LINE has the text of errno value ERROR (0: none), or its name, as node has both ("ELOOP: too many symbolic links").
 */
bool words_state(const char *line, int error);
/* LINE is about how the program was called: "unknown flag: --x". */
bool words_usage(const char *line);
/* LINE asks for something that is not there: "please install xz". */
bool words_ask(const char *line);
/* LINE has the text of an errno value that is not ERROR (0: of any), nor part of ERROR's. */
bool words_other_error(const char *line, int error);
/* LINE calls itself a warning, or says that something is ignored. */
bool words_warn(const char *line);
/* LINE says that the program goes on all the same: so, or in other words. */
bool words_shrug(const char *line);
/* SAID complains and names nothing that it could be about but what failed with ERROR: "cannot start", or that error's
 * text alone. PROGRAM: what lines begin with, or NULL. Sets *TEXT where the error's text is in it. */
bool words_vague(const char *said, const char *program, int error, bool *text);
/* LINE complains, and says itself of what: of something that it names, of another error, of the program's own data. Not
 * so "cannot start" and the like, which may be of whatever failed before. PROGRAM as above. */
bool words_own_reason(const char *line, const char *program);
/* Where PATH stands in LINE, by itself or with more of a path behind it; NULL: nowhere. */
const char *words_path(const char *line, const char *path);
/* C may be part of a file's name; a typographic quote ends before AT in LINE, or begins at AT: it is none. (words.c) */
bool words_name_byte(char c);
bool words_quote_before(const char *line, const char *at);
bool words_quote_at(const char *at);
/* WORD stands in LINE and is no part of a longer one; NAME_SIZE bytes of it. */
const char *words_word(const char *line, const char *word, size_t size);

void cause_environment_tell(const struct finding *finding, struct cause *cause);

#endif
