/* Processes and threads, from strace's lines: who is whose child, what they execute, how they end. */
#include "read_strace.h"

#include "crash.h"
#include "judge.h"
#include "syscall.h"

#include <probes/alloc.h>

#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static void group_free(struct strace_group *group)
{
    for (size_t i = 0; i < STRACE_FDS; i++)
        free(group->fds[i].path);
    for (size_t i = 0; i < STRACE_LIBRARIES; i++)
        free(group->libraries[i]);
    strace_failed_deinit(&group->failed);
    strings_deinit(&group->argv);
    strings_deinit(&group->env);
    strings_deinit(&group->sought);
    text_deinit(&group->line);
    free(group->lacked_name);
    free(group->sought_name);
    strace_load_deinit(&group->load);
    strace_execution_deinit(&group->execution);
    free(group->cwd);
    free(group->exe);
    free(group);
}

static struct strace_thread *thread_add(struct strace *strace, pid_t tid, struct strace_group *group)
{
    struct strace_thread *thread = xcalloc(1, sizeof *thread);

    thread->tid = tid;
    thread->group = group;
    group->threads++;
    HASH_ADD_INT(strace->threads, tid, thread);
    return thread;
}

static void thread_remove(struct strace *strace, struct strace_thread *thread)
{
    HASH_DEL(strace->threads, thread);
    strace->forking -= thread->forks;
    if (strace->last == thread)
        strace->last = NULL;
    if (strace->nameless == thread)
        strace->nameless = NULL;
    if (--thread->group->threads == 0)
        group_free(thread->group);
    text_deinit(&thread->pending);
    text_deinit(&thread->signal_told);
    free(thread);
}

/* ---- beginnings ---- */

static struct strace_thread *find(const struct strace *strace, pid_t tid)
{
    struct strace_thread *thread;

    HASH_FIND_INT(strace->threads, &tid, thread);
    return thread;
}

static void copy_group(struct strace_group *to, const struct strace_group *from)
{
    to->cwd = xstrdup_or_null(from->cwd);
    to->exe = xstrdup_or_null(from->exe);
    memcpy(to->limits, from->limits, sizeof to->limits);
    to->top_fd = from->top_fd;
    for (size_t i = 0; i < from->argv.n; i++)
        strings_add(&to->argv, xstrdup(from->argv.v[i]));
    to->musl = from->musl;
    for (size_t i = 0; i < STRACE_FDS; i++) {
        to->fds[i].is = from->fds[i].is;
        to->fds[i].path = xstrdup_or_null(from->fds[i].path);
    }
}

static struct strace_thread *start(struct strace *strace, pid_t tid, struct strace_thread *parent)
{
    struct strace_group *group = xcalloc(1, sizeof *group);
    struct strace_thread *thread = thread_add(strace, tid, group);
    struct event event = {.type = EVENT_PROCESS, .process = {.what = PROCESS_START}};
    char name[32];
    struct image image = {.exe = name, .loader_base = 1, .loader_end = 2, .class = ELFCLASS64, .machine = EM_X86_64};

    group->pid = tid;
    group->cache_fd = group->full_fd = -1;
    if (parent) {
        strace_tell_exec(strace, parent, NULL);
        copy_group(group, parent->group);
        event.process.parent = parent->group->pid;
    } else {
        group->fds[1].is = FD_STDOUT;
        group->fds[2].is = FD_STDERR;
    }
    if (!parent && !strace->executes) { /* the log begins in the middle (strace -p): which program it is is not known */
        snprintf(name, sizeof name, "process %d", (int)tid);
        event.process.image = &image;
    }
    strace_event(strace, thread, &event);
    if (!strace->reading->about)
        text_about(strace->reading, tid);
    return thread;
}

static void start_thread(struct strace *strace, pid_t tid, struct strace_thread *by)
{
    struct strace_thread *thread = thread_add(strace, tid, by->group);
    struct event event = {.type = EVENT_PROCESS, .process = {.what = PROCESS_THREAD}};

    strace_event(strace, thread, &event);
}

