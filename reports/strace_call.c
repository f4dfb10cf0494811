/* Calls, from strace's lines: the events that the tracer makes of them, and what they change for those to come. */
#include "read_strace.h"

#include "model.h"
#include "strace_value.h"
#include "syscall.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* ---- descriptors ---- */

static struct strace_fd *fd_of(struct strace_group *group, int64_t fd)
{
    return fd >= 0 && fd < STRACE_FDS ? &group->fds[fd] : NULL;
}

static void fd_set_to(struct strace_group *group, int64_t fd, enum strace_fd_is is, const char *path)
{
    struct strace_fd *entry = fd_of(group, fd);
    char *copy = xstrdup_or_null(path);

    if (!entry) {
        free(copy);
        return;
    }
    free(entry->path);
    *entry = (struct strace_fd){is, copy};
}

static void fd_copy(struct strace_group *group, int64_t from, int64_t to)
{
    const struct strace_fd *entry = fd_of(group, from);

    if (from != to)
        fd_set_to(group, to, entry ? entry->is : FD_OTHER, entry ? entry->path : NULL);
}

static int64_t number(const struct strace_call *call, unsigned i)
{
    return i < call->count ? (int64_t)strace_number(call->text[i]) : -1;
}

/* ---- paths ---- */

static const char *text_of(const struct text *text)
{
    return text->n ? text->v : NULL;
}

/* The directory that a relative path of CALL begins at, or NULL: not known. -y shows it. */
static const char *base_of(struct strace *strace, struct strace_group *group, const struct strace_call *call)
{
    int at = call->name->desc->dirfd_arg;
    const char *told = at >= 0 && (unsigned)at < call->count ? call->text[at] : NULL;
    const struct strace_fd *entry;

    text_clear(&strace->result);
    if (told && strace_annotation(told, &strace->result)) {
        if (strncmp(told, "AT_FDCWD", 8) == 0) {
            free(group->cwd);
            group->cwd = xstrdup(strace->result.v);
        }
        return strace->result.v;
    }
    if (!told || strncmp(told, "AT_FDCWD", 8) == 0)
        return group->cwd;
    entry = fd_of(group, (int64_t)strace_number(told));
    return entry ? entry->path : NULL;
}

/* The string that CALL passes as its path, into STRACE->data; made absolute, where that is known, into STRACE->path. */
static void read_path(struct strace *strace, struct strace_group *group, const struct strace_call *call)
{
    int at = call->name->desc ? call->name->desc->path_arg : -1;
    const char *base;
    bool cut;

    text_clear(&strace->data);
    text_clear(&strace->path);
    if (at < 0 || (unsigned)at >= call->count || !strace_string(call->text[at], &strace->data, &cut) || cut ||
        !strace->data.n) {
        text_clear(&strace->data);
        return;
    }
    if (strace->data.v[0] == '/') {
        text_addn(&strace->path, strace->data.v, strace->data.n);
        return;
    }
    base = base_of(strace, group, call);
    if (base) {
        CLEANUP_FREE char *joined = path_join(base, strace->data.v);

        text_add(&strace->path, joined);
    } else {
        text_addn(&strace->path, strace->data.v, strace->data.n);
    }
}

/* ---- whose call it is ---- */

static bool loader_file(const char *path)
{
    return library_like(path) || strncmp(path, "/etc/ld.so.", 11) == 0 || strncmp(path, "/etc/ld-musl-", 13) == 0;
}

static bool is_call(const struct strace_call *call, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(call->name->name, *list) == 0)
            return true;
    return false;
}

/* Whether glibc's loader makes such a call before the program begins (elf/rtld.c; 2.2 to 2.43). */
static bool loader_makes(const struct strace_call *call, const char *path)
{
    static const char *const on_files[] = {"open",     "openat",     "openat2", "access",     "faccessat",
                                           "stat",     "stat64",     "lstat",   "newfstatat", "fstatat64",
                                           "readlink", "readlinkat", "statx",   NULL};
    static const char *const others[] = {"brk",        "arch_prctl", "mmap",      "mmap2",           "mprotect",
                                         "munmap",     "read",       "pread64",   "close",           "fstat",
                                         "fstat64",    "lseek",      "_llseek",   "set_tid_address", "set_robust_list",
                                         "rseq",       "prlimit64",  "uname",     "getcwd",          "set_thread_area",
                                         "ugetrlimit", "getrlimit",  "writev",    "write",           "exit_group",
                                         "futex",      "getpid",     "getrandom", "execve",          "map_shadow_stack",
                                         "cpuid",      "mseal",      "openat",    "getuid",          "geteuid",
                                         "getgid",     "getegid",    NULL};

    if (is_call(call, on_files))
        return !path || loader_file(path) || strcmp(call->name->name, "openat") != 0 || path[0] != '/' ||
               strstr(path, "/lib") != NULL;
    return is_call(call, others);
}

