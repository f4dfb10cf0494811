/* The report: what is told in the end, in the terms of report.json (schema glibctrace.report/1).
 *
 * The judges fill it in, the renderers read it; neither knows the other. All strings are malloced and owned by the
 * report unless a comment says otherwise; bytes of paths are kept as they are (a renderer makes UTF-8 of them). */
#ifndef GLIBCTRACE_REPORTS_REPORT_H
#define GLIBCTRACE_REPORTS_REPORT_H

#include <probes/load.h>
#include <probes/stack.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum cause_kind { /* contract.md section 3, in its order; names in cause_kind_name() */
                  CAUSE_SYMBOL_VERSION_MISSING,
                  CAUSE_SYMBOL_MISSING,
                  CAUSE_LIBRARY_MISSING,
                  CAUSE_LIBRARY_OFF_PATH,
                  CAUSE_LIBRARY_SHADOWED,
                  CAUSE_LOADER_LIBC_SKEW,
                  CAUSE_LIBC_FAMILY_MISMATCH,
                  CAUSE_INTERPRETER_MISSING,
                  CAUSE_SCRIPT_INTERPRETER_MISSING,
                  CAUSE_WRONG_ARCHITECTURE,
                  CAUSE_CPU_LEVEL_TOO_LOW,
                  CAUSE_OBJECT_CORRUPT,
                  CAUSE_SYMLINK_LOOP,
                  CAUSE_SYMLINK_DANGLING,
                  CAUSE_FILE_MISSING,
                  CAUSE_PERMISSION_DENIED,
                  CAUSE_NOEXEC_MOUNT,
                  CAUSE_STATIC_TLS_EXHAUSTED,
                  CAUSE_EXECSTACK_REFUSED,
                  CAUSE_SYSCALL_BLOCKED,
                  CAUSE_SANDBOX_UNAVAILABLE,
                  CAUSE_WATCH_LIMIT,
                  CAUSE_RESOURCE_LIMIT,
                  CAUSE_COMMAND_NOT_FOUND,
                  CAUSE_ENVIRONMENT_WRONG,
                  CAUSE_CONNECTION_REFUSED,
                  CAUSE_MODULE_ABI_MISMATCH,
                  CAUSE_CRASH,
                  CAUSE_KIND_COUNT,
};

/* Below this confidence a cause is a guess, and the report says so. */
#define CONFIDENCE_TO_BET 0.5

enum impact { IMPACT_FATAL, IMPACT_DEGRADED };
enum proof { PROOF_KNOWN, PROOF_MODELLED, PROOF_TRIED };

