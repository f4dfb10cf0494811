/* Programs that could not be executed: the kernel's answer to execve(2) says little (ENOENT for a file that is there),
 * the file says why.
 *
 * linux: fs/exec.c, fs/binfmt_elf.c, fs/binfmt_script.c; execve(2). */
#include "environment.h"

#include "sight.h"
#include "syscall.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include <probes/alloc.h>
#include <probes/execfile.h>
#include <probes/proc.h>

/* ---- one file that is there and cannot be executed ---- */

bool judge_path_fault(struct finding *finding, const struct path_walk *walk, const char *path)
{
    finding->walk = walk;
    switch (walk->reason) {
    case PATH_DANGLING:
        finding->kind = CAUSE_SYMLINK_DANGLING;
        finding->missing = walk->target ? walk->target : path;
        return true;
    case PATH_LOOP:
        finding->kind = CAUSE_SYMLINK_LOOP;
        finding->missing = path;
        return true;
    case PATH_DENIED:
        finding->kind = CAUSE_PERMISSION_DENIED;
        finding->missing = path;
        return true;
    case PATH_ABSENT:
    case PATH_NOT_DIRECTORY:
        finding->kind = CAUSE_FILE_MISSING;
        finding->missing = path;
        return true;
    default:
        return false;
    }
}

/* The file is there: what is it, and what does it lack? INSPECTED is about finding->path. */
static bool file_fault(struct finding *finding, const struct execfile *file)
{
    finding->missing = file->path;
    finding->subject = file->asker ? file->asker : file->path;
    finding->provider = NULL;
    finding->elf = file->elf;
    switch (file->verdict) {
    case EXECFILE_INTERP_ABSENT:
        finding->kind = CAUSE_INTERPRETER_MISSING;
        finding->missing = finding->interpreter = file->interpreter;
        return true;
    case EXECFILE_SCRIPT_ABSENT:
        finding->kind = CAUSE_SCRIPT_INTERPRETER_MISSING;
        finding->missing = finding->interpreter = file->interpreter;
        return true;
    case EXECFILE_NOT_PERMITTED:
        finding->kind = CAUSE_PERMISSION_DENIED;
        return true;
    case EXECFILE_NOEXEC_MOUNT:
        finding->kind = CAUSE_NOEXEC_MOUNT;
        finding->missing = file->mount;
        return true;
    case EXECFILE_OTHER_MACHINE:
        finding->kind = CAUSE_WRONG_ARCHITECTURE;
        finding->missing = file->machine_wanted;
        finding->provider = file->path;
        return true;
    case EXECFILE_TOO_DEEP:
        finding->kind = CAUSE_SYMLINK_LOOP;
        finding->interpreter = file->interpreter;
        return true;
    case EXECFILE_BROKEN:
        finding->kind = CAUSE_OBJECT_CORRUPT;
        finding->provider = file->path;
        if (!finding->elf && !path_nowhere(finding_root(finding))) /* empty, or without as much as a header */
            finding->elf = elffile_get(finding_root(finding), file->path);
        return true;
    default:
        return false;
    }
}

static struct suspect *suspect_attempt(struct process *actor, enum suspicion at, const struct attempt *attempt,
                                       const struct finding *finding)
{
    struct suspect *suspect = suspect_add(actor, at, finding, attempt->n, attempt->t_ns);

    if (!suspect)
        return NULL;
    strings_add(&suspect->needles, xstrdup(attempt->path));
    if (attempt->string)
        strings_add(&suspect->needles, xstrdup(attempt->string));
    strings_add(&suspect->needles, xstrdup(path_base(attempt->path)));
    return suspect;
}

/* How sure it is that a file is not there, of which only ENOENT is known: what it wants to be run by may be it. */
#define FILE_OR_INTERPRETER 0.45
/* Of one that is there, for which something is absent that nobody names. */
#define INTERPRETER_UNNAMED 0.6

