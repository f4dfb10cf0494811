#include "model_parts.h"

#include "crash.h"
#include "limit.h"
#include "syscall.h"
#include "surroundings.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <probes/alloc.h>
#include <probes/proc.h>

void suspect_deinit(struct suspect *suspect)
{
    if (suspect->cause) /* the report may have taken it */
        cause_destroy(suspect->cause);
    strings_deinit(&suspect->needles);
    free(suspect->server);
    free(suspect->argv_rest);
}

void process_free(struct model *model, struct process *process)
{
    model_forget_shots(model, process);
    model_forget_episodes(process);
    model_forget_failures(process);
    free(process->failures);
    model_forget_sockets(process);
    free(process->sockets);
    free(process->acts);
    model_forget_loader(process);
    free(process->errors);
    free(process->calls);
    free(process->unloaded);
    free(process->loaded);
    free(process->returns);
    for (size_t i = 0; i < process->line_count; i++)
        free(process->lines[i].text);
    free(process->lines);
    strings_deinit(&process->words);
    crash_put(process->crash);
    free(process->partial);
    for (size_t i = 0; i < process->spoken_count; i++)
        free(process->spoken[i].text);
    free(process->spoken);
    for (size_t i = 0; i < process->hushed_count; i++)
        free(process->hushed[i].text);
    free(process->hushed);
    for (size_t i = 0; i < process->suspect_count; i++)
        suspect_deinit(&process->suspects[i]);
    free(process->suspects);
    for (size_t i = 0; i < process->untold_count; i++) {
        suspect_deinit(&process->untold[i].suspect);
        attempt_free(process->untold[i].attempt);
    }
    free(process->untold);
    strings_deinit(&process->ancestry);
    strings_deinit(&process->ruled_out);
    strings_deinit(&process->quoted);
    strings_deinit(&process->looked_in);
    strings_deinit(&process->listed);
    strings_deinit(&process->copies);
    free(process->libc.family);
    free(process->libc.version);
    free(process->libc.path);
    free(process->libc.from);
    free(process->libc.build);
    surroundings_destroy(process->around);
    free(process->distribution);
    free(process->policy_by);
    free(process->exe);
    free(process->cwd);
    free(process->root);
    free(process->cred.groups);
    strings_deinit(&process->argv);
    strings_deinit(&process->env);
    strings_deinit(&process->env_left);
    strings_deinit(&process->env_by);
    free(process);
}

struct model *model_create(void)
{
    struct model *model = xcalloc(1, sizeof *model);

    model->programs = programs_create();
    return model;
}

void model_destroy(struct model *model)
{
    struct process *process, *next;

    if (!model)
        return;
    HASH_ITER(hh, model->processes, process, next)
    {
        HASH_DEL(model->processes, process);
        process_free(model, process);
    }
    for (size_t i = 0; i < model->retired_count; i++)
        process_free(model, model->retired[i]);
    free(model->retired);
    strings_deinit(&model->unseen);
    free(model->within);
    free(model->complaint);
    answers_deinit(&model->seen);
    for (size_t i = 0; i < model->service_count; i++)
        free(model->services[i].target);
    free(model->services);
    programs_destroy(model->programs);
    free(model);
}

struct process *model_process(const struct model *model, pid_t pid)
{
    struct process *process;

    HASH_FIND_INT(model->processes, &pid, process);
    return process;
}

static struct process *process_add(struct model *model, pid_t pid, const struct event *event)
{
    struct process *process = model_process(model, pid);

    if (process) { /* the number came round again: the old one may still be somebody's parent */
        HASH_DEL(model->processes, process);
        *(struct process **)array_add(&model->retired, &model->retired_count, &model->retired_cap,
                                      sizeof(struct process *)) = process;
    }
    model_prune(model);
    process = xcalloc(1, sizeof *process);
    process->pid = pid;
    process->start_n = event->n;
    process->start_ns = event->t_ns;
    process->within = model->within;
    process->guests = model->guests;
    process->ahead = model->ahead;
    process->at_hand = model->at_hand;
    process->seen = &model->seen;
    process->root = xstrdup(event->root);
    HASH_ADD_INT(model->processes, pid, process);
    model->process_count++;
    if (!model->first)
        model->first = process;
    return process;
}

static void take_strings(struct strings *list, const char *const *from)
{
    strings_deinit(list);
    *list = (struct strings){0};
    for (size_t i = 0; from && from[i]; i++)
        strings_add(list, xstrdup(from[i]));
}

