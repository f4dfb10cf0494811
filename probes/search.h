/* Where the dynamic loader looks for one library, in which order, and what stands at each place.
 *
 * glibc: elf/dl-load.c (_dl_map_object, open_path, open_verify, fillin_rpath, decompose_rpath), dl-cache.c,
 * dl-hwcaps.c; ld.so(8). musl: ldso/dynlink.c (load_library, path_open); rpath and runpath are one there and are
 * inherited. */
#ifndef GLIBCTRACE_PROBES_SEARCH_H
#define GLIBCTRACE_PROBES_SEARCH_H

#include "elffile.h"
#include "path.h"

enum search_origin {
    ORIGIN_DIRECT, /* the name holds a slash */
    ORIGIN_RPATH,
    ORIGIN_LIBRARY_PATH, /* LD_LIBRARY_PATH or ld.so --library-path */
    ORIGIN_RUNPATH,
    ORIGIN_CACHE,   /* ld.so.cache */
    ORIGIN_DEFAULT, /* the loader's own directories; musl: /etc/ld-musl-ARCH.path or its default */
    ORIGIN_PRELOAD, /* LD_PRELOAD, --preload or /etc/ld.so.preload: set on the object, its search has its own origins */
};

enum candidate_state {
    CANDIDATE_FOUND,
    CANDIDATE_ABSENT, /* see walk */
    CANDIDATE_DANGLING,
    CANDIDATE_LOOP,
    CANDIDATE_NOT_DIRECTORY,
    CANDIDATE_DENIED,
    CANDIDATE_WRONG_CLASS,
    CANDIDATE_WRONG_BYTE_ORDER,
    CANDIDATE_WRONG_MACHINE,
    CANDIDATE_BAD_FILE,       /* empty, short, not ELF, truncated, malformed, a directory */
    CANDIDATE_KERNEL_TOO_OLD, /* .note.ABI-tag asks for a newer kernel */
    CANDIDATE_ISA_LEVEL,
    CANDIDATE_NOEXEC, /* its mount forbids to map code for execution */
    CANDIDATE_OTHER,  /* see walk.error */
};

struct candidate {
    char *path; /* absolute inside the root, as the loader would print it */
    enum search_origin origin;
    const char *origin_of; /* RPATH, RUNPATH: path of the object whose entry it is; else NULL. Owned by the load. */
    char *entry;           /* the directory as it was written ("$ORIGIN/../lib"), or NULL */
    enum candidate_state state;
    bool ends; /* a truncated object counts too: it is taken, and then ends the process with SIGBUS. glibc stops the
                  search here with an error (a file that is not ELF ends it, one of another class is passed over) */
    struct path_walk walk;     /* for the reason; PATH_OK for files that are there */
    const struct elffile *elf; /* what was read, or NULL; owned by the candidate */
    char *why; /* one phrase for a person: "not there: /opt/x does not exist", "a link to itself", "for aarch64, not
                  x86_64" */
};

struct search {
    char *name; /* as asked for: a soname or a path */
    struct candidate
        *places; /* in the loader's order. Whole directories that do not exist give one place per directory */
    size_t count;
    long found; /* index of the place that is taken, or -1 */
    long fault; /* index of the place that best explains a failure (a file is there but cannot be used), or -1 where all
                   are simply absent */
};

const char *
search_origin_text(enum search_origin origin); /* "LD_LIBRARY_PATH", "RUNPATH", "ld.so.cache", "default directory" … */
void search_deinit(struct search *search);

/* Looks for NAME (a soname) near the program, outside the loader's directories: bounded walks of the directories around
 * NEAR[0..NEAR_COUNT) (files whose neighbourhood counts: the program, the object that asks), of /usr/lib, /usr/local,
 * /opt and of CWD, for a file of that name that fits MODEL's class and machine. At most a few ten thousand entries and
 * depth 6. Returns a malloced absolute path inside ROOT or NULL. */
char *search_elsewhere(const char *root, const char *name, const struct elffile *model, const char *const *near,
                       size_t near_count, const char *cwd);
/* The same for a file that DOES (NULL: any) says will do; CTX is its. */
char *search_elsewhere_for(const char *root, const char *name, const struct elffile *model, const char *const *near,
                           size_t near_count, const char *cwd, bool (*does)(void *ctx, const struct elffile *elf),
                           void *ctx);

#endif