/* The attempt's path was found to be executable in principle or not at all: why did the kernel refuse? */
static bool judge_file(struct process *actor, const struct attempt *attempt)
{
    const struct process *image = process_owner(actor);
    struct finding finding = {.process = image,
                              .path = attempt->path,
                              .root = attempt->root,
                              .call = attempt->desc->name,
                              .error = attempt->error,
                              .subject = image->exe ? image->exe : attempt->path};
    struct suspect *suspect;
    struct path_walk walk;
    struct lead lead = {0};
    bool known;

    sight_walk(attempt, process_cred(actor), &walk);
    if (walk.reason == PATH_OK) {
        struct execfile file;

        sight_inspect(attempt, process_cred(actor), &file);
        suspect = file_fault(&finding, &file) ? suspect_attempt(actor, AT_EXECUTION, attempt, &finding) : NULL;
        known = suspect != NULL;
        if (suspect && (judge_logged_cut(finding.missing) ||
                        (attempt->sight && attempt->sight->walk && strcmp(attempt->sight->walk, "unsaid") == 0)))
            suspect->sure = suspect->most = FILE_OR_INTERPRETER;
        else if (suspect && file.interpreter && strchr(file.interpreter, ' ')) /* words: its name is not known */
            suspect->sure = suspect->most = INTERPRETER_UNNAMED;
        execfile_deinit(&file);
    } else {
        known = judge_path_fault(&finding, &walk, attempt->path);
        if (finding.kind == CAUSE_PERMISSION_DENIED)
            finding.subject = attempt->path; /* as of a file without an x bit */
        judge_led(&finding, actor, attempt, &lead);
        suspect = known ? suspect_attempt(actor, AT_EXECUTION, attempt, &finding) : NULL;
        known = suspect != NULL;
        if (suspect && sight_unsaid(attempt))
            suspect->sure = suspect->most = FILE_OR_INTERPRETER;
    }
    lead_deinit(&lead);
    path_walk_deinit(&walk);
    return known;
}

/* ---- searches on PATH ---- */

static bool directory_on_path(const struct process *image, const char *path, const char *cwd)
{
    const char *list = process_env(image, "PATH");
    CLEANUP_FREE char *directory = path_dir(path);
    size_t n = strlen(directory);

    if (!list) /* the C library's own: "/bin:/usr/bin" (confstr(3), _CS_PATH) */
        list = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (const char *p = list;;) {
        size_t size = strcspn(p, ":");
        size_t bare = size;

        while (bare > 1 && p[bare - 1] == '/')
            bare--;
        if (bare == n && strncmp(p, directory, n) == 0)
            return true;
        if (bare == 0 && cwd && strcmp(cwd, directory) == 0) /* an empty element is the working directory */
            return true;
        if (!p[size])
            return false;
        p += size + 1;
    }
}

/* How many directories PATH has that can be told apart. */
static size_t path_length(const struct process *image)
{
    const char *list = process_env(image, "PATH");
    size_t count = 0;

    for (const char *p = list ? list : ""; *p;) {
        size_t size = strcspn(p, ":");
        bool seen = false;

        for (const char *q = list; q < p && !seen; q += strcspn(q, ":") + 1)
            seen = strcspn(q, ":") == size && strncmp(p, q, size) == 0;
        count += !seen;
        p += size + (p[size] != '\0');
    }
    return count;
}

/* "sh: 1: foo: not found", "zsh: command not found: foo". That a directory or file called so is not there is said in
 * the words for ENOENT ("cd: foo: No such file or directory"), or by the script. */
static bool names_command(const struct process *process, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = process->line_count; i-- > 0;) {
        const char *line = process->lines[i].text, *at = words_word(line, name, size);
        bool apart = at && at >= line + 2 && strncmp(at - 2, ": ", 2) == 0 && (at[size] == ':' || !at[size]);

        if (apart && words_complain(line, 0) && !strcasestr(line, strerror(ENOENT)))
            return true;
    }
    return false;
}

bool judge_is_shell(const char *program)
{
    static const char *const shells[] = {"sh",    "dash", "bash", "ash",  "busybox", "ksh",
                                         "ksh93", "mksh", "zsh",  "yash", "fish"};

    for (size_t i = 0; program && i < sizeof shells / sizeof *shells; i++)
        if (strcmp(path_base(program), shells[i]) == 0)
            return true;
    return false;
}

/* A shell that has set another PATH for itself: it says which command it did not find, by its name alone. */
static bool shell_missed(const struct process *image, const struct episode *episode)
{
    return judge_is_shell(image->exe) && names_command(image, episode->name);
}

/* All places of EPISODE are absent, and they are directories of PATH, most of them: one search that ended badly. A
 * program may have put directories of its own before them, as git(1) does; a single file that is not there in one of
 * them is no search. */
static bool is_path_search(const struct process *image, const struct episode *episode)
{
    size_t on_path = 0, length = path_length(image);
    bool execution = false, all;

    for (size_t i = 0; i < episode->count; i++) {
        const struct attempt *attempt = episode->attempts[i];

        /* Who looks for a program asks for its mode or executes it; a file that is opened beside the program is the
         * program's own. */
        if (attempt->by == BY_LOADER || strncmp(attempt->desc->name, "open", 4) == 0 ||
            strcmp(attempt->desc->name, "chdir") == 0 ||
            (attempt->error != ENOENT && attempt->error != ENOTDIR && attempt->error != EACCES))
            return false;
        if (attempt->execution && attempt->argv0 && strchr(attempt->argv0, '/') && episode->count == 1)
            return false;
        execution |= attempt->execution;
        on_path += directory_on_path(image, attempt->path, attempt->cwd) ||
                   (attempt->execution && attempt->argv0 && !strchr(attempt->argv0, '/'));
    }
    all = on_path >= length || (on_path > 2 && on_path + 2 >= length);
    if (episode->count && shell_missed(image, episode))
        return true;
    return on_path > 0 && ((on_path == episode->count && (all || execution)) ||
                           (on_path > 2 && on_path >= length && episode->count - on_path <= 2));
}

