/* The program's own files: a call on one failed, and the process came to a bad end because of it.
 *
 * Healthy programs fail thousands of such calls. One is suspected only if the program names the file in its own words,
 * or says something and ends right after the call, with nothing in between. The last ENOENT before an end is not proof
 * of anything. */
#include "environment.h"

#include "syscall.h"

#include <errno.h>
#include <string.h>

#include <probes/alloc.h>

/* errno values that say something about the file, not about the call. */
static bool about_the_file(int error)
{
    return error == ENOENT || error == EACCES || error == ELOOP || error == ENOTDIR || error == EPERM;
}

bool judge_open_optional(const char *path)
{
    static const char *const parts[] = {
        "/locale/",       "/locale-archive", "/gconv/",    "/nscd/", "/etc/ld.so.", "/terminfo/", "/etc/localtime",
        "/etc/nsswitch.", "/zoneinfo/",      "/.terminfo", "/proc/", "/sys/",       "/dev/tty",   "/charset.alias"};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(path, parts[i]))
            return true;
    return false;
}

static enum cause_kind kind_of(const struct attempt *attempt, const struct path_walk *walk)
{
    if (attempt->error == ELOOP || walk->reason == PATH_LOOP)
        return CAUSE_SYMLINK_LOOP;
    if (attempt->error == EACCES || attempt->error == EPERM)
        return CAUSE_PERMISSION_DENIED;
    if (walk->reason == PATH_DANGLING)
        return CAUSE_SYMLINK_DANGLING;
    return CAUSE_FILE_MISSING;
}

static struct suspect *suspect_open(struct process *actor, const struct attempt *attempt)
{
    const struct process *image = process_owner(actor);
    struct finding finding = {.process = image,
                              .path = attempt->path,
                              .root = attempt->root,
                              .call = attempt->desc->name,
                              .error = attempt->error,
                              .missing = attempt->path};
    struct suspect *suspect;
    struct path_walk walk;
    struct lead lead;

    path_walk(attempt->root, attempt->cwd, attempt->path, process_cred(actor), &walk);
    finding.walk = &walk;
    finding.subject = image->exe ? image->exe : attempt->path;
    finding.kind = kind_of(attempt, &walk);
    if (finding.kind == CAUSE_SYMLINK_DANGLING && walk.target)
        finding.missing = walk.target;
    judge_led(&finding, actor, attempt, &lead);
    suspect = suspect_add(actor, AT_OPEN, &finding, attempt->n, attempt->t_ns);
    lead_deinit(&lead);
    path_walk_deinit(&walk);
    return suspect;
}

static bool names_place(const struct process *process, const char *needle)
{
    return needle && strlen(needle) > 2 && process_says(process, needle);
}

/* How plainly the program names this attempt: 2 by its path, 1 by its name only, 0 not at all. */
static int named(const struct process *actor, const struct attempt *attempt)
{
    const struct process *places[2] = {actor, NULL};
    int best = 0;

    places[1] = process_owner((struct process *)actor);
    for (size_t i = 0; i < 2; i++) {
        if (names_place(places[i], attempt->path) ||
            (attempt->string && strchr(attempt->string, '/') && names_place(places[i], attempt->string)))
            return 2;
        const struct output_line *line = process_says(places[i], path_base(attempt->path));

        if (line && strlen(path_base(attempt->path)) > 2 && words_complain(line->text, attempt->error))
            best = 1;
        if (process_spoke(places[i], attempt->path))
            return 2;
    }
    return best;
}

/* The attempt of EPISODE to be blamed, if the program's words name one: the one named by its path, else the first of
 * the search. */
static const struct attempt *blamed(const struct process *actor, const struct episode *episode)
{
    const struct attempt *first = NULL;

    for (size_t i = 0; i < episode->count; i++) {
        const struct attempt *attempt = episode->attempts[i];
        int plain;

        if (attempt->by == BY_LOADER || attempt->execution || !about_the_file(attempt->error))
            continue;
        plain = named(actor, attempt);
        if (plain == 2)
            return attempt;
        if (plain == 1 && !first && !episode->found_n)
            first = attempt;
    }
    return first;
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

static bool judge_named(struct process *process)
{
    struct episode *episode, *next;
    bool any = false;

    HASH_ITER(hh, process->episodes, episode, next)
    {
        const struct attempt *attempt =
            suspected(process_owner(process), episode->name) ? NULL : blamed(process, episode);
        struct suspect *suspect;

        if (!attempt || judge_reads_machine_code(process, attempt->n))
            continue;
        suspect = suspect_open(process, attempt);
        if (!suspect)
            continue;
        add_needles(suspect, attempt);
        any = true;
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

/* "cannot start": no name in it, but it follows the failed call with nothing between, and the end follows it. With the
 * text of that very error any call on a file will do; without it only a file that was to be opened, and a line that
 * could be about nothing else. */
static void judge_last_act(struct process *process)
{
    const struct attempt *attempt = process->before_words;
    const struct process *image = process_owner(process);
    const struct output_line *line;
    struct suspect *suspect;
    bool text, base;

    if (!attempt || process->last_file_n > process->first_output_n || !about_the_file(attempt->error) ||
        attempt->by == BY_LOADER || attempt->execution || judge_open_optional(attempt->path))
        return;
    line = first_after(process, attempt->n);
    if (!line)
        return;
    base = strlen(path_base(attempt->path)) > 2 && process_says(process, path_base(attempt->path)) == line;
    if (!words_vague(line->text, image->exe ? path_base(image->exe) : NULL, attempt->error, &text) && !base)
        return;
    if (!text && !base && (strncmp(attempt->desc->name, "open", 4) != 0 || personal(attempt->path)))
        return;
    suspect = suspect_open(process, attempt);
    if (!suspect)
        return;
    suspect->last_act = true;
    if (process_failed(image))
        suspect->sure = text || base ? 0.85 : 0.7;
    add_needles(suspect, attempt);
}

bool judge_open_fits(const struct attempt *attempt)
{
    return about_the_file(attempt->error);
}

struct suspect *judge_open_blame(struct process *actor, const struct attempt *attempt)
{
    struct suspect *suspect = suspect_open(actor, attempt);

    if (suspect)
        add_needles(suspect, attempt);
    return suspect;
}

void judge_open(struct process *process)
{
    const struct process *image = process_owner(process);

    if (!process->line_count && !process->spoken_count && !image->line_count && !image->spoken_count)
        return;
    if (!judge_named(process) && process->suspect_count == 0)
        judge_last_act(process);
}