static bool forks(const char *call)
{
    return strncmp(call, "clone", 5) == 0 || strcmp(call, "fork") == 0 || strcmp(call, "vfork") == 0;
}

void strace_set_call(struct strace *strace, struct strace_thread *thread, const char *name, size_t size)
{
    if (!size && !thread->call[0])
        return;
    if (size >= sizeof thread->call)
        size = sizeof thread->call - 1;
    strace->forking -= thread->forks;
    memcpy(thread->call, name ? name : "", size);
    thread->call[size] = '\0';
    thread->forks = forks(thread->call);
    strace->forking += thread->forks;
}

/* Whoever is within a clone: TID may be its child. The last one whose line came is the likeliest. */
static struct strace_thread *forking(const struct strace *strace)
{
    struct strace_thread *thread, *next;

    if (!strace->forking)
        return NULL;
    if (strace->last && strace->last->forks)
        return strace->last;
    HASH_ITER(hh, strace->threads, thread, next)
    if (thread->forks)
        return thread;
    return NULL;
}

/* A log that was cut, or of a filter, has no ends: who was not heard of for long is forgotten. */
static void forget(struct strace *strace, struct strace_thread *thread)
{
    struct event event = {.type = EVENT_PROCESS, .process = {.what = PROCESS_DETACHED, .forgotten = true}};

    strace_tell_exec(strace, thread, NULL);
    if (strace->opened.thread == thread)
        strace_tell_opened(strace);
    if (thread->group->threads == 1)
        strace_event(strace, thread, &event);
    thread_remove(strace, thread);
}

static void make_room(struct strace *strace)
{
    struct strace_thread *thread, *next;
    uint64_t sum = 0, mean;

    HASH_ITER(hh, strace->threads, thread, next)
    sum += thread->line;
    mean = sum / HASH_COUNT(strace->threads);
    HASH_ITER(hh, strace->threads, thread, next)
    if (thread->line <= mean && thread != strace->last && thread != strace->nameless &&
        (thread->group->pid != strace->reading->about || thread->group->threads > 1))
        forget(strace, thread);
}

static bool makes_thread(const struct strace_thread *thread)
{
    return thread->pending.n && strstr(thread->pending.v, "CLONE_THREAD");
}

static struct strace_thread *without_number(struct strace *strace)
{
    enum { MADE_UP = 1 };

    /* strace leaves the number out while, and when, there is one only. */
    if (!strace->nameless && strace->last)
        return strace->last;
    if (!strace->nameless && strace->threads)
        return strace->threads;
    if (!strace->nameless)
        strace->nameless = start(strace, MADE_UP, NULL);
    return strace->nameless;
}

/* Of a child that is announced before its parent's call has returned: the only process that there is, if the text began
 * with its execve (who attaches announces others). */
static struct strace_thread *only_one(const struct strace *strace)
{
    struct strace_thread *thread, *next, *one = strace->threads;

    HASH_ITER(hh, strace->threads, thread, next)
    if (thread->group != one->group)
        return NULL;
    return one && one->group->exe ? one : NULL;
}

static struct strace_thread *known_thread(struct strace *strace, pid_t tid)
{
    enum { GUESSED_MOST = 16 /* generations: a day's log would be one chain of a hundred thousand */ };
    unsigned guessed = 0;
    struct strace_thread *thread = tid ? find(strace, tid) : without_number(strace), *parent;

