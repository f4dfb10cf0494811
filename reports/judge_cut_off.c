/* Words that a log has cut (strace -s, 32 bytes unless told otherwise): what a program said of its failure is not
 * known, only that it said something then.
 *
 * What it failed at last before it did so, with nothing between, is the best guess, and a guess: it is told with little
 * confidence, and only where nothing else explains the end. */
#include "judge.h"

#include "syscall.h"

#include <string.h>

#include <probes/alloc.h>

#define GUESSED 0.6

static bool is_cut(const struct process *process, const struct output_line *line)
{
    size_t n = strlen(line->text);

    return path_nowhere(process->root) && n >= 3 && strcmp(line->text + n - 3, "...") == 0;
}

bool judge_begins_cut(const struct process *process, const struct output_line *line)
{
    const struct output_line *end = process->lines + process->line_count;

    return is_cut(process, line) || (line + 1 < end && is_cut(process, line + 1));
}

/* What there is of LINE names another path than PATH. */
static bool names_another(const char *line, const char *path)
{
    for (const char *at = line; (at = strchr(at, '/')); at += strcspn(at, " \t'\"`")) {
        size_t n = strcspn(at, " \t'\"`)>],;:");

        if ((at == line || strchr(" \t'\"`(<[=", at[-1])) && n > 1 && strncmp(at, path, n) != 0)
            return true;
    }
    return false;
}

/* The first cut line behind event N, where nothing before it, and nothing behind it, says what failed. */
static const struct output_line *cut_after(const struct process *process, uint64_t n)
{
    for (size_t i = 0; i < process->line_count; i++)
        if (process->lines[i].n > n && is_cut(process, &process->lines[i]))
            return &process->lines[i];
    return NULL;
}

static bool explained(const struct process *process)
{
    for (size_t i = 0; i < process->suspect_count; i++)
        if (process->suspects[i].cause->confidence > 0)
            return true;
    return false;
}

/* What was suspected last, for which no words were found. */
static struct suspect *newest(struct process *process)
{
    struct suspect *found = NULL;

    for (size_t i = 0; i < process->suspect_count; i++) {
        struct suspect *suspect = &process->suspects[i];

        if ((suspect->at == AT_EXECUTION || (suspect->at == AT_COMMAND && suspect->tried) || suspect->at == AT_CALL) &&
            !suspect->coped && !suspect->renamed && (!found || suspect->last_n > found->last_n))
            found = suspect;
    }
    return found;
}

static void believe(struct process *process, struct suspect *suspect, const struct output_line *line)
{
    suspect->sure = GUESSED;
    suspect->last_act = true;
    if (!suspect->cause->words)
        suspect->cause->words = xstrdup(line->text);
    judge_settle(process, (size_t)(suspect - process->suspects));
    suspect->cause->impact = IMPACT_FATAL;
}

/* A module is asked for by its name, and then with each ending that such files have. */
static const struct attempt *without_ending(const struct process *process, const struct attempt *attempt)
{
    const char *dot = strrchr(path_base(attempt->path), '.');
    size_t n = dot ? (size_t)(dot - attempt->path) : 0;
    struct episode *episode, *next;

    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = 0; i < episode->count && n; i++) {
        const struct attempt *other = episode->attempts[i];

        if (strlen(other->path) == n && strncmp(other->path, attempt->path, n) == 0 && other->error == attempt->error &&
            other->n < attempt->n)
            return other;
    }
    return attempt;
}

/* glibc's loader asks of directories in which it has not found a library whether they are there. */
static bool is_of_loader(const struct process *process, const struct attempt *attempt)
{
    uint64_t last = process->act_count ? process->acts[process->act_count - 1].n : 0;

    return attempt->by == BY_LOADER || (strstr(attempt->desc->name, "stat") && last > process->last_done_n);
}

void judge_cut_off(struct process *process)
{
    const struct attempt *attempt = process->before_words;
    const struct output_line *line;
    struct suspect *suspect;

    if (!path_nowhere(process->root) || !process->executed || !process_gave_up(process) || explained(process))
        return;
    suspect = newest(process);
    line = suspect ? cut_after(process, suspect->last_n) : NULL;
    if (line && process->last_file_n <= suspect->last_n) {
        believe(process, suspect, line);
        return;
    }
    line = attempt && process->last_file_n <= process->first_output_n ? cut_after(process, attempt->last_n) : NULL;
    if (!line || is_of_loader(process, attempt) || attempt->execution || !judge_open_fits(attempt) ||
        judge_open_optional(attempt->path) || strstr(attempt->path, "/.") || names_another(line->text, attempt->path))
        return;
    suspect = judge_open_blame(process, without_ending(process, attempt));
    if (suspect)
        believe(process, suspect, line);
}
