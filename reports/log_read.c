/* trace.jsonl back into events: the inverse of log.c, function for function. */
#include "log.h"

#include "crash.h"
#include "json_line.h"
#include "log_names.h"
#include "log_stack.h"
#include "syscall.h"

#include <probes/alloc.h>

#include <errno.h>
#include <string.h>
#include <uthash.h>

enum {
    LINE_MOST = 16 << 20,     /* bytes: an exec with the largest environment, each byte escaped */
    STRINGS_MOST = 64 * 1024, /* in one vector */
    PLACES_KEPT = 64 * 1024,
};

/* Root and working directory of a process, told when they change. */
struct place_known {
    pid_t pid;
    char *root, *cwd;
    UT_hash_handle hh;
};

/* What an event in the making points at, besides the line's own strings. */
struct reader {
    FILE *in;
    char *text; /* the line */
    size_t cap;
    uint64_t number;
    struct json_line line;
    struct place_known *places;
    const char **vectors[4]; /* argv, env, seen, env_left */
    size_t vector_caps[4];
    struct image image;
    struct sight sight;
    struct crash *crash; /* or NULL */
    gid_t *groups;
    size_t group_cap;
    struct log_stack stack;
};

/* The next line without its newline: its length in *N. 1; 0 at the end; -1 with ERR. */
static int read_line(struct reader *reader, size_t *n, struct err *err)
{
    int c;

    *n = 0;
    reader->number++;
    while ((c = getc_unlocked(reader->in)) != EOF && c != '\n') {
        if (*n >= LINE_MOST)
            return err_set(err, "line %llu is longer than %d bytes", (unsigned long long)reader->number, LINE_MOST);
        if (*n + 1 >= reader->cap) {
            reader->cap = reader->cap ? reader->cap * 2 : 4096;
            reader->text = xrealloc(reader->text, reader->cap);
        }
        reader->text[(*n)++] = (char)c;
    }
    if (ferror(reader->in))
        return err_errno(err, errno, "line %llu cannot be read", (unsigned long long)reader->number);
    if (c == EOF && *n == 0)
        return 0;
    if (!reader->cap) {
        reader->cap = 4096;
        reader->text = xmalloc(reader->cap);
    }
    reader->text[*n] = '\0';
    return 1;
}

static const char *string(const struct reader *reader, const char *key)
{
    return json_line_string(&reader->line, key);
}

static int64_t number(const struct reader *reader, const char *key)
{
    return json_line_int(&reader->line, key, 0);
}

static int number_int(const struct reader *reader, const char *key)
{
    int64_t value = number(reader, key);

    return value == (int)value ? (int)value : 0;
}

static uint64_t addr(const struct reader *reader, const char *key)
{
    return json_line_addr(&reader->line, key);
}

/* Item I of the array KEY as a string, or NULL. */
static const char *item(const struct reader *reader, const struct json_value *array, size_t i)
{
    const struct json_value *value = &reader->line.items[array->first + i];

    return value->type == JSON_STRING ? value->string : NULL;
}

static const struct json_value *array_of(const struct reader *reader, const char *key)
{
    const struct json_value *array = json_line_get(&reader->line, key);

    return array && array->type == JSON_ARRAY ? array : NULL;
}

/* A NULL-terminated vector in one of the reader's two. */
static const char *const *vector(struct reader *reader, const char *key, unsigned which)
{
    const struct json_value *array = array_of(reader, key);
    size_t n = array ? array->size : 0;

    if (!array)
        return NULL;
    if (n > STRINGS_MOST)
        n = STRINGS_MOST;
    if (reader->vector_caps[which] < n + 1) {
        reader->vector_caps[which] = n + 1;
        reader->vectors[which] = xreallocarray(reader->vectors[which], n + 1, sizeof(char *));
    }
    const char **v = reader->vectors[which];
    size_t used = 0;

    for (size_t i = 0; i < n; i++)
        if ((v[used] = item(reader, array, i)))
            used++;
    v[used] = NULL;
    return v;
}

static int error_of(const struct reader *reader)
{
    const char *name = string(reader, "errno");

    return name ? errno_value(name) : number_int(reader, "errno");
}

