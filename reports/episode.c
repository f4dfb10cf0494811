/* Attempts and episodes: the file calls of a process, grouped by what was looked for (part of model.h). */
#include "model_parts.h"
#include "sight.h"
#include "text.h"

#include "syscall.h"

#include <fcntl.h>
#include <string.h>

#include <probes/alloc.h>

void attempt_free(struct attempt *attempt)
{
    free(attempt->string);
    free(attempt->path);
    free(attempt->cwd);
    free(attempt->root);
    free(attempt->argv0);
    free(attempt->argv_rest);
    sight_free(attempt->sight);
    free(attempt);
}

struct attempt *attempt_copy(const struct attempt *attempt)
{
    struct attempt *copy = xmemdup(attempt, sizeof *attempt);

    copy->string = xstrdup_or_null(attempt->string);
    copy->path = xstrdup_or_null(attempt->path);
    copy->cwd = xstrdup_or_null(attempt->cwd);
    copy->root = xstrdup_or_null(attempt->root);
    copy->argv0 = xstrdup_or_null(attempt->argv0);
    copy->argv_rest = xstrdup_or_null(attempt->argv_rest);
    return copy;
}

static void episode_free(struct episode *episode)
{
    for (size_t i = 0; i < episode->count; i++)
        attempt_free(episode->attempts[i]);
    free(episode->attempts);
    free(episode->name);
    free(episode->key);
    free(episode->found_path);
    free(episode);
}

void model_forget_episodes(struct process *process)
{
    struct episode *episode, *next;

    HASH_ITER(hh, process->episodes, episode, next)
    {
        HASH_DEL(process->episodes, episode);
        episode_free(episode);
    }
    for (size_t i = 0; i < process->act_count; i++) {
        free(process->acts[i].name);
        free(process->acts[i].path);
        sight_free(process->acts[i].sight);
        strings_deinit(&process->acts[i].needed);
    }
    process->act_count = 0;
    process->attempt_count = 0;
    process->last_file = process->last_work = process->before_words = NULL;
    strings_deinit(&process->listed);
    process->listed = (struct strings){0};
}

/* Attempts to execute are episodes of their own: that a file can be opened or is there does not end them well. */
static struct episode *episode_of(struct process *process, const char *path, bool execution, bool make)
{
    CLEANUP_FREE char *key = xasprintf("%c%s", execution ? 'x' : 'f', path_base(path));
    struct episode *episode;

    HASH_FIND_STR(process->episodes, key, episode);
    if (!episode && make) {
        episode = xcalloc(1, sizeof *episode);
        episode->name = xstrdup(key + 1);
        episode->key = steal_pointer(&key);
        HASH_ADD_KEYPTR(hh, process->episodes, episode->key, strlen(episode->key), episode);
    }
    return episode;
}

static bool is_execution(const struct syscall_desc *desc)
{
    return strncmp(desc->name, "execve", 6) == 0;
}

static bool held(const struct process *process, const struct episode *episode)
{
    for (size_t i = 0; i < episode->count; i++)
        if (episode->attempts[i] == process->last_file || episode->attempts[i] == process->before_words ||
            episode->attempts[i] == process->last_work)
            return true;
    return false;
}

/* Makes room: episodes that ended well go first, then the oldest (the hash iterates in the order of adding), until half
 * is free. */
static void drop_old(struct process *process)
{
    struct episode *episode, *next;

    for (int only_found = 1; only_found >= 0; only_found--) {
        HASH_ITER(hh, process->episodes, episode, next)
        {
            if (process->attempt_count < ATTEMPTS_KEPT / 2)
                return;
            if (held(process, episode) || (only_found && !episode->found_n))
                continue;
            process->attempt_count -= episode->count;
            HASH_DEL(process->episodes, episode);
            episode_free(episode);
        }
    }
}

static bool same_attempt(const struct attempt *attempt, const struct event *event)
{
    return attempt->desc == event->syscall.desc && attempt->error == event->syscall.error &&
           attempt->by == event->syscall.by && strcmp(attempt->path, event->syscall.path) == 0;
}

static struct attempt *attempt_find(struct episode *episode, const struct event *event)
{
    for (size_t i = episode->count; i-- > 0 && i + 64 > episode->count;)
        if (same_attempt(episode->attempts[i], event))
            return episode->attempts[i];
    return NULL;
}

static char *words_of(const char *const *argv)
{
    struct text text = {0};
    char *words;

    for (; *argv; argv++)
        text_addf(&text, "%s\n", *argv);
    words = xstrdup(text.v ? text.v : "");
    text_deinit(&text);
    return words;
}

static struct attempt *attempt_record(struct process *process, const struct event *event)
{
    const struct event_syscall *call = &event->syscall;
    struct episode *episode;
    struct attempt *attempt;

    if (process->attempt_count >= ATTEMPTS_KEPT)
        drop_old(process);
    episode = episode_of(process, call->path, is_execution(call->desc), true);
    attempt = attempt_find(episode, event);
    episode->last_n = event->n;
    episode->found_n = 0;
    if (!attempt) {
        attempt = xcalloc(1, sizeof *attempt);
        *(struct attempt **)array_add(&episode->attempts, &episode->count, &episode->cap, sizeof attempt) = attempt;
        process->attempt_count++;
        attempt->n = event->n;
        attempt->t_ns = event->t_ns;
        attempt->desc = call->desc;
        attempt->path = xstrdup(call->path);
        attempt->string = xstrdup_or_null(call->string);
        attempt->cwd = xstrdup_or_null(event->cwd);
        attempt->root = xstrdup(event->root);
        attempt->error = call->error;
        attempt->by = call->by;
        attempt->execution = is_execution(call->desc);
        if (attempt->execution && call->argv)
            attempt->argv0 = xstrdup_or_null(call->argv[0]);
        if (attempt->argv0)
            attempt->argv_rest = words_of(call->argv + 1);
        attempt->sight = sight_copy(event->sight);
    }
    attempt->last_n = event->n;
    attempt->tid = event->tid;
    attempt->count++;
    return attempt;
}

