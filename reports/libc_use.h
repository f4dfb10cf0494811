/* Which C library is in use: by a process, by a program or library that stands in a file, by the programs of a root.
 *
 * One answer is a struct libc_use: what it is, how that is known and how sure. It is put into the report as a row of
 * the table "libcs"; loaders and C libraries that do not belong together are causes. Nothing is run. */
#ifndef GLIBCTRACE_REPORTS_LIBC_USE_H
#define GLIBCTRACE_REPORTS_LIBC_USE_H

#include "report.h"

#include <probes/err.h>
#include <probes/elffile.h>
#include <probes/libc.h>

/* Where a file is to be used. */
struct libc_where {
    const char *root;       /* as in path.h: "" is this system's own */
    const char *const *env; /* NAME=VALUE, NULL-terminated, or NULL: for LD_LIBRARY_PATH and the like */
    const char *cwd;
};

struct libc_use {
    char *of;        /* the program's path, "this system", … */
    pid_t pid;       /* 0: no process */
    size_t programs; /* of a tree: how many are alike; else 0 */
    char *kind;      /* of a tree: what all that are alike have in common before they are looked at, or NULL */
    bool system;     /* of a whole root, OF being its name: "" is this one */
    struct libc_facts libc;
    char *least;     /* "2.34": the release is not known, and it is no older; or NULL */
    const char *how; /* a word or two, where LIBC.FROM is a sentence */
    unsigned sure;   /* in a hundred; 0: nothing is known */
    bool to_be;      /* it does not run: what it would get */
    char *loader;    /* or NULL */
    struct libc_identity loader_says;
    char *package; /* that the file of the C library belongs to, or NULL */
    char *machine;
    char *context; /* "host", "chroot", …; or NULL */
    char *root;    /* where its paths are to be looked up, or NULL */
    char *wants;   /* a library: the newest release of glibc that it asks for, or NULL */
    struct strings notes;
    struct cause *cause; /* or NULL */
};

struct libc_uses {
    struct libc_use *v;
    size_t n, cap;
};

/* The next one, filled with nothing. */
struct libc_use *libc_uses_add(struct libc_uses *uses);
void libc_uses_deinit(struct libc_uses *uses);
/* Of those from number FIRST on only the last stays. */
void libc_uses_keep_last(struct libc_uses *uses, size_t first);

/* Each adds to USES; below zero: nothing can be said, and ERR says why. */
/* A process (or thread) that is there. */
int libc_use_process(pid_t pid, struct libc_uses *uses, struct err *err);
/* An ELF file at PATH, absolute inside the root. */
int libc_use_file(const struct libc_where *where, const char *path, struct libc_uses *uses, struct err *err);
/* The system at WHERE's root, called NAME ("": this one): first what its shell uses, then each loader that is there
 * besides. */
void libc_use_root(const struct libc_where *where, const char *name, struct libc_uses *uses);
/* Whether DIRECTORY (absolute) is such a root, rather than a directory of one. */
bool libc_is_root(const char *directory);
/* All ELF files in and below DIRECTORY, absolute inside the root, those that are alike together. */
int libc_use_tree(const struct libc_where *where, const char *directory, struct libc_uses *uses, struct err *err);

/* All of USES into REPORT: tables, causes, its first sentence, its system's C library. */
void libc_uses_put(struct libc_uses *uses, struct report *report);

/* For libc_use_*.c. What PART says goes to USE. */
void libc_use_says(struct libc_use *use, struct libc_identity *says, const char *path);
void libc_use_known(struct libc_use *use, const char *how, unsigned sure, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The static program in the file PATH inside ROOT. */
void libc_use_static(struct libc_use *use, const char *root, const char *path);
void libc_use_note(struct libc_use *use, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Its loader is another build than its C library: makes a cause of that, where there is none. WHAT: the symbol or
 * version that one asks the other for in vain, or NULL; BY_LOADER: it is the loader that asks. */
void libc_use_skew(struct libc_use *use, const char *what, bool by_loader);
/* What decides which C library the file ELF gets, where that can be told without its load (malloced), or NULL: files of
 * one kind get the same. And its own .wants. */
char *libc_use_kind(const struct libc_where *where, const struct elffile *elf);
char *libc_use_wants(const struct elffile *elf);
/* The loader at LOADER (absolute inside the root), and what it finds. */
bool libc_use_loader(const struct libc_where *where, const char *loader, struct libc_use *use);
/* The loaders that stand where programs look for theirs. */
void libc_loaders(const char *root, struct strings *ret);

#endif
