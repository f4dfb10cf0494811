/* The parts of `glibctrace sandbox`: what is to be copied, the copying, and what came of it.
 *
 * The copy of a program has its interpreter (PT_INTERP, which the kernel takes as it is: an absolute path, execve(2))
 * in DIR/lib and a DT_RPATH of "$ORIGIN/…/lib". DT_RPATH and not DT_RUNPATH, since it comes before LD_LIBRARY_PATH and
 * holds for what the program's libraries need and for what is dlopened as well (ld.so(8), _dl_map_object of
 * elf/dl-load.c): thus the C library's own NSS modules are found, too. A library is changed only where it has a run
 * path of its own. */
#ifndef GLIBCTRACE_TRACER_SANDBOX_H
#define GLIBCTRACE_TRACER_SANDBOX_H

#include <probes/libcroot.h>
#include <reports/report.h>
#include <reports/scratch.h>

enum sandbox_what {
    SANDBOX_PROGRAM, /* of a BUILD */
    SANDBOX_LIBRARY, /* of a BUILD */
    SANDBOX_NEEDED,  /* a library that they need, into lib */
    SANDBOX_LIBC,    /* the C library's own, into lib */
    SANDBOX_STATIC,  /* of a BUILD: copied as it is, as are the next ones */
    SANDBOX_MUSL,
    SANDBOX_FOREIGN, /* for another machine */
    SANDBOX_OTHER,   /* no ELF file */
    SANDBOX_DATA,    /* one that they name by an absolute path, into lib */
    SANDBOX_LINK,
    SANDBOX_DIRECTORY,
};

/* A constant of a file's: the absolute path of data, which is another one in the copy; as long as it was. */
struct sandbox_name {
    uint64_t at; /* in the file */
    char *was, *now;
};

struct sandbox_file {
    enum sandbox_what what;
    const char *root; /* of PATH; the sandbox's or its libc's */
    char *path;       /* absolute, inside the root */
    char *to;         /* relative, inside DIR */
    char *link;       /* LINK: its text */
    char *first_line; /* a script whose interpreter is one of the copy's: what stands there then; or NULL */
    size_t instead;   /* … of so many bytes */
    char *run_path;   /* to be set; NULL: it is left as it is */
    struct strings
        replaced; /* libraries that it needs by an absolute path, each with the name in its place behind it */
    unsigned mode;
    bool bad; /* it would not load */
    struct sandbox_name *names;
    size_t name_count, name_cap;
};

struct sandbox {
    const char *root;        /* of the BUILDs, as in path.h */
    char *dir;               /* absolute, without links */
    char *patchelf;          /* the program */
    bool made_dir;           /* it was not there */
    struct scratch packages; /* what they were unpacked into: the libc's root, for the time being; or {0} */
    struct scratch unpacked; /* likewise of BUILDs that are archives, each in a directory of its own */
    struct libcroot libc;
    struct sandbox_file *files;
    size_t count, cap;
    struct strings trees; /* the BUILDs that are directories, inside the root */
    bool server;          /* one of them is a VS Code server that has a way of its own */
    bool own_conversions; /* the copy of libc.so.6 names DIR/lib/gconv by itself */
    struct strings notes;
};

/* sandbox_plan.c: one BUILD, a path inside the root. Nothing is written. */
int sandbox_add(struct sandbox *sandbox, const char *build, struct err *err);
/* Whether any of it can be treated, on this machine; *RET is one that can: to be put back by elffile_put(). */
int sandbox_model(const struct sandbox *sandbox, const struct elffile **ret, struct err *err);
struct sandbox_file *sandbox_file_add(struct sandbox *sandbox, enum sandbox_what what, const char *root,
                                      const char *path, char *to_taken);
/* The first program of it that is treated, or NULL: from then on the libraries need no run path of their own. */
const struct sandbox_file *sandbox_program(const struct sandbox *sandbox);
/* The directory PATH of ROOT goes whole to TO, as it is; one that is not there does not. */
int sandbox_add_data(struct sandbox *sandbox, const char *root, const char *path, const char *to, struct err *err);
void sandbox_deinit(struct sandbox *sandbox);

/* sandbox_needs.c: what the files that are there need, and the C library; whether this kernel will do. */
int sandbox_needs(struct sandbox *sandbox, struct err *err);

/* sandbox_make.c: makes DIR. Where it fails or is interrupted (SIGINT, SIGTERM, SIGHUP), nothing of it stays. */
int sandbox_make(struct sandbox *sandbox, struct err *err);
/* Runs ARGV; what it says goes to SAID (SANDBOX_SAID bytes), up to its first newline. Its status as wait(2) has it. */
enum { SANDBOX_SAID = 512 };
int sandbox_run_tool(char *const *argv, char *said);
/* The program NAME on PATH, malloced, or NULL. */
char *sandbox_find_tool(const char *name);

/* sandbox_strings.c: how long the longest run path of FILE's original is; patchelf puts a longer one somewhere else. */
size_t sandbox_longest_run_path(const struct sandbox_file *file);
/* What patchelf, which has made PATH of FILE's original, has crossed out there, is put back. */
int sandbox_give_back_strings(const struct sandbox_file *file, const char *path, struct err *err);

/* sandbox_packages.c: unpacks PACKAGES into the sandbox's scratch directory for them. */
int sandbox_unpack(struct sandbox *sandbox, const struct strings *packages, struct err *err);
/* sandbox_add(), of an archive that of the directory that it unpacks to. */
int sandbox_add_build(struct sandbox *sandbox, const char *build, struct err *err);

/* sandbox_launcher.c: DIR/run. */
int sandbox_launcher(const struct sandbox *sandbox, struct err *err);
/* Which program run starts, inside DIR, where there is only one; or NULL: its first argument names it. */
const char *sandbox_only_program(const struct sandbox *sandbox);
/* Variables that it sets besides, "NAME=VALUE". */
void sandbox_variables(const struct sandbox *sandbox, struct strings *ret);

/* sandbox_check.c: would the copy load, by the shadow loader; causes and tables go to REPORT. */
void sandbox_check(struct sandbox *sandbox, struct report *report);
/* Of causes that are one and the same thing the first is kept. */
void sandbox_drop_repeated(struct report *report);
/* Whether NAME names a program of the copy. */
int sandbox_command(const struct sandbox *sandbox, const char *name, struct err *err);
/* COMMAND, run once under glibctrace with the copy's program in the place of its first word, which was found. The
 * report of that run is *RET. */
int sandbox_try(const struct sandbox *sandbox, char *const *command, size_t words, struct report **ret,
                struct err *err);

/* sandbox_data.c, before it is made: files that programs and libraries of another root name by absolute paths and that
 * this system has not, or has others, go along; those that cannot become notes. */
void sandbox_data(struct sandbox *sandbox);
/* Sets the constants of the copy FD of FILE, before anything else in it is moved. */
int sandbox_rename(const struct sandbox_file *file, int fd, struct err *err);

/* sandbox_tell.c: the tables and the first sentence. */
void sandbox_tell(const struct sandbox *sandbox, struct report *report);
/* After that: of RUN (NULL: there was none), whose causes are taken over. False where it does not prove the copy. */
bool sandbox_tell_run(const struct sandbox *sandbox, char *const *command, size_t words, struct report *run,
                      struct report *report);

#endif
