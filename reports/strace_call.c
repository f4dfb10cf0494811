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

/* ---- events ---- */

/* The file behind argument I, a descriptor; or NULL. */
static const char *file_behind(struct strace *strace, struct strace_group *group, const struct strace_call *call,
                               unsigned i)
{
    const struct strace_fd *entry = fd_of(group, strace_argument(call, i));

    const char *path = entry ? entry->path : NULL;
    size_t n = path ? strlen(path) : 0;

    text_clear(&strace->place);
    if (i >= call->count || !strace_annotation(call->text[i], &strace->place) ||
        (path && strace->place.n >= n && strcmp(strace->place.v + strace->place.n - n, path) == 0))
        return path; /* from outside a root of the process's own it has another beginning */
    return strace->place.v;
}

/* The program that strace(1) itself was to execute, by a path: strace has looked before that something is there, and
 * says so else ("Can't stat 'x'"). It is what comes first in its log. */
static bool was_found(const struct strace *strace, const struct event_syscall *call)
{
    return !strace->begun && call->error == ENOENT && call->path && strncmp(call->desc->name, "execve", 6) == 0 &&
           call->argv && call->argv[0] && call->string && strcmp(call->argv[0], call->string) == 0 &&
           strchr(call->argv[0], '/');
}

static const struct sight *sight_of(struct strace *strace, struct strace_group *group, const struct strace_call *made,
                                    const struct event_syscall *call, struct sight *ret)
{
    const struct sight *limit =
        call->error
            ? strace_limit_met(strace, group, made, call->path ? call->path : file_behind(strace, group, made, 0), ret)
            : NULL;

    if (limit)
        return limit;
    if (was_found(strace, call)) {
        ret->verdict = script_like(call->string) ? "script-interpreter-absent" : "interpreter-absent";
        ret->needs = "what it is to be run by";
        ret->walk = "there";
        return ret;
    }
    return call->error ? strace_seen_of(strace, call, ret) : NULL;
}

static void remember(char **list, size_t most, size_t *count, const char *string)
{
    char **slot = &list[(*count)++ % most];

    free(*slot);
    *slot = xstrdup(string);
}

/* One command that is looked for in one directory after the other (execvp(3)). */
static void seek(struct strace_group *group, const char *path)
{
    const char *name = path_base(path);

    if (!group->sought_name || strcmp(group->sought_name, name) != 0) {
        strings_deinit(&group->sought);
        free(group->sought_name);
        group->sought = (struct strings){0};
        group->sought_name = xstrdup(name);
    }
    if (name > path + 1 && path[0] == '/' && group->sought.n < 256)
        strings_add(&group->sought, xstrndup(path, (size_t)(name - path - 1)));
}

static void note_outcome(struct strace *strace, struct strace_group *group, const struct event_syscall *call)
{
    if (call->returned && call->error)
        group->errors[group->error_count++ % STRACE_ERRORS] = call->error;
    strace_see(strace, group, call);
    if (!call->returned || !call->string)
        return;
    if (call->error)
        strace_failed_add(strace, &group->failed, call->string, call->error);
    if (call->error && strncmp(call->desc->name, "execve", 6) == 0 && call->path)
        seek(group, call->path);
    if (call->error && strncmp(call->desc->name, "execve", 6) == 0)
        strace_failed_add(strace, &strace->executions, call->string, call->error);
}

static void take_arguments(const struct strace_call *call, struct event_syscall *out)
{
    for (unsigned i = 0; i < call->count; i++) {
        out->text[i] = call->text[i];
        out->args[i] = call->text[i][0] == '"' ? 0 : strace_number(call->text[i]);
    }
    if (out->desc->flags_arg >= 0)
        out->flags = out->args[out->desc->flags_arg];
    if (call->name->handling != HANDLE_CLONE)
        return;
    for (unsigned i = 0; i < call->count; i++)
        if (strstr(call->text[i], "flags="))
            out->flags = out->args[0] = strace_number(strstr(call->text[i], "flags=") + 6);
}

