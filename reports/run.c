#include "run.h"

#include "syscall.h"
#include "text.h"

#include <probes/alloc.h>

#include <ctype.h>
#include <string.h>

enum {
    FILES_MOST = 200000, /* of one program */
    PROGRAMS_MOST = 20000,
    RANDOM_LEAST = 6, /* letters of a mkstemp(3) name */
};

/* What a number of a process stands for now. */
struct run_process {
    pid_t pid;
    struct run_program *program; /* whose image it runs, or NULL */
    bool own;                    /* executed by itself, not inherited */
    char *called;                /* what it has asked to be executed last, or NULL */
    UT_hash_handle hh;
};

/* ---- names that change ---- */

static bool is_pid(const struct run *run, const char *digits, size_t n)
{
    struct run_process *process;
    pid_t pid;

    if (n == 0 || n > 9 || digits[0] == '0')
        return false;
    pid = (pid_t)strtol(digits, NULL, 10);
    HASH_FIND_INT(run->processes, &pid, process);
    return process != NULL;
}

/* Places for files of a moment. */
static size_t temporary(const char *path)
{
    static const char *const places[] = {"/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/", "/var/folders/"};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strncmp(path, places[i], strlen(places[i])) == 0)
            return strlen(places[i]);
    return 0;
}

/* A word of N letters and digits that nobody has thought of: digits among letters, great letters among small ones
 * ("aB3xQz"), what Python's tempfile makes, or mktemp(1) behind a point. */
static bool looks_random(const char *word, size_t n, char before)
{
    size_t digits = 0, lower = 0, upper = 0, inside = 0;

    if (n < RANDOM_LEAST)
        return false;
    for (size_t i = 0; i < n; i++) {
        digits += isdigit((unsigned char)word[i]) != 0;
        lower += islower((unsigned char)word[i]) != 0;
        upper += isupper((unsigned char)word[i]) != 0;
        inside += i && isupper((unsigned char)word[i]);
    }
    if (before == '.' && (n == 6 || n == 8 || n == 10))
        return true;
    return (digits && (lower || upper)) || (inside && lower) || digits == n ||
           (n == 11 && strncmp(word, "tmp", 3) == 0);
}

/* Words of a path in a temporary place: those that look random become "*". */
static void add_temporary(struct text *out, const struct run *run, const char *path)
{
    for (char before = '/'; *path;) {
        size_t n = 0;

        while (isalnum((unsigned char)path[n]) || path[n] == '_')
            n++;
        if (n && (looks_random(path, n, before) || is_pid(run, path, n)))
            text_addc(out, '*');
        else
            text_addn(out, path, n ? n : 1);
        path += n ? n : 1;
        before = path[-1];
    }
}

/* TEXT, in which numbers of processes become "*". */
static void add_numbers(struct text *out, const struct run *run, const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t n = 0;

        while (i + n < size && isdigit((unsigned char)text[i + n]))
            n++;
        if (n && is_pid(run, text + i, n) && (i == 0 || !isalnum((unsigned char)text[i - 1])))
            text_addc(out, '*');
        else
            text_addn(out, text + i, n ? n : 1);
        i += n ? n : 1;
    }
}

char *run_comparable(const struct run *run, const char *text)
{
    struct text out = {0};
    const char *place = NULL;

    for (const char *at = text; (at = strchr(at, '/')); at++)
        if (temporary(at) && (at == text || strchr("=:\"' ,", at[-1]))) {
            place = at;
            break;
        }
    add_numbers(&out, run, text, place ? (size_t)(place - text) : strlen(text));
    if (place) {
        text_addn(&out, place, temporary(place));
        add_temporary(&out, run, place + temporary(place));
    }
    return out.v ? out.v : xstrdup("");
}

/* The ending of a name ("ccAbC12.s"), or "". */
static const char *ending_of(const char *name, size_t n)
{
    size_t at = n;

    while (at && isalpha((unsigned char)name[at - 1]))
        at--;
    return at > 1 && n - at <= 4 && name[at - 1] == '.' ? name + at - 1 : name + n;
}

