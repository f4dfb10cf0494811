/* The dynamic loader's own calls, among strace's lines: which they are, and what it read of the libraries. */
#include "read_strace.h"

#include "model.h"
#include "strace_value.h"
#include "syscall.h"

#include <probes/alloc.h>
#include <probes/elffile.h>

#include <stdlib.h>
#include <string.h>

static bool loader_file(const char *path)
{
    return library_like(path) || strncmp(path, "/etc/ld.so.", 11) == 0 || strncmp(path, "/etc/ld-musl-", 13) == 0;
}

/* Whether glibc's loader makes such a call before the program begins (elf/rtld.c; 2.2 to 2.43). */
static bool loader_makes(const struct strace_call *call, const char *path)
{
    static const char *const on_files[] = {"open",     "openat",     "openat2", "access",     "faccessat",
                                           "stat",     "stat64",     "lstat",   "newfstatat", "fstatat64",
                                           "readlink", "readlinkat", "statx",   NULL};
    static const char *const others[] = {"brk",
                                         "arch_prctl",
                                         "mmap",
                                         "mmap2",
                                         "mprotect",
                                         "munmap",
                                         "read",
                                         "pread64",
                                         "close",
                                         "fstat",
                                         "fstat64",
                                         "lseek",
                                         "_llseek",
                                         "set_tid_address",
                                         "set_robust_list",
                                         "rseq",
                                         "prlimit64",
                                         "uname",
                                         "getcwd",
                                         "set_thread_area",
                                         "ugetrlimit",
                                         "getrlimit",
                                         "writev",
                                         "write",
                                         "exit_group",
                                         "futex",
                                         "getpid",
                                         "getrandom",
                                         "map_shadow_stack",
                                         "cpuid",
                                         "mseal",
                                         "openat",
                                         "getuid",
                                         "geteuid",
                                         "fcntl",
                                         "getgid",
                                         "getegid",
                                         NULL};

    if (strace_is_call(call, on_files))
        return !path || loader_file(path) || strcmp(call->name->name, "openat") != 0 || path[0] != '/' ||
               strstr(path, "/lib") != NULL;
    return strace_is_call(call, others);
}

/* A dlopen asks as the loader does, and hardly any program opens a library so. */
static bool dlopen_like(const struct strace_call *call, const char *path)
{
    unsigned at = call->name->desc && call->name->desc->flags_arg >= 0 ? (unsigned)call->name->desc->flags_arg : 6;
    const char *flags = at < call->count ? call->text[at] : "";

    return path && library_like(path) &&
           (strcmp(flags, "O_RDONLY|O_CLOEXEC") == 0 || strcmp(flags, "O_RDONLY|O_LARGEFILE|O_CLOEXEC") == 0);
}

bool strace_seeks(const struct strace_group *group, const struct strace_call *call, const char *path)
{
    return library_like(path) && strncmp(path, "/etc/ld", 7) != 0 && (group->loading || dlopen_like(call, path));
}

enum event_by strace_by(struct strace_group *group, const struct strace_call *call, const char *path)
{
    bool opens = call->name->handling == HANDLE_OPEN;

    if (group->loading && !(loader_makes(call, path) && (!opens || !path || loader_file(path))))
        group->loading = false;
    if (group->loading || (opens && dlopen_like(call, path)))
        return BY_LOADER;
    return BY_PROGRAM;
}

bool strace_opened_waits(const struct strace *strace, const struct strace_thread *thread, const struct event *event)
{
    const struct event_syscall *call = &event->syscall;

    if (event->type != EVENT_SYSCALL || strace->opened.thread != thread)
        return false;
    if (!call->path)
        return strcmp(call->desc->name, "mmap") == 0;
    return strncmp(call->path, "/etc/ld", 7) == 0 ||
           strncmp(strace->opened.path, call->path, strlen(call->path)) == 0; /* the directory that it lies in */
}

void strace_tell_opened(struct strace *strace)
{
    struct strace_opened opened = strace->opened;
    struct sight sight = {.elf = opened.elf};
    struct event event = {.type = EVENT_SYSCALL,
                          .sight = &sight,
                          .syscall = {.desc = opened.desc,
                                      .path = opened.path,
                                      .string = opened.string,
                                      .flags = opened.flags,
                                      .ret = opened.fd,
                                      .returned = true,
                                      .by = BY_LOADER}};

    strace->opened = (struct strace_opened){0};
    strace_event(strace, opened.thread, &event);
    free(opened.path);
    free(opened.string);
}

/* What the loader found at the beginning of the library that it opened. */
void strace_read(struct strace *strace, const struct strace_thread *thread, const struct strace_call *call)
{
    enum { HEADER = 52 }; /* bytes of the smaller sort (elf(5)) */
    const unsigned char *head;
    const char *elf = NULL;
    bool cut;

    if (strace->opened.thread != thread || strace->opened.read || call->count == 0 ||
        (int64_t)strace_number(call->text[0]) != strace->opened.fd || !call->result.returned)
        return;
    text_clear(&strace->data);
    if (call->count > 1)
        strace_string(call->text[1], &strace->data, &cut);
    head = (const unsigned char *)strace->data.v;
    if (call->result.value == 0) {
        elf = "empty";
    } else if (strace->data.n >= 4 && memcmp(head, "\177ELF", 4) != 0) {
        elf = "not-elf";
    } else if (strace->data.n >= 20) {
        elf = elffile_machine_known(head[4], head[18] | (unsigned)head[19] << 8, head[5]);
        if (elf && strcmp(elf, thread->group->narrow ? "i386" : "x86_64") == 0)
            elf = call->result.value < HEADER ? "short" : NULL;
    }
    strace->opened.read = true;
    strace->opened.elf = elf;
}

bool strace_opens(struct strace *strace, struct strace_thread *thread, const struct event_syscall *call)
{
    if (call->by != BY_LOADER || call->error || !call->returned || !call->path || !library_like(call->path) ||
        strncmp(call->path, "/etc/ld", 7) == 0)
        return false;
    if (strace->opened.thread)
        strace_tell_opened(strace);
    strace->opened = (struct strace_opened){.thread = thread,
                                            .desc = call->desc,
                                            .path = xstrdup(call->path),
                                            .string = xstrdup_or_null(call->string),
                                            .flags = call->flags,
                                            .fd = call->ret};
    return true;
}
