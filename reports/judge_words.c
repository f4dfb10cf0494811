/* The loader's own words as evidence: which error of the loader belongs to which suspect, and what they say of it that
 * the files do not. What was asked, and of whom, the words know; why it failed, the shadow loader. */
#include "judge.h"

#include "told.h"
#include "sight.h"

#include <errno.h>
#include <string.h>

#include <probes/alloc.h>

bool process_told(const struct process *process, const char *name, bool fatal)
{
    for (size_t i = 0; i < process->error_count; i++) {
        const struct loader_error *error = &process->errors[i];

        if (fatal && error->outcome != LOADER_FATAL)
            continue;
        for (size_t k = 0; k < sizeof error->args / sizeof *error->args; k++)
            if (error->args[k] && strcmp(error->args[k], name) == 0)
                return true;
        if (error->object && strcmp(path_base(error->object), path_base(name)) == 0)
            return true;
    }
    return false;
}

/* ---- a dlopen and its error ---- */

static bool dlopened(const struct loader_call *call, pid_t tid, uint64_t n)
{
    return call->tid == tid && n > call->begin_n && n < call->n;
}

const struct loader_call *call_of(const struct process *process, pid_t tid, uint64_t n)
{
    for (size_t i = 0; i < process->call_count; i++)
        if (dlopened(&process->calls[i], tid, n))
            return &process->calls[i];
    return NULL;
}

/* The last that its thread was told before it returned. */
const struct loader_error *error_of(const struct process *process, const struct loader_call *call)
{
    const struct loader_error *last = NULL;

    for (size_t i = 0; i < process->error_count; i++) {
        const struct loader_error *error = &process->errors[i];

        if (dlopened(call, error->tid, error->n) || dlopened(call, error->tid, error->last_n))
            last = error;
    }
    return last;
}

/* ---- an error and its suspect ---- */

static bool one_of_needles(const struct suspect *suspect, const char *name)
{
    for (size_t i = 0; name && i < suspect->needles.n; i++)
        if (strcmp(path_base(suspect->needles.v[i]), path_base(name)) == 0)
            return true;
    return false;
}

static bool about_file(const struct suspect *suspect, const char *name)
{
    const struct cause *cause = suspect->cause;

    return name && (one_of_needles(suspect, name) || strcmp(path_base(cause->missing), path_base(name)) == 0 ||
                    strcmp(path_base(cause->subject), path_base(name)) == 0 ||
                    (cause->provider && strcmp(path_base(cause->provider), path_base(name)) == 0));
}

static bool belongs(const struct suspect *suspect, const struct told *told)
{
    if (suspect->at != AT_START && suspect->at != AT_DLOPEN)
        return false;
    switch (told->what) {
    case TOLD_SYMBOL:
        return one_of_needles(suspect, told->symbol);
    case TOLD_VERSION:
        return one_of_needles(suspect, told->version) && about_file(suspect, told->object);
    case TOLD_ASSERTION:
        return one_of_needles(suspect, "Inconsistency detected by ld.so");
    default:
        return about_file(suspect, told->object);
    }
}

static bool names_missing(const struct cause *cause)
{
    CLEANUP_FREE char *name = xstrndup(cause->missing, strcspn(cause->missing, "@"));

    /* an assertion names no symbol */
    return strstr(cause->words, name) || strstr(cause->words, "Inconsistency detected by ld.so");
}

struct claim {
    const char *words; /* in lower case */
    int error;
};

/* What programs say in their own words of an error. */
static const struct claim claims[] = {
    {"not found", ENOENT},         {"cannot find", ENOENT},   {"can't find", ENOENT},     {"could not find", ENOENT},
    {"couldn't find", ENOENT},     {"not exist", ENOENT},     {"no such file", ENOENT},   {"is missing", ENOENT},
    {"permission denied", EACCES}, {"not permitted", EPERM},  {"access denied", EACCES},  {"no space left", ENOSPC},
    {"out of memory", ENOMEM},     {"too many open", EMFILE}, {"too many levels", ELOOP},
};

static bool alike(int a, int b)
{
    return a == b || (a == ENOENT && b == ENOTDIR) || (a == ENOTDIR && b == ENOENT) || (a == EACCES && b == EPERM) ||
           (a == EPERM && b == EACCES) || (a == EMFILE && b == ENFILE);
}

/* The kernel did answer so, to another call on a file: "mkdir /data: permission denied", where /data/x was not there.
 */
static bool met(const struct process *process, int error)
{
    const struct episode *episode, *next;

    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = 0; i < episode->count; i++)
        if (alike(episode->attempts[i]->error, error))
            return true;
    return false;
}

/* Programs report errno after other calls have changed it, or say "not found" whatever the error was. */
static void claim_differs(const struct process *process, struct cause *cause)
{
    const struct claim *wrong = NULL;
    const char *line = cause->words;
    CLEANUP_FREE char *first = line ? xstrndup(line, strcspn(line, "\n")) : NULL;

    if (!first || !cause->error || strcasestr(first, strerror(cause->error)))
        return;
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        if (!strcasestr(first, claims[i].words))
            continue;
        if (alike(claims[i].error, cause->error))
            return;
        wrong = &claims[i];
    }
    if (wrong && !met(process, wrong->error))
        cause_fact(cause, "misleading", "it says \"%s\", but what the kernel answered was \"%s\" (%s)", wrong->words,
                   strerror(cause->error), errno_name(cause->error));
}