static int signal_of(const struct reader *reader, const char *key)
{
    const char *name = string(reader, key);

    return name ? signal_value(name) : number_int(reader, key);
}

static enum event_by by_of(const struct reader *reader)
{
    const char *name = string(reader, "by");
    int by = name ? log_by_value(name) : -1;

    return by < 0 ? BY_UNKNOWN : (enum event_by)by;
}

static bool make_syscall(struct reader *reader, struct event_syscall *call)
{
    const char *name = string(reader, "name");
    const struct json_value *args = array_of(reader, "args"), *raw = array_of(reader, "raw");
    const struct json_value *ret = json_line_get(&reader->line, "ret");

    *call = (struct event_syscall){.desc = name ? syscall_by_name(name) : NULL};
    if (!call->desc)
        return false;
    for (size_t i = 0; args && i < args->size && i < 6 && item(reader, args, i); i++)
        call->text[i] = item(reader, args, i);
    for (size_t i = 0; raw && i < raw->size && i < 6; i++)
        call->args[i] = json_value_addr(&reader->line.items[raw->first + i]);
    call->path = string(reader, "path");
    call->string = string(reader, "string");
    if (!call->string) /* left out where it is the same */
        call->string = call->path;
    call->argv = vector(reader, "argv", 0);
    call->result = string(reader, "result");
    call->flags = addr(reader, "flags");
    call->returned = ret && ret->type == JSON_NUMBER;
    call->ret = number(reader, "ret");
    call->error = error_of(reader);
    call->policy = json_line_true(&reader->line, "policy");
    call->by = by_of(reader);
    call->ip_addr = addr(reader, "ip");
    return true;
}

/* A crash record, or NULL; the reader's. */
static struct crash *make_crash(struct reader *reader, pid_t pid, pid_t tid)
{
    int signal = signal_of(reader, "crash");
    struct crash *crash;

    crash_put(reader->crash);
    reader->crash = NULL;
    if (!signal)
        return NULL;
    crash = reader->crash = crash_create();
    crash->pid = pid;
    crash->tid = tid;
    crash->signal = signal;
    crash->code = number_int(reader, "crash_code");
    crash->ip_addr = addr(reader, "crash_ip");
    crash->has_addr = json_line_get(&reader->line, "crash_addr") != NULL;
    crash->addr = crash->info_addr = addr(reader, "crash_addr");
    crash->object = xstrdup_or_null(string(reader, "crash_object"));
    crash->file = xstrdup_or_null(string(reader, "crash_file"));
    crash->address = xstrdup_or_null(string(reader, "crash_address"));
    crash->message = xstrdup_or_null(string(reader, "crash_message"));
    crash->call = xstrdup_or_null(string(reader, "crash_call"));
    crash->feature = crash->feature_read = xstrdup_or_null(string(reader, "crash_feature"));
    crash->by_itself = json_line_true(&reader->line, "crash_by_itself");
    crash->caught = json_line_true(&reader->line, "crash_caught");
    crash->in_handler = json_line_true(&reader->line, "crash_in_handler");
    crash->sender = number_int(reader, "crash_sender");
    crash->sender_name = xstrdup_or_null(string(reader, "crash_sender_name"));
    return crash;
}

static bool make_signal(struct reader *reader, struct event_signal *signal)
{
    *signal = (struct event_signal){
        .signal = signal_of(reader, "name"),
        .code = number_int(reader, "code"),
        .fault_addr = addr(reader, "addr"),
        .sender = number_int(reader, "sender"),
        .ip_addr = addr(reader, "ip"),
        .fatal = json_line_true(&reader->line, "fatal"),
        .uid = (unsigned)number(reader, "uid"),
        .child = number_int(reader, "child"),
        .status = number_int(reader, "status"),
        .utime = number(reader, "utime"),
        .stime = number(reader, "stime"),
        .value = addr(reader, "value"),
        .timer = number_int(reader, "timer"),
        .overrun = number_int(reader, "overrun"),
        .band = number(reader, "band"),
        .fd = number_int(reader, "fd"),
        .call = number_int(reader, "call"),
        .arch = (unsigned)number(reader, "arch"),
    };
    return signal->signal != 0;
}

