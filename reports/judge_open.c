/* The program's own files: a call on one failed, and the process came to a bad end because of it.
 *
 * Healthy programs fail thousands of such calls. One is suspected only if the program names the file in its own words,
 * or says something and ends right after the call, with nothing in between. The last ENOENT before an end is not proof
 * of anything. */
#include "environment.h"

#include "naming.h"
#include "sight.h"
#include "syscall.h"

#include <errno.h>
#include <string.h>

#include <probes/alloc.h>

/* errno values that say something about the file, not about the call. */
static bool about_the_file(int error)
{
    return error == ENOENT || error == EACCES || error == ELOOP || error == ENOTDIR || error == EPERM || error == EROFS;
}

bool judge_open_optional(const char *path)
{
    static const char *const parts[] = {"/locale/",    "/locale-archive", "/gconv/",        "/nscd/",
                                        "/etc/ld.so.", "/terminfo/",      "/etc/localtime", "/etc/nsswitch.",
                                        "/zoneinfo/",  "/.terminfo",      "/proc/",         "/sys/",
                                        "/dev/tty",    "/charset.alias",  "/userdb"};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(path, parts[i]))
            return true;
    return false;
}

static enum cause_kind kind_of(const struct attempt *attempt, const struct path_walk *walk)
{
    if (attempt->error == ELOOP || walk->reason == PATH_LOOP)
        return CAUSE_SYMLINK_LOOP;
    if (attempt->error == EACCES || attempt->error == EPERM || attempt->error == EROFS)
        return CAUSE_PERMISSION_DENIED;
    if (walk->reason == PATH_DANGLING)
        return CAUSE_SYMLINK_DANGLING;
    return CAUSE_FILE_MISSING;
}

/* What ATTEMPT of ACTOR comes to. WALK and LEAD are borrowed by RET; free both. */
static void find_attempt(const struct process *actor, const struct attempt *attempt, struct finding *ret,
                         struct path_walk *walk, struct lead *lead)
{
    const struct process *image = process_owner((struct process *)actor);

    *ret = (struct finding){.process = image,
                            .path = attempt->path,
                            .root = attempt->root,
                            .call = attempt->desc->name,
                            .error = attempt->error,
                            .missing = attempt->path,
                            .subject = image->exe ? image->exe : attempt->path,
                            .walk = walk};
    sight_walk(attempt, process_cred(actor), walk);
    ret->kind = kind_of(attempt, walk);
    if (ret->kind == CAUSE_SYMLINK_DANGLING && walk->target)
        ret->missing = walk->target;
    judge_led(ret, actor, attempt, lead);
}

/* A variable of its environment led it there. */
static bool is_led(const struct process *actor, const struct attempt *attempt)
{
    struct finding finding;
    struct path_walk walk;
    struct lead lead;

    find_attempt(actor, attempt, &finding, &walk, &lead);
    lead_deinit(&lead);
    path_walk_deinit(&walk);
    return finding.kind == CAUSE_ENVIRONMENT_WRONG;
}

/* EPISODE: the search that it is of, or NULL. */
static struct suspect *suspect_open(struct process *actor, const struct attempt *attempt, const struct episode *episode)
{
    struct finding finding;
    struct suspect *suspect;
    struct path_walk walk;
    struct lead lead;

    find_attempt(actor, attempt, &finding, &walk, &lead);
    finding.episode = episode;
    suspect = suspect_add(actor, AT_OPEN, &finding, attempt->n, attempt->t_ns);
    if (suspect)
        suspect->doubtful = finding.kind == CAUSE_FILE_MISSING && sight_unsaid(attempt);
    lead_deinit(&lead);
    path_walk_deinit(&walk);
    return suspect;
}

/* An episode that the program's words name, and how. */
struct named {
    struct episode *episode;
    const struct attempt *attempt; /* of those that are named, the one to be blamed */
    struct naming naming;
    unsigned absent; /* how many components at the attempt's end are not there */
};

/* How many components of PATH come after its last one called NAME: links on the way give that another directory. */
static int components_behind(const char *path, const char *name)
{
    size_t size = strlen(name);
    int count = 0;

    for (const char *end = path + strlen(path); end > path; count++) {
        const char *start = end;

        while (start > path && start[-1] != '/')
            start--;
        if ((size_t)(end - start) == size && strncmp(start, name, size) == 0)
            return count;
        end = start > path ? start - 1 : path;
    }
    return 0;
}

