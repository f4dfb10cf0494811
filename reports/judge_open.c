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
    return error == ENOENT || error == EACCES || error == ELOOP || error == ENOTDIR || error == EPERM || error == EROFS;
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
    if (attempt->error == EACCES || attempt->error == EPERM || attempt->error == EROFS)
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

/* Where a program names an attempt in its words. */
struct mention {
    const struct attempt *attempt;
    const struct output_line *line; /* NULL: nowhere */
    size_t at;                      /* where in the line */
    bool plain;                     /* by its path, not by its name only */
};

static struct mention mention_in(const struct process *process, const struct attempt *attempt)
{
    const char *base = path_base(attempt->path);
    const char *ways[3] = {attempt->path, attempt->string && strchr(attempt->string, '/') ? attempt->string : "", base};

    for (size_t i = 0; i < 3; i++) {
        const struct output_line *line = strlen(ways[i]) > 2 ? process_says(process, ways[i]) : NULL;

        if (!line && i == 0)
            line = process_spoke(process, ways[i]);
        if (line && (i < 2 || words_complain(line->text, attempt->error)))
            return (struct mention){attempt, line, (size_t)(strstr(line->text, ways[i]) - line->text), i < 2};
    }
    return (struct mention){.attempt = attempt};
}

static struct mention mention_of(const struct process *actor, const struct attempt *attempt)
{
    const struct process *image = process_owner((struct process *)actor);
    struct mention by_actor = mention_in(actor, attempt), by_image = {0};

    if (image != actor && !by_actor.plain)
        by_image = mention_in(image, attempt);
    return by_image.plain || !by_actor.line ? by_image : by_actor;
}

/* rename(2) and link(2) fail over either of two paths; the one that is kept is there. */
static bool about_the_other_path(const struct process *actor, const struct attempt *attempt)
{
    const struct process *image = process_owner((struct process *)actor);
    struct path_walk walk;
    bool there;

    if (strchr(attempt->desc->args, 'P') == strrchr(attempt->desc->args, 'P'))
        return false;
    path_walk(attempt->root, attempt->cwd, attempt->path, &image->cred, &walk);
    there = walk.reason == PATH_OK;
    path_walk_deinit(&walk);
    return there;
}

/* The attempt of EPISODE to be blamed, if the program's words name one: the one named by its path, else the first of
 * the search. */
static struct mention blamed(const struct process *actor, const struct episode *episode)
{
    struct mention first = {0};

    for (size_t i = 0; i < episode->count; i++) {
        const struct attempt *attempt = episode->attempts[i];
        struct mention mention;

        if (attempt->by == BY_LOADER || attempt->execution || !about_the_file(attempt->error))
            continue;
        mention = mention_of(actor, attempt);
        if (!mention.line || (episode->found_n && mention.line->n < episode->found_n) ||
            about_the_other_path(actor, attempt))
            continue;
        if (mention.plain)
            return mention;
        if (!first.line && !episode->found_n)
            first = mention;
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

/* A line is about one thing, and that stands first in it: "Can't locate X.pm in @INC (/usr/lib/perl5 …)",
 * "/a/b/Makefile: …" (not /a, though it is absent, too). */
static bool beside_the_point(const struct mention *mention, const struct mention *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct mention *other = &all[i];

        if (other->line == mention->line && other != mention &&
            (other->at < mention->at ||
             (other->at == mention->at &&
              strncmp(other->attempt->path, mention->attempt->path, strlen(mention->attempt->path)) == 0)))
            return true;
    }
    return false;
}

static bool judge_named(struct process *process)
{
    CLEANUP_FREE struct mention *mentions = NULL;
    struct episode *episode, *next;
    size_t count = 0, cap = 0;
    bool any = false;

    HASH_ITER(hh, process->episodes, episode, next)
    {
        struct mention mention = {0};

        if (!suspected(process_owner(process), episode->name))
            mention = blamed(process, episode);
        if (mention.line && !judge_reads_machine_code(process, mention.attempt->n))
            *(struct mention *)array_add(&mentions, &count, &cap, sizeof mention) = mention;
    }
    for (size_t i = 0; i < count; i++) {
        struct suspect *suspect =
            beside_the_point(&mentions[i], mentions, count) ? NULL : suspect_open(process, mentions[i].attempt);

        if (!suspect)
            continue;
        add_needles(suspect, mentions[i].attempt);
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
