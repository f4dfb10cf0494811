/* Link maps: which objects a process has loaded, in the words of its own loader (struct r_debug and struct link_map of
 * link.h, SVR4's interface for debuggers), in all namespaces; glibc's and musl's, of a process of either class,
 * stripped or not. A program without a loader has no link map; then the ELF files that it has mapped are told.
 *
 * Looks only. A walk is two short reads for each object; strings are read for new ones only. The lists may change while
 * they are read and may be damaged: every walk is bounded. */
#ifndef GLIBCTRACE_PROBES_LINKMAP_H
#define GLIBCTRACE_PROBES_LINKMAP_H

#include "auxv.h"
#include "memimage.h"

/* The process that is looked at; all must live as long as the link map. */
struct linkmap_process {
    pid_t pid;
    const struct mem *mem;
    const char *exe; /* path of the program inside its root, or NULL */
};

enum linkmap_kind {
    LINKMAP_LIBRARY,
    LINKMAP_PROGRAM,
    LINKMAP_LOADER, /* ld.so; musl's is libc as well */
    LINKMAP_VDSO,
};

struct linkmap_object {
    enum linkmap_kind kind;
    char *name;            /* as the loader calls it (l_name): a path as it was opened, "" for the program */
    char *path;            /* absolute path inside the process's root; "linux-vdso.so.1"; or NULL where not known */
    uint64_t map_addr;     /* of its struct link_map, which is what dlopen(3) returns; 0: there is none */
    uint64_t base_addr;    /* l_addr: what is added to its virtual addresses */
    uint64_t dynamic_addr; /* l_ld */
    uint64_t name_addr;    /* l_name */
    unsigned space;        /* number of its namespace, 0 for the program's own */
    bool fresh;            /* it came with the last update */
    bool told, bound_told; /* the caller's own, kept from one update to the next */
    bool needs_known;      /* these have been read: linkmap_read_needs() */
    char *soname;          /* DT_SONAME, or NULL */
    char **needed;         /* DT_NEEDED, in order */
    size_t needed_count;
    bool extent_known;             /* these have been read: linkmap_at() */
    uint64_t start_addr, end_addr; /* of its segments, the end excluded; both 0 where not known */
};

enum linkmap_source {
    LINKMAP_OF_LOADER, /* the loader at AT_BASE, or run as a command, exports its r_debug */
    LINKMAP_OF_DEBUG,  /* the program's DT_DEBUG */
    LINKMAP_OF_FILES,  /* there is none: the ELF files that are mapped */
};

struct linkmap {
    struct linkmap_process process;
    enum linkmap_source source;
    uint64_t debug_addr;          /* of the first struct r_debug, 0 with LINKMAP_OF_FILES */
    uint64_t brk_addr;            /* r_brk: the function that is called before and after each change, or 0 */
    uint64_t global_addr;         /* glibc's _rtld_global, which holds the other namespaces, … */
    uint64_t global_size;         /* … or 0 */
    uint64_t loader_dynamic_addr; /* the loader's own PT_DYNAMIC, by which it is told from others; or 0 */
    struct auxv auxv;
    bool command;                   /* the loader was run as a command: ld.so ./program */
    bool musl;                      /* it exports musl's _dl_debug_addr */
    struct linkmap_object *objects; /* in load order, namespace by namespace */
    size_t count;
    struct linkmap_object *gone; /* that have left, newest last, until linkmap_forget_gone() */
    size_t gone_count, gone_capacity;
    unsigned spaces; /* that have objects */
    bool consistent; /* the loader was not at work (RT_CONSISTENT) in any namespace */
    bool damaged;    /* a list did not end where it must: what was read up to there is told, and what was known stays */
};

/* Finds the loader's r_debug; nothing is walked yet. Never fails: without one, SOURCE is LINKMAP_OF_FILES. To be called
 * again where the loader has not come to life yet (right after an execve: COUNT stays 0 after an update). */
void linkmap_init(const struct linkmap_process *process, const struct auxv *auxv, struct linkmap *ret);
void linkmap_deinit(struct linkmap *linkmap);
/* What is known in LINKMAP, for PROCESS, which is a copy of the other (fork(2)). */
void linkmap_copy(const struct linkmap *linkmap, const struct linkmap_process *process, struct linkmap *ret);
/* Walks again. Objects that were not there before are marked fresh, those that left are put behind GONE. True where
 * either is the case. */
bool linkmap_update(struct linkmap *linkmap);
void linkmap_forget_gone(struct linkmap *linkmap);

/* The image of OBJECT in memory: 0, or -1. Free with memimage_deinit(). */
int linkmap_image(const struct linkmap *linkmap, const struct linkmap_object *object, struct memimage *ret);
/* The object in whose segments ADDR lies, or NULL. */
struct linkmap_object *linkmap_at(struct linkmap *linkmap, uint64_t addr);
/* Reads soname and DT_NEEDED of OBJECT from memory, once. */
void linkmap_read_needs(const struct linkmap *linkmap, struct linkmap_object *object);
/* Whether a DT_NEEDED or dlopen NAME (or an entry of LD_PRELOAD) is OBJECT's: its path, its last part or its soname.
 * Reads its needs. */
bool linkmap_answers(const struct linkmap *linkmap, struct linkmap_object *object, const char *name);
/* The first object in load order, in OBJECT's namespace, that needs it; or NULL. Reads all their needs. */
const struct linkmap_object *linkmap_needed_by(struct linkmap *linkmap, struct linkmap_object *object);

/* For linkmap.c. linkmap_files.c: the ELF files that a process without a loader has mapped, as objects, malloced. */
struct linkmap_object *linkmap_files(const struct linkmap *linkmap, size_t *count);
/* linkmap_object.c: fills in .path of a new object. */
void linkmap_name(const struct linkmap *linkmap, struct linkmap_object *object);
void linkmap_object_deinit(struct linkmap_object *object);

#endif
