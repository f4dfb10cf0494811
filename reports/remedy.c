#include "remedy.h"

#include "repro_script.h"

#include <dlfcn.h>
#include <string.h>

#include <probes/alloc.h>

char *remedy_word(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%=";

    return *word && word[strspn(word, plain)] == '\0' ? xstrdup(word) : repro_quote(word);
}

char *remedy_run(const struct finding *finding, const char *variable, const char *value)
{
    const struct process *process = finding->process;
    const char *program = process->argv.n && *process->argv.v[0] ? process->argv.v[0] : process->exe;
    CLEANUP_FREE char *word = remedy_word(program ? program : "PROGRAM");
    CLEANUP_FREE char *quoted = value ? remedy_word(value) : NULL;

    return value ? xasprintf("%s=%s %s", variable, quoted, word) : xasprintf("env -u %s %s", variable, word);
}

static size_t bare_length(const char *path, size_t n)
{
    while (n > 1 && path[n - 1] == '/')
        n--;
    return n;
}

char *remedy_without(const char *list, const char *directory, const char *separators)
{
    size_t wanted = bare_length(directory, strlen(directory));
    char *rest = xmalloc(strlen(list) + 1), *out = rest;

    for (const char *p = list;;) {
        size_t n = strcspn(p, separators), bare = bare_length(p, n);

        if (n && !(bare == wanted && strncmp(p, directory, bare) == 0)) {
            if (out > rest)
                *out++ = separators[0];
            memcpy(out, p, n);
            out += n;
        }
        if (!p[n])
            break;
        p += n + 1;
    }
    *out = '\0';
    if (out > rest)
        return rest;
    free(rest);
    return NULL;
}

char *remedy_before(const char *directory, const char *list)
{
    return list && *list ? xasprintf("%s:%s", directory, list) : xstrdup(directory);
}

struct remedy *remedy_add(struct cause *cause, enum proof proof, enum trial trial, char *command, const char *format,
                          ...)
{
    struct remedy *remedy;
    va_list ap;

    va_start(ap, format);
    remedy = cause_remedy(cause, proof, "%s", "");
    free(remedy->title);
    remedy->title = xvasprintf(format, ap);
    va_end(ap);
    remedy->trial = trial;
    if (command)
        strings_add(&remedy->commands, command);
    return remedy;
}

/* ---- asked again ---- */

static bool same_fault(const struct fault *a, const struct fault *b)
{
    return a->kind == b->kind && strcmp(a->name, b->name) == 0 && strcmp(a->subject->path, b->subject->path) == 0;
}

static bool had(const struct load *load, const struct fault *fault)
{
    for (size_t i = 0; i < load->fault_count; i++)
        if (same_fault(load->faults[i], fault))
            return true;
    return false;
}

/* What the dlopen that brought FAULT was asked for. */
static const char *opened(const struct load *load, const struct fault *fault)
{
    for (size_t i = 0; i < load->object_count; i++)
        if (load->objects[i]->batch == fault->batch)
            return load->objects[i]->path;
    return fault->name; /* it was not found */
}

bool remedy_loads(const struct finding *finding, const struct load_change *change)
{
    const struct fault *fault = finding->fault;
    struct load *again;
    bool helps = true;

    if (!fault || !finding->load || load_again(finding->load, change, &again, NULL) < 0)
        return false;
    if (fault->batch) {
        const struct load_open open = {
            .file = opened(finding->load, fault), .mode = RTLD_NOW, .space = LOAD_SPACE_CALLER};

        load_dlopen(again, &open, NULL);
    }
    for (size_t i = 0; i < again->fault_count && helps; i++) {
        const struct fault *left = again->faults[i];

        helps = left->warning || (!same_fault(left, fault) && had(finding->load, left));
    }
    load_destroy(again);
    return helps;
}