static void plain(struct strace *strace, struct strace_thread *thread, const struct strace_call *call,
                  const char *result, const char *const *argv)
{
    struct strace_group *group = thread->group;
    struct sight sight = {0};
    struct event event = {.type = EVENT_SYSCALL};
    struct event_syscall *out = &event.syscall;

    *out = (struct event_syscall){
        .desc = call->name->desc,
        .path = text_of(&strace->path),
        .string = text_of(&strace->data),
        .argv = argv,
        .result = result,
        .ret = call->result.value,
        .error = call->result.error,
        .returned = call->result.returned,
        .by = strace_by(group, call, text_of(&strace->path)),
    };
    take_arguments(call, out);
    group->refused |= out->error != 0;
    group->narrow |= strcmp(out->desc->name, "mmap2") == 0 || strcmp(out->desc->name, "fstat64") == 0;
    note_outcome(strace, group, out);
    if ((call->name->handling == HANDLE_OPEN && strace_opens(strace, thread, out)) ||
        strace_execution_waits(strace, group, out))
        return;
    event.sight = sight_of(strace, group, call, out, &sight);
    strace_event(strace, thread, &event);
}

/* There was no room for what CALL was to write; or there is again. */
static void room(struct strace *strace, struct strace_thread *thread, const struct strace_call *call)
{
    static const char *const to_second[] = {"copy_file_range", "splice"};
    struct strace_group *group = thread->group;
    bool second = false;
    const char *path;

    for (size_t i = 0; i < sizeof to_second / sizeof *to_second; i++)
        second |= strcmp(call->name->name, to_second[i]) == 0;
    path = file_behind(strace, group, call, second ? 2 : 0);
    if (!call->name->desc) {
        strace_limit_wait(strace, group, call, path);
        return;
    }
    text_clear(&strace->path);
    text_clear(&strace->data);
    if (path)
        text_add(&strace->path, path);
    group->full_fd = call->result.error ? (int)strace_argument(call, 0) : -1;
    plain(strace, thread, call, NULL, NULL);
}

