/* From a scenario to the files of its reproduction: what is left out because it does not matter to the failure, under
 * which name each stub stands, where each looks for the others, and what mends it. */
#ifndef GLIBCTRACE_REPORTS_REPRO_PLAN_H
#define GLIBCTRACE_REPORTS_REPRO_PLAN_H

#include "scenario.h"
#include "stub.h"

struct plan_file {
    char *path; /* in the reproduction: "root/lib/libx.so.1" */
    struct mini_object *object;
    const char *runpath; /* or NULL */
    bool mended;         /* only control.sh uses it; its defect does not count */
    bool plain;          /* no ELF file: an empty one, where it is sound */
    bool here;           /* a link to the directory in which it stands: a directory that has not got what is wanted */
};

struct plan {
    const struct scenario *scenario;
    const char *program; /* LOAD, EXECUTE: file name of the program */
    struct plan_file *files;
    size_t file_count, file_cap;
    char *caller;          /* file name in root/ of the program that makes the call and tells of its failure, or NULL */
    struct stub_call call; /* what it does; path and words are the plan's */
    const char *more_path; /* COMMAND: ":DIRECTORY" behind PATH=bin, as sh reads it; or NULL */
    bool mended_program;   /* control.sh runs mended/PROGRAM, else root/PROGRAM */
    char *forbidden;       /* the library, as root/ has it, that must not be readable while the program runs, or NULL */
    char *sealed;          /* the file, as root/ has it, that is put on a mount of the scenario's name first, or NULL */
    char *shown;           /* the file, as root/ has it, that is there and fails all the same, or NULL */
    bool control_in_root;  /* control.sh is repro.sh without what that does to FORBIDDEN or SEALED */
    const char *library_path;         /* LD_LIBRARY_PATH of repro.sh, relative to root/, or NULL */
    const char *control_library_path; /* of control.sh, relative to mended/, or NULL */
    char *control_preload;            /* LD_PRELOAD of control.sh, relative to mended/, or NULL */
};

/* Whether NAME can be the name of a file in the reproduction: no slash, not "." or "..", not empty, at most 255 bytes.
 */
bool repro_name_fits(const char *name);

/* Fails where no reproduction can be made of SCENARIO, with the reason in ERR; RET can be deinitialised then too.
 * SCENARIO must outlive RET. */
int plan_make(const struct scenario *scenario, struct plan *ret, struct err *err);
void plan_deinit(struct plan *plan);
void plan_drop_files(struct plan *plan);

#endif