static bool executed_any(const struct episode *episode)
{
    for (size_t i = 0; i < episode->count; i++)
        if (episode->attempts[i]->execution)
            return true;
    return false;
}

/* To know where it is, a program looks for itself by the name that it was called by, which may be any (Python does). */
static bool looks_for_itself(const struct process *image, const struct episode *episode)
{
    return image->executed && image->argv.n && strcmp(image->argv.v[0], episode->name) == 0 && !executed_any(episode);
}

/* "python3\r": the carriage return comes from the first line of a script that env(1) was called by; the script must
 * change, not PATH. */
static const char *script_behind(const struct process *image, const char *name)
{
    size_t n = strlen(name);

    if (n >= 2 && name[n - 1] == '\r' && path_nowhere(image->root) && image->exe &&
        strcmp(path_base(image->exe), "env") != 0)
        return image->exe; /* other tools take the script for what was executed */
    if (n < 2 || name[n - 1] != '\r' || image->argv.n < 3 || strcmp(path_base(image->argv.v[0]), "env") != 0)
        return NULL;
    return image->argv.v[image->argv.n - 1];
}

/* "git: 'foo' is not a git command": it was looked for as git-foo. */
static void add_subcommand(struct suspect *suspect, const struct process *image, const char *name)
{
    const char *program = image->exe ? path_base(image->exe) : "";
    size_t n = strlen(program);

    if (n && strncmp(name, program, n) == 0 && name[n] == '-' && name[n + 1])
        strings_add(&suspect->needles, xasprintf("'%s' is not a", name + n + 1));
}

/* A directory of the program's own that a variable names, and all of it is absent (GIT_EXEC_PATH). */
static bool led_astray(struct finding *finding, const struct process *actor, const struct episode *episode,
                       struct lead *lead)
{
    for (size_t i = 0; i < episode->count; i++) {
        const struct attempt *attempt = episode->attempts[i];
        struct finding other = *finding;

        if (directory_on_path(finding->process, attempt->path, attempt->cwd))
            continue;
        other.kind = CAUSE_FILE_MISSING;
        other.path = attempt->path;
        if (judge_led(&other, actor, attempt, lead)) {
            *finding = other;
            return true;
        }
        lead_deinit(lead);
    }
    return false;
}

/* In a directory of PATH stands a link of that name, which leads nowhere: it is what was meant. */
static bool dangles(const struct process *actor, const struct attempt *attempt, struct finding *finding,
                    struct path_walk *walk)
{
    sight_walk(attempt, process_cred(actor), walk);
    if ((walk->reason == PATH_DANGLING || walk->reason == PATH_LOOP) && walk->at &&
        strcmp(walk->at, attempt->path) == 0 && judge_path_fault(finding, walk, attempt->path)) {
        finding->path = attempt->path;
        return true;
    }
    path_walk_deinit(walk);
    *walk = (struct path_walk){0};
    finding->walk = NULL;
    return false;
}

static bool judge_path_search(struct process *actor, const struct episode *episode)
{
    const struct process *image = process_owner(actor);
    const struct attempt *first = episode->attempts[0];
    const char *script = script_behind(image, episode->name);
    struct finding finding = {.kind = CAUSE_COMMAND_NOT_FOUND,
                              .process = image,
                              .path = first->path,
                              .root = first->root,
                              .call = first->desc->name,
                              .error = first->error,
                              .episode = episode,
                              .missing = episode->name,
                              .subject = image->exe ? image->exe : episode->name};
    CLEANUP_FREE char *script_path = NULL;
    struct path_walk walk = {0};
    struct lead lead = {0};
    struct suspect *suspect;

    if (script) {
        finding.kind = CAUSE_SCRIPT_INTERPRETER_MISSING;
        finding.subject = script_path = path_join(image->cwd ? image->cwd : "/", script);
        finding.interpreter = episode->name;
    }
    if (!led_astray(&finding, actor, episode, &lead))
        for (size_t i = 0; i < episode->count && !script && !dangles(actor, episode->attempts[i], &finding, &walk); i++)
            ;
    suspect = suspect_attempt(actor, AT_COMMAND, first, &finding);
    lead_deinit(&lead);
    path_walk_deinit(&walk);
    if (!suspect)
        return false;
    suspect->last_n = episode->last_n;
    suspect->tried = executed_any(episode);
    for (size_t i = 0; i < episode->count && !suspect->argv_rest; i++)
        suspect->argv_rest = xstrdup_or_null(episode->attempts[i]->argv_rest);
    add_subcommand(suspect, image, episode->name);
    if (script) /* as env(1) quotes it */
        strings_add(&suspect->needles, xasprintf("%.*s\\r", (int)strlen(episode->name) - 1, episode->name));
    return true;
}

