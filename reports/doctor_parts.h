/* Part of doctor.h: its sections, one file each. Their lines are counted as they are written. */
#ifndef GLIBCTRACE_REPORTS_DOCTOR_PARTS_H
#define GLIBCTRACE_REPORTS_DOCTOR_PARTS_H

#include "doctor.h"

#include <stdbool.h>
#include <stdint.h>

struct doctor {
    const struct doctor_request *request;
    struct report *report;
    struct table *table; /* the section that is written */
    size_t counts[TABLE_BAD + 1];
    struct strings complaints; /* what is bad, then what is doubtful: for the headline */
    struct strings doubts;
    char *home; /* this user's, or NULL */
    struct program_found *programs;
    size_t program_count, program_cap;
};

/* What a line says. Taken over; NULL where there is nothing to say. */
struct doctor_line {
    char *found;   /* what was seen */
    char *advice;  /* what to do, in words */
    char *command; /* to be typed as it is */
};
/* A line in the section that is written: WHAT was looked at. */
void doctor_line(struct doctor *doctor, enum table_mark mark, const char *what, struct doctor_line line);
/* A section whose lines are such; NAME is its key in report.json. */
void doctor_section(struct doctor *doctor, const char *name, const char *title);
/* A variable of the environment that was given, NULL where it is not set or empty. */
const char *doctor_variable(const struct doctor *doctor, const char *name);

/* Whether /proc(5) is mounted: without, nothing is known of other processes, nor much of this one. */
bool doctor_has_proc(void);

/* How many watches, or else instances, of inotify(7) this user may have, and the sysctl that says so (constant); false
 * where that is not known. */
bool doctor_inotify_limit(bool watches, uint64_t *ret, const char **sysctl);

/* The programs concerned that are there (doctor_find.c). */
enum program_kind {
    PROGRAM_DESKTOP,
    PROGRAM_SERVER,
    PROGRAM_NODE,
    PROGRAM_GO,
    PROGRAM_GOPLS,
    PROGRAM_DELVE,
    PROGRAM_KINDS
};
struct program_found {
    enum program_kind kind;
    char *name;      /* "Visual Studio Code", "node" */
    char *version;   /* or NULL */
    char *built;     /* of Go programs: the release that built it, or NULL */
    char *path;      /* the program file, links resolved; of a server without a node of its own: NULL */
    char *library;   /* that most of it is in (Debian's libnode.so), or NULL */
    char *directory; /* of VS Code and servers: where it is installed; else NULL */
    bool script;     /* which only starts another program */
    bool nameless;   /* it is called so, and says nothing of what it is */
    char *way;       /* how it was found: "PATH", "a login shell's PATH", "process 12" */
};
void doctor_find(struct doctor *doctor);
const struct program_found *doctor_program(const struct doctor *doctor, enum program_kind kind);
/* The programs that a command of that name may be: for the launchers of desktops. */
bool doctor_is_concerned(const char *name);
void doctor_forget(struct doctor *doctor);

void doctor_machine(struct doctor *doctor);
void doctor_limits(struct doctor *doctor);
void doctor_workspace(struct doctor *doctor);
void doctor_session(struct doctor *doctor);
void doctor_rights(struct doctor *doctor);
void doctor_programs(struct doctor *doctor);

#endif