static void take_image(struct process *process, const struct image *image)
{
    free(process->exe);
    free(process->cwd);
    free(process->cred.groups);
    process->exe = xstrdup_or_null(image->exe);
    process->cwd = xstrdup_or_null(image->cwd);
    process->secure = image->secure;
    process->cred = image->cred;
    process->cred.groups = xmemdup(image->cred.groups, image->cred.group_count * sizeof(gid_t));
    process->class = image->class;
    process->machine = image->machine;
    process->loader_base = image->loader_base;
    process->loader_end = image->loader_end;
    process->musl = image->musl || image->loader_base == 0; /* nor in static programs */
    process->has_image = true;
    take_strings(&process->argv, image->argv);
    take_strings(&process->env, image->env);
    take_strings(&process->env_left, image->env_left);
}

static void inherit_image(struct process *child, const struct process *parent)
{
    child->exe = xstrdup_or_null(parent->exe);
    child->policy_by = xstrdup_or_null(parent->policy_by);
    child->cwd = xstrdup_or_null(parent->cwd);
    free(child->root);
    child->root = xstrdup_or_null(parent->root);
    child->secure = parent->secure;
    child->cred = parent->cred;
    child->cred.groups = xmemdup(parent->cred.groups, parent->cred.group_count * sizeof(gid_t));
    child->class = parent->class;
    child->machine = parent->machine;
    child->loader_base = parent->loader_base;
    child->loader_end = parent->loader_end;
    child->musl = parent->musl;
    child->has_image = parent->has_image;
    for (size_t i = 0; i < parent->ancestry.n; i++)
        strings_add(&child->ancestry, xstrdup(parent->ancestry.v[i]));
    for (size_t i = 0; i < parent->argv.n; i++)
        strings_add(&child->argv, xstrdup(parent->argv.v[i]));
    for (size_t i = 0; i < parent->env.n; i++)
        strings_add(&child->env, xstrdup(parent->env.v[i]));
    for (size_t i = 0; i < parent->env_left.n; i++)
        strings_add(&child->env_left, xstrdup(parent->env_left.v[i]));
    for (size_t i = 0; i < parent->env_by.n; i++)
        strings_add(&child->env_by, xstrdup(parent->env_by.v[i]));
}

/* By a log that has the path by which a program was called: where it asks what stands there ("python3" is a link to
 * python3.11), the log tells which file it is. */
static void take_link(struct process *process, const struct event_syscall *call)
{
    bool itself = call->path && process->exe && strcmp(call->path, process->exe) == 0;
    CLEANUP_FREE char *directory = itself ? path_dir(process->exe) : NULL;

    if (!itself && call->string && strcmp(call->string, "/proc/self/exe") == 0 && call->result[0] == '/')
        directory = xstrdup("/");
    if (!directory)
        return;
    free(process->exe);
    process->exe = path_join(directory, call->result);
}

static void on_syscall(struct model *model, struct process *process, const struct event *event)
{
    const struct event_syscall *call = &event->syscall;

    if (call->error)
        model->failed++;
    if (path_nowhere(process->root) && call->result && !call->error && strncmp(call->desc->name, "readlink", 8) == 0)
        take_link(process, call);
    if (!strcmp(call->desc->name, "exit_group")) {
        process->leave_n = event->n;
        if (model->live && model->at_leave)
            model->at_leave(process);
    }
    if (call->path && (call->desc->family == FAMILY_FILE || call->desc->family == FAMILY_PROCESS))
        model_file_call(process, event);
    if (call->desc->family == FAMILY_NETWORK)
        model_connection(model, process, event);
    else
        model_call(model, process, event);
}

static bool descriptor(pid_t pid, int fd, struct stat *ret)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/fd/%d", (int)pid, fd);

    return stat(path, ret) == 0;
}

static void note_stdout(const struct model *model, struct process *process)
{
    struct stat st;

    process->has_stdout = model->live && descriptor(process->pid, 1, &st);
    if (process->has_stdout) {
        process->stdout_dev = st.st_dev;
        process->stdout_ino = st.st_ino;
        process->stdout_pipe = S_ISFIFO(st.st_mode);
    }
}

/* `echo … >&2`: some shells move descriptor 2 to 1 for the time of a command of their own, and write there. */
static bool moved(const struct model *model, struct process *process, const struct event *event)
{
    const struct process *image = process_owner(process);
    struct stat out, err;

    return event->output.fd == 1 && model->live && image->has_stdout && descriptor(event->pid, 1, &out) &&
           descriptor(event->pid, 2, &err) && out.st_ino == err.st_ino && out.st_dev == err.st_dev &&
           (out.st_ino != image->stdout_ino || out.st_dev != image->stdout_dev);
}