    if (thread)
        return thread;
    if (strace->nameless && tid != strace->coming && !forking(strace)) { /* that is its number */
        thread = strace->nameless;
        HASH_DEL(strace->threads, thread);
        thread->tid = thread->group->load.tid = tid;
        HASH_ADD_INT(strace->threads, tid, thread);
        strace->nameless = NULL;
        return thread;
    }
    parent = forking(strace);
    if (!parent && tid == strace->coming)
        parent = only_one(strace);
    if (tid == strace->coming)
        strace->coming = 0;
    /* The call that made it is not in the log (-e trace=file, a beginning in the middle): strace follows children only.
     */
    if (!parent && !(strace->executes && strace->forks)) {
        parent = strace->last && strace->last->group->guessed < GUESSED_MOST ? strace->last : strace->threads;
        guessed = parent ? parent->group->guessed + 1 : 0;
    }
    if (parent && makes_thread(parent)) {
        start_thread(strace, tid, parent);
        return find(strace, tid);
    }
    thread = start(strace, tid, parent);
    thread->group->guessed = guessed;
    return thread;
}

struct strace_thread *strace_thread(struct strace *strace, pid_t tid)
{
    struct strace_thread *thread;

    if (HASH_COUNT(strace->threads) >= STRACE_THREADS)
        make_room(strace);
    thread = known_thread(strace, tid);
    thread->line = strace->reading->number;
    return thread;
}

/* It has come and gone before the call that made it returned. */
static bool was_early(struct strace *strace, pid_t child)
{
    for (size_t i = 0; i < STRACE_EARLY; i++)
        if (strace->early[i] == child) {
            strace->early[i] = 0;
            return true;
        }
    return false;
}

void strace_cloned(struct strace *strace, struct strace_thread *thread, pid_t child, bool is_thread)
{
    if (strace->coming == child)
        strace->coming = 0;
    if (child <= 0 || find(strace, child) || was_early(strace, child))
        return;
    if (is_thread)
        start_thread(strace, child, thread);
    else
        start(strace, child, thread);
}

/* ---- images ---- */

/* The program that was executed as PATH; of a loader that was run itself, the one that it is given (ld.so(8)).
 * malloced, or NULL. */
static char *behind_loader(const struct strace_group *group, const char *path)
{
    static const char *const with_value[] = {"--library-path",     "--inhibit-rpath", "--audit",
                                             "--preload",          "--argv0",         "--glibc-hwcaps-prepend",
                                             "--glibc-hwcaps-mask"};
    const char *name = path ? path_base(path) : "";
    size_t i = 1;

    if (strncmp(name, "ld-linux", 8) != 0 && strncmp(name, "ld-musl-", 8) != 0 && strcmp(name, "ld.so") != 0 &&
        strncmp(name, "ld-2.", 5) != 0)
        return xstrdup_or_null(path);
    while (i < group->argv.n && group->argv.v[i][0] == '-') {
        bool value = false;

        for (size_t k = 0; k < sizeof with_value / sizeof *with_value; k++)
            value |= strcmp(group->argv.v[i], with_value[k]) == 0;
        i += 1 + value;
    }
    if (i >= group->argv.n || judge_logged_cut(group->argv.v[i]))
        return xstrdup_or_null(path);
    return group->argv.v[i][0] == '/' || !group->cwd ? xstrdup(group->argv.v[i])
                                                     : path_join(group->cwd, group->argv.v[i]);
}

void strace_executed(struct strace *strace, struct strace_thread *thread, const char *path)
{
    struct strace_group *group = thread->group;

    (void)strace;
    free(group->exe);
    group->exe = behind_loader(group, path);
    group->exec_waits = true;
    group->loading = true;
    strace_load_deinit(&group->load);
    group->cache_addr = 0;
    group->cache_fd = group->full_fd = -1;
    group->mappings = 0;
    group->library_count = 0;
}

/* What a program that musl has started does first (ldso/dynlink.c, src/env/__init_tls.c), and Go's runtime. */
static bool begins_like_musl(const struct strace_call *next)
{
    if (!next)
        return false;
    if (strcmp(next->name->name, "arch_prctl") == 0)
        return next->count && strcmp(next->text[0], "ARCH_SET_FS") == 0;
    return strcmp(next->name->name, "set_thread_area") == 0 ||
           (next->count && strcmp(next->name->name, "open") == 0 && strstr(next->text[0], "/etc/ld-musl-"));
}