/* How many components at the end of its path are not there; -1 where what was missing has come to be. */
static int absent_components(const struct process *actor, const struct attempt *attempt)
{
    struct path_walk walk;
    int count = 0;

    sight_walk(attempt, process_cred(actor), &walk);
    if (sight_has_come(actor, attempt, &walk))
        count = -1;
    else if (sight_unsaid(attempt))
        count = 1; /* which of its directories are there is not known: the first place goes before the others */
    else if (walk.reason != PATH_OK && walk.at)
        count = components_behind(attempt->path, path_base(walk.at));
    path_walk_deinit(&walk);
    return count;
}

static bool may_be_blamed(const struct attempt *attempt)
{
    return attempt->by != BY_LOADER && !attempt->execution && about_the_file(attempt->error) &&
           !judge_policy_gives(attempt->desc, attempt->error);
}

/* A module is asked for without the ending of its file, and found with it. */
static bool found_with_ending(const struct process *actor, const struct attempt *attempt)
{
    static const char *const endings[] = {".js", ".cjs", ".mjs", ".json", ".node", ".py", ".pm", ".pl", ".rb", ".lua"};
    struct stat st;

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        CLEANUP_FREE char *path = xasprintf("%s%s", attempt->path, endings[i]);

        if (sight_there(actor, attempt, path, &st))
            return true;
    }
    return false;
}

static bool mentioned(const struct process *process, const char *name)
{
    for (size_t i = 0; i < process->line_count; i++)
        if (line_finds(process->lines[i].text, process->lines[i].text, name))
            return true;
    return process_spoke(process, name) != NULL;
}

static unsigned depth_of(const char *path)
{
    unsigned depth = 0;

    for (; *path; path++)
        depth += *path == '/';
    return depth;
}

/* Where a variable of its environment led it goes before the rest; among directories that are all there the deepest was
 * made for this file. */
static bool nearer(const struct process *actor, const struct attempt *attempt, unsigned absent,
                   const struct named *than)
{
    bool led = is_led(actor, attempt), than_led = is_led(actor, than->attempt);
    bool same = strcmp(attempt->path, than->attempt->path) == 0;

    /* It is not there and may not be made. */
    if (same && than->attempt->error == ENOENT && attempt->error != ENOENT && led == than_led)
        return true;

    if (led != than_led)
        return led;
    return absent < than->absent || (absent == 0 && than->absent == 0 && than->naming.how == NAMED_BY_PATH &&
                                     depth_of(attempt->path) > depth_of(than->attempt->path));
}

/* rename(2) and link(2) fail over either of two paths; the one that is kept is there. */
static bool about_the_other_path(const struct process *actor, const struct attempt *attempt)
{
    const struct process *image = process_owner((struct process *)actor);
    struct path_walk walk;
    bool there;

    if (strchr(attempt->desc->args, 'P') == strrchr(attempt->desc->args, 'P'))
        return false;
    sight_walk(attempt, &image->cred, &walk);
    there = walk.reason == PATH_OK;
    path_walk_deinit(&walk);
    return there;
}

/* Of a search of several places the one where least is missing is blamed (the directory is there, the file was
 * removed), else the first; a place that the words name by its path goes before those that they name by the last
 * component. */
static bool blamed(const struct process *actor, struct episode *episode, struct named *ret)
{
    const struct process *speaker[2] = {actor, process_owner((struct process *)actor)};

    *ret = (struct named){.episode = episode};
    if (!mentioned(speaker[0], episode->name) && !mentioned(speaker[1], episode->name))
        return false;
    for (size_t i = 0; i < episode->count; i++) {
        const struct attempt *attempt = episode->attempts[i];
        struct naming naming;
        int absent;

        if (!may_be_blamed(attempt) ||
            (!naming_find(speaker[0], attempt, &naming) && !naming_find(speaker[1], attempt, &naming)) ||
            (naming.how == NAMED_BARELY && episode->found_n) || naming.how < ret->naming.how ||
            (episode->found_n &&
             (naming.line->n < episode->found_n || strcmp(episode->found_path, attempt->path) == 0)) ||
            about_the_other_path(actor, attempt))
            continue;
        absent = absent_components(actor, attempt);
        if (absent < 0 || (naming.how == NAMED_BARELY && found_with_ending(actor, attempt)) ||
            (naming.how == ret->naming.how && !nearer(actor, attempt, (unsigned)absent, ret)))
            continue;
        *ret = (struct named){episode, attempt, naming, (unsigned)absent};
    }
    return ret->attempt != NULL;
}

