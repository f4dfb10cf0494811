/* Parts of check.c: what it shows of what it has found. */
#ifndef GLIBCTRACE_REPORTS_CHECK_PARTS_H
#define GLIBCTRACE_REPORTS_CHECK_PARTS_H

#include "check.h"
#include "table.h"

#include <probes/load.h>

/* check_judge.c: what the judges make of a process that is made up for the file at PATH goes to REPORT's causes.
 *
 * The kernel would not execute it: with ERROR. */
void check_judge_execution(const struct check_request *request, const char *path, int error, struct report *report);
/* It is a script for PROGRAM, which is not in the root that it is a guest of. */
void check_tell_script(const char *path, const char *program, struct report *report);
/* The loader would not load it. LOADER: it is given to that one, as a library is; or NULL. */
void check_judge_loading(const struct check_request *request, const char *path, const char *loader,
                         const struct elffile *elf, struct report *report);
/* ENV, env(1), does not find the command NAME, which SCRIPT's first line asks of it. */
void check_judge_command(const struct check_request *request, const char *env, const char *name, const char *script,
                         struct report *report);
/* What LD_PRELOAD and LD_AUDIT name that LOAD's loader goes on without. */
void check_judge_ignored(const struct check_request *request, const struct load *load, struct report *report);
/* The program HOST would open it by dlopen(3), and fail. */
struct check_host {
    char *path;
    const struct elffile *elf;
    char *runtime;  /* of a node: the object that takes add-ons, itself or its library; or NULL */
    unsigned takes; /* … and for which NODE_MODULE_VERSION; 0: not known */
    bool asked;     /* … whether that was looked for */
};
void check_judge_opening(const struct check_request *request, const struct check_host *host, const char *path,
                         struct report *report);

/* ASKER, which begins the chain, stands for any program: nobody has called it so. */
void check_drop_asker(struct cause *cause, const char *asker);

/* check_execute.c: whether the kernel would execute the file; what it would fail of goes to REPORT's causes. */
enum check_execution {
    EXECUTION_GOES,
    EXECUTION_REFUSED,
    EXECUTION_UNPERMITTED, /* only for its mode, which may still be set: no cause */
};
enum check_execution check_execution(const struct check_request *request, const char *path, const struct elffile *elf,
                                     bool script, struct report *report);
/* The program at PATH would run with AT_SECURE. */
bool check_is_secure(const struct check_request *request, const char *path);
/* SCRIPT may be executed: what the programs would fail of that run it. */
void check_script(const struct check_request *request, const char *script, struct report *report);

/* check_host.c: the value of PATH, or what stands for it. */
const char *check_search_path(const struct check_request *request);

/* check.c: the tables of what the library at PATH is made of, and of what it asks. */
void check_put_made_of(const struct check_request *request, const char *path, const struct elffile *elf,
                       struct report *report);

/* check.c: what kind of file it is, and how it ends.
 *
 * The loader that programs have which open ELF, a library; malloced, or NULL. */
char *check_loader_for(const struct elffile *elf);
/* The loader goes on where a fault is only a warning, and where a library leaves a symbol to whoever loads it. */
bool check_ends_it(const struct fault *fault, bool library);
/* What the shadow loader is asked about the program at PATH. */
struct load_request check_load_request(const struct check_request *request, const char *path);
bool check_would_fail(const struct load *load, bool library);

/* How many calls of the objects of BATCH nothing answers, which shows when they are made; as of check_ends_it(). */
size_t check_called_in_vain(const struct load *load, bool library, size_t batch);
/* The causes from number FROM on show only then. */
void check_later(struct report *report, size_t from);
#define CHECK_LATER "would fail when first called"

/* check_tables.c: a row for the file at PATH, of which CAUSES causes were found; LATER: they are of so many symbols
 * that are called in vain, and it loads. */
void check_put_file(struct report *report, const char *path, const char *what, const struct load *load, size_t later,
                    size_t causes);
/* The same of one whose loading was not asked for; ELF NULL: a script. UNPERMITTED: its mode keeps it from being
 * executed. */
void check_put_refused(struct report *report, const char *path, const struct elffile *elf, bool unpermitted,
                       size_t causes);
/* A row in other words; ELF may be NULL. */
void check_put_row(struct report *report, const char *path, const char *what, const struct elffile *elf,
                   enum table_mark mark, const char *verdict);
/* What it is made of, as a tree by who asked for what first, in the loader's order. */
void check_put_objects(struct report *report, const struct load *load);
/* What is wanted of the C library and the compiler's, by the file and what stands beside it: the release that does, the
 * systems that have it, the symbols that decide it. */
void check_put_wants(struct report *report, const struct load *load);

/* check_opened.c: what LOAD's objects say that they open later, and whether that is there. ALONE: only its first one.
 */
void check_put_opened(struct report *report, const struct check_request *request, const struct load *load, bool alone);

/* The program at PATH opens SONAME, without which it does not do FEATURE. */
void check_put_named(struct report *report, const struct check_request *request, const char *path, const char *soname,
                     const char *feature);

/* check_facts.c: what is to be known of the objects, a row each. */
void check_put_notes(struct report *report, const struct check_request *request, const struct load *load);
/* For programs: each version that is needed and who defines it; each symbol that nobody defines. */
void check_put_versions(struct report *report, const struct load *load);
void check_put_symbols(struct report *report, const struct load *load);
/* OBJECT is one of the C library's or the compiler's, which others ask for versions. */
bool check_is_asked(const struct object *object);

#endif
