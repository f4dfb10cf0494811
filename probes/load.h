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

/* Files of another system, as if they had been copied into the root: what stands below one of PATHS, and, unless ONLY
 * is set, beside the system's own directories (/usr, /lib, …) whatever is there. */
struct load_guests {
    const char *from; /* the root that they are in */
    const char *const *paths;
    size_t count;
    bool only;
};
/* Whether the file at PATH, absolute, is one of them. GUESTS may be NULL. */
bool guests_own(const struct load_guests *guests, const char *path);
/* PATH, absolute, is in one of the system's own directories. */
bool load_systems_own(const char *path);

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
    /* As if one file were another than it is, absolute paths as the loader spells them; or NULL: */
    const char *absent;               /* is not there */
    const char *placed;               /* is the file that stands at … */
    const char *content;              /* … this path */
    const struct load_guests *guests; /* or NULL; not copied: it must outlive the load */
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
    unsigned space;            /* number of the namespace (dlmopen(3)), 0: the program's own */
};

enum fault_kind {
    FAULT_NOT_FOUND, /* search.fault < 0: nowhere; otherwise places[search.fault] says what is wrong with the nearest
                        file */
    FAULT_VERSION,   /* a version need that the object loaded for it does not define */
    FAULT_SYMBOL,    /* an undefined symbol that no object in the scope defines */
    FAULT_INTERP,    /* PT_INTERP is absent or unusable: see search (one place) */
    FAULT_PROGRAM,   /* the program itself is unusable: object->elf->state, or machine */
    FAULT_ISA_LEVEL, /* the program itself is for processors of a higher level: name */
    FAULT_EXECSTACK, /* provider, which was dlopened, wants an executable stack, and this loader does not make one then;
                        name is its path */
    FAULT_STATIC_TLS, /* provider has more thread-local storage at a fixed place than is set aside for dlopened objects;
                         name is its path */
};

struct fault {
    enum fault_kind kind;
    const struct object *subject; /* who makes the demand */
    struct search search;         /* NOT_FOUND, INTERP */
    const char *name;    /* NOT_FOUND: the library; VERSION: the version; SYMBOL: the symbol; INTERP: its path */
    const char *version; /* SYMBOL: its version or NULL */
    const struct object *provider; /* VERSION, SYMBOL with a version: the object that was asked and lacks it; SYMBOL:
                                      NULL where unknown */
    bool weak; /* a weak version need (only a warning) — weak undefined symbols are no fault at all */
    bool lazy; /* SYMBOL, VERSION: only calls refer to it, so that it shows when it is first called, unless BIND_NOW */
    bool asserts; /* the loader ends the program with a failed assertion, which names neither symbol nor version */
    const char *unloaded; /* SYMBOL: the library that its version is of, where that is why it asserts */
    bool warning;         /* the loader only warns (library without any versions; weak version) */
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
    size_t batches;     /* dlopens and dlcloses asked so far */
    struct load_private *priv; /* search paths, cache: load.c's own */
};

/* Loads REQUEST (copied) up to the program's start. Below zero only where nothing can be said at all (ERR says why); a
 * program that cannot be loaded is a load with faults. */
int load_create(const struct load_request *request, struct load **ret, struct err *err);

/* What a dlopen or dlmopen was asked. */
enum { LOAD_SPACE_BASE = 0, LOAD_SPACE_NEW = -1, LOAD_SPACE_CALLER = -2 };
struct load_open {
    const char *file;            /* NULL or "": the program itself */
    int mode;                    /* RTLD_… of dlfcn.h, as it was passed */
    const struct object *caller; /* the object whose code calls; NULL: the program */
    long space;                  /* dlopen: LOAD_SPACE_CALLER; dlmopen: its Lmid_t */
};
/* Asks what it would do now. Objects and faults are appended with a new batch number, which is returned (> 0). A file
 * that is loaded already is a batch that adds no object. *RET (may be NULL) is what the handle would stand for, or
 * NULL. */
size_t load_dlopen(struct load *load, const struct load_open *open, struct object **ret);
/* dlclose() of a handle of OBJECT: what nothing needs any more is gone (it stays in load->objects, but answers to
 * nothing). A batch number too. References that are bound lazily may have been bound or not, and keep nothing. */
size_t load_dlclose(struct load *load, struct object *object);
bool load_is_there(const struct load *load, const struct object *object); /* not closed, not part of a failed dlopen */
/* One change to what was asked: other values of the request where they are not NULL, and one variable. */
struct load_change {
    const char *variable, *value; /* VALUE NULL: the variable is dropped */
    const char *absent, *placed, *content;
    const char *loader; /* this loader is run, with the program as its argument */
};
/* The start of LOAD's program once more, with CHANGE. As load_create(). */
int load_again(const struct load *load, const struct load_change *change, struct load **ret, struct err *err);
/* The object loaded under PATH or with that file identity, or NULL; one that is gone only where no other is there. */
struct object *load_find(const struct load *load, const char *path);
/* The object that was asked for as SONAME, or calls itself so; or NULL. SONAME may be NULL. */
const struct object *load_named(const struct load *load, const char *soname);
/* Where the loader would look for NAME asked by OBJECT (NULL: main program); IGNORE: origins left out, as a bit set 1u
 * << enum search_origin. RET is filled in. */
void load_search(const struct load *load, const char *name, const struct object *object, unsigned ignore,
                 struct search *ret);

/* How a reference is looked up (the type classes of elf/dl-lookup.c). */
enum lookup_class {
    LOOKUP_DATA,  /* an address: the PLT entry of a program at a fixed address may stand for a function */
    LOOKUP_CALL,  /* a call, or a thread-local: only a definition will do */
    LOOKUP_COPY,  /* a COPY relocation: not the program itself */
    LOOKUP_DLSYM, /* dlsym(handle of OBJECT): its own search list, and the default version */
    LOOKUP_NEXT,  /* dlsym(RTLD_NEXT) by OBJECT: what comes after it in the list that brought it */
};
/* The object that a reference of OBJECT (NULL: the program) to NAME, VERSION (NULL: none) binds to as things stand now,
 * or NULL. *SYMBOL (may be NULL) is the definition. */
const struct object *load_lookup(const struct load *load, const struct object *object, const char *name,
                                 const char *version, enum lookup_class class, const struct elf_symbol **symbol);

/* One relocation that needs a lookup. */
struct binding {
    uint64_t place; /* r_offset: a virtual address of the object */
    unsigned type;  /* R_… */
    enum lookup_class class;
    const struct elf_symbol *reference;
    bool lazy;               /* made at the first call, by what is loaded then: here as things stand now */
    bool again;              /* of the same symbol and class as the one before: the loader remembers its answer */
    const struct object *to; /* NULL: nobody defines it */
    const struct elf_symbol *symbol;
};
/* All of OBJECT's, in the loader's order, as they were made when it was loaded. Symbols that bind without a lookup are
 * left out. *RET is malloced; the number is returned. */
size_t load_bindings(const struct load *load, const struct object *object, struct binding **ret);
/* The search lists that OBJECT's references go through one after the other (l_scope), as they are now: calls EACH for
 * every member, LIST counting the lists from 0. */
void load_scopes(const struct load *load, const struct object *object,
                 void (*each)(void *ctx, size_t list, const struct object *member), void *ctx);
void load_destroy(struct load *load);
/* "x86-64-v3": the highest level in NEEDED (GNU_PROPERTY_X86_ISA_1_NEEDED), in the psABI's spelling. */
const char *load_isa_level_name(uint32_t needed);

#endif
