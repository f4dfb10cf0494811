#include "log.h"

#include "crash.h"
#include "json_text.h"
#include "line_signal.h"
#include "log_names.h"
#include "sight.h"
#include "syscall.h"

#include <probes/alloc.h>

#include <string.h>
#include <sys/wait.h>
#include <uthash.h>

/* Root and working directory are told when they change. */
struct place_told {
    pid_t pid;
    char *root, *cwd;
    UT_hash_handle hh;
};

struct log {
    FILE *out;
    char *(*redact)(void *ctx, const char *string);
    void *ctx;
    struct place_told *places;
    const struct model *model; /* of log_sight(), or NULL */
    size_t seen_told;          /* of model->seen */
    struct text line;
};

/* A string of the program's, with its key; left out where there is none. */
static void put(struct log *log, const char *key, const char *string)
{
    CLEANUP_FREE char *redacted = string && log->redact ? log->redact(log->ctx, string) : NULL;

    if (!string)
        return;
    text_addf(&log->line, ",\"%s\":", key);
    json_text_add(&log->line, redacted ? redacted : string);
}

static void put_plain_item(struct log *log, size_t i, const char *string)
{
    if (i)
        text_addc(&log->line, ',');
    if (string)
        json_text_add(&log->line, string);
    else
        text_add(&log->line, "null");
}

static void put_item(struct log *log, size_t i, const char *string)
{
    CLEANUP_FREE char *redacted = string && log->redact ? log->redact(log->ctx, string) : NULL;

    put_plain_item(log, i, redacted ? redacted : string);
}

static void put_array(struct log *log, const char *key, const char *const *strings)
{
    if (!strings)
        return;
    text_addf(&log->line, ",\"%s\":[", key);
    for (size_t i = 0; strings[i]; i++)
        put_item(log, i, strings[i]);
    text_addc(&log->line, ']');
}

/* Words of our own: names of errors, signals, kinds. */
static void put_word(struct log *log, const char *key, const char *word)
{
    if (word)
        text_addf(&log->line, ",\"%s\":\"%s\"", key, word);
}

static void put_int(struct log *log, const char *key, int64_t value)
{
    text_addf(&log->line, ",\"%s\":%lld", key, (long long)value);
}

static void put_addr(struct log *log, const char *key, uint64_t addr)
{
    if (addr)
        text_addf(&log->line, ",\"%s\":\"%#llx\"", key, (unsigned long long)addr);
}

static void put_true(struct log *log, const char *key, bool value)
{
    if (value)
        text_addf(&log->line, ",\"%s\":true", key);
}

static void put_error(struct log *log, int error)
{
    const char *name = errno_name(error);

    if (name)
        put_word(log, "errno", name);
    else if (error)
        put_int(log, "errno", error);
}

static void put_signal_name(struct log *log, const char *key, int signal)
{
    const char *name = signal_name(signal);

    if (name)
        put_word(log, key, name);
    else
        put_int(log, key, signal);
}

/* raw: the registers, which the decoded texts cannot be turned back into. */
static void put_arguments(struct log *log, const struct event_syscall *call)
{
    struct syscall_texts made = {{0}};
    const char *const *texts = call->text;

    if (!call->text[0]) {
        syscall_texts_guess(call->desc, call->args, call->string, &made);
        texts = (const char *const *)made.text;
    }
    text_add(&log->line, ",\"args\":[");
    for (size_t i = 0; i < 6 && texts[i]; i++)
        if (strchr(texts[i], '"'))
            put_item(log, i, texts[i]);
        else /* our own words and numbers: nothing to hide, and most of the time that hiding takes */
            put_plain_item(log, i, texts[i]);
    text_add(&log->line, "],\"raw\":[");
    for (unsigned i = 0; i < syscall_argument_count(call->desc); i++)
        text_addf(&log->line, "%s\"%#llx\"", i ? "," : "", (unsigned long long)call->args[i]);
    text_addc(&log->line, ']');
    syscall_texts_deinit(&made);
}

static void put_syscall(struct log *log, const struct event_syscall *call)
{
    put_word(log, "name", call->desc->name);
    put_arguments(log, call);
    if (call->string && !(call->path && strcmp(call->path, call->string) == 0))
        put(log, "string", call->string);
    put(log, "path", call->path);
    put_array(log, "argv", call->argv);
    put(log, "result", call->result);
    if (call->flags)
        put_addr(log, "flags", call->flags);
    if (call->returned)
        put_int(log, "ret", call->ret);
    else
        text_add(&log->line, ",\"ret\":null");
    put_error(log, call->error);
    put_true(log, "policy", call->policy);
    put_word(log, "by", log_by_name(call->by));
    put_addr(log, "ip", call->ip_addr);
}