/* At its end it may have closed it, as coreutils' close_stdout() does. */
static void note_shared(const struct model *model, struct process *process, const struct event *event)
{
    struct stat st;

    if (process->stderr_known || event->output.fd != STDERR_FILENO || !model->live ||
        !descriptor(event->pid, STDERR_FILENO, &st))
        return;
    process->stderr_known = true;
    process->stderr_shared = model->has_stderr && st.st_ino == model->stderr_ino && st.st_dev == model->stderr_dev;
}

/* The same by a log. */
static void take_words_to(struct process *process, const struct sight *sight)
{
    if (!sight || !sight->words_to)
        return;
    process->stderr_known = true;
    process->stderr_null = strcmp(sight->words_to, "null") == 0;
    process->stderr_shared = strcmp(sight->words_to, "shared") == 0;
}

static void on_output(struct model *model, struct process *process, const struct event *event)
{
    struct event said = *event;

    note_shared(model, process, event);
    if (moved(model, process, event))
        said.output.fd = STDERR_FILENO;
    /* A program that redirects its words to null(4) does not want them read. One look per write to descriptor 2. */
    model_output(process, &said,
                 model->live ? proc_fd_hushed(event->pid, event->output.fd, STDERR_FILENO)
                             : event->sight && event->sight->hushed);
    if (!model->live)
        take_words_to(process, event->sight);
    if (!model->live && !process->said && (process->said = limit_noted(event->sight)))
        process->said_n = event->n;
    if (model->live && model->at_words)
        model->at_words(process, event);
}

static void on_signal(struct process *process, const struct event *event)
{
    const struct event_signal *signal = &event->signal;

    if (!signal->fatal)
        return;
    process->signal = signal->signal;
    process->signal_code = signal->code;
    process->signal_sender = signal->sender;
    process->signal_n = event->n;
    process->signal_addr = signal->fault_addr;
    process->signal_ip = signal->ip_addr;
    if (signal->crash) {
        crash_put(process->crash);
        process->crash = crash_get(signal->crash);
        process->crash->n = event->n;
    }
    process->signal_by_loader =
        process->loader_base && signal->ip_addr >= process->loader_base && signal->ip_addr < process->loader_end;
}

static void on_end(struct model *model, struct process *process)
{
    bool inherited = process->judged;

    model_flush_output(process);
    if (!process->judged && model->at_end) {
        process->judged = true;
        model->at_end(model, process);
    }
    model_forget_shots(model, process);
    if (!inherited && process_owner(process) != process)
        model_inherit_words(process_owner(process), process);
    model_forget_episodes(process);
    model_forget_failures(process);
    model_forget_sockets(process);
}

static void on_start(struct model *model, const struct event *event)
{
    struct process *process = process_add(model, event->pid, event);
    pid_t number = event->process.parent != event->pid ? event->process.parent : 0; /* nobody is his own */
    struct process *parent = number ? model_process(model, number) : NULL;

    process->parent = parent;
    if (parent)
        parent->has_children = true;
    process->by_words = event->process.by_words;
    if (event->process.image) {
        take_image(process, event->process.image);
        process->executed = true;
    } else if (parent) {
        inherit_image(process, parent);
    }
}

static void note_stderr(struct model *model, const struct process *process)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/fd/2", (int)process->pid);
    struct stat st;

    if (!model->live || model->has_stderr || process != model->first || stat(path, &st) < 0)
        return;
    model->has_stderr = true;
    model->stderr_dev = st.st_dev;
    model->stderr_ino = st.st_ino;
}

static void on_exec(struct model *model, struct process *process, const struct event *event)
{
    if (model->at_exec)
        model->at_exec(model, process);
    note_stderr(model, process);
    note_stdout(model, process);
    model_forget_shots(model, process); /* of memory that is no more */
    model_forget_episodes(process);
    model_forget_failures(process);
    model_forget_sockets(process); /* those that stay open over an exec are servers' or pipes' */
    model_forget_loader(process);
    if (process->exe && process->ancestry.n < 64)
        strings_add(&process->ancestry, xstrdup(process->exe));
    process->executed = true;
    process->exec_n = event->n;
    process->first_output_n = 0;
    process->stderr_known = false;
    process->words_kind = WORDS_NONE;
    strings_deinit(&process->words);
    free(process->root);
    process->root = xstrdup(event->root);
    if (event->process.image) {
        model_variables(process, event->process.image);
        take_image(process, event->process.image);
    }
}

