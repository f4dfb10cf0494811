/* Suspects: made when something fails, settled when the process ends. */
#include "judge.h"

#include "crash.h"
#include "environment.h"
#include "module.h"
#include "remedy.h"
#include "told.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <probes/alloc.h>
#include <probes/limits.h>
#include <probes/proc.h>

static const double SAID_TO_NOBODY = 0.8;

const char **process_env_array(const struct process *process)
{
    const char **env = xcalloc(process->env.n + 1, sizeof *env);

    for (size_t i = 0; i < process->env.n; i++)
        env[i] = process->env.v[i];
    return env;
}

static const struct cause_desc cause_descs[] = {
    {CAUSE_SYMBOL_VERSION_MISSING, cause_version_tell},
    {CAUSE_LOADER_LIBC_SKEW, cause_skew_tell},
    {CAUSE_SYMBOL_MISSING, cause_symbol_tell},
    {CAUSE_LIBRARY_MISSING, cause_library_tell},
    {CAUSE_LIBRARY_OFF_PATH, cause_library_tell},
    {CAUSE_LIBRARY_SHADOWED, cause_shadowed_tell},
    {CAUSE_LIBC_FAMILY_MISMATCH, cause_family_tell},
    {CAUSE_INTERPRETER_MISSING, cause_interpreter_tell},
    {CAUSE_SCRIPT_INTERPRETER_MISSING, cause_interpreter_tell},
    {CAUSE_WRONG_ARCHITECTURE, cause_architecture_tell},
    {CAUSE_CPU_LEVEL_TOO_LOW, cause_cpu_tell},
    {CAUSE_OBJECT_CORRUPT, cause_corrupt_tell},
    {CAUSE_SYMLINK_LOOP, cause_link_tell},
    {CAUSE_SYMLINK_DANGLING, cause_link_tell},
    {CAUSE_FILE_MISSING, cause_file_tell},
    {CAUSE_PERMISSION_DENIED, cause_permission_tell},
    {CAUSE_NOEXEC_MOUNT, cause_permission_tell},
    {CAUSE_STATIC_TLS_EXHAUSTED, cause_refused_tell},
    {CAUSE_EXECSTACK_REFUSED, cause_refused_tell},
    {CAUSE_SYSCALL_BLOCKED, cause_policy_tell},
    {CAUSE_SANDBOX_UNAVAILABLE, cause_sandbox_tell},
    {CAUSE_WATCH_LIMIT, cause_limit_tell},
    {CAUSE_RESOURCE_LIMIT, cause_limit_tell},
    {CAUSE_COMMAND_NOT_FOUND, cause_command_tell},
    {CAUSE_CONNECTION_REFUSED, cause_connect_tell},
    {CAUSE_ENVIRONMENT_WRONG, cause_environment_tell},
    {CAUSE_MODULE_ABI_MISMATCH, cause_module_tell},
    {CAUSE_CRASH, cause_crash_tell},
};

const struct cause_desc *cause_desc_of(enum cause_kind kind)
{
    for (size_t i = 0; i < sizeof cause_descs / sizeof *cause_descs; i++)
        if (cause_descs[i].kind == kind)
            return &cause_descs[i];
    return NULL;
}

/* The objects from the program to SUBJECT, as each was asked for by the one before. */
static void chain_objects(struct cause *cause, const char *root, const struct object *subject)
{
    const struct object *way[64];
    size_t n = 0;

    for (const struct object *object = subject; object && object->why != OBJECT_MAIN && n < 64; object = object->loader)
        way[n++] = object;
    while (n-- > 0)
        strings_add(&cause->chain, path_tidy(root, way[n]->path));
}

static void chain_fill(struct cause *cause, const struct process *process, const struct finding *finding)
{
    for (size_t i = 0; i < process->ancestry.n; i++)
        strings_add(&cause->chain, xstrdup(process->ancestry.v[i]));
    if (process->exe)
        strings_add(&cause->chain, xstrdup(process->exe));
    if (finding->fault && process->exe && strcmp(process->exe, finding->load->objects[0]->path) != 0)
        strings_add(&cause->chain, xstrdup(finding->load->objects[0]->path)); /* ld.so was run itself */
    if (finding->fault)
        chain_objects(cause, finding_root(finding), finding->fault->subject);
    else if (strcmp(cause->subject, process->exe ? process->exe : "") != 0)
        strings_add(&cause->chain, xstrdup(cause->subject));
}

