/* What the files of the shadow loader share (load.c, dirs.c, candidate.c, scope.c, refuse.c, ldcache.c, loaderfile.c,
 * musl.c). Not for others: load.h is the way in. */
#ifndef GLIBCTRACE_PROBES_LOADER_H
#define GLIBCTRACE_PROBES_LOADER_H

#include "elfimage.h"
#include "load.h"

#include <uthash.h>

/* What is in one loader file: features that are found in it, never a version number. */
struct loader_traits {
    enum loader_family family;
    const struct elffile *elf; /* owned */
    char **system_dirs;        /* with a slash at the end, in the loader's order */
    size_t system_dir_count;
    char *lib;             /* $LIB */
    const char *platform;  /* $PLATFORM, or NULL */
    bool isa_check;        /* refuses objects whose x86 ISA level this processor lacks (2.33 and later) */
    bool kernel_check;     /* passes over objects whose .note.ABI-tag asks for a newer kernel */
    bool protected_copies; /* a protected variable gives way to the program's copy of it (up to 2.35) */
    bool version_assert;   /* aborts when a versioned reference finds its library without any versions */
    bool needed_assert;    /* aborts when a version is of a library that is not loaded */
    bool early_init;       /* insists on __libc_early_init in libc.so.6 (2.32 and later) */
    bool keeps_stack;      /* makes the stack executable at the start only, not for a dlopen (2.41 and later) */
    unsigned cpu_level;    /* x86-64-vN of this machine; 0 where the files are for another machine */
    char **subdirs;        /* tried below every directory, best first; "" is the last; each with a slash at the end */
    size_t subdir_count;
    bool legacy;           /* takes the subdirectories of before 2.33 too (up to 2.36) */
    uint64_t hwcap_bits;   /* of an entry of ld.so.cache for such a subdirectory: those that this processor has, … */
    uint64_t platform_bit; /* … and the one of its platform; 0: none */
    char **hwcaps;         /* names below glibc-hwcaps/, best first, for ld.so.cache */
    size_t hwcap_count;
};

void traits_read(const char *root, const struct elffile *loader, const char *interp, struct loader_traits *ret);
void traits_deinit(struct loader_traits *traits);

/* /etc/ld.so.cache, read whole and checked; NULL where there is none that can be used. */
struct ldcache;
struct ldcache *ldcache_read(const char *root);
void ldcache_free(struct ldcache *cache);
/* The one path that glibc takes from it for NAME, or NULL. The string lives as long as CACHE. */
const char *ldcache_find(const struct ldcache *cache, const char *name, const struct loader_traits *traits,
                         const struct elffile *model);

enum dir_status { DIR_UNKNOWN, DIR_EXISTS, DIR_MISSING };

/* A directory of a search list. One text is one directory in all lists, so that what was learned of it stays known. */
struct search_dir {
    char *path;              /* with a slash at the end; "" for the working directory */
    char *entry;             /* as it was written where it was met first */
    enum dir_status *status; /* one for each of traits.subdirs */
};

struct dir_list {
    struct search_dir **dirs;
    size_t count, capacity;
    bool ready;
};

/* What is known of an object beside struct object. */
struct object_more {
    struct dir_list rpath, runpath;
    char **names; /* every name that it answers to (l_name, l_libname) */
    size_t name_count, name_capacity;
    struct object **deps;
    size_t dep_count, dep_capacity;
    struct object **filtees; /* of its filters; they are among the deps, too */
    size_t filtee_count, filtee_capacity;
    uint64_t dev, ino;
    char *origin;   /* $ORIGIN, or NULL: not computed yet */
    size_t removed; /* the batch with which it went (its dlopen failed, or a dlclose): it answers to no name any more */

    struct group *list;       /* l_searchlist: of an object that was opened itself, else NULL */
    struct scope_part *scope; /* l_scope */
    size_t scope_count, scope_capacity;
    bool symbolic; /* asks itself first */
    bool global;   /* l_global */
    bool now;      /* its calls are bound when it is loaded */
    bool nodelete;
    size_t opened;         /* dlopens that were not closed */
    struct object **bound; /* l_reldeps: outside of its dependencies, kept by its references */
    size_t bound_count, bound_capacity;
};

/* A search list, in lookup order. A dlopen with RTLD_GLOBAL makes its namespace's longer: SINCE tells from which batch
 * on a member counts. */
struct group_member {
    struct object *object;
    size_t since;
};
struct group {
    struct group_member *members;
    size_t count, capacity;
};
struct scope_part {
    struct group *group;
    const struct object *root; /* whose list it is; NULL: the namespace's */
    size_t since;
};

/* STB_GNU_UNIQUE: the first that was bound is everybody's (do_lookup_unique() of elf/dl-lookup.c). */
struct unique {
    const char *name;
    const struct object *object;
    const struct elf_symbol *symbol;
    size_t since;
    UT_hash_handle hh;
};

enum { MAX_SPACES = 16 }; /* DL_NNS */
struct space {
    struct group *global;   /* NULL: not in use */
    struct unique *uniques; /* by name */
};

struct load_private {
    char *root, *program, *loader, *cwd;
    char **env;
    bool secure;
    struct cred *cred;
    char *absent, *placed, *content;  /* of the request */
    const struct load_guests *guests; /* of the request, or NULL */
    struct loader_traits traits;
    struct search_dir **dirs;
    size_t dir_count, dir_capacity;
    struct dir_list env_list, default_list;
    struct ldcache *cache;
    struct object_more **more; /* by object->index */
    size_t more_count, more_capacity;
    size_t object_capacity, fault_capacity;
    struct object *interp; /* placed in load->objects once something needs it */
    bool interp_placed;
    struct group **groups; /* all that there are */
    size_t group_count, group_capacity;
    struct space spaces[MAX_SPACES];
};