/* What a log tells at the end of a process's environment and surroundings: of the former it has not all. */
static void take_noted(struct process *process, const struct sight *sight)
{
    take_strings(&process->copies, sight->copies);
    for (size_t i = 0; sight->variables && sight->variables[i]; i++) {
        CLEANUP_FREE char *name = xstrndup(sight->variables[i], strcspn(sight->variables[i], "="));

        if (process_env(process, name))
            continue;
        if (process->env_by.n == process->env.n)
            strings_add(&process->env_by, xstrdup(""));
        strings_add(&process->env, xstrdup(sight->variables[i]));
    }
}

static void on_process(struct model *model, const struct event *event)
{
    const struct event_process *what = &event->process;
    struct process *process = model_process(model, event->pid);

    for (size_t i = 0; event->sight && event->sight->seen && event->sight->seen[i]; i++)
        answers_take(&model->seen, event->sight->seen[i]);
    if (what->what == PROCESS_START) {
        on_start(model, event);
        return;
    }
    if (what->what == PROCESS_NOTE && what->text)
        strings_add(&model->unseen, xstrdup(what->text));
    if (!process)
        return;
    switch (what->what) {
    case PROCESS_EXEC:
        on_exec(model, process, event);
        break;
    case PROCESS_THREAD:
        model->thread_count++;
        break;
    case PROCESS_DETACHED:
        if (what->forgotten) {
            process->forgotten = true;
            on_end(model, process);
        }
        break;
    case PROCESS_EXITING:
        model_shot(model, process, event);
        if (event->sight)
            take_noted(process, event->sight);
        if (!model->live)
            take_words_to(process, event->sight);
        process->status = what->status;
        process->by_loader = what->by_loader;
        process->heard = what->heard;
        process->ended = true;
        process->end_n = event->n;
        process->end_ns = event->t_ns;
        if (WIFSIGNALED(what->status))
            process->signal = WTERMSIG(what->status);
        if (what->crash && !process->crash)
            process->crash = crash_get(what->crash);
        on_end(model, process);
        break;
    case PROCESS_EXIT:
        process->status = what->status;
        process->ended = true;
        if (!process->end_n)
            process->end_n = event->n;
        if (WIFSIGNALED(what->status))
            process->signal = WTERMSIG(what->status);
        on_end(model, process);
        break;
    default:
        break;
    }
}

void model_event(void *ctx, const struct event *event)
{
    struct model *model = ctx;
    struct process *process;

    model->events++;
    model->told = event;
    if (event->type == EVENT_PROCESS) {
        on_process(model, event);
        model->told = NULL;
        return;
    }
    process = model_process(model, event->pid);
    if (!process)
        process = process_add(model, event->pid, event);
    model_shot(model, process, event);
    if (event->type == EVENT_SYSCALL)
        on_syscall(model, process, event);
    else if (event->type == EVENT_OUTPUT)
        on_output(model, process, event);
    else if (event->type == EVENT_SIGNAL)
        on_signal(process, event);
    else if (event->type == EVENT_LOADER)
        model_loader(process, event);
    model->told = NULL;
}

void model_finish(struct model *model)
{
    struct process *process, *next;

    HASH_ITER(hh, model->processes, process, next)
    {
        if (!process->judged)
            on_end(model, process);
    }
}

struct process *process_owner(struct process *process)
{
    for (int depth = 0; !process->executed && process->parent && depth < 100; depth++)
        process = process->parent;
    return process;
}

const char *process_env(const struct process *process, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < process->env.n; i++)
        if (strncmp(process->env.v[i], name, size) == 0 && process->env.v[i][size] == '=')
            return process->env.v[i] + size + 1;
    return NULL;
}

bool process_env_unknown(const struct process *process, const char *name)
{
    for (size_t i = 0; i < process->env_left.n; i++)
        if (strcmp(process->env_left.v[i], name) == 0)
            return true;
    return false;
}

bool process_failed(const struct process *process)
{
    return process->ended && process->status != 0;
}

static bool asks_to_end(int signal)
{
    return signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT || signal == SIGKILL;
}

bool process_gave_up(const struct process *process)
{
    /* SIGKILL is not delivered: only the status tells of it */
    int signal = process->ended && WIFSIGNALED(process->status) ? WTERMSIG(process->status) : 0;
    bool by_request = asks_to_end(signal) && (process->signal != signal || process->signal_sender != process->pid);

    return process_failed(process) && signal != SIGPIPE && !by_request;
}

const struct cred *process_cred(const struct process *process)
{
    return process->has_image || process->has_cred ? &process->cred : NULL;
}