bool judge_asks_another(const struct cause *cause, const char *provider)
{
    return cause->kind == CAUSE_SYMBOL_VERSION_MISSING && cause->provider && provider &&
           strcmp(path_base(cause->provider), path_base(provider)) != 0;
}

static bool same_cause(const struct cause *cause, const struct finding *finding, const char *subject,
                       const char *missing)
{
    return cause->kind == finding->kind && strcmp(cause->subject, subject) == 0 &&
           strcmp(cause->missing, missing) == 0 && !judge_asks_another(cause, finding->provider);
}

/* What ACTOR did in event N it did as a shell that reads as commands what the kernel has refused as no executable. */
static bool means_nothing(struct process *actor, enum suspicion at, uint64_t n)
{
    return (at == AT_EXECUTION || at == AT_COMMAND || at == AT_OPEN) && judge_reads_machine_code(actor, n);
}

/* By a log, which does not tell what the kernel has refused: a name that is none. */
static bool is_machine_code(const struct process *actor, const char *name)
{
    size_t n = strcspn(name, "\001\002\003\004\005\006\007\010\016\017\020\033\177");

    return path_nowhere(actor->root) && name[n];
}

/* Whose matter it is. What a fork loads for itself it has to live with itself; and so has it with anything else where
 * the process that executed the program has ended before (a daemon). */
static struct process *bearer_of(struct process *actor, enum suspicion at)
{
    struct process *owner = process_owner(actor);

    return at == AT_DLOPEN || at == AT_START || (owner->judged && owner->end_n < actor->end_n) ? actor : owner;
}

struct suspect *suspect_add(struct process *actor, enum suspicion at, const struct finding *finding, uint64_t n,
                            uint64_t t_ns)
{
    struct process *process = finding->bearer ? finding->bearer : bearer_of(actor, at);
    const struct cause_desc *desc = cause_desc_of(finding->kind);
    CLEANUP_FREE char *subject = path_tidy(finding_root(finding), finding->subject);
    CLEANUP_FREE char *provider = finding->provider ? path_tidy(finding_root(finding), finding->provider) : NULL;
    bool is_file = provider && strcmp(finding->missing, finding->provider) == 0; /* the object itself */
    CLEANUP_FREE char *missing = xstrdup(is_file ? provider : finding->missing);
    struct suspect *suspect;
    struct cause *cause;

    for (size_t i = 0; i < process->suspect_count; i++)
        if (same_cause(process->suspects[i].cause, finding, subject, missing))
            return NULL;
    if (!desc || means_nothing(actor, at, n) || is_machine_code(actor, missing))
        return NULL;
    suspect = array_add(&process->suspects, &process->suspect_count, &process->suspect_cap, sizeof *suspect);
    suspect->at = at;
    suspect->actor = actor;
    suspect->n = suspect->last_n = n;
    suspect->cause = cause = cause_create(finding->kind);
    cause->subject = steal_pointer(&subject);
    cause->missing = steal_pointer(&missing);
    cause->provider = steal_pointer(&provider);
    cause->elsewhere = xstrdup_or_null(finding->elsewhere);
    cause->pid = process->pid;
    cause->error = finding->error;
    cause->exe = xstrdup_or_null(process->exe);
    for (size_t i = 0; i < process->argv.n; i++)
        strings_add(&cause->argv, xstrdup(process->argv.v[i]));
    chain_fill(cause, process, finding);
    if (n)
        cause_evidence(cause, n);
    cause->seconds = n ? (double)t_ns / 1e9 : -1;
    if (!judge_logged_tells(finding, cause))
        desc->tell(finding, cause);
    return suspect;
}

/* Where the program's own words may be: in the image's process, in the child that acted, and in those who started it
 * and may repeat what they were told. */
