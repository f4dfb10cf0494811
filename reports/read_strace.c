/* strace's lines, as they come: interrupted and taken up again, cut by whatever they went through, mixed with what the
 * program itself wrote. What they say is read by strace_call.c and strace_process.c. */
#include "read_strace.h"

#include "strace_value.h"
#include "syscall.h"

#include <probes/alloc.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum {
    HELD_LINES = 64,       /* that a cut call may go over … */
    HELD_MOST = 1 << 16,   /* … and bytes */
    PENDING_MOST = 1 << 20 /* bytes of an unfinished call's arguments */
};

/* ---- names ---- */

static size_t slot_of(const char *name, size_t size)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return hash % STRACE_NAMES;
}

static struct strace_name *name_slot(struct strace_name *names, const char *name, size_t size)
{
    size_t i = slot_of(name, size);

    while (names[i].name && (names[i].size != size || memcmp(names[i].name, name, size) != 0))
        i = (i + 1) % STRACE_NAMES;
    return &names[i];
}

const struct strace_name *strace_name(const struct strace *strace, const char *name, size_t size)
{
    const struct strace_name *slot = name_slot((struct strace_name *)strace->names, name, size);

    return slot->name ? slot : NULL;
}

static void name_add(struct strace *strace, const char *name, const struct syscall_desc *desc,
                     enum strace_handling handling)
{
    struct strace_name *slot = name_slot(strace->names, name, strlen(name));

    if (!slot->name)
        *slot = (struct strace_name){name, strlen(name), desc, handling};
    else if (handling != HANDLE_PLAIN)
        slot->handling = handling;
}

static void name_all(struct strace *strace)
{
    static const struct {
        const char *name;
        enum strace_handling handling;
    } special[] = {
        {"open", HANDLE_OPEN},          {"openat", HANDLE_OPEN},         {"openat2", HANDLE_OPEN},
        {"creat", HANDLE_OPEN},         {"close", HANDLE_CLOSE},         {"dup", HANDLE_DUPPED},
        {"fcntl", HANDLE_DUPPED},       {"fcntl64", HANDLE_DUPPED},      {"dup2", HANDLE_DUP},
        {"dup3", HANDLE_DUP},           {"write", HANDLE_WRITE},         {"read", HANDLE_READ},
        {"pread64", HANDLE_READ},       {"pwrite64", HANDLE_NOTHING},    {"writev", HANDLE_WRITEV},
        {"sendmsg", HANDLE_SENDMSG},    {"execve", HANDLE_EXECVE},       {"execveat", HANDLE_EXECVE},
        {"clone", HANDLE_CLONE},        {"clone3", HANDLE_CLONE},        {"fork", HANDLE_CLONE},
        {"vfork", HANDLE_CLONE},        {"exit", HANDLE_LEAVE},          {"_exit", HANDLE_LEAVE},
        {"exit_group", HANDLE_LEAVE},   {"chdir", HANDLE_CHDIR},         {"fchdir", HANDLE_FCHDIR},
        {"getcwd", HANDLE_GETCWD},      {"connect", HANDLE_CONNECT},     {"bind", HANDLE_CONNECT},
        {"getsockopt", HANDLE_OUTCOME}, {"mmap", HANDLE_MMAP},           {"mmap2", HANDLE_MMAP},
        {"old_mmap", HANDLE_MMAP},      {"munmap", HANDLE_MUNMAP},       {"prlimit64", HANDLE_LIMIT},
        {"setrlimit", HANDLE_LIMIT},    {"getrlimit", HANDLE_LIMIT},     {"ugetrlimit", HANDLE_LIMIT},
        {"readlink", HANDLE_READLINK},  {"readlinkat", HANDLE_READLINK},
    };
    static const char *const others[] = {
        "read",
        "pread64",
        "lseek",
        "_llseek",
        "poll",
        "ppoll",
        "select",
        "pselect6",
        "epoll_wait",
        "epoll_pwait",
        "epoll_ctl",
        "ioctl",
        "rt_sigaction",
        "rt_sigprocmask",
        "rt_sigreturn",
        "sigreturn",
        "rt_sigsuspend",
        "sigaltstack",
        "futex",
        "futex_time64",
        "getdents",
        "getdents64",
        "uname",
        "getpid",
        "gettid",
        "getppid",
        "getuid",
        "getuid32",
        "geteuid",
        "getgid",
        "getegid",
        "getpgrp",
        "wait4",
        "waitpid",
        "waitid",
        "arch_prctl",
        "set_tid_address",
        "set_robust_list",
        "rseq",
        "set_thread_area",
        "madvise",
        "fadvise64",
        "recvmsg",
        "recvfrom",
        "sendto",
        "setsockopt",
        "getsockname",
        "getpeername",
        "nanosleep",
        "clock_nanosleep",
        "clock_gettime",
        "gettimeofday",
        "sched_yield",
        "sched_getaffinity",
        "statfs",
        "fstatfs",
        "statfs64",
        "umask",
        "utimensat",
        "fchmod",
        "tgkill",
        "tkill",
        "sysinfo",
        "getrlimit",
        "ugetrlimit",
        "times",
        "readv",
        "splice",
        "sendfile",
        "copy_file_range",
        "pread",
        "pwrite",
        "restart_syscall",
        "setpgid",
        "getpgid",
        "getresuid",
        "getresgid",
        "capget",
        "getxattr",
        "lgetxattr",
        "fsync",
        "fdatasync",
        "eventfd",
        "timer_settime",
        "setitimer",
        "alarm",
        "pause",
        "msync",
        "mincore",
        "shutdown",
    };

    for (size_t i = 0; syscall_row(i); i++)
        name_add(strace, syscall_row(i)->name, syscall_row(i), HANDLE_PLAIN);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        name_add(strace, others[i], NULL, HANDLE_PLAIN);
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        name_add(strace, special[i].name, NULL, special[i].handling);
}