/* Of a crash record what is no memory: that is the program's, and big. */
static void put_crash(struct log *log, const struct crash *crash)
{
    if (!crash)
        return;
    put_signal_name(log, "crash", crash->signal);
    put_int(log, "crash_code", crash->code);
    put_addr(log, "crash_ip", crash->ip_addr);
    if (crash->has_addr)
        text_addf(&log->line, ",\"crash_addr\":\"%#llx\"", (unsigned long long)crash->addr);
    put(log, "crash_object", crash->object);
    put(log, "crash_file", crash->file);
    put(log, "crash_address", crash->address);
    put(log, "crash_message", crash->message);
    put(log, "crash_call", crash->call);
    put(log, "crash_feature", crash->feature);
    put_true(log, "crash_by_itself", crash->by_itself);
    put_true(log, "crash_caught", crash->caught);
    put_true(log, "crash_in_handler", crash->in_handler);
    if (crash->sender)
        put_int(log, "crash_sender", crash->sender);
    put(log, "crash_sender_name", crash->sender_name);
}

static void put_signal(struct log *log, const struct event_signal *signal)
{
    const char *code = line_signal_code(signal->signal, signal->code);

    put_signal_name(log, "name", signal->signal);
    put_word(log, "code_name", code);
    put_int(log, "code", signal->code);
    put_addr(log, "addr", signal->fault_addr);
    if (signal->sender)
        put_int(log, "sender", signal->sender);
    if (signal->child) {
        put_int(log, "child", signal->child);
        put_int(log, "status", signal->status);
        put_int(log, "utime", signal->utime);
        put_int(log, "stime", signal->stime);
    }
    if (signal->timer || signal->overrun) {
        put_int(log, "timer", signal->timer);
        put_int(log, "overrun", signal->overrun);
    }
    if (signal->band || signal->fd) {
        put_int(log, "band", signal->band);
        put_int(log, "fd", signal->fd);
    }
    if (signal->uid)
        put_int(log, "uid", signal->uid);
    put_addr(log, "value", signal->value);
    if (signal->arch) {
        put_int(log, "call", signal->call);
        put_int(log, "arch", signal->arch);
    }
    put_true(log, "fatal", signal->fatal);
    put_addr(log, "ip", signal->ip_addr);
    put_crash(log, signal->crash);
}

/* Only what a loader, a search or a language's own search reads: the rest of an environment is nobody's business. Which
 * of them matter is known at the end (trace_variables.h). */