static const struct output_line *words_for(const struct process *process, const struct suspect *suspect)
{
    const struct process *places[8];
    size_t n = 0;

    places[n++] = process;
    if (suspect->actor != process)
        places[n++] = suspect->actor;
    for (const struct process *up = process->parent; up && n < 8; up = up->parent)
        places[n++] = up;
    for (size_t spoken = 0; spoken < 2; spoken++)
        for (size_t needle = 0; needle < suspect->needles.n; needle++)
            for (size_t i = 0; i < n; i++) {
                const struct output_line *line =
                    (spoken ? process_spoke : process_says)(places[i], suspect->needles.v[needle]);

                if (line && (line->n >= suspect->n || suspect->certain))
                    return line;
            }
    return NULL;
}

/* Of a dlopen of which the program says nothing, and after which it did other things. An optional library that is not
 * installed is no loss, whatever the program ends with then. Where one is there that lacks another, nobody knows if it
 * ends badly. One that is there and cannot be loaded is broken. */
static double silent_confidence(const struct suspect *suspect, bool failed)
{
    if (suspect->cause->kind != CAUSE_LIBRARY_MISSING && suspect->cause->kind != CAUSE_LIBRARY_OFF_PATH)
        return 0.55;
    return failed && suspect->dependency ? 0.45 : 0;
}

/* How sure: calibrated by the project's own cases (tests/e2e), not by feeling. */
static double confidence_of(const struct process *process, struct suspect *suspect, bool said)
{
    bool failed = process_gave_up(process);

    if (suspect->renamed)
        return 0;
    if (suspect->certain && !(suspect->sure > 0 && suspect->at == AT_EXECUTION))
        return said ? 0.98 : 0.95;
    if (suspect->coped)
        return 0;
    if (suspect->sure > 0)
        return suspect->sure;
    switch (suspect->at) {
    case AT_START:
        return said ? 0.97 : 0.9;
    case AT_DLOPEN:
        if (!said && !failed && process_failed(process))
            return 0; /* somebody else ended it, whatever it did at that moment */
        return said ? 0.96 : suspect->last_act ? 0.8 : silent_confidence(suspect, failed);
    case AT_EXECUTION:
        return said ? 0.96 : failed ? 0.8 : 0;
    case AT_COMMAND:
        return said ? 0.95 : judge_unsaid_command(process, suspect);
    case AT_OPEN:
        if (!failed)
            return 0;
        return said ? suspect->doubtful ? 0.85 : 0.93 : suspect->last_act ? 0.7 : 0;
    case AT_CALL:
        if (said)
            return !failed ? 0.75 : suspect->doubtful ? 0.6 : 0.93;
        return failed && suspect->last_act ? suspect->doubtful ? 0.45 : 0.7 : 0;
    case AT_CRASH:
        return 0.9;
    case AT_VARIABLE:
        break;
    }
    return 0;
}

/* A command that is not there, and LINE or the next one says what is done about it: "xsel: not found, using the file
 * instead", make's "Error 127 (ignored)". */
static bool done_without(const struct process *process, const struct output_line *line)
{
    if (process_gave_up(process))
        return false;
    if (words_shrug(line->text))
        return true;
    for (size_t i = 0; i + 1 < process->line_count; i++)
        if (process->lines[i].n == line->n && strcmp(process->lines[i].text, line->text) == 0)
            return words_shrug(process->lines[i + 1].text);
    return false;
}

/* LINE names what failed, but the program went on: it says so, or it complains of something else afterwards while this
 * line was no complaint. */
static bool shrugged_off(const struct process *process, const struct suspect *suspect, const struct output_line *line)
{
    const char *words = suspect->cause->words ? suspect->cause->words : line->text; /* those over a list of places */
    const char *error = suspect->cause->error ? errno_name(suspect->cause->error) : NULL;
    bool complaint = words_complain(words, suspect->cause->error) || (error && words_word(words, error, strlen(error)));
    bool shrug = words_shrug(words), later = false;

    if (judge_shell_got_over(process, suspect, line->text) ||
        (suspect->at == AT_COMMAND && done_without(process, line)))
        return true;
    if (suspect->at != AT_COMMAND && suspect->at != AT_OPEN && suspect->at != AT_CALL)
        return false;
    for (size_t i = 0; i < process->line_count; i++)
        later |= process->lines[i].n > line->n && words_object(process->lines[i].text);
    return (shrug || (!complaint && suspect->at != AT_COMMAND)) && later;
}