char *run_comparable_file(const struct run *run, const char *path)
{
    struct text out = {0};
    size_t place = temporary(path);

    if (!place)
        return run_comparable(run, path);
    text_addn(&out, path, place);
    for (const char *part = path + place + strspn(path + place, "/"); *part;) {
        size_t n = strcspn(part, "/");
        const char *ending = ending_of(part, n);

        text_addc(&out, '*');
        text_addn(&out, ending, (size_t)(part + n - ending));
        part += n;
        if (*part) {
            text_addc(&out, '/');
            part += strspn(part, "/");
        }
    }
    return out.v;
}

/* ---- gathering ---- */

static struct run_process *process_of(struct run *run, pid_t pid)
{
    struct run_process *process;

    HASH_FIND_INT(run->processes, &pid, process);
    if (!process) {
        process = xcalloc(1, sizeof *process);
        process->pid = pid;
        HASH_ADD_INT(run->processes, pid, process);
    }
    return process;
}

static void take(struct strings *list, const char *const *from)
{
    for (size_t i = 0; from && from[i]; i++)
        strings_add(list, xstrdup(from[i]));
}

static void on_image(struct run *run, struct run_process *process, const struct image *image)
{
    struct run_program *program;
    const char *called = process->called ? process->called : image->exe;
    const char *name = image->exe ? path_base(called) : "";

    process->program = NULL;
    if (!*name || run->count >= PROGRAMS_MOST)
        return;
    program = xcalloc(1, sizeof *program);
    *(struct run_program **)array_add(&run->programs, &run->count, &run->cap, sizeof program) = program;
    program->name = xstrdup(name);
    program->called = xstrdup(called);
    program->exe = xstrdup(image->exe);
    take(&program->argv, image->argv);
    for (size_t i = 0; image->env && image->env[i]; i++)
        if (strchr(image->env[i], '='))
            strings_add(&program->env, xstrdup(image->env[i]));
    take(&program->env_left, image->env_left);
    process->program = program;
    process->own = true;
}

static void on_process(struct run *run, const struct event *event)
{
    struct run_process *process = process_of(run, event->pid), *parent;

    process_of(run, event->tid);
    switch (event->process.what) {
    case PROCESS_START:
        parent = event->process.parent ? process_of(run, event->process.parent) : NULL;
        process->program = parent ? parent->program : NULL;
        process->own = false;
        free(process->called);
        process->called = NULL;
        if (event->process.image)
            on_image(run, process, event->process.image);
        break;
    case PROCESS_EXEC:
        if (event->process.image)
            on_image(run, process, event->process.image);
        break;
    case PROCESS_EXIT:
        if (process->program && process->own) {
            process->program->ended = true;
            process->program->status = event->process.status;
        }
        break;
    default:
        break;
    }
}

static void on_file(struct run_program *program, const struct event_syscall *call)
{
    struct run_file *file;

    HASH_FIND_STR(program->files, call->path, file);
    if (!file) {
        if (HASH_COUNT(program->files) >= FILES_MOST)
            return;
        file = xcalloc(1, sizeof *file);
        file->path = xstrdup(call->path);
        file->error = call->error;
        HASH_ADD_KEYPTR(hh, program->files, file->path, strlen(file->path), file);
    }
    file->found |= call->error == 0;
}

static struct run_object *object_add(struct run_program *program, const char *path)
{
    const char *name = path_base(path);
    struct run_object *object;

    HASH_FIND_STR(program->objects, name, object);
    if (object)
        return object;
    object = xcalloc(1, sizeof *object);
    object->name = xstrdup(name);
    object->path = xstrdup(path);
    HASH_ADD_KEYPTR(hh, program->objects, object->name, strlen(object->name), object);
    return object;
}

static bool is_library(const char *path)
{
    const char *name = path_base(path), *so = strstr(name, ".so");
    size_t n = strlen(name);

    return (so && (so[3] == '\0' || so[3] == '.')) || (n > 5 && strcmp(name + n - 5, ".node") == 0);
}