static bool variable_may_matter(const char *entry)
{
    static const char *const names[] = {
        "LD_",       "PATH=",    "LANG",     "LC_",   "HOME=",   "TMPDIR=", "GLIBC_TUNABLES=",
        "NODE_",     "PYTHON",   "GO",       "PERL5", "RUBY",    "JAVA_",   "XDG_RUNTIME_DIR=",
        "ELECTRON_", "DISPLAY=", "WAYLAND_", "DBUS_", "VSCODE_", "CGO_"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(entry, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void put_environment(struct log *log, const char *const *env)
{
    size_t n = 0;

    for (; env && env[n]; n++)
        ;
    CLEANUP_FREE const char **kept = xcalloc(n + 1, sizeof *kept);

    n = 0;
    for (size_t i = 0; env && env[i]; i++)
        if (variable_may_matter(env[i]))
            kept[n++] = env[i];
    put_array(log, "env", kept);
}

static void put_image(struct log *log, const struct image *image)
{
    put(log, "exe", image->exe);
    put_array(log, "argv", image->argv);
    put_environment(log, image->env);
    put_array(log, "env_left", image->env_left);
    put_true(log, "secure", image->secure);
    put_true(log, "musl", image->musl);
    put_int(log, "class", image->class);
    put_int(log, "machine", image->machine);
    put_int(log, "uid", image->cred.uid);
    put_int(log, "gid", image->cred.gid);
    text_add(&log->line, ",\"groups\":[");
    for (size_t i = 0; i < image->cred.group_count; i++)
        text_addf(&log->line, "%s%u", i ? "," : "", (unsigned)image->cred.groups[i]);
    text_addc(&log->line, ']');
    put_true(log, "override", image->cred.override);
    put_addr(log, "loader_base", image->loader_base);
    put_addr(log, "loader_end", image->loader_end);
}

static void put_status(struct log *log, int status)
{
    if (WIFSIGNALED(status)) {
        put_signal_name(log, "signal", WTERMSIG(status));
        put_true(log, "core", WCOREDUMP(status));
    } else {
        put_int(log, "code", WEXITSTATUS(status));
    }
}

static void put_process(struct log *log, const struct event_process *process)
{
    put_word(log, "what", log_what_name(process->what));
    if (process->parent)
        put_int(log, "parent", process->parent);
    if (process->what == PROCESS_EXITING || process->what == PROCESS_EXIT || process->what == PROCESS_THREAD_EXIT)
        put_status(log, process->status);
    put_true(log, "by_loader", process->by_loader);
    put_true(log, "heard", process->heard);
    put(log, "text", process->text);
    put_crash(log, process->crash);
    if (process->image)
        put_image(log, process->image);
}

/* What was written, NUL bytes and all: strings are redacted, so it is taken apart at them. */
static void put_output(struct log *log, const struct event_output *output)
{
    put_int(log, "fd", output->fd);
    text_add(&log->line, ",\"data\":\"");
    for (size_t at = 0; at < output->size;) {
        size_t n = strnlen(output->data + at, output->size - at);
        CLEANUP_FREE char *piece = xstrndup(output->data + at, n);
        CLEANUP_FREE char *redacted = log->redact ? log->redact(log->ctx, piece) : NULL;

        json_text_add_inside(&log->line, redacted ? redacted : piece);
        at += n;
        if (at < output->size) {
            text_add(&log->line, "\\u0000");
            at++;
        }
    }
    text_addc(&log->line, '"');
    put_int(log, "size", (int64_t)output->whole);
    put_word(log, "by", log_by_name(output->by));
}

static void put_loader_error(struct log *log, const struct event_loader *loader)
{
    size_t count = sizeof loader->args / sizeof loader->args[0];

    put(log, "format", loader->format);
    while (count && !loader->args[count - 1])
        count--;
    text_add(&log->line, ",\"args\":[");
    for (size_t i = 0; i < count; i++)
        put_item(log, i, loader->args[i]);
    text_addc(&log->line, ']');
    put_error(log, loader->error);
    put(log, "occasion", loader->occasion);
    put(log, "message", loader->message);
    put_word(log, "outcome", log_outcome_name(loader->outcome));
    put(log, "by", loader->by);
}

static void put_loader_object(struct log *log, const struct event_loader *loader)
{
    put_addr(log, "base", loader->base_addr);
    put_int(log, "namespace", loader->space);
    put_word(log, "reason", log_reason_name(loader->reason));
    put(log, "by", loader->by);
    put_addr(log, "flags", loader->flags);
}

static void put_loader_call(struct log *log, const struct event_loader *loader)
{
    put_word(log, "name", loader->name);
    put(log, "file", loader->file);
    put(log, "symbol", loader->symbol);
    put(log, "version", loader->version);
    put_addr(log, "flags", loader->flags);
    put_addr(log, "handle", loader->handle);
    text_addf(&log->line, ",\"ret\":\"%#llx\"", (unsigned long long)loader->ret);
}

static void put_loader(struct log *log, const struct event_loader *loader)
{
    put_word(log, "what", log_loader_name(loader->what));
    put(log, "object", loader->object);
    switch (loader->what) {
    case LOADER_ERROR:
        put_loader_error(log, loader);
        break;
    case LOADER_LOADED:
    case LOADER_UNLOADED:
        put_loader_object(log, loader);
        break;
    case LOADER_CALL:
        put_loader_call(log, loader);
        break;
    }
}

static void put_lookup(struct log *log, const struct event_lookup *lookup)
{
    put(log, "symbol", lookup->symbol);
    put(log, "version", lookup->version);
    put(log, "from", lookup->from);
    put(log, "to", lookup->to);
    if (!lookup->to)
        text_add(&log->line, ",\"to\":null");
    put(log, "instead", lookup->instead);
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void put_place(struct log *log, const struct event *event)
{
    struct place_told *told;
    const char *root = event->root ? event->root : "";

    HASH_FIND_INT(log->places, &event->pid, told);
    if (!told) {
        told = xcalloc(1, sizeof *told);
        told->pid = event->pid;
        told->root = xstrdup("");
        HASH_ADD_INT(log->places, pid, told);
    }
    if (!same(told->root, root)) {
        put(log, "root", root);
        free(told->root);
        told->root = xstrdup(root);
    }
    if (event->cwd && !same(told->cwd, event->cwd)) {
        put(log, "cwd", event->cwd);
        free(told->cwd);
        told->cwd = xstrdup(event->cwd);
    }
}

static void forget_place(struct log *log, pid_t pid)
{
    struct place_told *told;

    HASH_FIND_INT(log->places, &pid, told);
    if (!told)
        return;
    HASH_DEL(log->places, told);
    free(told->root);
    free(told->cwd);
    free(told);
}

static void put_stack(struct log *log, const struct event *event)
{
    if (!event->stack_count)
        return;
    text_add(&log->line, ",\"stack\":[");
    for (size_t i = 0; i < event->stack_count; i++) {
        const struct frame *frame = &event->stack[i];

        text_addf(&log->line, "%s{\"ip\":\"%#llx\"", i ? "," : "", (unsigned long long)frame->ip_addr);
        put(log, "object", frame->object);
        if (frame->object)
            text_addf(&log->line, ",\"offset\":\"%#llx\"", (unsigned long long)frame->offset);
        put(log, "symbol", frame->symbol);
        put(log, "file", frame->file);
        if (frame->line)
            put_int(log, "line", frame->line);
        text_addc(&log->line, '}');
    }
    text_addc(&log->line, ']');
}

/* What was looked at, beyond what happened (struct sight). */
static void put_sight(struct log *log, const struct sight *sight)
{
    put(log, "walk", sight->walk);
    put(log, "at", sight->at);
    put(log, "target", sight->target);
    put(log, "verdict", sight->verdict);
    put(log, "fault", sight->fault);
    put(log, "needs", sight->needs);
    put(log, "elf", sight->elf);
    put(log, "soname", sight->soname);
    put_array(log, "needed", sight->needed);
    put_array(log, "versions", sight->versions);
    put(log, "level", sight->level);
    put(log, "mount", sight->mount);
    put_array(log, "copies", sight->copies);
    put_array(log, "variables", sight->variables);
    put_array(log, "seen", sight->seen);
    put_true(log, "hushed", sight->hushed);
    put(log, "words_to", sight->words_to);
    if (!sight->limit)
        return;
    put(log, "limit", sight->limit);
    put(log, "limit_unit", sight->limit_unit);
    put_int(log, "limit_value", (int64_t)sight->limit_value);
    put_int(log, "limit_used", (int64_t)sight->limit_used);
    put_int(log, "limit_wanted", (int64_t)sight->limit_wanted);
    put_int(log, "limit_hard", (int64_t)sight->limit_hard);
    put_true(log, "limit_sure", sight->limit_sure);
}

/* What the model's judges have asked since it was last told. */
static void put_seen(struct log *log)
{
    const struct answers *seen = &log->model->seen;
    size_t from = log->seen_told;

    if (from == seen->count)
        return;
    text_add(&log->line, ",\"seen\":[");
    for (size_t i = from; i < seen->count; i++)
        put_item(log, i - from, seen->entries[i]);
    text_addc(&log->line, ']');
    log->seen_told = seen->count;
}

static void put_body(struct log *log, const struct event *event)
{
    switch (event->type) {
    case EVENT_SYSCALL:
        put_syscall(log, &event->syscall);
        break;
    case EVENT_SIGNAL:
        put_signal(log, &event->signal);
        break;
    case EVENT_PROCESS:
        put_process(log, &event->process);
        break;
    case EVENT_OUTPUT:
        put_output(log, &event->output);
        break;
    case EVENT_LOADER:
        put_loader(log, &event->loader);
        break;
    case EVENT_LOOKUP:
        put_lookup(log, &event->lookup);
        break;
    }
}

static void log_event(void *ctx, const struct event *event)
{
    struct log *log = ctx;
    struct sighting sighting;

    text_clear(&log->line);
    text_addf(&log->line, "{\"n\":%llu,\"t\":%llu.%06llu,\"pid\":%d,\"tid\":%d,\"type\":\"%s\"",
              (unsigned long long)event->n, (unsigned long long)event->t_ns / 1000000000,
              (unsigned long long)event->t_ns % 1000000000 / 1000, event->pid, event->tid, log_type_name(event->type));
    put_place(log, event);
    put_body(log, event);
    if (event->sight) { /* read from a log */
        put_sight(log, event->sight);
    } else if (log->model) {
        sight_look(log->model, event, &sighting);
        put_sight(log, &sighting.sight);
        sighting_deinit(&sighting);
        if (event->type == EVENT_PROCESS)
            put_seen(log);
    }
    put_stack(log, event);
    text_add(&log->line, "}\n");
    fwrite(log->line.v, 1, log->line.n, log->out);
    if (event->type == EVENT_PROCESS &&
        (event->process.what == PROCESS_EXIT || event->process.what == PROCESS_DETACHED))
        forget_place(log, event->pid);
}

void log_sight(struct log *log, const struct model *model)
{
    log->model = model;
}

struct log *log_create(FILE *out, char *(*redact)(void *ctx, const char *string), void *ctx, struct sink *ret)
{
    struct log *log = xcalloc(1, sizeof *log);

    log->out = out;
    log->redact = redact;
    log->ctx = ctx;
    *ret = (struct sink){log_event, log};
    return log;
}

void log_destroy(struct log *log)
{
    if (!log)
        return;
    while (log->places)
        forget_place(log, log->places->pid);
    text_deinit(&log->line);
    free(log);
}
