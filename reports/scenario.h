/* A failure in miniature, abstractly: what a reproduction has to hold for the same failure to appear, and what mends
 * it.
 *
 * A judge fills it in while the process stands still, from what the shadow loader saw; the reproduction writer turns it
 * into a directory and two scripts. No bytes of the user's files are in it but names, versions and symbols. */
#ifndef GLIBCTRACE_REPORTS_SCENARIO_H
#define GLIBCTRACE_REPORTS_SCENARIO_H

#include "report.h"

struct mini_version {
    char *file; /* needs: soname asked; definitions: NULL */
    char *name;
};
struct mini_symbol {
    char *name, *version; /* or NULL */
    char *file;           /* undefined and versioned: soname asked, or NULL */
};

/* A stub: an ELF object with no code and no data of the user's. */
struct mini_object {
    char *name;   /* file name, without a directory */
    char *soname; /* or NULL */
    bool program; /* has PT_INTERP and an entry point that only exits with 0 */
    char *interp; /* programs: PT_INTERP; NULL: the machine's own */
    unsigned class, data, machine;
    char *opens;         /* programs: dlopen(3) this name, print dlerror(3)'s words and exit with 1 where that fails */
    uint32_t isa_needed; /* GNU_PROPERTY_X86_ISA_1_NEEDED, or 0 */
    uint64_t tls_size;   /* of thread-local storage at a fixed place (initial-exec), or 0 */
    char *loader_version, *loader_symbol; /* asks the loader itself for this version (and symbol of it), or NULL */
    bool execstack;                       /* asks for an executable stack */
    bool versioned; /* has a table of versions, even where it defines none: without one the loader only warns */
    bool bare;      /* a libc.so.6 that has not got what glibc's loader wants of it; else the writer adds that */
    bool absent;    /* it must not be there: the stub exists in the mended directory only */
    struct strings needed;
    struct mini_version *needs;
    size_t need_count, need_cap;
    struct mini_version *defs;
    size_t def_count, def_cap; /* without the base one, which the writer adds */
    struct mini_symbol *defined;
    size_t defined_count, defined_cap;
    struct mini_symbol *undefined;
    size_t undefined_count, undefined_cap;
    unsigned directory; /* 0: lib; 1: wrong (searched before lib: a shadowing copy), 2: elsewhere (not searched) */
    enum {
        MINI_SOUND,
        MINI_EMPTY,
        MINI_CUT,
        MINI_TEXT,
        MINI_NO_PERMISSION,
        MINI_LOOP,
        MINI_DANGLING
    } defect;        /* what is wrong with it in the failing directory */
    char *link_text; /* LOOP, DANGLING: what the link says, relative to its own directory */
};

enum scenario_way {
    SCENARIO_LOAD,    /* run objects[0], a program; the rest are its libraries */
    SCENARIO_EXECUTE, /* run objects[0]: executing it fails (interpreter, machine, corrupt, permission) */
    SCENARIO_SCRIPT,  /* run a script whose first line is script_line */
    SCENARIO_COMMAND, /* a shell, or another program, looks for command on PATH */
    SCENARIO_CONNECT, /* run objects[0], a program that only connects to address */
    SCENARIO_OPEN,    /* run objects[0], a program that only opens objects[1], which is no ELF file */
    SCENARIO_STATE,   /* run objects[0], a program that makes a call in a state in which it fails */
};

enum scenario_state {
    STATE_DESCRIPTORS,
    STATE_ADDRESS_SPACE,
    STATE_DATA,
    STATE_FILE_SIZE,
    STATE_PROCESSES,
    STATE_ROOM, /* on a file system that is mounted as .mount */
    STATE_WATCHES,
    STATE_INSTANCES,
    STATE_POLICY, /* .call is answered with .error, or ends the program where that is 0 */
    STATE_NAMESPACES,
};