/* A dlopen asks as the loader does, and hardly any program opens a library so. */
static bool dlopen_like(const struct strace_call *call, const char *path)
{
    unsigned at = call->name->desc && call->name->desc->flags_arg >= 0 ? (unsigned)call->name->desc->flags_arg : 6;
    const char *flags = at < call->count ? call->text[at] : "";

    return path && library_like(path) &&
           (strcmp(flags, "O_RDONLY|O_CLOEXEC") == 0 || strcmp(flags, "O_RDONLY|O_LARGEFILE|O_CLOEXEC") == 0);
}

static enum event_by by_of(struct strace_group *group, const struct strace_call *call, const char *path)
{
    bool opens = call->name->handling == HANDLE_OPEN;

    if (group->loading && !(loader_makes(call, path) && (!opens || !path || loader_file(path))))
        group->loading = false;
    if (group->loading || (opens && dlopen_like(call, path)))
        return BY_LOADER;
    return BY_PROGRAM;
}

/* ---- events ---- */

static void plain(struct strace *strace, struct strace_thread *thread, const struct strace_call *call,
                  const char *result, const char *const *argv)
{
    struct strace_group *group = thread->group;
    const struct syscall_desc *desc = call->name->desc;
    struct event event = {.type = EVENT_SYSCALL};
    struct event_syscall *out = &event.syscall;

    *out = (struct event_syscall){
        .desc = desc,
        .path = text_of(&strace->path),
        .string = text_of(&strace->data),
        .argv = argv,
        .result = result,
        .ret = call->result.value,
        .error = call->result.error,
        .returned = call->result.returned,
        .by = by_of(group, call, text_of(&strace->path)),
    };
    for (unsigned i = 0; i < call->count; i++) {
        out->text[i] = call->text[i];
        out->args[i] = call->text[i][0] == '"' ? 0 : strace_number(call->text[i]);
    }
    if (desc->flags_arg >= 0)
        out->flags = out->args[desc->flags_arg];
    if (call->name->handling == HANDLE_CLONE) {
        for (unsigned i = 0; i < call->count; i++)
            if (strstr(call->text[i], "flags="))
                out->flags = out->args[0] = strace_number(strstr(call->text[i], "flags=") + 6);
    }
    group->refused |= out->error != 0;
    strace_event(strace, thread, &event);
}

static void words(struct strace *strace, struct strace_thread *thread, const struct strace_call *call)
{
    struct strace_group *group = thread->group;
    int64_t fd = number(call, 0);
    const struct strace_fd *entry = fd_of(group, fd);
    struct sight hushed = {.hushed = true};
    struct event event = {.type = EVENT_OUTPUT};
    bool complaint = fd == 2 || (entry && entry->is == FD_STDERR);

    if (call->result.error || (!complaint && fd != 1)) {
        by_of(group, call, NULL);
        return;
    }
    strace_written(strace, group, call);
    if (!complaint && !output_complains(strace->data.v ? strace->data.v : "", strace->data.n)) {
        by_of(group, call, NULL);
        if (!group->refused)
            return;
        group->refused = false;
        text_clear(&strace->data);
    }
    event.output = (struct event_output){
        .fd = complaint ? 2 : 1,
        .data = strace->data.v ? strace->data.v : "",
        .size = strace->data.n,
        .whole = strace->data.n,
        .by = by_of(group, call, NULL),
    };
    if (entry && entry->is == FD_NULL)
        event.sight = &hushed;
    strace_event(strace, thread, &event);
}

/* ---- what calls change ---- */

static void note_library(struct strace_group *group, const char *path)
{
    char **slot;

    if (!library_like(path))
        return;
    if (group->library_count < STRACE_LIBRARIES) {
        slot = &group->libraries[group->library_count++];
    } else {
        slot = &group->libraries[(size_t)path[strlen(path) / 2] % STRACE_LIBRARIES];
        free(*slot);
    }
    *slot = xstrdup(path);
}

static void opened(struct strace *strace, struct strace_thread *thread, const struct strace_call *call)
{
    struct strace_group *group = thread->group;
    const char *path = text_of(&strace->path);
    int64_t fd = call->result.value;

    if (call->result.error || !call->result.returned || !path)
        return;
    fd_set_to(group, fd, strcmp(path, "/dev/null") == 0 ? FD_NULL : FD_OTHER, path);
    if (group->loading && strcmp(path, "/etc/ld.so.cache") == 0)
        group->cache_fd = (int)fd;
    note_library(group, path);
}

static void strings_at(struct strings *list, const char *p)
{
    strings_deinit(list);
    *list = (struct strings){0};
    for (p += *p == '['; *p == '"' && list->n < 4096;) {
        struct text one = {0};
        bool cut;

        p = strace_string(p, &one, &cut);
        strings_add(list, one.v ? one.v : xstrdup(""));
        p += strspn(p, ", ");
    }
}