static void act_record(struct process *process, const struct event *event)
{
    const struct event_syscall *call = &event->syscall;
    struct load_act *last = process->act_count ? &process->acts[process->act_count - 1] : NULL;
    const char *name = path_base(call->path);

    if (last && last->error && last->tid == event->tid && strcmp(last->name, name) == 0) { /* the search goes on */
        last->single = last->single && strcmp(last->path, call->path) == 0;
    } else {
        if (process->act_count >= ACTS_KEPT)
            return;
        last = array_add(&process->acts, &process->act_count, &process->act_cap, sizeof *last);
        last->name = xstrdup(name);
        last->single = true;
        last->n = event->n;
        last->t_ns = event->t_ns;
        last->tid = event->tid;
    }
    free(last->path);
    last->path = xstrdup(call->path);
    sight_free(last->sight);
    last->sight = sight_copy(event->sight);
    strings_deinit(&last->needed);
    for (size_t i = 0; event->sight && event->sight->needed && event->sight->needed[i]; i++)
        strings_add(&last->needed, xstrdup(event->sight->needed[i]));
    last->error = call->error;
    last->tries++;
}

static bool is_open(const struct syscall_desc *desc)
{
    return strncmp(desc->name, "open", 4) == 0;
}

bool library_like(const char *path)
{
    const char *name = path_base(path), *so = strstr(name, ".so");
    size_t n = strlen(name);

    return (so && (so[3] == '\0' || so[3] == '.')) || (n > 5 && strcmp(name + n - 5, ".node") == 0);
}

bool script_like(const char *path)
{
    static const char *const endings[] = {".sh", ".py", ".pl", ".rb", ".js", ".bash"};
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcmp(dot, endings[i]) == 0)
            return true;
    return false;
}

static bool loader_own_file(const char *path)
{
    return strncmp(path, "/etc/ld.so.", 11) == 0 || strncmp(path, "/etc/ld-musl-", 13) == 0;
}

/* Devices and the kernel's own files: that one is there and was opened says nothing of what the program went on to do
 * (node opens /dev/null before its last words). */
static bool of_the_system(const char *path)
{
    return strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0;
}

/* A file that words go to: what is added to its end is read by people. */
static bool is_journal(const struct event_syscall *call)
{
    uint64_t access = call->flags & O_ACCMODE;

    if (!is_open(call->desc) || call->desc->flags_arg < 0 || access == O_RDONLY)
        return false;
    return (call->flags & O_APPEND) || strcasestr(path_base(call->path), "log");
}

static bool removes(const struct syscall_desc *desc)
{
    return strncmp(desc->name, "unlink", 6) == 0 || strcmp(desc->name, "rmdir") == 0;
}

/* What is read or written to say why something failed: message catalogues, what perl's croak() loads (Carp.pm), a log.
 * Nor is it work to clean up. */
static bool for_last_words(const struct event_syscall *call)
{
    const char *path = call->path;

    static const char *const names[] = {"Carp.pm", "overloading.pm", "strict.pm", "warnings.pm", "Exporter.pm"};
    const char *name = path_base(path);
    size_t n = strlen(name);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) { /* perl asks for a compiled one, "Carp.pmc", first */
        size_t size = strlen(names[i]);

        if (strncmp(name, names[i], size) == 0 && (!name[size] || strcmp(name + size, "c") == 0))
            return true;
    }
    return (n > 3 && strcmp(name + n - 3, ".mo") == 0) || is_journal(call) || removes(call->desc);
}

/* The directories in which a runtime looks for modules it lists, and asks for nothing that is not there. */
static void list_record(struct process *process, const char *path)
{
    struct strings *listed = &process->listed;

    for (size_t i = 0; i < listed->n; i++)
        if (strcmp(listed->v[i], path) == 0)
            return;
    if (listed->n >= LISTED_KEPT) {
        free(listed->v[0]);
        memmove(listed->v, listed->v + 1, --listed->n * sizeof *listed->v);
    }
    strings_add(listed, xstrdup(path));
}

void model_file_call(struct process *process, const struct event *event)
{
    const struct event_syscall *call = &event->syscall;
    /* only where the caller's address does not tell */
    bool by_loader = call->by == BY_LOADER || (process->musl && is_open(call->desc) && library_like(call->path));
    struct attempt *attempt = NULL;

    /* What a policy refuses says nothing of the file. */
    if (!call->returned || call->policy || loader_own_file(call->path))
        return;
    if (by_loader && is_open(call->desc))
        act_record(process, event);
    if (call->error) {
        attempt = attempt_record(process, event);
    } else {
        struct episode *episode = episode_of(process, call->path, is_execution(call->desc), false);

        if (is_open(call->desc) && (call->flags & O_DIRECTORY))
            list_record(process, call->path);

        if (episode && !episode->found_n) {
            episode->found_n = event->n;
            free(episode->found_path);
            episode->found_path = xstrdup(call->path);
        }
    }
    if (!by_loader && (attempt || !of_the_system(call->path))) {
        process->last_file_n = event->n;
        process->last_file = attempt;
        if (for_last_words(call) || of_the_system(call->path))
            return;
        process->last_work_n = event->n;
        process->last_work = attempt;
        process->stdout_before = process->stdout_count;
        if (!attempt)
            process->last_done_n = event->n;
    }
}
