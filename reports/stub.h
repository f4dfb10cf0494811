/* Stubs: a struct mini_object written as a real ELF file that a real loader maps, binds and starts.
 *
 * The file has what a loader reads (program headers, PT_DYNAMIC, symbols, versions, relocations) and no section
 * headers, no data, no code but "exit with 0" in programs and one "return" in libraries. It is written from <elf.h>'s
 * structures field by field, since the byte order and the class may be foreign. System V ABI, chapters 4 and 5; the
 * versions follow "ELF Symbol Versioning" (GNU). Judges: ld.so of glibc 2.31 and newer, musl's, and readelf. */
#ifndef GLIBCTRACE_REPORTS_STUB_H
#define GLIBCTRACE_REPORTS_STUB_H

#include "scenario.h"

/* Class, byte order and machine (elf.h) of the programs that this kernel runs natively, from uname(2); x86-64 where the
 * machine is not known to us. */
void stub_native(unsigned *class, unsigned *data, unsigned *machine);
/* The loader's path that the machine's ABI fixes for glibc, or NULL where we do not know it. */
const char *stub_loader(unsigned class, unsigned data, unsigned machine);
/* Whether a stub program of that machine can be run at all: we know how to say exit(0) there. */
bool stub_runs(unsigned class, unsigned data, unsigned machine);

/* Whether it is a libc.so.6 to which is added what glibc's loader wants of it. */
bool stub_is_libc(const struct mini_object *object);

struct stub_file {
    unsigned char *bytes; /* malloced */
    size_t size;
};

/* Writes OBJECT, whatever its defect. A program's interp of NULL is the machine's own, an empty one makes a static
 * program. RUNPATH (DT_RUNPATH) and RPATH (DT_RPATH) may be NULL. Fails where a name is too
 * long or there are too many of them, and where the machine's way to relocate is not known but OBJECT has undefined
 * symbols. A libc.so.6 is given what glibc's loader wants of it. */
int stub_build(const struct mini_object *object, const char *rpath, const char *runpath, struct stub_file *ret,
               struct err *err);
/* A static program for this machine that makes one call and tells of its failure. */
struct stub_call {
    bool opens;        /* openat(2) for reading, and exit with 0 where it goes well; else execve(2) without arguments */
    bool connects;     /* or a stream socket is connected to PATH, an address as in struct scenario … */
    bool serves;       /* … on which the program listens itself first, and exits with 0 where that goes well */
    const char *path;  /* relative to its working directory */
    bool bare;         /* argv[0] is the file's name alone, as it is after a search on PATH */
    int error;         /* the errno value that is expected: then it writes WORDS to its standard error … */
    unsigned status;   /* … and exits with STATUS. Another error: silently, with 125 */
    const char *words; /* with a newline */
};
/* Why not sh, env or xargs: they all take what the kernel refuses with ENOEXEC for a script (execvp(3), POSIX sh
 * 2.9.1.1), and have names of their own. Fails where we do not know this machine's instructions. */
int stub_caller(const struct stub_call *call, struct stub_file *ret, struct err *err);

#endif