/* The program's own calls on files; of the loader's only which libraries it took, where it does not tell itself. */
static void on_syscall(struct run_program *program, const struct event_syscall *call)
{
    bool opens = strncmp(call->desc->name, "open", 4) == 0;

    if (!call->returned || !call->path || call->desc->family != FAMILY_FILE)
        return;
    if (opens && is_library(call->path) && call->by != BY_PROGRAM) {
        if (!call->error)
            object_add(program, call->path);
    } else if (call->by != BY_LOADER) {
        on_file(program, call);
    }
}

static void on_loaded(struct run_program *program, const struct event *event)
{
    struct run_object *object;

    if (event->loader.reason == REASON_VDSO || event->loader.reason == REASON_PROGRAM ||
        strchr(event->loader.object, '/') == NULL)
        return;
    object = object_add(program, event->loader.object);
    if (object->versions.n == 0 && event->sight)
        take(&object->versions, event->sight->versions);
}

void run_event(void *ctx, const struct event *event)
{
    struct run *run = ctx;
    struct run_process *process;

    if (event->type == EVENT_PROCESS) {
        on_process(run, event);
        return;
    }
    process = process_of(run, event->pid);
    process_of(run, event->tid);
    if (event->type == EVENT_SYSCALL && event->syscall.path && !event->syscall.error &&
        strncmp(event->syscall.desc->name, "execve", 6) == 0) {
        free(process->called);
        process->called = xstrdup(event->syscall.path);
    }
    if (!process->program)
        return;
    if (event->type == EVENT_SYSCALL)
        on_syscall(process->program, &event->syscall);
    else if (event->type == EVENT_LOADER && event->loader.what == LOADER_LOADED && event->loader.object)
        on_loaded(process->program, event);
}

/* ---- asking ---- */

const struct run_file *run_program_file(const struct run_program *program, const char *path)
{
    struct run_file *file;

    HASH_FIND_STR(program->files, path, file);
    return file;
}

const struct run_object *run_program_object(const struct run_program *program, const char *name)
{
    struct run_object *object;

    HASH_FIND_STR(program->objects, name, object);
    return object;
}

const struct run_program *run_program(const struct run *run, const char *name)
{
    for (size_t i = 0; i < run->count; i++)
        if (strcmp(run->programs[i]->name, name) == 0)
            return run->programs[i];
    return NULL;
}

const struct run_object *run_object(const struct run *run, const char *name)
{
    struct run_object *object = NULL;

    for (size_t i = 0; i < run->count && !object; i++)
        HASH_FIND_STR(run->programs[i]->objects, name, object);
    return object;
}

const struct run_file *run_file(const struct run *run, const char *path)
{
    struct run_file *file = NULL;

    for (size_t i = 0; i < run->count && !file; i++)
        HASH_FIND_STR(run->programs[i]->files, path, file);
    return file;
}

static void program_free(struct run_program *program)
{
    struct run_object *object, *next_object;
    struct run_file *file, *next_file;

    HASH_ITER(hh, program->objects, object, next_object)
    {
        HASH_DEL(program->objects, object);
        free(object->name);
        free(object->path);
        strings_deinit(&object->versions);
        free(object);
    }
    HASH_ITER(hh, program->files, file, next_file)
    {
        HASH_DEL(program->files, file);
        free(file->path);
        free(file);
    }
    free(program->name);
    free(program->called);
    free(program->exe);
    strings_deinit(&program->argv);
    strings_deinit(&program->env);
    strings_deinit(&program->env_left);
    free(program);
}

void run_deinit(struct run *run)
{
    struct run_process *process, *next;

    for (size_t i = 0; i < run->count; i++)
        program_free(run->programs[i]);
    free(run->programs);
    HASH_ITER(hh, run->processes, process, next)
    {
        HASH_DEL(run->processes, process);
        free(process->called);
        free(process);
    }
    *run = (struct run){0};
}
