/* The watch over one program's loader: its link map, and breakpoints at the functions by which it tells of errors and
 * by which it is asked (breaks.h). Only programs that we launched are watched. Everything is found in memory (the
 * loader at AT_BASE, then the C library that it has loaded), so a stripped or replaced loader is as good as any. */
#ifndef GLIBCTRACE_TRACER_WATCH_H
#define GLIBCTRACE_TRACER_WATCH_H

#include "breaks.h"
#include "memory.h"

#include <probes/linkmap.h>
#include <probes/proc.h>
#include <reports/event.h>

struct errors;
struct image_ref;
struct map_name;
struct put_off;

struct watch {
    struct memory memory;
    struct mem mem;
    char *exe; /* of the program, inside its root, or NULL */
    struct auxv auxv;
    bool musl;
    uint64_t libc_start, libc_end;    /* musl: its segments, … */
    uint64_t print_addr, format_addr; /* … vdprintf and vsnprintf in there, or 0, … */
    int errno_offset;                 /* … and where errno is behind the thread pointer, or below zero */
    bool prints_itself;               /* the loader has _dl_fatal_printf: what ends the process is told there */
    struct linkmap linkmap;           /* as of the last change */
    bool stale;                       /* it is to be walked again before it is used */
    bool known;                       /* linkmap has been made */
    bool still;                       /* the program has no loader; the link map is of its mapped files */
    unsigned looked_up;               /* calls of dlsym and dlvsym told of */
    bool deaf;                        /* they were too many, no more are told of */
    int libc_fd;                      /* descriptor of a libc.so.6 that is about to be mapped, or -1 */
    uint64_t libc_addrs[4];           /* where libc.so.6 and libdl.so.2 begin, … */
    unsigned libc_count;              /* … as far as they are known by what they are (watch_images.c) */
    bool hears;                       /* the loader's functions that make exceptions have breakpoints */
    bool asked;                       /* an object may call dlopen or one of its like: these have breakpoints */
    bool spoken;                      /* an error is there, or may come: libc's functions for them have breakpoints */
    bool armed;                       /* calls of dlopen and its like are seen */
    bool told_of_changes;             /* the loader's own function for that has a breakpoint */
    struct map_name *map_names;       /* watch_lookups.c */
    struct put_off *put_off;          /* watch_slots.c */
    unsigned calls;                   /* of dlopen and its like, that threads are in */
};

/* TASK's process has a new image. */
void watch_exec(struct session *session, struct task *task, const struct proc_image *image);
/* IMAGE is glibc's libc.so.6 or libdl.so.2 in TASK's space. It gets its breakpoints when they may be needed, since each
 * page with one costs a process as much as three calls that are followed: */
void watch_libc(struct session *session, struct task *task, struct image_ref *image);
/* … an object has come that may call dlopen or one of its like (watch_imports.c); … */
void watch_asked(struct session *session, struct task *task);
/* … the loader has made an exception, or is asked for what may fail otherwise. */
void watch_spoken(struct session *session, struct task *task);
/* watch_early.c: TASK has opened PATH as descriptor FD; has mapped code from OFFSET of descriptor FD at ADDR. */
void watch_opened(struct task *task, const char *path, int fd);
void watch_mapped(struct session *session, struct task *task, int fd, uint64_t offset, uint64_t addr);
/* For the forked process PID. */
/* watch_imports.c: whether the object of a file (NULL: not known), which begins at BASE_ADDR, may call one of those;
 * looked for once a session in each file. BASE_ADDR 0: it is the one with COUNT program headers at HEADERS_ADDR. */
struct files;
struct imports_object {
    const struct stat *file;
    const struct mem *mem;
    uint64_t base_addr, headers_addr;
    size_t header_count;
};
bool imports_ask(struct session *session, const struct imports_object *object);
void files_destroy(struct files *files);
struct watch *watch_copy(const struct watch *watch, pid_t pid);
void watch_destroy(struct watch *watch);
/* Whether all exceptions that TASK's loader has made since its start are told. */
bool watch_hears(const struct task *task);
/* Its link map as it is now; NULL where there is no watch, or no loader that keeps one. TASK stands. */
struct linkmap *watch_linkmap(struct task *task);
/* The same, whatever it is of and as it was last read; NULL where there is no watch. */
struct linkmap *watch_map(struct task *task);
/* The path of the object whose code or data ADDR is, or NULL; valid until the link map changes. */
const char *watch_object(struct task *task, uint64_t addr);

/* What a function was called with: number I of its arguments as a word and as a string (malloced, bounded, NULL where
 * it is null or cannot be read), and what it gives back. */
uint64_t watch_argument(const struct break_hit *hit, unsigned i);
char *watch_string(const struct break_hit *hit, uint64_t addr);
uint64_t watch_result(const struct break_hit *hit);

/* watch_images.c: what has been found in an object is where it was in every other process that has the same (by its
 * build-id), so it is looked for once in a session. */
struct images;
struct known_image;
struct image_ref {
    const struct mem *mem;
    uint64_t base_addr;
    struct known_image *known;     /* or NULL */
    const struct memimage *parsed; /* or NULL: not needed so far */
    struct memimage own;
    bool failed;
};
/* Of the image whose first byte is at BASE_ADDR, read by way of MEM, which must outlive it: 0, or -1 where nothing of
 * the kind lies there. And of an IMAGE that is there and outlives it. Both are given back by images_drop(). */