static void read_groups(struct reader *reader, struct cred *cred)
{
    const struct json_value *array = array_of(reader, "groups");
    size_t n = array && array->size < STRINGS_MOST ? array->size : 0;

    if (n > reader->group_cap) {
        reader->group_cap = n;
        reader->groups = xreallocarray(reader->groups, n, sizeof(gid_t));
    }
    cred->groups = reader->groups;
    for (size_t i = 0; i < n; i++) {
        const struct json_value *value = &reader->line.items[array->first + i];

        if (value->type == JSON_NUMBER && value->number >= 0 && value->number < 0x1p32)
            reader->groups[cred->group_count++] = (gid_t)value->number;
    }
}

/* An image is there where its class is: it is told with every exec and attach. */
static const struct image *make_image(struct reader *reader, const char *cwd)
{
    struct image *image = &reader->image;

    if (!json_line_get(&reader->line, "class"))
        return NULL;
    *image = (struct image){
        .exe = string(reader, "exe"),
        .argv = vector(reader, "argv", 0),
        .env = vector(reader, "env", 1),
        .env_left = json_line_get(&reader->line, "env_left") ? vector(reader, "env_left", 3) : NULL,
        .cwd = cwd,
        .secure = json_line_true(&reader->line, "secure"),
        .musl = json_line_true(&reader->line, "musl"),
        .class = (unsigned)number(reader, "class"),
        .machine = (unsigned)number(reader, "machine"),
        .cred = {.uid = (uid_t)number(reader, "uid"),
                 .gid = (gid_t)number(reader, "gid"),
                 .override = json_line_true(&reader->line, "override")},
        .loader_base = addr(reader, "loader_base"),
        .loader_end = addr(reader, "loader_end"),
    };
    read_groups(reader, &image->cred);
    return image;
}

/* As waitpid(2) packs it. */
static int wait_status(const struct reader *reader)
{
    if (json_line_get(&reader->line, "signal"))
        return (signal_of(reader, "signal") & 0x7f) | (json_line_true(&reader->line, "core") ? 0x80 : 0);
    return (number_int(reader, "code") & 0xff) << 8;
}

static bool make_process(struct reader *reader, struct event_process *process, const char *cwd)
{
    const char *name = string(reader, "what");
    int what = name ? log_what_value(name) : -1;

    if (what < 0)
        return false;
    *process = (struct event_process){
        .what = (enum process_what)what,
        .parent = number_int(reader, "parent"),
        .status = wait_status(reader),
        .by_loader = json_line_true(&reader->line, "by_loader"),
        .heard = json_line_true(&reader->line, "heard"),
        .image = make_image(reader, cwd),
        .text = string(reader, "text"),
    };
    return true;
}

static bool make_output(struct reader *reader, struct event_output *output)
{
    const struct json_value *data = json_line_get(&reader->line, "data");
    int64_t whole = number(reader, "size");

    if (!data || data->type != JSON_STRING)
        return false;
    *output = (struct event_output){
        .fd = number_int(reader, "fd"),
        .data = data->string,
        .size = data->size,
        .whole =
            whole > 0 ? (size_t)whole : data->size, /* less than what it was written as, where bytes were no text */
        .by = by_of(reader),
    };
    return true;
}

static void make_loader_error(const struct reader *reader, struct event_loader *loader)
{
    const struct json_value *args = array_of(reader, "args");
    const char *outcome = string(reader, "outcome");
    int value = outcome ? log_outcome_value(outcome) : -1;

    loader->format = string(reader, "format");
    loader->occasion = string(reader, "occasion");
    loader->message = string(reader, "message");
    loader->error = error_of(reader);
    loader->outcome = value < 0 ? LOADER_OPEN : (enum loader_outcome)value;
    loader->by = string(reader, "by");
    for (size_t i = 0; args && i < args->size && i < sizeof loader->args / sizeof loader->args[0]; i++)
        loader->args[i] = item(reader, args, i);
}