/* ---- */

/* It may not be looked at where it was looked for, and it is not there: a directory of PATH that is closed to this user
 * keeps nothing from it. */
static bool closed_and_absent(const struct episode *episode, const struct attempt *attempt)
{
    return attempt->error == EACCES && episode->count > 1 && sight_absent(attempt);
}

/* Whatever was missing, it is not the file itself. */
static bool is_there(const struct attempt *attempt)
{
    struct path_walk walk;
    bool there;

    sight_walk(attempt, NULL, &walk);
    there = walk.reason != PATH_ABSENT && walk.reason != PATH_DANGLING;
    path_walk_deinit(&walk);
    return there;
}

static const struct attempt *refused(const struct episode *episode)
{
    for (size_t i = episode->count; i-- > 0;)
        if (episode->attempts[i]->execution && episode->attempts[i]->error != ENOENT &&
            episode->attempts[i]->error != ENOTDIR && !closed_and_absent(episode, episode->attempts[i]))
            return episode->attempts[i];
    for (size_t i = episode->count; i-- > 0;)
        if (episode->attempts[i]->execution && is_there(episode->attempts[i]))
            return episode->attempts[i];
    return NULL;
}

static bool refused_as_no_executable(const struct episode *episode)
{
    for (size_t i = 0; i < episode->count; i++)
        if (episode->attempts[i]->execution && episode->attempts[i]->error == ENOEXEC)
            return true;
    return false;
}

static bool refused_before(const struct process *image, const struct process *actor, uint64_t n)
{
    for (size_t i = 0; i < image->suspect_count; i++) {
        const struct suspect *suspect = &image->suspects[i];

        if (suspect->at == AT_EXECUTION && suspect->actor == actor && suspect->n < n &&
            (suspect->cause->kind == CAUSE_WRONG_ARCHITECTURE || suspect->cause->kind == CAUSE_OBJECT_CORRUPT))
            return true;
    }
    return false;
}

/* A shell that the kernel tells that a file is no executable (ENOEXEC) may read it as commands itself, as busybox's
 * does with any bytes, by a shell that it executes in the same process: what is looked for then is no name of a
 * command. */
bool judge_reads_machine_code(struct process *process, uint64_t n)
{
    struct process *image = process_owner(process);

    for (struct process *p = process; p; p = p == image ? NULL : p->parent)
        if (refused_before(image, p, n))
            return true;
    return image->parent && refused_before(process_owner(image->parent), image, n);
}

/* A child that was to execute something somewhere else could not go there, and only told its parent the errno: node
 * says "spawn ls ENOENT" then, of a program that is there (libuv: src/unix/process.c). */
static void judge_directory(struct process *process)
{
    const struct attempt *attempt = process->last_file;
    const char *name = attempt ? errno_name(attempt->error) : NULL;
    struct suspect *suspect;

    if (process->executed || !process->parent || process->line_count || !process_gave_up(process) || !name ||
        strcmp(attempt->desc->name, "chdir") != 0 || !judge_open_fits(attempt))
        return;
    suspect = judge_open_blame(process, attempt);
    if (suspect)
        strings_add(&suspect->needles, xstrdup(name));
}

void judge_cred(const struct model *model, struct process *process)
{
    struct proc_status status;

    if (process_owner(process)->executed || process->has_cred || !model->live ||
        proc_status_read(process->pid, &status) < 0)
        return;
    free(process->cred.groups);
    process->cred = status.cred;
    status.cred.groups = NULL;
    process->has_cred = true;
    proc_status_deinit(&status);
}

void judge_exec(struct process *process, bool over)
{
    const struct process *image = process_owner(process);
    struct episode *episode, *next;

    HASH_ITER(hh, process->episodes, episode, next)
    {
        const struct attempt *attempt;

        if (episode->found_n || episode->count == 0 || (over && !refused_as_no_executable(episode)))
            continue;
        attempt = refused(episode);
        if ((attempt && judge_file(process, attempt)) || over)
            continue;
        if (is_path_search(image, episode) && !looks_for_itself(image, episode))
            judge_path_search(process, episode);
        else if (executed_any(episode))
            judge_file(process, episode->attempts[episode->count - 1]);
    }
    if (!over)
        judge_directory(process);
    /* The command itself: it never ran, so it has no words of its own, and there is nothing else that it can have ended
     * of. */
    for (size_t i = 0; i < process->suspect_count && !process_owner(process)->executed; i++)
        process->suspects[i].certain = true;
}
