#include "sight.h"

#include "judge.h"
#include "limit.h"
#include "syscall.h"
#include "told.h"

#include <probes/alloc.h>
#include <probes/load.h>
#include <probes/mount.h>
#include <probes/proc.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the words of the log ---- */

static const char *const walks[] = {
    [PATH_OK] = "there",
    [PATH_ABSENT] = "absent",
    [PATH_DANGLING] = "dangling",
    [PATH_LOOP] = "loop",
    [PATH_NOT_DIRECTORY] = "not-directory",
    [PATH_DENIED] = "denied",
    [PATH_TOO_LONG] = "too-long",
    [PATH_FAILED] = "failed",
};

static const char *const verdicts[] = {
    [EXECFILE_SOUND] = "sound",
    [EXECFILE_TEXT] = "text",
    [EXECFILE_INTERP_ABSENT] = "interpreter-absent",
    [EXECFILE_SCRIPT_ABSENT] = "script-interpreter-absent",
    [EXECFILE_NOT_PERMITTED] = "not-permitted",
    [EXECFILE_NOEXEC_MOUNT] = "noexec-mount",
    [EXECFILE_OTHER_MACHINE] = "other-machine",
    [EXECFILE_BROKEN] = "broken",
    [EXECFILE_TOO_DEEP] = "scripts-too-deep",
};

#define ABSENT "absent"

static const char *const states[] = {
    [ELFFILE_EMPTY] = "empty",         [ELFFILE_SHORT] = "short",         [ELFFILE_NOT_ELF] = "not-elf",
    [ELFFILE_TRUNCATED] = "truncated", [ELFFILE_MALFORMED] = "malformed", [ELFFILE_NOT_REGULAR] = "not-regular",
};

