/* What the kernel would do with a file that is to be executed, and what is in its way.
 *
 * linux: fs/exec.c, fs/binfmt_script.c (the first line, at most 256 bytes; one optional argument), fs/binfmt_elf.c
 * (PT_INTERP). */
#ifndef GLIBCTRACE_PROBES_EXECFILE_H
#define GLIBCTRACE_PROBES_EXECFILE_H

#include "elffile.h"
#include "path.h"

enum execfile_verdict {
    EXECFILE_SOUND,         /* nothing that we can see is wrong with it */
    EXECFILE_TEXT,          /* neither ELF nor a script: shells run it as commands (ENOEXEC) */
    EXECFILE_INTERP_ABSENT, /* ELF: PT_INTERP is not there */
    EXECFILE_SCRIPT_ABSENT, /* the program of its first line is not there */
    EXECFILE_NOT_PERMITTED, /* no x bit for this user, or not a regular file */
    EXECFILE_NOEXEC_MOUNT,
    EXECFILE_OTHER_MACHINE,
    EXECFILE_BROKEN,   /* ELF magic, but empty, cut or malformed; an empty file; text as a script's program */
    EXECFILE_TOO_DEEP, /* a script for a script for a script… (ELOOP) */
};

struct execfile {
    enum execfile_verdict verdict;
    char *path;  /* the file at fault: the one asked for, or an interpreter on the way (absolute, inside the root) */
    char *asker; /* BROKEN, OTHER_MACHINE: the ELF file whose PT_INTERP .path is; or NULL */
    char *interpreter;          /* INTERP_ABSENT, SCRIPT_ABSENT, TOO_DEEP: as written */
    char *mount;                /* NOEXEC_MOUNT: the mount point */
    const char *machine_wanted; /* OTHER_MACHINE: the name that the file would have to have */
    const struct elffile *elf;  /* of the file at fault, or NULL */
};

/* Looks at PATH (absolute) inside ROOT with CRED's eyes (NULL: this process's); ERROR is the errno value that execve
 * gave, 0 where it was not asked: then everything is looked at. Follows scripts to their interpreters, at most five
 * deep as the kernel does (exec_binprm() of fs/exec.c). */
void execfile_inspect(const char *root, const char *path, const struct cred *cred, int error, struct execfile *ret);
/* Whether the file's rights are others than those of this process's user, who would run it: its loader hears of that by
 * AT_SECURE (getauxval(3)), and does not heed the environment. */
bool execfile_is_secure(const char *root, const char *path);
void execfile_deinit(struct execfile *file);
/* The program named in the first line of the file behind FD ("/bin/sh\r" with its carriage return), malloced, or NULL
 * where that is no "#!" line. */
char *execfile_script_program(int fd);
/* The same; *ARGUMENT is all that stands behind it, which the program gets as one argument, malloced, or NULL. */
char *execfile_script_line(int fd, char **argument);

#endif