/* Of its own files a program may say in so many words that it does without. */
static bool only_warned(const struct suspect *suspect, const struct output_line *line)
{
    return !suspect->certain && (suspect->at == AT_OPEN || suspect->at == AT_VARIABLE) && words_warn(line->text);
}

/* LINE is the loader's about another version, or about what another object needs. */
static bool about_another(const struct cause *cause, const char *line)
{
    struct told told;
    bool another;

    told_in_line(line, &told);
    another = told.what == TOLD_VERSION && told.version &&
              (strcmp(told.version, cause->missing) != 0 ||
               (told.needer && strcmp(path_base(told.needer), path_base(cause->subject)) != 0));
    told_deinit(&told);
    return another;
}

/* It was named in words that went to /dev/null. */
static bool said_to_nobody(const struct process *process, const struct suspect *suspect)
{
    for (size_t i = 0; i < suspect->needles.n; i++)
        if (process_hushed(process, suspect->needles.v[i]) || process_hushed(suspect->actor, suspect->needles.v[i]))
            return true;
    return false;
}

/* What a program cannot go on without (a file to be executed, an object to be loaded) is no probe because its words go
 * nowhere, where it ends badly then. */
static void settle_muted(const struct process *process, struct suspect *suspect)
{
    if (!said_to_nobody(process, suspect))
        return;
    if (process_gave_up(process) && (suspect->at == AT_EXECUTION || suspect->at == AT_DLOPEN))
        suspect->muted = true;
    else if (!process_gave_up(process) || suspect->at != AT_COMMAND) /* else what came after it tells */
        suspect->coped = true;
}

/* A record that was cut in the middle of a search: what would have come of it nobody knows. */
static bool is_cut(const struct process *process, const struct suspect *suspect)
{
    return suspect->at == AT_COMMAND && !process->ended && !suspect->actor->ended && path_nowhere(process->root);
}

static void settle(struct process *process, struct suspect *suspect)
{
    const struct output_line *line = suspect->at == AT_CRASH ? NULL : words_for(process, suspect);
    struct cause *cause = suspect->cause;
    /* SIGKILL is a request as well, but for a limit that was reached. */
    bool failed = process_gave_up(process) ||
                  (suspect->certain && (process_failed(process) || !process_owner(process)->executed));

    if (suspect->at == AT_CRASH) { /* a child's that ran this image: settled already */
        cause->impact = failed ? IMPACT_FATAL : IMPACT_DEGRADED;
        return;
    }

    if (!line && suspect->at == AT_DLOPEN)
        line = suspect_called(suspect->actor, suspect);
    if (line && !cause->words && !about_another(cause, line->text))
        cause->words = xstrdup(line->text);
    if (line)
        cause_evidence(cause, line->n);
    words_mislead(process, cause);
    suspect->said_n = line ? line->n : 0;
    suspect->warned = line && only_warned(suspect, line);
    suspect->lived_with |= suspect->warned || (line && suspect->at == AT_DLOPEN && !suspect->certain &&
                                               suspect_survived(process, suspect, line));
    if (!line)
        settle_muted(process, suspect);
    suspect->coped |= line && shrugged_off(process, suspect, line);
    cause->confidence = confidence_of(process, suspect, line || (suspect->muted && suspect->at == AT_DLOPEN));
    if (!line && is_cut(process, suspect))
        cause->confidence = 0;
    if (suspect->most > 0 && cause->confidence > suspect->most)
        cause->confidence = suspect->most;
    cause->impact = failed && !suspect->lived_with &&
                            (suspect->certain || line || suspect->muted || suspect->last_act || suspect->tried ||
                             suspect->at == AT_EXECUTION || suspect->at == AT_VARIABLE)
                        ? IMPACT_FATAL
                        : IMPACT_DEGRADED;
}