/* A line is about what it names first: what follows may be the places that were searched, and a directory on the way is
 * not what was wanted. */
static bool line_is_about(const struct named *one, const struct named *other)
{
    if (one->naming.how != other->naming.how)
        return one->naming.how > other->naming.how;
    if (one->naming.at != other->naming.at)
        return one->naming.at < other->naming.at;
    return strlen(one->attempt->path) > strlen(other->attempt->path) &&
           strncmp(one->attempt->path, other->attempt->path, strlen(other->attempt->path)) == 0;
}

/* Both stand in one list of places below one complaint. */
static bool one_list(const struct naming *one, const struct naming *other)
{
    return one->complaint == other->complaint && one->complaint != one->line && other->complaint != other->line;
}

/* Lua lists a module's places by several names: that is one thing that was not found. */
static bool list_begins_with_another(const struct named *list, size_t count, size_t i)
{
    for (size_t k = 0; k < count; k++)
        if (k != i && one_list(&list[k].naming, &list[i].naming) && list[k].naming.line < list[i].naming.line)
            return true;
    return false;
}

static bool line_is_about_another(const struct named *list, size_t count, size_t i)
{
    if (list_begins_with_another(list, count, i))
        return true;
    for (size_t k = 0; k < count; k++)
        if (k != i && list[k].naming.line == list[i].naming.line && line_is_about(&list[k], &list[i]))
            return true;
    return false;
}

static void add_needles(struct suspect *suspect, const struct attempt *attempt)
{
    strings_add(&suspect->needles, xstrdup(attempt->path));
    if (attempt->string)
        strings_add(&suspect->needles, xstrdup(attempt->string));
    strings_add(&suspect->needles, xstrdup(path_base(attempt->path)));
}

/* What the loader met on the way to what it was really about. */
static bool stumbled_upon(const struct suspect *suspect, const char *name)
{
    if (suspect->at != AT_START && suspect->at != AT_DLOPEN)
        return false;
    for (size_t i = 0; i < suspect->needles.n; i++)
        if (strcmp(path_base(suspect->needles.v[i]), name) == 0)
            return true;
    return false;
}

/* A library that was suspected already is named by the same words: no second cause. */
static bool suspected(const struct process *process, const char *name)
{
    for (size_t i = 0; i < process->suspect_count; i++) {
        const struct cause *cause = process->suspects[i].cause;

        /* the program's own name is not what it looked for on PATH or opened */
        bool subject = process->suspects[i].at != AT_COMMAND && process->suspects[i].at != AT_OPEN;

        if (strcmp(path_base(cause->missing), name) == 0 || (subject && strcmp(path_base(cause->subject), name) == 0) ||
            (cause->provider && strcmp(path_base(cause->provider), name) == 0) ||
            stumbled_upon(&process->suspects[i], name))
            return true;
    }
    return false;
}

/* As it stands in the line, so that it is found there again. */
static void add_needle_of(struct suspect *suspect, const struct named *named)
{
    const char *line = named->naming.line->text, *name = line + named->naming.at;
    const char *base = line_finds(line, name, named->episode->name);

    if (base)
        strings_add(&suspect->needles, xstrndup(name, (size_t)(base - name) + strlen(named->episode->name)));
    strings_add(&suspect->needles, xstrdup(named->attempt->path));
    if (!suspect->cause->words)
        suspect->cause->words = xstrdup(named->naming.complaint->text);
}

/* LIVED_WITH: the process has not failed. Then only a library or native module counts that it looked for itself, in
 * vain, and complained of: what it was for, the program does without. Else it did not end of what it said before that
 * it goes on without; where a variable led it there, that may be told all the same. */
static bool counts(struct process *process, const struct named *named, bool lived_with)
{
    const struct naming *naming = &named->naming;

    if (judge_is_module(process_owner(process), named->attempt) && !is_led(process, named->attempt))
        return false;
    if (lived_with)
        return library_like(named->episode->name) && !named->episode->found_n && !naming->warns;
    return !naming->warns || naming->last || is_led(process, named->attempt);
}

static bool is_above(const char *path, const char *other)
{
    CLEANUP_FREE char *directory = path_dir(path), *above = path_dir(directory), *place = path_dir(other);

    return strcmp(directory, above) != 0 && strcmp(place, above) == 0;
}