static bool known(const void *ctx, const char *name, size_t size)
{
    return strace_name(ctx, name, size) != NULL;
}

/* ---- events ---- */

bool strace_is_call(const struct strace_call *call, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(call->name->name, *list) == 0)
            return true;
    return false;
}

int64_t strace_argument(const struct strace_call *call, unsigned i)
{
    return i < call->count ? (int64_t)strace_number(call->text[i]) : -1;
}

int64_t strace_file_size(const struct strace_call *call)
{
    for (unsigned i = 0; i < call->count; i++) {
        const char *at = strstr(call->text[i], "st_size=");

        if (at)
            return (int64_t)strtoll(at + 8, NULL, 0);
    }
    return -1;
}

void strace_event(struct strace *strace, struct strace_thread *thread, struct event *event)
{
    struct strace_execution *execution = &thread->group->execution;

    if (strace->opened.thread && !strace_opened_waits(strace, thread, event))
        strace_tell_opened(strace);
    if (execution->waits &&
        !(event->type == EVENT_SYSCALL && event->syscall.path && strncmp(event->syscall.desc->name, "execve", 6) != 0 &&
          strcmp(event->syscall.path, execution->path) == 0))
        strace_tell_execution(strace, thread);
    if (strace->has_ended) {
        strace->has_ended = false;
        text_event(strace->reading, &strace->end);
    }
    event->pid = thread->group->pid;
    event->tid = thread->tid;
    event->cwd = thread->group->cwd;
    event->t_ns = strace->now_ns;
    text_event(strace->reading, event);
}

static void set_time(struct strace *strace, const struct strace_line *line)
{
    if (!line->has_time)
        return;
    if (line->relative) {
        strace->now_ns += line->t_ns;
        return;
    }
    if (!strace->has_start)
        strace->start_ns = line->t_ns;
    strace->has_start = true;
    if (line->t_ns >= strace->start_ns + strace->now_ns)
        strace->now_ns = line->t_ns - strace->start_ns;
}

/* ---- calls ---- */

/* What is not of interest need not be taken apart: most lines. */
static bool boring(const struct strace *strace, const struct strace_name *name, const struct strace_thread *thread)
{
    if (!name || name->handling == HANDLE_NOTHING)
        return true;
    if (name->handling == HANDLE_READ)
        return !strace->opened.thread && !thread->group->exec_waits && !thread->group->execution.path;
    return !name->desc && name->handling == HANDLE_PLAIN && !thread->group->loading && !thread->group->exec_waits;
}

/* Whoever writes may be out of room by any call, and out of descriptors by some that are not followed. */
static bool lacks_something(const char *result)
{
    static const char *const errors[] = {"ENOSPC", "EDQUOT", "EFBIG", "EMFILE"};

    for (size_t i = 0; result && strncmp(result, "-1 E", 4) == 0 && i < sizeof errors / sizeof *errors; i++)
        if (strncmp(result + 3, errors[i], strlen(errors[i])) == 0)
            return true;
    return false;
}

static void read_call(struct strace *strace, struct strace_thread *thread, const struct strace_name *name, char *args,
                      char *result)
{
    struct strace_call call = {.name = name};

    call.count = strace_split(args, call.text, 6, &call.end);
    call.result = strace_result(result);
    strace_tell_exec(strace, thread, &call);
    strace_call(strace, thread, &call);
}