static void make_loader_object(const struct reader *reader, struct event_loader *loader)
{
    const char *reason = string(reader, "reason");
    int value = reason ? log_reason_value(reason) : -1, space = number_int(reader, "namespace");

    loader->base_addr = addr(reader, "base");
    loader->space = space < 0 ? 0 : (unsigned)space;
    loader->reason = value < 0 ? REASON_UNKNOWN : (enum object_reason)value;
    loader->by = string(reader, "by");
    loader->flags = addr(reader, "flags");
}

static void make_loader_call(const struct reader *reader, struct event_loader *loader)
{
    loader->name = string(reader, "name");
    loader->file = string(reader, "file");
    loader->symbol = string(reader, "symbol");
    loader->version = string(reader, "version");
    loader->flags = addr(reader, "flags");
    loader->handle = addr(reader, "handle");
    loader->ret = addr(reader, "ret");
}

static bool make_loader(const struct reader *reader, struct event_loader *loader)
{
    const char *name = string(reader, "what");
    int what = name ? log_loader_value(name) : LOADER_ERROR; /* logs of before had nothing else */

    if (what < 0)
        return false;
    *loader = (struct event_loader){.what = (enum loader_what)what, .object = string(reader, "object")};
    switch (loader->what) {
    case LOADER_ERROR:
        make_loader_error(reader, loader);
        return loader->format;
    case LOADER_LOADED:
    case LOADER_UNLOADED:
        make_loader_object(reader, loader);
        return loader->object;
    case LOADER_CALL:
        make_loader_call(reader, loader);
        return loader->name;
    }
    return false;
}

static bool make_lookup(struct reader *reader, struct event_lookup *lookup)
{
    *lookup = (struct event_lookup){
        .symbol = string(reader, "symbol"),
        .version = string(reader, "version"),
        .from = string(reader, "from"),
        .to = string(reader, "to"),
        .instead = string(reader, "instead"),
    };
    return lookup->symbol;
}

static bool make_body(struct reader *reader, struct event *event)
{
    switch (event->type) {
    case EVENT_SYSCALL:
        return make_syscall(reader, &event->syscall);
    case EVENT_SIGNAL:
        if (!make_signal(reader, &event->signal))
            return false;
        event->signal.crash = make_crash(reader, event->pid, event->tid);
        return true;
    case EVENT_PROCESS:
        if (!make_process(reader, &event->process, event->cwd))
            return false;
        event->process.crash = make_crash(reader, event->pid, event->tid);
        return true;
    case EVENT_OUTPUT:
        return make_output(reader, &event->output);
    case EVENT_LOADER:
        return make_loader(reader, &event->loader);
    case EVENT_LOOKUP:
        return make_lookup(reader, &event->lookup);
    }
    return false;
}

/* What the writer has looked at, or NULL. The arrays share the vectors of argv and env, which these events have not. */
static const struct sight *make_sight(struct reader *reader, const struct event *event)
{
    struct sight *sight = &reader->sight;
    bool loaded = event->type == EVENT_LOADER || (event->type == EVENT_SYSCALL && !event->syscall.argv),
         ends = event->type == EVENT_PROCESS && !event->process.image;

    *sight = (struct sight){
        .walk = string(reader, "walk"),
        .at = string(reader, "at"),
        .target = string(reader, "target"),
        .verdict = string(reader, "verdict"),
        .fault = string(reader, "fault"),
        .needs = string(reader, "needs"),
        .elf = string(reader, "elf"),
        .soname = string(reader, "soname"),
        .needed = loaded ? vector(reader, "needed", 0) : NULL,
        .versions = loaded ? vector(reader, "versions", 1) : NULL,
        .level = string(reader, "level"),
        .mount = string(reader, "mount"),
        .copies = ends ? vector(reader, "copies", 0) : NULL,
        .variables = ends ? vector(reader, "variables", 1) : NULL,
        .seen = event->type == EVENT_PROCESS ? vector(reader, "seen", 2) : NULL,
        .words_to = string(reader, "words_to"),
        .hushed = json_line_true(&reader->line, "hushed"),
        .limit = string(reader, "limit"),
        .limit_unit = string(reader, "limit_unit"),
        .limit_value = (uint64_t)number(reader, "limit_value"),
        .limit_used = (uint64_t)number(reader, "limit_used"),
        .limit_wanted = (uint64_t)number(reader, "limit_wanted"),
        .limit_hard = (uint64_t)number(reader, "limit_hard"),
        .limit_sure = json_line_true(&reader->line, "limit_sure"),
    };
    return sight;
}