struct strings {
    char **v;
    size_t n, cap;
};
void strings_add(struct strings *list, char *taken); /* takes a malloced string */
/* All of FROM behind what is in TO; FROM is empty then. */
void strings_move(struct strings *from, struct strings *to);
void strings_addf(struct strings *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strings_deinit(struct strings *list);

/* What a remedy's change is in the reproduction, so that it can be tried there (repro_trial.h). */
enum trial {
    TRIAL_NONE,         /* it cannot be shown in miniature */
    TRIAL_DROP,         /* the wrong copy's directory is taken out of its variable */
    TRIAL_AWAY,         /* the wrong copy is moved away */
    TRIAL_LIBRARY_PATH, /* LD_LIBRARY_PATH names the directory that holds a good copy */
    TRIAL_LINK,         /* a link to it, in a directory that is searched */
    TRIAL_PUT,          /* a sound file is put where the missing or broken one is wanted */
    TRIAL_RELINK,       /* the broken link is made to point at a sound file */
    TRIAL_PERMIT,       /* the mode bits that were lacking are set */
    TRIAL_CLEAN,        /* carriage returns are taken out of the script */
    TRIAL_SHEBANG,      /* the script's first line names another program: the remedy's trial_text */
    TRIAL_REMOUNT,      /* the mount is made to allow execution */
    TRIAL_OFF_MOUNT,    /* the file is used from outside of that mount */
    TRIAL_PATH,         /* PATH names the directory that holds the command */
    TRIAL_SET,          /* a variable is set: the remedy's trial_text, "NAME=VALUE" */
    TRIAL_PRELOAD,      /* the object is loaded at the start by LD_PRELOAD */
};
/* Package systems' databases are large, and are asked only for causes that are told: until then a remedy may stand for
 * what it would be, if they have an answer (remedy.h). */
enum remedy_ask {
    ASK_NOTHING, /* a remedy that stands as it is */
    ASK_LIBRARY, /* a package that has the library WHAT for MACHINE */
    ASK_FILE,    /* one that has the file WHAT: it is installed and its file is gone, or it could be installed */
    ASK_COMMAND, /* one that has the program WHAT */
    ASK_OWNER,   /* the installed one that the damaged file WHAT belongs to, unless another package was told */
    ASK_LOADER,  /* the C library whose loader WHAT is */
    ASK_CHOICE,  /* another choice for the link WHAT, of update-alternatives(1) */
};
struct remedy {
    char *title;
    struct strings commands;
    enum proof proof;
    char *risk; /* or NULL */
    enum trial trial;
    char *trial_text; /* or NULL; never told */
    enum remedy_ask ask;
    char *ask_what, *ask_root, *ask_machine; /* or NULL */
};
/* One line of the text report's facts: "it gets" + "/lib/…/libm.so.6   Debian 12, glibc 2.36". */
struct fact {
    char *label;
    char *text;
};
/* One place where something was looked for, in order (rendered numbered, as libtree does). */
struct place {
    char *path;
    char *from; /* "RUNPATH of /opt/x/prog", "ld.so.cache", "PATH" */
    char *why;
    bool taken;
};
/* A block of lines under a title: "registers", "code", a thread's stack. */
struct section {
    char *title;
    struct strings lines;
};
struct cause {
    enum cause_kind kind;
    enum impact impact;
    double confidence;
    int error; /* errno of the failing call, 0 where there was none or it is not known; not told */
    char *subject, *missing, *provider; /* provider may be NULL */
    char *elsewhere;                    /* a library that would do and is not taken, or NULL; not told */
    pid_t pid;
    char *exe;
    struct strings argv;
    struct strings chain;
    char *summary, *detail, *words; /* words may be NULL */
    struct strings symbols;
    struct frame *stack;
    size_t stack_count;
    uint64_t *evidence;
    size_t evidence_count, evidence_cap; /* event numbers */
    double seconds;                      /* since the start, of the first evidence; < 0 unknown */
    struct remedy *remedies;
    size_t remedy_count, remedy_cap;
    struct fact *facts;
    size_t fact_count, fact_cap;
    struct place *places;
    size_t place_count, place_cap;
    struct section *crash; /* the crash record of a program that crashed: report.json's "crash" */
    size_t crash_count, crash_cap;
    struct scenario *scenario; /* reports/scenario.h: what a reproduction needs; NULL where none can be made */
};

const char *cause_kind_name(enum cause_kind kind);
/* -1 for an unknown name. */
int cause_kind_value(const char *name);
/* kind_words.c: what is wrong, and what "missing" names there, as phrases. */
const char *cause_kind_wrong(enum cause_kind kind);
const char *cause_kind_missing(enum cause_kind kind);
void cause_fact(struct cause *cause, const char *label, const char *format, ...) __attribute__((format(printf, 3, 4)));
struct remedy *cause_remedy(struct cause *cause, enum proof proof, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void remedy_deinit(struct remedy *remedy);
void cause_evidence(struct cause *cause, uint64_t n);
/* A new, empty section of the crash record; lines are added to it with strings_add(). */
struct section *cause_section(struct cause *cause, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cause_place(struct cause *cause, const char *path, const char *from, const char *why, bool taken);

enum input_how {
    INPUT_LAUNCH,
    INPUT_ATTACH,
    INPUT_STRACE_LOG,
    INPUT_LD_DEBUG_LOG,
    INPUT_TEXT,
    INPUT_BUNDLE,
    INPUT_STATIC
};
/* Which files were looked at: those that the program met, none (a log alone), those of a root that was named, this
 * machine's. */
enum input_files { FILES_MET, FILES_NONE, FILES_ROOT, FILES_HERE };
enum outcome_status { OUTCOME_EXITED, OUTCOME_SIGNALED, OUTCOME_EXEC_FAILED, OUTCOME_DETACHED, OUTCOME_UNKNOWN };
enum repro_status { REPRO_VERIFIED, REPRO_DIFFERS, REPRO_NOT_ATTEMPTED };

struct surroundings;
struct table;

struct libc_facts {
    char *family;                /* "glibc", "musl", "none", "unknown" */
    char *version, *path, *from; /* may be NULL */
    char *build;                 /* "Debian GLIBC 2.36-9+deb12u14", or NULL */
};

struct report {
    enum input_how how;
    enum input_files files;
    struct strings argv;
    pid_t pid; /* of the program launched or attached to */
    enum outcome_status status;
    int code;   /* exit status, valid for EXITED (and EXEC_FAILED: 126, 127) */
    int signal; /* SIGNALED */
    struct libc_facts libc;
    char *context; /* "host", "container", "chroot", "root" */
    char *kernel, *machine, *distribution;
    struct surroundings *around; /* surroundings.h; NULL where the process was not seen */
    struct cause **causes;
    size_t cause_count, cause_cap; /* most likely first */
    uint64_t events, failed, processes, threads, lost;
    struct strings ruled_out; /* "not it": one phrase each */
    struct strings unseen;    /* what could not be seen, said honestly */
    struct strings said;      /* no cause is known: the last words of what failed, verbatim … */
    struct strings looked_in; /* … and the directories that were searched for what they miss */
    char *headline;           /* of a report that is not about a run: its first sentence, or NULL */
    struct table **tables;    /* table.h: what such a report shows besides */
    size_t table_count, table_cap;
    struct strings redacted; /* what was replaced in it (redact.h), one phrase each */
    double seconds;          /* the session's length */
    bool has_repro;
    enum repro_status repro_status;
    char *repro_command, *repro_expect, *repro_why; /* why not verified, in words; or NULL */
    size_t repro_files;
    struct strings minimal; /* the smallest command that fails alike (--minimize): variables, then words; or none */
    size_t minimal_variables, minimal_runs;
    uint64_t repro_bytes;
};

/* What is put into report.json's tool.version. A build may set it (-DGLIBCTRACE_VERSION=…). */
#ifndef GLIBCTRACE_VERSION
#define GLIBCTRACE_VERSION "0.1.0"
#endif

/* late_names.c: names and lines for frames whose debug information is not installed. May wait for servers, where the
 * user has configured any: no program is to stand meanwhile. */
void report_name_stacks(struct report *report);
struct report *report_create(void);
/* One that is not about a run, but about what is in ROOT (path.h): with what is known of that system. */
struct report *report_static(const char *root);
void report_destroy(struct report *report);
/* CAUSE behind the others, whose owner is REPORT from then on. */
void report_add_cause(struct report *report, struct cause *cause_taken);
/* All causes of FROM, in their order, behind TO's. */
void report_move_causes(struct report *from, struct report *to);
struct cause *cause_create(enum cause_kind kind);
void cause_destroy(struct cause *cause);

/* A renderer: one form, one file, one row in renderers[] (render.c). */
struct render_options {
    bool colour;
    unsigned width; /* columns, 0: 110 */
    FILE *trace; /* trace.jsonl, redacted as the report is, for a renderer that shows events: it is read from its start,
                    and its position is put back; NULL: there is none */
};
struct renderer {
    const char *name;   /* "text", "json", "markdown", "html" */
    const char *ending; /* ".txt", … */
    bool events;        /* it shows the trace, where it gets one */
    /* Writes the whole report to OUT. Write errors are found with ferror() by the caller. */
    void (*render)(const struct report *report, const struct render_options *options, FILE *out);
};
/* By the ending of FILE ("-" is text); NULL where no renderer has it (the bundle is not a renderer). */
const struct renderer *renderer_for(const char *file);
/* The rows, in the order in which messages list their endings; ends with NULL. */
extern const struct renderer *const renderers[];
extern const struct renderer renderer_text, renderer_json, renderer_markdown, renderer_html;
extern const struct renderer renderer_dot, renderer_mermaid, renderer_sarif;

/* report.json read back (render_json.c): every key that the writer writes, in whatever order; unknown keys are passed
 * over, the scenario is not in it. NAME is what messages call it. -1 and ERR where it is no JSON, no report of this
 * schema, or names a kind that this version does not know. */
int report_json_parse(const char *data, size_t size, const char *name, struct report **ret, struct err *err);
int report_json_load(const char *file, struct report **ret, struct err *err);
/* The bundle's system.json (system_json.c): the report's "system" object, and what was around the failing process. */
void report_system_json(const struct report *report, FILE *out);

#endif