static const char *const *vector(struct strings *list)
{
    strings_add(list, NULL);
    list->n--;
    return (const char *const *)list->v;
}

static const char *variable(const struct strings *env, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->v[i], name, n) == 0)
            return env->v[i] + n;
    return NULL;
}

static char *library_path(const struct strace *strace)
{
    struct text text = {0};

    for (size_t i = 0; i < strace->library_path.n; i++)
        text_addf(&text, "%s%s", i ? ":" : "LD_LIBRARY_PATH=", strace->library_path.v[i]);
    return text.v;
}

void strace_tell_exec(struct strace *strace, struct strace_thread *thread, const struct strace_call *next)
{
    struct strace_group *group = thread->group;
    const char *cwd = variable(&group->env, "PWD=");
    struct image image = {
        .exe = group->exe,
        .musl = begins_like_musl(next),
        .loader_base = 1, /* some loader: whose calls are its own is told with each */
        .loader_end = 2,
        .class = 2,    /* ELFCLASS64 */
        .machine = 62, /* EM_X86_64 */
    };
    struct event event = {.type = EVENT_PROCESS, .process = {.what = PROCESS_EXEC, .image = &image}};

    if (!group->exec_waits)
        return;
    group->exec_waits = false;
    if (!group->cwd && cwd && *cwd == '/')
        group->cwd = xstrdup(cwd);
    group->musl = image.musl;
    image.argv = vector(&group->argv);
    if (!group->env.n && strace->library_path.n)
        strings_add(&group->env, library_path(strace));
    image.env = vector(&group->env);
    image.cwd = group->cwd;
    strace_event(strace, thread, &event);
}

/* ---- ends ---- */

static uint64_t address_in(const char *told, const char *key)
{
    const char *at = told ? strstr(told, key) : NULL;

    return at ? strtoull(at + strlen(key), NULL, 0) : 0;
}

static int code_in(const char *told)
{
    static const struct {
        const char *name;
        int code;
    } codes[] = {{"SEGV_MAPERR", SEGV_MAPERR}, {"SEGV_ACCERR", SEGV_ACCERR}, {"SI_KERNEL", SI_KERNEL},
                 {"SI_USER", SI_USER},         {"SI_TKILL", SI_TKILL},       {"ILL_ILLOPN", ILL_ILLOPN},
                 {"ILL_ILLOPC", ILL_ILLOPC},   {"FPE_INTDIV", FPE_INTDIV},   {"BUS_ADRERR", BUS_ADRERR},
                 {"BUS_ADRALN", BUS_ADRALN},   {"TRAP_BRKPT", TRAP_BRKPT},   {"SYS_SECCOMP", 1}};
    const char *at = told ? strstr(told, "si_code=") : NULL;

    for (size_t i = 0; at && i < sizeof codes / sizeof *codes; i++)
        if (strncmp(at + 8, codes[i].name, strlen(codes[i].name)) == 0)
            return codes[i].code;
    return 0;
}

static struct crash *crash_of(const struct strace *strace, const struct strace_thread *thread, int number)
{
    const char *told = thread->signal == number ? thread->signal_told.v : NULL;
    const char *call = told ? strstr(told, "si_syscall=__NR_") : NULL;
    struct crash *crash = crash_create();

    crash->pid = thread->group->pid;
    crash->tid = thread->tid;
    crash->signal = number;
    crash->code = code_in(told);
    crash->has_addr = told && strstr(told, "si_addr=") && crash->code != SI_KERNEL;
    crash->addr = crash->info_addr = address_in(told, "si_addr=");
    crash->sender = (int)address_in(told, "si_pid=");
    crash->by_itself = crash->sender && crash->sender == thread->group->pid;
    if (call)
        crash->call = xstrndup(call + 16, strspn(call + 16, "abcdefghijklmnopqrstuvwxyz0123456789_"));
    else if (number == SIGSYS && ((thread->last_call && strace->all_calls) ||
                                  thread->call[0])) /* a policy that kills sends none (seccomp(2)) */
        crash->call = xstrdup(thread->call[0] ? thread->call : thread->last_call->name);
    return crash;
}