static int find(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; name && i < count; i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

/* ---- looking ---- */

/* What an errno value says of a path by itself. */
static enum path_reason expected(int error)
{
    switch (error) {
    case ENOENT:
        return PATH_ABSENT;
    case ENOTDIR:
        return PATH_NOT_DIRECTORY;
    case ELOOP:
        return PATH_LOOP;
    case ENAMETOOLONG:
        return PATH_TOO_LONG;
    default:
        return PATH_OK;
    }
}

static bool about_path(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EACCES || error == EPERM ||
           error == ENOEXEC || error == ELIBBAD || error == EINVAL;
}

static bool of_loader(const struct process *process, const struct event_syscall *call)
{
    return call->by == BY_LOADER || (process && process->musl && library_like(call->path));
}

/* The places of a loader's search are many, and hardly one is more than absent. */
static bool plainly_absent(const struct event *event)
{
    CLEANUP_FREE char *path = xasprintf("%s%s", event->root, event->syscall.path);
    struct stat st;

    return event->syscall.error == ENOENT && lstat(path, &st) < 0;
}

static void look_at_path(const struct process *process, const struct event *event, struct sighting *ret)
{
    const struct event_syscall *call = &event->syscall;
    const struct cred *cred = process ? process_cred(process_owner((struct process *)process)) : NULL;
    struct sight *sight = &ret->sight;
    struct stat st;

    if (!about_path(call->error) || call->policy || (of_loader(process, call) && plainly_absent(event)))
        return;
    path_walk(event->root, event->cwd, call->path, cred, &ret->walk);
    if (ret->walk.reason != expected(call->error) || (ret->walk.at && strcmp(ret->walk.at, call->path) != 0)) {
        sight->walk = walks[ret->walk.reason];
        sight->at = ret->walk.at;
        sight->target = ret->walk.target;
    }
    if (strncmp(call->desc->name, "execve", 6) != 0)
        return;
    if (call->error == EACCES && path_stat(event->root, call->path, &st) == -ENOENT)
        sight->verdict = ABSENT; /* in a directory that is closed to the process */
    if (ret->walk.reason != PATH_OK)
        return;
    execfile_inspect(event->root, call->path, cred, call->error, &ret->file);
    sight->verdict = verdicts[ret->file.verdict];
    sight->fault = ret->file.path;
    sight->needs = ret->file.interpreter ? ret->file.interpreter
                   : ret->file.mount     ? ret->file.mount
                                         : ret->file.machine_wanted;
}

static void note_needed(struct sighting *ret)
{
    const struct elffile *elf = ret->elf;

    if (!elf->needed_count)
        return;
    ret->sight.needed = ret->lists[1] = xcalloc(elf->needed_count + 1, sizeof *ret->lists[1]);
    memcpy(ret->lists[1], elf->needed, elf->needed_count * sizeof *ret->lists[1]);
}

/* A library that the loader has opened: what it needs, and whether the loader can take it. */
static void look_at_library(const struct process *process, const struct event *event, struct sighting *ret)
{
    const struct process *image = process_owner((struct process *)process);

    ret->elf = elffile_get(event->root, event->syscall.path);
    if (ret->elf->state == ELFFILE_UNREADABLE)
        return;
    note_needed(ret);
    if (ret->elf->state != ELFFILE_OK)
        ret->sight.elf = states[ret->elf->state];
    else if (image->has_image && (ret->elf->class != image->class || ret->elf->machine != image->machine))
        ret->sight.elf = elffile_machine_name(ret->elf);
}

static void note_limit(const struct limit *limit, struct sight *ret)
{
    ret->limit = limit->name;
    ret->limit_unit = limit->unit;
    ret->limit_value = limit->value;
    ret->limit_used = limit->used;
    ret->limit_wanted = limit->wanted;
    ret->limit_hard = limit->hard;
    ret->limit_sure = limit->sure;
}

static void look_at_call(const struct process *process, const struct event *event, struct sighting *ret)
{
    const struct event_syscall *call = &event->syscall;
    bool on_file = call->path && (call->desc->family == FAMILY_FILE || call->desc->family == FAMILY_PROCESS);

    if (!call->returned)
        return;
    if (on_file && call->error)
        look_at_path(process, event, ret);
    if (on_file && !call->error && process && of_loader(process, call) && library_like(call->path) &&
        strncmp(call->desc->name, "open", 4) == 0)
        look_at_library(process, event, ret);
    for (size_t i = 0; call->error && process && i < process->failure_count; i++)
        if (process->failures[i].limit && process->failures[i].n == event->n)
            note_limit(process->failures[i].limit, &ret->sight);
}

/* ---- the loader's objects ---- */

/* "GLIBCXX_3.4.9" before "GLIBCXX_3.4.10", of one series. */
static bool of_series(const char *name, const char *other)
{
    size_t n = strcspn(name, "0123456789");

    return n == strcspn(other, "0123456789") && strncmp(name, other, n) == 0;
}

/* "GLIBC_2.36", not "GLIBC_PRIVATE" nor "GLIBC_ABI_DT_RELR". */
static bool has_number(const char *name)
{
    const char *tail = strrchr(name, '_');

    return tail && tail[1] >= '0' && tail[1] <= '9';
}

static void note_versions(struct sighting *ret)
{
    const struct elffile *elf = ret->elf;
    const char **newest = xcalloc(elf->def_count + 1, sizeof *newest);
    size_t count = 0;

    for (size_t i = 0; i < elf->def_count; i++) {
        size_t at = 0;

        if (elf->defs[i].base || !has_number(elf->defs[i].name))
            continue;
        while (at < count && !of_series(newest[at], elf->defs[i].name))
            at++;
        if (at == count)
            newest[count++] = elf->defs[i].name;
        else if (strverscmp(newest[at], elf->defs[i].name) < 0)
            newest[at] = elf->defs[i].name;
    }
    ret->lists[0] = newest;
    if (count)
        ret->sight.versions = newest;
}

static void look_at_object(const struct event *event, struct sighting *ret)
{
    const struct elffile *elf;

    if (!event->loader.object || event->loader.object[0] != '/')
        return;
    elf = ret->elf = elffile_get(event->root, event->loader.object);
    if (elf->state != ELFFILE_OK)
        return;
    ret->sight.soname = elf->soname;
    note_needed(ret);
    if (elf->isa_needed > 1)
        ret->sight.level = load_isa_level_name(elf->isa_needed);
    note_versions(ret);
}

static void look_at_refused(const struct event *event, struct sighting *ret)
{
    const char *object = event->loader.object ? event->loader.object : event->loader.args[0];
    CLEANUP_FREE char *path = object && object[0] != '/' && strchr(object, '/') && event->cwd
                                  ? path_join(event->cwd, object)
                                  : xstrdup_or_null(object);
    CLEANUP_CLOSE int fd = path && path[0] == '/' ? path_open(event->root, path) : -1;

    if (fd < 0)
        return;
    ret->elf = elffile_get(event->root, path);
    if (ret->elf->state == ELFFILE_OK && ret->elf->isa_needed > 1)
        ret->sight.level = load_isa_level_name(ret->elf->isa_needed);
    if (!mount_forbids_execution(fd))
        return;
    path_walk(event->root, event->cwd, path, NULL, &ret->walk);
    if (ret->walk.reason == PATH_OK)
        ret->sight.mount = ret->owned = mount_of(event->root, ret->walk.final);
}

/* ---- ends ---- */

static void look_at_end(const struct process *process, struct sighting *ret)
{
    size_t copies = 0, variables = 0;

    if (!process)
        return;
    for (size_t i = 0; i < 2; i++)
        ret->lists[i] = xcalloc(process->suspect_count + 1, sizeof *ret->lists[i]);
    for (size_t i = 0; i < process->suspect_count; i++) {
        const struct cause *cause = process->suspects[i].cause;

        if (cause && cause->elsewhere)
            ret->lists[0][copies++] = cause->elsewhere;
        if (cause && cause->kind == CAUSE_ENVIRONMENT_WRONG && strchr(cause->missing, '='))
            ret->lists[1][variables++] = cause->missing;
    }
    ret->sight.copies = copies ? ret->lists[0] : NULL;
    ret->sight.variables = variables ? ret->lists[1] : NULL;
}

/* As far as the model has looked. */
static const char *words_to(const struct process *process)
{
    if (!process || !process->stderr_known)
        return NULL;
    return process->stderr_null ? "null" : process->stderr_shared ? "shared" : "other";
}

void sight_look(const struct model *model, const struct event *event, struct sighting *ret)
{
    const struct process *process = model ? model_process(model, event->pid) : NULL;

    *ret = (struct sighting){0};
    switch (event->type) {
    case EVENT_SYSCALL:
        look_at_call(process, event, ret);
        break;
    case EVENT_LOADER:
        if (event->loader.what == LOADER_LOADED)
            look_at_object(event, ret);
        else if (event->loader.what == LOADER_ERROR)
            look_at_refused(event, ret);
        break;
    case EVENT_OUTPUT:
        ret->sight.hushed = proc_fd_hushed(event->pid, event->output.fd, STDERR_FILENO);
        if (process && process->said && process->said_n == event->n)
            note_limit(process->said, &ret->sight);
        ret->sight.words_to = words_to(process);
        break;
    case EVENT_PROCESS:
        if (event->process.what == PROCESS_EXITING) {
            look_at_end(process, ret);
            ret->sight.words_to = words_to(process);
        }
        break;
    default:
        break;
    }
}

void sighting_deinit(struct sighting *sighting)
{
    path_walk_deinit(&sighting->walk);
    execfile_deinit(&sighting->file);
    if (sighting->elf)
        elffile_put(sighting->elf);
    free(sighting->owned);
    for (size_t i = 0; i < sizeof sighting->lists / sizeof *sighting->lists; i++)
        free(sighting->lists[i]);
}

/* ---- keeping ---- */

struct sight *sight_copy(const struct sight *sight)
{
    struct sight *copy;

    if (!sight || (!sight->walk && !sight->verdict && !sight->elf))
        return NULL;
    copy = xcalloc(1, sizeof *copy);
    copy->walk = xstrdup_or_null(sight->walk);
    copy->at = xstrdup_or_null(sight->at);
    copy->target = xstrdup_or_null(sight->target);
    copy->verdict = xstrdup_or_null(sight->verdict);
    copy->fault = xstrdup_or_null(sight->fault);
    copy->needs = xstrdup_or_null(sight->needs);
    copy->elf = xstrdup_or_null(sight->elf);
    return copy;
}

void sight_free(struct sight *sight)
{
    const char *const strings[] = {sight ? sight->walk : NULL,   sight ? sight->at : NULL,
                                   sight ? sight->target : NULL, sight ? sight->verdict : NULL,
                                   sight ? sight->fault : NULL,  sight ? sight->needs : NULL,
                                   sight ? sight->elf : NULL};

    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        free((char *)strings[i]);
    free(sight);
}

/* ---- the way back ---- */

const struct cred *sight_stranger(void)
{
    static const struct cred stranger = {.uid = 65534, .gid = 65534};

    return &stranger;
}

/* Whose eyes ATTEMPT was made with, where CRED does not say: of one that was refused a stranger's, who has what
 * everybody has. */
static const struct cred *eyes(const struct attempt *attempt, const struct cred *cred)
{
    return cred && cred->unknown && (attempt->error == EACCES || attempt->error == EPERM) ? sight_stranger() : cred;
}

void sight_walk(const struct attempt *attempt, const struct cred *cred, struct path_walk *ret)
{
    const struct sight *sight = attempt->sight;
    int reason = sight ? find(walks, sizeof walks / sizeof *walks, sight->walk) : -1;

    if (!path_nowhere(attempt->root)) {
        path_walk(attempt->root, attempt->cwd, attempt->path, eyes(attempt, cred), ret);
        return;
    }
    *ret = (struct path_walk){.reason = reason < 0 ? expected(attempt->error) : (enum path_reason)reason,
                              .error = attempt->error};
    if (ret->reason == PATH_OK)
        ret->final = xstrdup(attempt->path);
    else
        ret->at = xstrdup(sight && sight->at ? sight->at : attempt->path);
    ret->target = xstrdup_or_null(sight ? sight->target : NULL);
}

bool sight_unsaid(const struct attempt *attempt)
{
    return attempt->sight && attempt->sight->verdict && strcmp(attempt->sight->verdict, "unsaid") == 0;
}

bool sight_absent(const struct attempt *attempt)
{
    struct stat st;

    if (path_nowhere(attempt->root))
        return attempt->sight && attempt->sight->verdict && strcmp(attempt->sight->verdict, ABSENT) == 0;
    return path_stat(attempt->root, attempt->path, &st) == -ENOENT;
}

/* Without a note the errno value has to do: what is refused for want of permission lacks the permission. */
static enum execfile_verdict verdict_of(const struct attempt *attempt)
{
    int noted = attempt->sight ? find(verdicts, sizeof verdicts / sizeof *verdicts, attempt->sight->verdict) : -1;

    if (noted >= 0)
        return (enum execfile_verdict)noted;
    return attempt->error == EACCES || attempt->error == EPERM ? EXECFILE_NOT_PERMITTED : EXECFILE_SOUND;
}

static bool wants_program(enum execfile_verdict verdict)
{
    return verdict == EXECFILE_INTERP_ABSENT || verdict == EXECFILE_SCRIPT_ABSENT || verdict == EXECFILE_TOO_DEEP;
}

void sight_inspect(const struct attempt *attempt, const struct cred *cred, struct execfile *ret)
{
    const struct sight *sight = attempt->sight;
    const char *needs = sight ? sight->needs : NULL;

    if (!path_nowhere(attempt->root)) {
        execfile_inspect(attempt->root, attempt->path, eyes(attempt, cred), attempt->error, ret);
        return;
    }
    *ret = (struct execfile){.verdict = verdict_of(attempt),
                             .path = xstrdup(sight && sight->fault ? sight->fault : attempt->path)};
    if (wants_program(ret->verdict))
        ret->interpreter = xstrdup_or_null(needs);
    else if (ret->verdict == EXECFILE_NOEXEC_MOUNT)
        ret->mount = xstrdup_or_null(needs);
    else if (ret->verdict == EXECFILE_OTHER_MACHINE)
        ret->machine_wanted = needs;
    if (wants_program(ret->verdict) && !ret->interpreter)
        ret->verdict = EXECFILE_SOUND;
    if ((ret->verdict == EXECFILE_NOEXEC_MOUNT && !ret->mount) ||
        (ret->verdict == EXECFILE_OTHER_MACHINE && !ret->machine_wanted))
        ret->verdict = EXECFILE_SOUND;
}

/* What ATTEMPT says of PATH: whatever is below what is not there is not there either. */
static enum path_reason told_of(const struct attempt *attempt, const char *path)
{
    struct path_walk walk;
    enum path_reason reason = PATH_UNKNOWN;
    size_t n;

    sight_walk(attempt, NULL, &walk);
    n = walk.at ? strlen(walk.at) : 0;
    if (strcmp(attempt->path, path) == 0 ||
        (walk.at && strncmp(path, walk.at, n) == 0 && (path[n] == '/' || !path[n]) && walk.reason != PATH_OK))
        reason = walk.reason;
    path_walk_deinit(&walk);
    return reason;
}

enum path_reason sight_known(const struct process *process, const char *path, const struct cred *cred)
{
    CLEANUP_FREE char *key = xasprintf("walk:%s", path);
    enum path_reason reason = PATH_UNKNOWN;
    const struct episode *episode, *next;
    struct path_walk walk;
    int noted;

    if (!path_nowhere(process->root)) {
        path_walk(process->root, "/", path, cred, &walk);
        reason = walk.reason;
        path_walk_deinit(&walk);
        return reason;
    }
    noted = find(walks, sizeof walks / sizeof *walks, process->seen ? answers_value(process->seen, key) : NULL);
    if (noted >= 0)
        return (enum path_reason)noted;
    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = 0; reason == PATH_UNKNOWN && i < episode->count; i++)
        reason = told_of(episode->attempts[i], path);
    return reason;
}

