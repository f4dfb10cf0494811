/* What each kind of cause means, in words: contract.md section 3. */
#include "report.h"

static const struct {
    const char *wrong, *missing;
} kinds[CAUSE_KIND_COUNT] = {
    [CAUSE_SYMBOL_VERSION_MISSING] = {"an object needs a version that the library loaded for it does not define",
                                      "the version: GLIBC_2.38, GLIBCXX_3.4.32"},
    [CAUSE_SYMBOL_MISSING] = {"an undefined symbol that no object in the lookup scope defines", "name or name@VERSION"},
    [CAUSE_LIBRARY_MISSING] = {"a needed or dlopened library is nowhere the loader looked, nor nearby",
                               "the soname or path asked for"},
    [CAUSE_LIBRARY_OFF_PATH] = {"it is on this system, but in no directory that was searched", "the soname"},
    [CAUSE_LIBRARY_SHADOWED] = {"LD_LIBRARY_PATH, RPATH/RUNPATH or LD_PRELOAD put a wrong copy before a good one",
                                "the version or symbol that the wrong copy lacks"},
    [CAUSE_LOADER_LIBC_SKEW] = {"ld.so and libc.so.6 of different builds are mixed",
                                "the GLIBC_PRIVATE symbol or version"},
    [CAUSE_LIBC_FAMILY_MISMATCH] = {"a musl-linked object in a glibc process, or the reverse",
                                    "the other family's soname or symbol"},
    [CAUSE_INTERPRETER_MISSING] = {"an existing ELF file cannot be executed: its PT_INTERP is not there",
                                   "the interpreter's path"},
    [CAUSE_SCRIPT_INTERPRETER_MISSING] =
        {"an existing script cannot be executed: its #! program is not there (a carriage return counts)",
         "the program as written"},
    [CAUSE_WRONG_ARCHITECTURE] = {"class, byte order or machine do not fit",
                                  "the machine that the file would have to be for: x86_64, i386, aarch64"},
    [CAUSE_CPU_LEVEL_TOO_LOW] = {"x86-64-vN or an instruction that this processor lacks", "the level or instruction"},
    [CAUSE_OBJECT_CORRUPT] = {"empty, truncated or not an ELF file", "the file's path"},
    [CAUSE_SYMLINK_LOOP] = {"links on the way lead in a circle (ELOOP)", "the path asked for"},
    [CAUSE_SYMLINK_DANGLING] = {"a link on the way points at nothing", "the target that is not there"},
    [CAUSE_FILE_MISSING] = {"a file that the program itself needs is not there", "the path"},
    [CAUSE_PERMISSION_DENIED] = {"mode bits, ownership or a capability forbid it", "the path"},
    [CAUSE_NOEXEC_MOUNT] = {"mapped or executed from a noexec mount", "the mount point"},
    [CAUSE_STATIC_TLS_EXHAUSTED] = {"no static TLS space is left for the object", "the object"},
    [CAUSE_EXECSTACK_REFUSED] = {"the object asks for an executable stack and does not get it", "the object"},
    [CAUSE_SYSCALL_BLOCKED] =
        {"a seccomp policy or an old kernel refuses a system call that the program cannot do without", "its name"},
    [CAUSE_SANDBOX_UNAVAILABLE] = {"the Chromium or Electron sandbox cannot start",
                                   "what it lacks: user namespaces, the helper's path"},
    [CAUSE_WATCH_LIMIT] = {"an fs.inotify limit is reached", "the sysctl's name"},
    [CAUSE_RESOURCE_LIMIT] = {"descriptors, memory, disk or processes are used up",
                              "the limit's name: RLIMIT_NOFILE, ENOSPC:/tmp"},
    [CAUSE_COMMAND_NOT_FOUND] = {"a program looked for on PATH is not there", "its name"},
    [CAUSE_ENVIRONMENT_WRONG] = {"a variable points at something that is not there or not what is meant", "NAME=value"},
    [CAUSE_CONNECTION_REFUSED] = {"a socket (display, D-Bus, language or debug server) is absent or refuses",
                                  "its address"},
    [CAUSE_MODULE_ABI_MISMATCH] = {"a native add-on was built for another runtime ABI",
                                   "the ABI that the runtime wants: NODE_MODULE_VERSION 115, cpython-311, go1.22.1"},
    [CAUSE_CRASH] = {"a signal whose cause is in the program itself", "the signal's name"},
};

const char *cause_kind_wrong(enum cause_kind kind)
{
    return kinds[kind].wrong;
}

const char *cause_kind_missing(enum cause_kind kind)
{
    return kinds[kind].missing;
}