/* It was looked for in a directory and in the one above: where it should be is not known ("or any of the parent
 * directories"). */
static bool is_climb(const struct process *process, const struct attempt *attempt)
{
    struct episode *episode, *next;

    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = 0; i < episode->count && strcmp(episode->name, path_base(attempt->path)) == 0; i++)
        if (is_above(attempt->path, episode->attempts[i]->path) || is_above(episode->attempts[i]->path, attempt->path))
            return true;
    return false;
}

static bool judge_named(struct process *process, bool lived_with)
{
    CLEANUP_FREE struct named *list = NULL;
    struct episode *episode, *next;
    struct named named;
    size_t count = 0, cap = 0;
    bool any = false;

    HASH_ITER(hh, process->episodes, episode, next)
    if (!suspected(process_owner(process), episode->name) && blamed(process, episode, &named) &&
        counts(process, &named, lived_with))
        *(struct named *)array_add(&list, &count, &cap, sizeof named) = named;
    for (size_t i = 0; i < count; i++) {
        struct suspect *suspect =
            line_is_about_another(list, count, i) ? NULL : suspect_open(process, list[i].attempt, list[i].episode);

        if (suspect)
            add_needle_of(suspect, &list[i]);
        if (suspect && is_climb(process, list[i].attempt) &&
            !words_path(list[i].naming.line->text, list[i].attempt->path))
            suspect->sure = 0.7;
        if (suspect && lived_with) {
            suspect->lived_with = true;
            suspect->sure = 0.85;
        }
        any |= suspect != NULL;
    }
    return any;
}

/* Files in a home directory whose names begin with a dot are there where somebody wants to change something. */
static bool personal(const char *path)
{
    return strstr(path, "/.") != NULL;
}

/* The first line that a process has said since ATTEMPT. */
static const struct output_line *first_after(const struct process *process, uint64_t n)
{
    for (size_t i = 0; i < process->line_count; i++)
        if (process->lines[i].n > n)
            return &process->lines[i];
    return NULL;
}

/* libstdc++'s "terminate called after throwing an instance of 'X'" is followed by what X says, Rust's "thread 'X'
 * panicked at x.rs:1:2:" by why. THROWN: it is what the standard streams throw where a file cannot be opened or read,
 * whatever it says. */
const struct output_line *judge_reason_of(const struct process *process, const struct output_line *line, bool *thrown)
{
    bool terminated = line && strncmp(line->text, "terminate called ", 17) == 0;
    size_t at = 0;

    *thrown = terminated && (strstr(line->text, "ios_failure") || strstr(line->text, "ios_base::failure"));
    while (line && at < process->line_count && &process->lines[at] != line)
        at++;
    if (*thrown || at + 1 >= process->line_count)
        return line;
    if (terminated ? strncmp(line[1].text, "  what():  ", 11) == 0 : process->words_kind == WORDS_RUST)
        return line + (terminated || strstr(line->text, " panicked at "));
    return line;
}

/* LINE has a path that is not there: it is about that one, which another process may have met. */
static bool about_absent_path(const struct process *process, const char *line)
{
    for (const char *at = line; (at = strchr(at, '/')); at += strcspn(at, " \t'\"`")) {
        CLEANUP_FREE char *path = xstrndup(at, strcspn(at, " \t'\"`)>],;:"));
        struct stat st;

        if ((at == line || strchr(" \t'\"`(<[=:", at[-1])) && strlen(path) > 1 && sight_stat(process, path, &st) < 0)
            return true;
    }
    return false;
}

static bool is_trace(const struct output_line *line)
{
    return line && strncmp(line->text, "Traceback (most recent", 22) == 0;
}

/* All that it has done with files since it first spoke was for a runtime's last words: Rust reads the program's symbols
 * to tell where it panicked, Python its text. */
static bool for_a_panic(const struct process *process)
{
    return (process->words_kind == WORDS_RUST && process->words_n == process->first_output_n) ||
           (process->line_count && is_trace(&process->lines[0]) && process->lines[0].n == process->first_output_n);
}

/* "bad config": a variable was set so that it goes there, it is not there, and no other reason is given. */
static bool of_the_led(const struct process *process, const struct attempt *attempt, const char *line)
{
    const struct process *image = process_owner((struct process *)process);

    return words_object(line) && !words_shrug(line) &&
           !words_own_reason(line, image->exe ? path_base(image->exe) : NULL) && is_led(process, attempt);
}