struct scenario {
    enum scenario_way way;
    struct mini_object **objects;
    size_t object_count, object_cap;
    /* The change that mends it, made in a second directory: */
    size_t mend_object;              /* index of the object that the mended copy replaces or adds … */
    struct mini_object *mended;      /* … with this one; NULL where the way says all (script: "#!/bin/sh"; command: an
                                        executable of that name) */
    char *script_name, *script_line; /* SCRIPT: file name and first line with its line end as it is ("#!/bin/sh\r") */
    char *shell, *command;           /* COMMAND: absolute path of who looks, and the name looked for */
    char *asker;                     /* EXECUTE: file name of who executes it, where that is the subject; or NULL */
    enum scenario_state state;       /* STATE */
    char *call;                      /* STATE_POLICY: the name of the system call */
    char *mount;          /* objects[mend_object] stands on a mount of this name that forbids execution (its path's last
                             component), or NULL */
    char *address;        /* CONNECT: "unix:data/x" (relative), "unix:@x", "127.0.0.1:80", "[::1]:80" */
    int error;            /* how it fails; CONNECT: ENOENT or ECONNREFUSED */
    char *variable;       /* OPEN: the variable through which objects[1] is named, or NULL; … */
    char *before, *after; /* … what stands around the path in its value */
    char *variable_path;  /* LOAD: VARIABLE names a directory of this name, which is not there */
    char
        *inside; /* OPEN: the path below objects[1] that is opened, or NULL: objects[1] itself. There objects[1] is … */
    bool emptied;         /* … a directory without it, else no directory */
    bool by_library_path; /* directory 1 is put first by LD_LIBRARY_PATH (else by the run path) */
};

struct scenario *scenario_create(enum scenario_way way);
/* Appends an object: a sound one for this machine (objects[0] of LOAD and EXECUTE: a program), in directory 0, which
 * the scenario owns. */
struct mini_object *scenario_object(struct scenario *scenario, const char *name);
/* As scenario_object(), for one that was made elsewhere; takes OBJECT. */
struct mini_object *scenario_take(struct scenario *scenario, struct mini_object *object);
/* The mended copy replaces the last object, and is as that one is now: what is wrong with it is to be set afterwards.
 */
void scenario_mend_last(struct scenario *scenario);
/* The scenario of a cause whose judge made none, from what the cause says alone: files that the subject opens (missing,
 * forbidden, behind a broken link), commands that it looks for, limits. NULL for other kinds. */
struct scenario *scenario_of_cause(const struct cause *cause);
/* A STATE scenario of the program SUBJECT (a path). */
struct scenario *scenario_of_state(enum scenario_state state, const char *subject);
/* Replaces every string of SCENARIO by what REDACT gives for it (malloced; redactor_text() of redact.h, wrapped). Two
 * that were equal must stay equal: then the failure stays the same, under names that tell nothing. */
void scenario_redact(struct scenario *scenario, char *(*redact)(void *ctx, const char *bytes), void *ctx);
void scenario_destroy(struct scenario *scenario);
/* A stub description of ELF (any state): class, byte order, machine, and where it could be read: interpreter, soname,
 * needed, version needs and definitions (without the base one). No symbols: those that matter are added below. */
struct mini_object *mini_object_of(const struct elffile *elf, const char *name);
/* A sound shared object for this machine without anything in it. */
struct mini_object *mini_object_create(const char *name);
/* Makes OBJECT one of ELF's class, byte order and machine. */
void mini_object_fit(struct mini_object *object, const struct elffile *elf);
struct mini_object *mini_object_copy(const struct mini_object *object);
/* The same without its lists (needed, needs, defs, defined, undefined). */
struct mini_object *mini_object_copy_bare(const struct mini_object *object);
/* Each adds one entry, unless it is there already. Strings are copied; VERSION and FILE may be NULL. */
void mini_object_need(struct mini_object *object, const char *soname);
void mini_object_need_version(struct mini_object *object, const char *file, const char *version);
void mini_object_define_version(struct mini_object *object, const char *version);
void mini_object_define(struct mini_object *object, const char *symbol, const char *version);
void mini_object_undefined(struct mini_object *object, const char *symbol, const char *version, const char *file);
void mini_object_destroy(struct mini_object *object);

#endif