static void on_call(struct strace *strace, struct strace_thread *thread, const struct strace_line *line)
{
    const struct strace_name *name = strace_name(strace, line->name, line->name_size);

    strace_set_call(strace, thread, NULL, 0);
    thread->last_call = name;
    strace->all_calls |= name && (name->handling == HANDLE_MMAP || name->handling == HANDLE_MUNMAP);
    if (!boring(strace, name, thread) || (name && lacks_something(line->result)))
        read_call(strace, thread, name, line->args, line->result);
}

static void on_unfinished(struct strace *strace, struct strace_thread *thread, const struct strace_line *line)
{
    const struct strace_name *name = strace_name(strace, line->name, line->name_size);

    strace_set_call(strace, thread, line->name, line->name_size);
    text_clear(&thread->pending);
    if (!boring(strace, name, thread) && line->args_size < PENDING_MOST)
        text_addn(&thread->pending, line->args, line->args_size);
    if (name && name->handling == HANDLE_LEAVE && line->args_size < PENDING_MOST) { /* it never comes back */
        text_add(&thread->pending, ")");
        read_call(strace, thread, name, thread->pending.v, NULL);
    }
}

static void on_resumed(struct strace *strace, struct strace_thread *thread, const struct strace_line *line)
{
    const struct strace_name *name = strace_name(strace, line->name, line->name_size);
    bool same = strlen(thread->call) == line->name_size && memcmp(thread->call, line->name, line->name_size) == 0;

    if (!boring(strace, name, thread) && line->result) {
        if (!same)
            text_clear(&thread->pending);
        text_addn(&thread->pending, line->args, line->args_size);
        read_call(strace, thread, name, thread->pending.v, line->result);
    }
    strace_set_call(strace, thread, NULL, 0);
    text_clear(&thread->pending);
}

/* ---- calls that their line has cut ---- */

static void drop_held(struct strace *strace)
{
    text_clear(&strace->held);
    strace->held_lines = 0;
}

/* It was none of strace's after all. */
static void give_up_held(struct strace *strace)
{
    if (strace->held_lines > 1 && strace->held.n) {
        text_addc(&strace->held, '\n');
        text_words(strace->reading, strace->held.v, strace->held.n);
    }
    drop_held(strace);
}

static void hold(struct strace *strace, const struct strace_line *line)
{
    drop_held(strace);
    strace->held_pid = line->pid;
    strace->held_lines = 1;
    text_addn(&strace->held, line->name, line->name_size);
    text_addc(&strace->held, '(');
    text_addn(&strace->held, line->args, line->args_size);
    strace->held.n -= strace->held.v[strace->held.n - 1] == ' ';
    strace->held.v[strace->held.n] = '\0';
    if (line->other)
        strace->coming = line->other;
}

static bool on_line(struct strace *strace, const struct strace_line *line);

/* LINE is none of strace's: it may be the rest of the one that is held. */
static bool take_up(struct strace *strace, const char *line, size_t size)
{
    struct strace_line whole;

    if (!strace->held_lines)
        return false;
    if (++strace->held_lines > HELD_LINES || strace->held.n + size > HELD_MOST) {
        give_up_held(strace);
        return false;
    }
    if (strace->held.n > 2 &&
        (strace->held.v[strace->held.n - 1] == '=' || strcmp(strace->held.v + strace->held.n - 3, " -1") == 0))
        text_addc(&strace->held, ' '); /* where the line was cut, unless that was in a word */
    text_addn(&strace->held, line, size);
    strace_parse(strace->held.v, strace->held.n, known, strace, &whole);
    if (whole.kind == STRACE_PARTIAL || whole.kind == STRACE_NOTHING)
        return true;
    whole.pid = strace->held_pid;
    strace->held_lines = 0;
    on_line(strace, &whole);
    drop_held(strace);
    return true;
}

/* ---- lines ---- */

static int number_of(const struct strace_line *line)
{
    CLEANUP_FREE char *name = xstrndup(line->name, line->name_size < 32 ? line->name_size : 32);

    return signal_value(name);
}

static void on_signal(struct strace_thread *thread, const struct strace_line *line)
{
    thread->signal = number_of(line);
    text_clear(&thread->signal_told);
    text_addn(&thread->signal_told, line->args, strnlen(line->args, 1024));
}