/* "not found" of what is there: the kernel answers ENOENT for what it needs to run the file, or to follow the link. */
static void said_of_what_is_there(struct cause *cause)
{
    const char *named = cause->subject;

    if (!cause->words || strstr(cause->words, cause->missing) || !strstr(cause->words, path_base(named)))
        return;
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        if (claims[i].error == ENOENT && strcasestr(cause->words, claims[i].words)) {
            cause_fact(cause, "misleading", "%s itself is there: what is not is %s", named, cause->missing);
            return;
        }
}

/* Go's exec package says so of a search that a relative directory of PATH takes part in; programs repeat it of others.
 */
static void blames_current_directory(const struct process *process, struct cause *cause)
{
    CLEANUP_FREE char *path = process->cwd ? path_join(process->cwd, cause->missing) : NULL;
    struct stat st;

    if (path && cause->words && strcasestr(cause->words, "current directory") && sight_stat(process, path, &st) < 0)
        cause_fact(cause, "misleading", "there is no %s in the current directory, %s", cause->missing, process->cwd);
}

/* The error of a search is that of its last place, whatever stood at the ones before (open_path() of elf/dl-load.c).
 * Where one thing is wrong with all of an object, the loader complains of whatever it meets first. */
void words_mislead(const struct process *process, struct cause *cause)
{
    bool absent = cause->words && strstr(cause->words, "cannot open shared object file") &&
                  strstr(cause->words, strerror(ENOENT));

    switch (cause->kind) {
    case CAUSE_SYMLINK_LOOP:
    case CAUSE_WRONG_ARCHITECTURE:
    case CAUSE_PERMISSION_DENIED:
        if (absent)
            cause_fact(cause, "misleading", "\"%s\" is said of the last place that was tried, not of this one",
                       strerror(ENOENT));
        else
            claim_differs(process, cause);
        break;
    case CAUSE_LOADER_LIBC_SKEW:
    case CAUSE_LIBC_FAMILY_MISMATCH:
        if (cause->words && !names_missing(cause))
            cause_fact(cause, "misleading", "what the loader names is a consequence: to supply it would not help");
        break;
    case CAUSE_NOEXEC_MOUNT:
        if (cause->words && strcasestr(cause->words, strerror(EACCES)))
            cause_fact(cause, "misleading", "no mode of the file refuses it: the options of the mount do");
        break;
    case CAUSE_COMMAND_NOT_FOUND:
        blames_current_directory(process, cause);
        break;
    case CAUSE_INTERPRETER_MISSING:
    case CAUSE_SCRIPT_INTERPRETER_MISSING:
        said_of_what_is_there(cause);
        break;
    default:
        claim_differs(process, cause);
        break;
    }
}

static void attach(struct suspect *suspect, const struct loader_error *error)
{
    struct cause *cause = suspect->cause;

    cause_evidence(cause, error->n);
    if (!suspect->told_n)
        suspect->told_n = error->n;
    if (!cause->words && error->message)
        cause->words = xstrdup(error->message);
    if (error->outcome == LOADER_FATAL && suspect->at == AT_START)
        suspect->certain = true;
}

/* A dlsym(3) for a symbol that may be absent is no failure, nor is one that came before a dlopen(3) that failed of
 * something else. */
bool judge_words_harmless(const struct process *process, const struct loader_error *error)
{
    const struct loader_call *call = call_of(process, error->tid, error->n);

    if (error->outcome != LOADER_CAUGHT)
        return error->outcome == LOADER_WARNED;
    return !call || (strncmp(error->format, "undefined symbol", 16) == 0 && error_of(process, call) != error);
}

static bool has_suspect(struct process *process, const struct told *told, const struct loader_error *error)
{
    bool found = false;

    for (size_t i = 0; i < process->suspect_count; i++)
        if (belongs(&process->suspects[i], told)) {
            attach(&process->suspects[i], error);
            found = true;
        }
    return found;
}

void judge_words(struct process *process, const struct maps *maps, const struct load *load)
{
    for (size_t i = 0; i < process->error_count; i++) {
        const struct loader_error *error = &process->errors[i];
        struct told told;

        if (judge_words_harmless(process, error))
            continue;
        told_by_loader(error, &told);
        if (told.what != TOLD_NOTHING && !has_suspect(process, &told, error) && load &&
            judge_told(process, maps, load, error))
            has_suspect(process, &told, error);
        told_deinit(&told);
    }
}

void judge_words_said(struct process *process)
{
    for (size_t i = 0; process->suspect_count && i < process->error_count; i++) {
        struct told told;

        if (!judge_words_harmless(process, &process->errors[i]))
            continue;
        told_by_loader(&process->errors[i], &told);
        if (told.what != TOLD_NOTHING)
            has_suspect(process, &told, &process->errors[i]);
        told_deinit(&told);
    }
}