static void execution(struct strace *strace, struct strace_thread *thread, struct strace_call *call)
{
    unsigned at = (unsigned)call->name->desc->path_arg + 1;
    struct strings argv = {0}, env = {0};
    struct strace_group *group = thread->group;

    if (at < call->count)
        strings_at(&argv, call->text[at]);
    if (at + 1 < call->count)
        strings_at(&env, call->text[at + 1]);
    strings_add(&argv, NULL);
    argv.n--;
    if (call->result.returned)
        plain(strace, thread, call, NULL, argv.n ? (const char *const *)argv.v : NULL);
    if (call->result.returned && !call->result.error) {
        strings_deinit(&group->argv);
        strings_deinit(&group->env);
        group->argv = argv;
        group->env = env;
        strace_executed(strace, thread, text_of(&strace->path));
        return;
    }
    strings_deinit(&argv);
    strings_deinit(&env);
}

static void moved_to(struct strace_group *group, const char *path)
{
    char *copy = path && *path == '/' ? xstrdup(path) : NULL;

    free(group->cwd);
    group->cwd = copy;
}

static void own_directory(struct strace *strace, struct strace_group *group, const struct strace_call *call)
{
    bool cut;

    text_clear(&strace->data);
    if (call->result.returned && !call->result.error && call->count &&
        strace_string(call->text[0], &strace->data, &cut) && !cut && strace->data.n)
        moved_to(group, strace->data.v);
}

static const char *outcome(struct strace *strace, const struct strace_call *call)
{
    const char *p = call->count > 3 ? call->text[3] : "";
    size_t n;

    text_clear(&strace->result);
    p += *p == '[';
    n = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    if (*p != 'E')
        return NULL;
    text_addn(&strace->result, p, n);
    return strace->result.v;
}

static void mapped(struct strace_group *group, const struct strace_call *call)
{
    if (group->cache_fd >= 0 && number(call, 4) == group->cache_fd && !call->result.error)
        group->cache_addr = (uint64_t)call->result.value;
}

/* The last thing that glibc's loader does is to let go of its cache (dl-cache.c, _dl_unload_cache()). */
static void unmapped(struct strace_group *group, const struct strace_call *call)
{
    if (group->cache_addr && (uint64_t)number(call, 0) == group->cache_addr)
        group->loading = false;
}

static bool starts_thread(const struct strace_call *call)
{
    for (unsigned i = 0; i < call->count; i++)
        if (strstr(call->text[i], "CLONE_THREAD"))
            return true;
    return false;
}

static void changed(struct strace *strace, struct strace_thread *thread, const struct strace_call *call)
{
    struct strace_group *group = thread->group;
    const struct strace_fd *entry;

    if (!call->result.returned || call->result.error)
        return;
    switch (call->name->handling) {
    case HANDLE_CLOSE:
        fd_set_to(group, number(call, 0), FD_OTHER, NULL);
        break;
    case HANDLE_DUP:
        fd_copy(group, number(call, 0), number(call, 1));
        break;
    case HANDLE_DUPPED:
        if (strncmp(call->name->name, "fcntl", 5) != 0 || (call->count > 1 && strstr(call->text[1], "F_DUPFD")))
            fd_copy(group, number(call, 0), call->result.value);
        break;
    case HANDLE_CHDIR:
        moved_to(group, text_of(&strace->path));
        break;
    case HANDLE_FCHDIR:
        entry = fd_of(group, number(call, 0));
        moved_to(group, entry ? entry->path : NULL);
        break;
    case HANDLE_CLONE:
        strace_cloned(strace, thread, (pid_t)call->result.value, starts_thread(call));
        break;
    default:
        break;
    }
}

static void leave(struct strace *strace, struct strace_thread *thread, const struct strace_call *call)
{
    struct strace_group *group = thread->group;

    if (strcmp(call->name->name, "exit_group") == 0 || group->threads == 1) {
        group->leaving = true;
        group->leave_status = (int)number(call, 0);
        group->left_by_loader = group->loading;
    }
    plain(strace, thread, call, NULL, NULL);
}

void strace_call(struct strace *strace, struct strace_thread *thread, struct strace_call *call)
{
    struct strace_group *group = thread->group;
    enum strace_handling handling = call->name->handling;

    read_path(strace, group, call);
    switch (handling) {
    case HANDLE_WRITE:
    case HANDLE_WRITEV:
    case HANDLE_SENDMSG:
        words(strace, thread, call);
        return;
    case HANDLE_EXECVE:
        execution(strace, thread, call);
        return;
    case HANDLE_LEAVE:
        leave(strace, thread, call);
        return;
    case HANDLE_GETCWD:
        own_directory(strace, group, call);
        return;
    case HANDLE_CONNECT:
        text_clear(&strace->result);
        plain(strace, thread, call,
              call->count > 1 && strace_address(call->text[1], &strace->result) ? strace->result.v : NULL, NULL);
        return;
    case HANDLE_OUTCOME:
        if (call->count > 2 && strcmp(call->text[2], "SO_ERROR") == 0)
            plain(strace, thread, call, outcome(strace, call), NULL);
        return;
    case HANDLE_MMAP:
        mapped(group, call);
        break;
    case HANDLE_MUNMAP:
        unmapped(group, call);
        break;
    default:
        break;
    }
    if (call->name->desc)
        plain(strace, thread, call, NULL, NULL);
    else
        by_of(group, call, NULL);
    if (handling == HANDLE_OPEN)
        opened(strace, thread, call);
    changed(strace, thread, call);
}