static void on_killed(struct strace *strace, struct strace_thread *thread, const struct strace_line *line)
{
    int signal = number_of(line);

    strace_ended(strace, thread, (signal ? signal & 0x7f : 9) | (line->core ? 0x80 : 0));
}

/* The paste cut the line within "(No such file or directory)". */
static bool cut_in_errno(const struct strace_line *line)
{
    const char *open = line->result ? strrchr(line->result, '(') : NULL;

    return open && !strchr(open, ')');
}

static bool forks(const struct strace_line *line)
{
    return line->name &&
           (line->name_size > 3 && (memcmp(line->name, "clon", 4) == 0 || memcmp(line->name, "fork", 4) == 0 ||
                                    memcmp(line->name, "vfor", 4) == 0));
}

/* A line of strace's. */
static bool on_line(struct strace *strace, const struct strace_line *line)
{
    struct strace_thread *thread;

    set_time(strace, line);
    if (line->kind == STRACE_OTHER)
        return true;
    if (line->kind == STRACE_ATTACHED) {
        strace->coming = line->other;
        return true;
    }
    strace->executes = line->name && line->name_size >= 6 && memcmp(line->name, "execve", 6) == 0;
    thread = strace_thread(strace, line->pid);
    strace->last = thread;
    strace->forks |= forks(line);
    switch (line->kind) {
    case STRACE_CALL:
        on_call(strace, thread, line);
        break;
    case STRACE_UNFINISHED:
        on_unfinished(strace, thread, line);
        break;
    case STRACE_RESUMED:
        on_resumed(strace, thread, line);
        break;
    case STRACE_SIGNAL:
        on_signal(thread, line);
        break;
    case STRACE_EXITED:
        strace_ended(strace, thread, (line->status & 0xff) << 8);
        break;
    case STRACE_KILLED:
        on_killed(strace, thread, line);
        break;
    default:
        break;
    }
    return true;
}

static bool take(void *state, char *text, size_t size);

/* The program's words end without a newline, and strace's line, which has its process's number then, stands behind
 * them: false: TEXT is no such line. */
static bool take_behind_words(struct strace *strace, char *text, size_t size)
{
    struct strace_line line;
    char *at = strstr(text, "[pid ");

    if (!at || at == text || strace->held_lines)
        return false;
    strace_parse(at, size - (size_t)(at - text), known, strace, &line);
    if (line.kind != STRACE_CALL && line.kind != STRACE_UNFINISHED && line.kind != STRACE_RESUMED)
        return false;
    *at = '\n';
    text_words(strace->reading, text, (size_t)(at - text) + 1);
    *at = '[';
    return take(strace, at, size - (size_t)(at - text));
}

static bool take(void *state, char *text, size_t size)
{
    struct strace *strace = state;
    struct strace_line line;
    bool in_errno = strace->in_errno;

    strace->in_errno = false;
    strace_parse(text, size, known, strace, &line);
    if (line.kind == STRACE_NOTHING) {
        if (in_errno && size && strchr(text, ')')) /* "or directory)" */
            return true;
        return take_behind_words(strace, text, size) || take_up(strace, text, size);
    }
    if (line.kind == STRACE_PARTIAL && !line.pid && strncmp(text, "  ", 2) == 0)
        return take_up(strace, text, size); /* strace indents no call: a line of somebody's source, in a traceback */
    if (line.kind == STRACE_PARTIAL) {
        give_up_held(strace);
        hold(strace, &line);
        return true;
    }
    if (strace->held_lines && line.kind != STRACE_OTHER && line.kind != STRACE_ATTACHED)
        give_up_held(strace);
    strace->in_errno = line.kind == STRACE_CALL && cut_in_errno(&line);
    return on_line(strace, &line);
}

static void *begin(struct text_reading *reading)
{
    struct strace *strace = xcalloc(1, sizeof *strace);

    strace->reading = reading;
    name_all(strace);
    return strace;
}

static void end(void *state)
{
    struct strace *strace = state;

    give_up_held(strace);
    strace_finish_processes(strace);
    if (strace->has_ended)
        text_event(strace->reading, &strace->end);
    strings_deinit(&strace->library_path);
    text_deinit(&strace->held);
    text_deinit(&strace->path);
    text_deinit(&strace->data);
    text_deinit(&strace->result);
    text_deinit(&strace->limit);
    strace_seen_deinit(strace);
    strace_failed_deinit(&strace->executions);
    text_deinit(&strace->place);
    free(strace);
}

const struct text_reader text_reader_strace = {
    .name = "strace",
    .how = INPUT_STRACE_LOG,
    .begin = begin,
    .take = take,
    .end = end,
};