int images_at(struct session *session, const struct mem *mem, uint64_t base_addr, struct image_ref *ret);
void images_of(struct session *session, const struct memimage *image, struct image_ref *ret);
void images_drop(struct image_ref *ref);
/* Whether this was asked of the same image, which is known, before. */
bool images_learned(const struct image_ref *ref);
/* The image itself, read now where it has not been; NULL where it cannot be. */
const struct memimage *images_parsed(struct image_ref *ref);
/* The address of the exported NAME, 0 where there is none; or of its old VERSION. */
uint64_t images_symbol(struct image_ref *ref, const char *name, const char *version);
void images_destroy(struct images *images);

/* A breakpoint at the exported function NAME of IMAGE, all its versions; false where it has none. */
bool watch_function(struct session *session, struct task *task, struct image_ref *image, const char *name,
                    const struct break_handler *handler);
void watch_learn(struct image_ref *image, const char *name);

/* An error in the loader's own words; all strings are malloced. */
struct loader_words {
    char *object;  /* what it is about, or NULL */
    char *format;  /* untranslated; */
    char *args[6]; /* its arguments as strings; */
    char *text;    /* and both together; */
    bool whole;    /* which says all, object and errno as well */
    char *occasion;
    char *by;                        /* whose dlopen or dlsym it happened in, or NULL */
    struct stack_snapshot *snapshot; /* or NULL */
    int error;
};
void loader_words_deinit(struct loader_words *words);
/* Where it happens: fills in by and snapshot. */
void loader_words_place(struct loader_words *words, struct task *task, const struct break_hit *hit);

/* watch_errors.c: what the loader says, held back until it is known what came of it, but never behind what shows it. */
/* Whether no exception will be missed. */
bool errors_arm_loader(struct session *session, struct task *task, struct image_ref *loader);
void errors_arm_libc(struct session *session, struct task *task, struct image_ref *libc);
/* Where its functions are, while it is easily read. */
void errors_learn_libc(struct image_ref *libc);
/* TASK makes a call that is told. */
void errors_at_call(struct session *session, struct task *task, const struct call *call,
                    const struct syscall_stop *stop);
/* TASK stands at its exit, with STATUS as waitpid(2) will give it. */
void errors_at_exit(struct session *session, struct task *task, int status, bool by_loader);
/* What is held back is told now: with OUTCOME, or as a warning where it was printed. */
void errors_settle(struct session *session, struct task *task, enum loader_outcome outcome);
/* Recording is about to end. */
void errors_settle_all(struct session *session);
/* One from elsewhere (musl), whose strings are taken over; PRINTED: it is on its way to standard error. */
void errors_add(struct session *session, struct task *task, struct loader_words *words, bool printed);
/* The newest one's words as they came out, malloced: the C library's own text of its errno may not be ours. */
void errors_reword(struct task *task, char *text);
void errors_destroy(struct errors *errors);

/* watch_format.c: printf(3)'s formats as loaders use them, filled in with a struct's worth of arguments. */
/* Reads the next argument: a word. */
struct format_source {
    bool (*next)(void *ctx, uint64_t *ret);
    void *ctx;
    const struct mem *mem;
    int error; /* of %m */
};
/* FORMAT with its arguments, malloced; each conversion's text is also put into ARGS (malloced), as far as they go. */
char *format_fill(const char *format, const struct format_source *source, char *args[6]);

/* watch_calls.c: dlopen, dlmopen, dlsym, dlvsym, dlclose. */
void calls_arm(struct session *session, struct task *task, struct image_ref *image);
void calls_learn(struct image_ref *image);
/* The same in a static program, by its symbol table. */
void calls_arm_program(struct session *session, struct task *task, uint64_t bias);
/* The object whose call of one of those TASK is in (the innermost, SP_ADDR being its stack pointer), malloced; or NULL.
 */
char *calls_caller(struct task *task, uint64_t sp_addr);

/* watch_lookups.c: which object defines what another asks for. LOADER has not begun. */
void lookups_arm(struct session *session, struct task *task, struct image_ref *loader);
/* TASK makes the loader's exception: the lookup that it is in has found nothing. */
void lookups_failed(struct session *session, struct task *task, const struct break_hit *hit);
/* The link map has changed, or WATCH ends. */
void lookups_forget(struct watch *watch);

/* watch_slots.c: the same for musl. */
/* LINKMAP has changed, all of it is bound. */
void lookups_bound(struct session *session, struct task *task, struct linkmap *linkmap);
/* FROM asks for SYMBOL, and the loader says that there is none. */
void lookups_missed(struct session *session, struct task *task, const char *from, const char *symbol);
/* CALL has come back. */
void lookups_asked(struct session *session, struct task *task, const struct event_loader *call);
struct put_off *put_off_copy(const struct put_off *put_off);
void put_off_destroy(struct put_off *put_off);

/* watch_musl.c: musl's loader, which is its libc, has no functions for errors but prints them. */
void musl_arm(struct session *session, struct task *task, struct image_ref *libc);
/* A thread calls dlopen or one of its like, and has come back. */
void musl_asked(struct session *session, struct task *task);
void musl_answered(struct session *session, struct task *task);

#endif