/* Where its words went: to nobody, to the user, or to a parent that captured them. Descriptors are still open at
 * PTRACE_EVENT_EXIT. */
static void look_at_stderr(struct model *model, struct process *process)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/fd/2", (int)process->pid);
    struct stat st;

    if (!model->live || stat(path, &st) < 0)
        return;
    /* A shell's fork restores what "tool 2>&1" redirected before it ends. */
    if (process->stderr_known && !process->stderr_shared && !process->executed)
        return;
    process->stderr_known = true;
    process->stderr_null = proc_fd_hushed(process->pid, STDERR_FILENO, STDERR_FILENO);
    process->stderr_shared = model->has_stderr && st.st_ino == model->stderr_ino && st.st_dev == model->stderr_dev;
}

/* A shell that cannot execute a file (ENOEXEC) lets /bin/sh read it as commands, in the same process: what was wrong
 * with an ELF file has to be seen before that hides it. */
void judge_exec_over(struct model *model, struct process *process)
{
    if (process == model->first && !process->exec_n && model->live)
        model->memory_kills = limits_memory_kills(process->pid);
    judge_exec(process, true);
    judge_stacks_over(process);
}

/* SUSPECT is a library that did not load, under whichever name. */
static bool about_a_library(const struct process *process, const struct suspect *suspect)
{
    bool library = suspect->at == AT_DLOPEN || suspect->renamed;

    for (size_t i = 0; i < process->suspect_count && !library; i++)
        library = process->suspects[i].at == AT_DLOPEN &&
                  strcmp(process->suspects[i].cause->missing, suspect->cause->missing) == 0;
    return library;
}

/* A program that complained of a library, went on, and failed later at something else that it named did not end because
 * of the library (of two libraries either may be the reason: nobody can tell); and what it only warned of is not told
 * where there is a reason for its end. */
static void settle_survived(struct process *process)
{
    for (size_t i = 0; i < process->suspect_count; i++)
        for (size_t k = 0; k < process->suspect_count; k++) {
            struct suspect *first = &process->suspects[i];
            const struct suspect *later = &process->suspects[k];

            if (first->at == AT_DLOPEN && first->said_n && later->said_n && later->n > first->said_n &&
                !about_a_library(process, later))
                first->cause->impact = IMPACT_DEGRADED;
            if (first->warned && later->cause->impact == IMPACT_FATAL && later->cause->confidence >= 0.5)
                first->cause->confidence = 0;
        }
}

/* Another process ended it, with a signal: nothing that failed before did. */
static void settle_sent(struct process *process)
{
    const struct crash *crash;

    if (!crash_signal_of(process, &crash) || !crash_was_sent(crash))
        return;
    for (size_t i = 0; i < process->suspect_count; i++) {
        process->suspects[i].last_act = false;
        settle(process, &process->suspects[i]);
        process->suspects[i].cause->impact = IMPACT_DEGRADED;
    }
}

/* A crash that follows from an earlier failure (a library that did not load, then a null pointer) is that failure's
 * harm. */
static struct suspect *explanation(const struct process *process)
{
    for (size_t i = 0; i < process->suspect_count; i++) {
        struct suspect *suspect = &process->suspects[i];

        if (suspect->at != AT_CRASH && suspect->cause->impact == IMPACT_FATAL && suspect->cause->confidence > 0)
            return suspect;
    }
    return NULL;
}

/* A process that ends itself by the signal that a child of it died of tells its own parent how the child ended, as
 * unshare(1), timeout(1) and shells do. */
static bool passes_on(const struct model *model, const struct process *process)
{
    const struct crash *crash;
    const struct process *child, *next;
    int signal = crash_signal_of(process, &crash);

    if (!crash || crash->code > 0 || !crash->by_itself)
        return false;
    HASH_ITER(hh, model->processes, child, next)
    if (child->parent == process && child->signal == signal)
        return true;
    return false;
}