static void tell_signal(struct strace *strace, struct strace_thread *thread, int number)
{
    struct event event = {.type = EVENT_SIGNAL, .signal = {.signal = number, .fatal = true}};
    const char *told = thread->signal == number ? thread->signal_told.v : NULL;
    struct crash *crash = crash_signal(number) ? crash_of(strace, thread, number) : NULL;

    event.signal.code = code_in(told);
    event.signal.sender = (int)address_in(told, "si_pid=");
    event.signal.fault_addr = address_in(told, "si_addr=");
    event.signal.crash = crash;
    if (thread->group->loading || (number == SIGBUS && strace_load_has(thread->group, event.signal.fault_addr)))
        event.signal.ip_addr = 1; /* within the loader, as its image was told */
    strace_event(strace, thread, &event);
    crash_put(crash);
}

/* As a variable would have it: what a command was looked for in. malloced, or NULL. */
static char *searched(const struct strace_group *group)
{
    struct text text = {0};

    if (group->sought.n < 2)
        return NULL;
    for (size_t i = 0; i < group->sought.n; i++)
        text_addf(&text, "%s%s", i ? ":" : "PATH=", group->sought.v[i]);
    return text.v;
}

/* As far as the log tells: where it began it is the session's own. */
const char *strace_words_to(const struct strace_group *group)
{
    enum strace_fd_is is = group->fds[2].is;

    return is == FD_NULL ? "null" : is == FD_STDERR || is == FD_STDOUT ? "shared" : "other";
}

static void tell_end(struct strace *strace, struct strace_thread *thread, const struct event *told)
{
    CLEANUP_FREE char *path = searched(thread->group);
    const char *const variables[] = {path, NULL};
    struct sight sight = {.variables = variables, .words_to = strace_words_to(thread->group)};
    struct event event = *told;

    event.sight = &sight;
    strace_event(strace, thread, &event);
}

void strace_ended(struct strace *strace, struct strace_thread *thread, int status)
{
    struct strace_group *group = thread->group;
    struct event event = {
        .type = EVENT_PROCESS,
        .pid = group->pid,
        .tid = thread->tid,
        .process = {.what = PROCESS_EXITING, .status = status, .by_loader = group->left_by_loader},
    };

    if (strace->forking)
        strace->early[strace->early_count++ % STRACE_EARLY] = thread->tid;
    strace_tell_exec(strace, thread, NULL);
    if (group->execution.waits)
        strace_tell_execution(strace, thread);
    if (group->threads == 1)
        strace_load_ends(strace, thread, WIFEXITED(status) ? WEXITSTATUS(status) : 0);
    if (group->threads > 1) {
        event.process.what = PROCESS_THREAD_EXIT;
        strace_event(strace, thread, &event);
        thread_remove(strace, thread);
        return;
    }
    if (WIFSIGNALED(status))
        tell_signal(strace, thread, WTERMSIG(status));
    if (strace->opened.thread)
        strace_tell_opened(strace);
    if (group->pid == strace->reading->about && !strace->has_ended && group->sought.n < 2) {
        strace->has_ended = true;
        strace->end = event;
    } else {
        tell_end(strace, thread, &event);
    }
    thread_remove(strace, thread);
}

void strace_finish_processes(struct strace *strace)
{
    struct strace_thread *thread, *next;

    if (strace->opened.thread)
        strace_tell_opened(strace);
    HASH_ITER(hh, strace->threads, thread, next)
    {
        strace_tell_exec(strace, thread, NULL);
        if (thread->group->leaving)
            strace_ended(strace, thread, (thread->group->leave_status & 0xff) << 8);
    }
    HASH_ITER(hh, strace->threads, thread, next)
    thread_remove(strace, thread);
}