struct object_more *more_of(const struct load *load, const struct object *object);
const char *load_env(const struct load *load, const char *name); /* its value, or NULL */

/* dirs.c: search lists. TEXT is split at any of SEPARATORS, its tokens are expanded for OBJECT (NULL: the program). */
void dirs_fill(const struct load *load, struct dir_list *list, const char *text, const char *separators,
               const struct object *object);
void dirs_defaults(const struct load *load, struct dir_list *list);
void dir_list_deinit(struct dir_list *list);
/* $ORIGIN, $LIB and $PLATFORM put in; malloced; NULL where the text must not be used. */
char *dirs_expand(const struct load *load, const struct object *object, const char *text);

/* candidate.c: what stands at one place, and may it be taken. */
enum verdict { VERDICT_TAKEN, VERDICT_PASSED, VERDICT_ENDS };
struct place {
    const char *path;
    enum search_origin origin;
    const char *origin_of;
    const char *entry;
    bool must_be_suid; /* LD_PRELOAD with AT_SECURE */
};
/* Looks and appends a candidate to SEARCH unless QUIET and nothing is there. *ERROR: what errno is then in the loader.
 */
enum verdict place_try(const struct load *load, const struct place *place, struct search *search, int *error);
/* A place that is known, and not looked at for the reason WHY. */
void place_refuse(const struct load *load, const struct place *place, const char *why, struct search *search);
void place_drop_last(struct search *search); /* takes the last candidate back */
void search_settle(struct search *search);   /* sets .fault where nothing was found */

/* find.c (glibc) and musl.c: the search for one name. MODE_PRELOAD: __RTLD_SECURE. */
enum { FIND_PRELOAD = 1 };
void find_library(const struct load *load, const char *name, const struct object *loader, unsigned ignore, int mode,
                  struct search *ret);
void musl_find_library(const struct load *load, const char *name, const struct object *loader, unsigned ignore,
                       struct search *ret);
bool musl_is_own_name(const char *name); /* libc, libpthread, … are the loader itself */

/* guest.c: the root in which PATH, absolute, is; and path_walk() in it, which is returned. */
const char *load_root_of(const struct load *load, const char *path);
const char *load_walk(const struct load *load, const char *path, const struct cred *cred, struct path_walk *ret);

/* load.c: of one start-up, dlopen or dlmopen. */
struct opening {
    struct load *load;
    size_t batch;
    unsigned space;
};
/* One library: already there, found and added, or a fault. */
struct object *load_one(const struct opening *opening, const char *name, struct object *loader, enum object_why why);
/* The same where nothing may be added (RTLD_NOLOAD). */
struct object *load_known(const struct opening *opening, const char *name, const struct object *loader);
/* What the objects from FIRST on need, breadth first: load->objects is the queue. */
void load_dependencies(const struct opening *opening, size_t first);
bool always_now(const struct load *load); /* LD_BIND_NOW */
/* The loaded object of namespace SPACE that answers to NAME, or NULL; no search. */
struct object *loaded_by_name(const struct load *load, const char *name, unsigned space);

/* scope.c: who is asked, in which order. */
struct group *group_new(struct load *load);
/* The libraries that OBJECT is a filter of come before it (_dl_map_object_deps() of elf/dl-deps.c). */
void group_add(const struct load *load, struct group *group, struct object *object, size_t since);
void group_follow(const struct load *load, struct group *group,
                  size_t since); /* breadth first, what its members need */
/* What a new object asks: ROOT is the opened one that brought it (NULL: start-up), MODE of its dlopen. */
void scope_init(const struct load *load, const struct object *object, const struct object *root, int mode);
/* A dlopen of ROOT has succeeded: those of its list that were there before ask it too, from batch SINCE on. */
void scope_opened(const struct load *load, const struct object *root, size_t since);
void scope_globalize(const struct load *load, const struct object *root, size_t since);

/* lookup.c: what is asked of a scope for one reference. */
struct question {
    const struct load *load;
    struct elf_query query;
    enum lookup_class class;
    bool got;                           /* R_…_GLOB_DAT: a class of its own where protected_copies */
    const struct elf_symbol *reference; /* for protected ones, or NULL */
    size_t when;                        /* as things stood in this batch */
    const struct elf_symbol *symbol;    /* the answer */
};
/* The object that OBJECT's scope answers with, or NULL. */
const struct object *scope_ask(struct question *q, const struct object *object);
/* The relocation of REFERENCE has bound OBJECT to FOUND: unique symbols and dependencies are remembered. */
void scope_bound(struct question *q, struct object *object, const struct object *found);
void uniques_destroy(struct space *space);
/* Those of objects that went with batch SINCE, or were bound in it, are forgotten. */
void uniques_forget(struct load *load, unsigned space);

/* faults.c: faults that come after loading. From FIRST on, objects are new. */
void check_versions(struct load *load, size_t first, size_t batch);
void check_symbols(struct load *load, size_t first, size_t batch);
/* refuse.c: what the loader refuses although it could be loaded and bound. */
void check_refusals(struct load *load, size_t first, size_t batch);
struct fault *fault_add(struct load *load, enum fault_kind kind, const struct object *subject, size_t batch);

#endif