void judge_settle(struct process *process, size_t from)
{
    for (size_t i = from; i < process->suspect_count; i++)
        settle(process, &process->suspects[i]);
}

/* TELLER ended before WORKER did. */
static void tell_after(const struct model *model, struct process *teller, struct process *worker)
{
    size_t before = teller->suspect_count;

    judge_workers(model, teller, worker);
    judge_settle(teller, before);
    for (size_t i = before; i < teller->suspect_count; i++)
        remedies_resolve(teller->suspects[i].cause);
}

/* Its standard output was a pipe that is not the session's own. (Programs close it before they end.) */
static bool is_captured(const struct model *model, const struct process *process)
{
    CLEANUP_FREE char *key = xasprintf("captured:%d", (int)process->pid);
    const struct process *first = model->first;
    bool own = first && first->has_stdout && process->stdout_ino == first->stdout_ino &&
               process->stdout_dev == first->stdout_dev;

    if (!model->live)
        return process->seen && answers_value(process->seen, key);
    if (!process->has_stdout || !process->stdout_pipe || own)
        return false;
    if (process->seen)
        answers_note(process->seen, key, "yes");
    return true;
}

/* What a process said to nobody explains its end as any words do; whether that is what the session ended of, those tell
 * who sent the words there: they ended badly in their turn, and nothing else came in between. */
static void mute(struct process *process)
{
    for (size_t i = 0; i < process->suspect_count; i++) {
        struct suspect *suspect = &process->suspects[i];

        if (suspect->at == AT_CRASH || suspect->certain || suspect->cause->confidence <= 0)
            continue;
        suspect->muted = true;
        if (suspect->at == AT_START || suspect->at == AT_DLOPEN || suspect->at == AT_EXECUTION)
            continue;
        suspect->unsaid = true;
        suspect->last_n = process->end_n;
        if (suspect->cause->confidence > SAID_TO_NOBODY)
            suspect->cause->confidence = SAID_TO_NOBODY;
    }
}

void judge_process(struct model *model, struct process *process)
{
    enum { TELLERS_MOST = 100 /* a log may have made a chain of a hundred thousand processes */ };
    struct suspect *earlier;
    size_t before, depth = 0;

    if (process->hushed_count && process->ended && process->executed && process_gave_up(process)) {
        look_at_stderr(model, process);
        if (process->stderr_null || !judge_is_shell(process->exe)) /* which redirect for one command */
            model_unhush(process);
        process->captured = process->muted && is_captured(model, process);
    }
    judge_cred(model, process);
    if (process->executed || process->call_count || process->by_loader)
        judge_load(process, model->live);
    judge_exec(process, false);
    judge_limits(model, process);
    judge_policy(process);
    judge_sandbox(process);
    judge_workers(model, process, NULL);
    judge_open(process);
    judge_connections(model, process);
    judge_modules(process);
    judge_rights(process);
    judge_settle(process, 0);
    before = process->suspect_count;
    if (!process->by_words) /* of its environment nothing is known */
        judge_environment(process);
    judge_settle(process, before);
    if (process == model->first || process->suspect_count)
        judge_system(model, process);
    if (process->muted)
        mute(process);
    settle_survived(process);
    settle_sent(process);
    judge_cut_off(process);
    judge_before_crash(model, process);
    earlier = explanation(process);
    if (earlier)
        judge_crash_after(process, earlier);
    else if (!passes_on(model, process))
        judge_crash(process);
    if (process->by_words)
        judge_pasted(process);
    judge_stacks(model, process);
    judge_ruled_out(process);
    for (size_t i = 0; i < process->suspect_count; i++)
        if (process->suspects[i].cause->confidence > 0)
            remedies_resolve(process->suspects[i].cause);
    if (process->suspect_count || process_failed(process))
        look_at_stderr(model, process);
    process->provided_for =
        process->suspect_count && process->executed && process_failed(process) && judge_shell_provides(process);
    judge_untold(model, process);
    for (struct process *up = process->parent; up && depth < TELLERS_MOST; up = up->parent, depth++)
        if (up->judged && process->judged)
            tell_after(model, up, process);
}