enum path_reason sight_reason(const struct process *process, const char *path, const struct cred *cred)
{
    enum path_reason reason = sight_known(process, path, cred);
    CLEANUP_FREE char *key = xasprintf("walk:%s", path);

    if (!path_nowhere(process->root) && process->seen)
        answers_note(process->seen, key, walks[reason]);
    return reason;
}

int sight_stat(const struct process *process, const char *path, struct stat *ret)
{
    CLEANUP_FREE char *key = xasprintf("stat:%s", path);
    int error = path_nowhere(process->root) ? -ENODATA : path_stat(process->root, path, ret);
    const char *noted = NULL;
    unsigned mode, uid;

    if (error == 0 && process->seen) {
        char value[64];

        snprintf(value, sizeof value, "%o,%u", (unsigned)ret->st_mode, (unsigned)ret->st_uid);
        answers_note(process->seen, key, value);
    }
    if (path_nowhere(process->root) && process->seen)
        noted = answers_value(process->seen, key);
    if (!noted || sscanf(noted, "%o,%u", &mode, &uid) != 2)
        return error;
    *ret = (struct stat){.st_mode = mode, .st_uid = uid};
    return 0;
}

bool sight_there(const struct process *process, const struct attempt *attempt, const char *path, struct stat *ret)
{
    if (path_nowhere(attempt->root) || strcmp(attempt->root, process->root) == 0)
        return sight_stat(process, path, ret) == 0;
    return path_stat(attempt->root, path, ret) == 0;
}

bool sight_has_come(const struct process *process, const struct attempt *attempt, const struct path_walk *walk)
{
    CLEANUP_FREE char *key = xasprintf("now:%s", attempt->path);
    bool missed = attempt->error == ENOENT || attempt->error == ENOTDIR || attempt->error == ELOOP;

    if (!missed || !process->seen)
        return missed && walk->reason == PATH_OK;
    if (path_nowhere(attempt->root))
        return walk->reason == PATH_OK || answers_value(process->seen, key);
    if (walk->reason == PATH_OK)
        answers_note(process->seen, key, "there");
    return walk->reason == PATH_OK;
}