static bool lacks_room(const struct strace_call *call)
{
    int error = call->result.error;

    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static void words(struct strace *strace, struct strace_thread *thread, const struct strace_call *call)
{
    struct strace_group *group = thread->group;
    int64_t fd = strace_argument(call, 0);
    const struct strace_fd *entry = fd_of(group, fd);
    struct sight hushed = {.hushed = true}, limit;
    struct event event = {.type = EVENT_OUTPUT};
    bool complaint = fd == 2 || (entry && entry->is == FD_STDERR);

    if (lacks_room(call) || (!call->result.error && fd == group->full_fd))
        room(strace, thread, call);
    if (call->result.error || (!complaint && fd != 1)) {
        strace_by(group, call, NULL);
        return;
    }
    strace_written(strace, group, call);
    if (!complaint && !output_complains(strace->data.v ? strace->data.v : "", strace->data.n)) {
        strace_by(group, call, NULL);
        if (!group->refused || call->result.value == 1) /* as decode.c has it */
            return;
        group->refused = false;
        text_clear(&strace->data);
    }
    if (complaint)
        strace_said(strace, thread);
    event.output = (struct event_output){
        .fd = complaint ? 2 : 1,
        .data = strace->data.v ? strace->data.v : "",
        .size = strace->data.n,
        .whole = strace->data.n,
        .by = strace_by(group, call, NULL),
    };
    event.sight = entry && entry->is == FD_NULL
                      ? &hushed
                      : strace_limit_said(group, event.output.data, event.output.size, &limit);
    strace_event(strace, thread, &event);
}

/* ---- what calls change ---- */

static void note_library(struct strace_group *group, const char *path)
{
    if (library_like(path))
        remember(group->libraries, STRACE_LIBRARIES, &group->library_count, path);
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
    if (strace->data.n && strcmp(strace->data.v, path) != 0) /* words have it as it was passed */
        note_library(group, strace->data.v);
    note_library(group, path);
}

/* WHOLE: half of one is of no use. */
static void strings_at(struct strings *list, const char *p, bool whole)
{
    strings_deinit(list);
    *list = (struct strings){0};
    for (p += *p == '['; *p == '"' && list->n < 4096;) {
        struct text one = {0};
        bool cut;

        p = strace_string(p, &one, &cut);
        p += strspn(p, ", ");
        if (cut)
            text_add(&one, "...");
        if (cut && whole)
            text_deinit(&one);
        else
            strings_add(list, one.v ? one.v : xstrdup(""));
    }
}

static void execution(struct strace *strace, struct strace_thread *thread, struct strace_call *call)
{
    unsigned at = (unsigned)call->name->desc->path_arg + 1;
    struct strings argv = {0}, env = {0};
    struct strace_group *group = thread->group;

    if (at < call->count)
        strings_at(&argv, call->text[at], false);
    if (at + 1 < call->count)
        strings_at(&env, call->text[at + 1], true);
    strings_add(&argv, NULL);
    argv.n--;
    if (call->result.returned)
        plain(strace, thread, call, NULL, argv.n ? (const char *const *)argv.v : NULL);
    strace->begun = true;
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

/* What the link says, where the whole of it is shown. */
static const char *link_text(struct strace *strace, const struct strace_call *call)
{
    unsigned at = (unsigned)call->name->desc->path_arg + 1;
    bool cut;

    text_clear(&strace->result);
    if (call->result.error || at >= call->count || !strace_string(call->text[at], &strace->result, &cut) || cut)
        return NULL;
    return text_of(&strace->result);
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
    if (group->cache_fd < 0 || strace_argument(call, 4) != group->cache_fd || call->result.error)
        return;
    group->cache_addr = (uint64_t)call->result.value;
    group->cache_fd = -1; /* the number comes round again */
}

/* The last thing that glibc's loader does is to let go of its cache (dl-cache.c, _dl_unload_cache()). */
static void unmapped(struct strace_group *group, const struct strace_call *call)
{
    if (group->cache_addr && (uint64_t)strace_argument(call, 0) == group->cache_addr)
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
        if (strace_argument(call, 0) != 2) /* programs close it before they end: where their words went stays known */
            fd_set_to(group, strace_argument(call, 0), FD_OTHER, NULL);
        break;
    case HANDLE_DUP:
        fd_copy(group, strace_argument(call, 0), strace_argument(call, 1));
        break;
    case HANDLE_DUPPED:
        if (strncmp(call->name->name, "fcntl", 5) != 0 || (call->count > 1 && strstr(call->text[1], "F_DUPFD")))
            fd_copy(group, strace_argument(call, 0), call->result.value);
        break;
    case HANDLE_CHDIR:
        moved_to(group, text_of(&strace->path));
        break;
    case HANDLE_FCHDIR:
        entry = fd_of(group, strace_argument(call, 0));
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
        group->leave_status = (int)strace_argument(call, 0);
        group->left_by_loader = group->loading;
    }
    if (call->name->desc) /* "_exit" of strace's older than 4.0 has none */
        plain(strace, thread, call, NULL, NULL);
}

void strace_call(struct strace *strace, struct strace_thread *thread, struct strace_call *call)
{
    struct strace_group *group = thread->group;
    enum strace_handling handling = call->name->handling;

    strace->begun |= handling != HANDLE_EXECVE;
    if (handling == HANDLE_READ) {
        const struct strace_fd *entry = fd_of(group, strace_argument(call, 0));

        strace_read(strace, thread, call);
        strace_execution_read(strace, thread, call, entry ? entry->path : NULL);
        return;
    }
    if (strace->opened.thread == thread && strace_load_measures(thread->group, call))
        return; /* the loader looks at the file that it has opened */
    strace_limit_used(group, call);
    if (call->result.error && (handling == HANDLE_NOTHING || !call->name->desc)) {
        if (lacks_room(call) || call->result.error == EMFILE)
            room(strace, thread, call);
        strace_by(group, call, NULL);
        return;
    }
    read_path(strace, group, call);
    strace_load_follows(strace, thread, call);
    strace_execution_follows(group, call, text_of(&strace->path));
    switch (handling) {
    case HANDLE_LIMIT:
        strace_limit_told(group, call);
        break;
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
    case HANDLE_READLINK:
        plain(strace, thread, call, link_text(strace, call), NULL);
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
        strace_by(group, call, NULL);
    if (handling == HANDLE_OPEN)
        opened(strace, thread, call);
    changed(strace, thread, call);
}
