/* The shadow loader: what ld.so would do with a program, outside the process and over any root.
 *
 * Given a program, its environment and a root it gives the objects in load order, why each is there and where it was
 * looked for, and every fault the loader would meet (all of them, not only the first: facts.md says what hides behind
 * what). It never runs anything. Judge: the real ld.so; tests compare with ld.so --list, LD_DEBUG=libs and ld.so's own
 * messages. */
#ifndef GLIBCTRACE_PROBES_LOAD_H
#define GLIBCTRACE_PROBES_LOAD_H

#include "search.h"

enum loader_family { LOADER_GLIBC, LOADER_MUSL, LOADER_NONE /* static: no PT_INTERP */ };

struct load_request {
    const char *root; /* see path.h */
    const char
        *loader; /* the loader was run itself, with PROGRAM as its argument (ld.so(8)); NULL: PT_INTERP says which */
    const char *program; /* absolute path inside the root of the file that was executed */
    const char *cwd;     /* absolute; for relative entries and names */
    const char *const *
        env; /* NAME=VALUE, NULL-terminated, may be NULL: LD_LIBRARY_PATH, LD_PRELOAD, LD_BIND_NOW, LD_AUDIT are used */
    bool secure;             /* AT_SECURE */
    const struct cred *cred; /* or NULL */
};

enum object_why { OBJECT_MAIN, OBJECT_INTERP, OBJECT_PRELOAD, OBJECT_NEEDED, OBJECT_DLOPEN };

struct object {
    char *path; /* as the loader names it (l_name), absolute inside the root; the main program's own path */
    const struct elffile *elf;
    enum object_why why;
    struct object
        *loader; /* the object that asked for it first (NULL: main, preload, or a dlopen by an unknown caller) */
    const char *asked_as;      /* the name it was asked for by */
    enum search_origin origin; /* where it was found */
    struct search search;      /* how it was found */
    size_t index;              /* position in load.objects */
    size_t batch;              /* 0: start-up; n: the nth dlopen */
};

enum fault_kind {
    FAULT_NOT_FOUND, /* search.fault < 0: nowhere; otherwise places[search.fault] says what is wrong with the nearest
                        file */
    FAULT_VERSION,   /* a version need that the object loaded for it does not define */
    FAULT_SYMBOL,    /* an undefined symbol that no object in the scope defines */
    FAULT_INTERP,    /* PT_INTERP is absent or unusable: see search (one place) */
    FAULT_PROGRAM,   /* the program itself is unusable: object->elf->state, or machine */
};

struct fault {
    enum fault_kind kind;
    const struct object *subject; /* who makes the demand */
    struct search search;         /* NOT_FOUND, INTERP */
    const char *name;    /* NOT_FOUND: the library; VERSION: the version; SYMBOL: the symbol; INTERP: its path */
    const char *version; /* SYMBOL: its version or NULL */
    const struct object *provider; /* VERSION, SYMBOL with a version: the object that was asked and lacks it; SYMBOL:
                                      NULL where unknown */
    bool weak;    /* a weak version need (only a warning) — weak undefined symbols are no fault at all */
    bool lazy;    /* SYMBOL: only calls refer to it, so that it shows when it is first called, unless BIND_NOW */
    bool warning; /* the loader only warns (library without any versions; weak version) */
    const char **symbols;
    size_t symbol_count; /* VERSION: the undefined symbols of subject that carry it */
    size_t batch;        /* 0: start-up; n: the nth dlopen */
};

struct load {
    enum loader_family family;
    char *interp; /* path of the loader inside the root, or NULL */
    struct object **objects;
    size_t object_count; /* load order; [0] is the program; the interpreter is included where something needs it, as in
                            ld.so --list */
    struct fault **faults;
    size_t fault_count; /* in the order in which the loader would meet them: not-found in breadth-first order, then
                           versions, then symbols */
    size_t batches;     /* dlopens asked so far */
    struct load_private *priv; /* search paths, cache: load.c's own */
};

/* Loads REQUEST (copied) up to the program's start. Below zero only where nothing can be said at all (ERR says why); a
 * program that cannot be loaded is a load with faults. */
int load_create(const struct load_request *request, struct load **ret, struct err *err);
/* Asks what dlopen(FILE) would do now, CALLER being the object that calls (NULL: the main program), NOW for RTLD_NOW.
 * Objects and faults are appended with a new batch number, which is returned (> 0). FILE already loaded: a batch that
 * adds nothing. Scope: global, then the new object's own breadth-first group. */
size_t load_dlopen(struct load *load, const char *file, const struct object *caller, bool now);
/* The object loaded under PATH or with that file identity, or NULL. */
struct object *load_find(const struct load *load, const char *path);
/* Where the loader would look for NAME asked by OBJECT (NULL: main program); IGNORE: origins left out, as a bit set 1u
 * << enum search_origin. RET is filled in. */
void load_search(const struct load *load, const char *name, const struct object *object, unsigned ignore,
                 struct search *ret);
/* The object that a reference of OBJECT to NAME, VERSION binds to in the scope of OBJECT, or NULL. *SYMBOL (may be
 * NULL) is the definition. A PLT entry of a program at a fixed address that stands for a function is looked through. */
const struct object *load_lookup(const struct load *load, const struct object *object, const char *name,
                                 const char *version, const struct elf_symbol **symbol);
void load_destroy(struct load *load);

#endif