static void replace(char **known, const char *told)
{
    if (!told)
        return;
    free(*known);
    *known = xstrdup(told);
}

static void forget_place(struct reader *reader, pid_t pid)
{
    struct place_known *known;

    HASH_FIND_INT(reader->places, &pid, known);
    if (!known)
        return;
    HASH_DEL(reader->places, known);
    free(known->root);
    free(known->cwd);
    free(known);
}

static void set_place(struct reader *reader, struct event *event)
{
    struct place_known *known;

    HASH_FIND_INT(reader->places, &event->pid, known);
    if (!known) {
        if (HASH_COUNT(reader->places) >= PLACES_KEPT) /* none ends: no log of ours */
            forget_place(reader, reader->places->pid);
        known = xcalloc(1, sizeof *known);
        known->pid = event->pid;
        known->root = xstrdup("");
        HASH_ADD_INT(reader->places, pid, known);
    }
    replace(&known->root, string(reader, "root"));
    replace(&known->cwd, string(reader, "cwd"));
    event->root = known->root;
    event->cwd = known->cwd;
}

/* 1 for an event, 0 for a line that is none of ours, -1 with ERR for one that cannot be. */
static int make_event(struct reader *reader, struct event *event, struct err *err)
{
    const char *type = string(reader, "type");
    const struct json_value *t = json_line_get(&reader->line, "t");
    int kind = type ? log_type_value(type) : -1;

    if (!type || number(reader, "n") <= 0 || number_int(reader, "pid") <= 0 || number_int(reader, "tid") <= 0)
        return err_set(err, "line %llu is no event: n, pid, tid or type is missing",
                       (unsigned long long)reader->number);
    if (kind < 0)
        return 0;
    *event = (struct event){
        .n = (uint64_t)number(reader, "n"),
        .pid = number_int(reader, "pid"),
        .tid = number_int(reader, "tid"),
        .type = (enum event_type)kind,
    };
    if (t && t->type == JSON_NUMBER && t->number > 0 && t->number < 1e9)
        event->t_ns = (uint64_t)(t->number * 1e9 + 0.5);
    set_place(reader, event);
    if (!make_body(reader, event))
        return 0;
    event->sight = make_sight(reader, event);
    event->stack_count = log_stack_read(&reader->line, &reader->stack);
    event->stack = event->stack_count ? reader->stack.frames : NULL;
    return 1;
}

static int read_events(struct reader *reader, const struct sink *sink, uint64_t *skipped, struct err *err)
{
    struct err why;
    struct event event;
    size_t n;
    int status;

    while ((status = read_line(reader, &n, err)) > 0) {
        if (!n)
            continue;
        if (json_line_parse(&reader->line, reader->text, n, &why) < 0)
            return err_set(err, "line %llu: %s", (unsigned long long)reader->number, why.text);
        status = make_event(reader, &event, err);
        if (status < 0)
            return -1;
        if (!status) {
            ++*skipped;
            continue;
        }
        sink->event(sink->ctx, &event);
        if (event.type == EVENT_PROCESS &&
            (event.process.what == PROCESS_EXIT || event.process.what == PROCESS_DETACHED))
            forget_place(reader, event.pid);
    }
    return status;
}

int log_read(FILE *in, const struct sink *sink, uint64_t *skipped, struct err *err)
{
    struct reader reader = {.in = in};
    uint64_t unwanted = 0;
    int status = read_events(&reader, sink, &unwanted, err);

    while (reader.places)
        forget_place(&reader, reader.places->pid);
    free(reader.text);
    free(reader.vectors[0]);
    free(reader.vectors[1]);
    free(reader.vectors[2]);
    free(reader.vectors[3]);
    free(reader.groups);
    free(reader.stack.frames);
    crash_put(reader.crash);
    json_line_deinit(&reader.line);
    if (skipped)
        *skipped = unwanted;
    return status;
}