/* "cannot start": no name in it, but it follows the failed call with nothing between, and the end follows it. With the
 * text of that very error any call on a file will do; without it only a file that was to be opened, and a line that
 * could be about nothing else. */
static void judge_last_act(struct process *process)
{
    const struct attempt *attempt = process->before_words;
    const struct process *image = process_owner(process);
    const struct output_line *line;
    struct suspect *suspect;
    bool text = false, base, thrown;

    if (!attempt || (process->last_file_n > process->first_output_n && !for_a_panic(process)) ||
        !may_be_blamed(attempt) || judge_open_optional(attempt->path))
        return;
    line = judge_reason_of(process, first_after(process, attempt->n), &thrown);
    if (!line)
        return;
    if (is_trace(line)) { /* what it is about comes last, in the words for that very error or not at all */
        line = &process->lines[process->line_count - 1];
        if (!words_state(line->text, attempt->error))
            return;
    }
    base = naming_mentions(image, line->text, attempt);
    if (!thrown && !words_vague(line->text, image->exe ? path_base(image->exe) : NULL, attempt->error, &text) &&
        !base && !of_the_led(process, attempt, line->text))
        return;
    if ((!base && about_absent_path(image, line->text)) ||
        (judge_is_module(image, attempt) && !is_led(process, attempt)))
        return;
    if (!text && !base && !is_led(process, attempt) &&
        (strncmp(attempt->desc->name, "open", 4) != 0 || personal(attempt->path)))
        return;
    suspect = absent_components(process, attempt) >= 0 && !found_with_ending(process, attempt)
                  ? suspect_open(process, attempt, NULL)
                  : NULL;
    if (!suspect)
        return;
    suspect->last_act = true;
    if (process_failed(image))
        suspect->sure = (text || base) && !is_climb(process, attempt) ? 0.85 : 0.7;
    add_needles(suspect, attempt);
    if (!suspect->cause->words)
        suspect->cause->words = xstrdup(line->text);
}

bool judge_open_fits(const struct attempt *attempt)
{
    return about_the_file(attempt->error);
}

struct suspect *judge_open_blame(struct process *actor, const struct attempt *attempt)
{
    struct suspect *suspect = suspect_open(actor, attempt, NULL);

    if (suspect)
        add_needles(suspect, attempt);
    return suspect;
}

struct suspect *judge_open_worker(struct process *actor, const struct attempt *attempt)
{
    struct suspect *suspect;
    struct finding finding;
    struct path_walk walk;
    struct lead lead;

    if (!may_be_blamed(attempt) || judge_open_optional(attempt->path) || absent_components(actor, attempt) < 0 ||
        about_the_other_path(actor, attempt))
        return NULL;
    find_attempt(actor, attempt, &finding, &walk, &lead);
    finding.bearer = actor;
    suspect = suspect_add(actor, AT_OPEN, &finding, attempt->n, attempt->t_ns);
    lead_deinit(&lead);
    path_walk_deinit(&walk);
    if (suspect)
        add_needles(suspect, attempt);
    return suspect;
}

/* A fork's suspects are those of the process whose image it runs. What it got over explains nothing. */
static bool suspected_of_any(const struct process *process)
{
    const struct process *image = process_owner((struct process *)process);

    for (size_t i = 0; i < image->suspect_count; i++)
        if (image->suspects[i].actor == process && !image->suspects[i].coped)
            return true;
    for (size_t i = 0; i < process->suspect_count; i++)
        if (!process->suspects[i].coped)
            return true;
    return false;
}

static void judge_said_open(struct process *process)
{
    if (judge_unfound(process))
        return;
    if (!process_gave_up(process))
        judge_named(process, true);
    else if (!judge_named(process, false) && !suspected_of_any(process))
        judge_last_act(process);
}

/* Nothing else is suspected, and it says nothing of it. */
static void judge_unsaid_open(struct process *process)
{
    const struct attempt *attempt = process->last_work;

    if (attempt && may_be_blamed(attempt) && !judge_open_optional(attempt->path) && !personal(attempt->path) &&
        absent_components(process, attempt) >= 0 && !found_with_ending(process, attempt))
        judge_unsaid_file(process);
}

void judge_open(struct process *process)
{
    if (process->line_count || process->spoken_count || process_owner(process)->line_count ||
        process_owner(process)->spoken_count)
        judge_said_open(process);
    if (!suspected_of_any(process))
        judge_unsaid_open(process);
}
