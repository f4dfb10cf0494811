/* What was ruled out where no cause is known: what could have ended the program, was looked at, and did not. */
#include "judge.h"

#include "environment.h"
#include "event.h"

#include <string.h>
#include <sys/wait.h>

#include <probes/alloc.h>

static bool loader_failed(const struct process *process)
{
    for (size_t i = 0; i < process->suspect_count; i++)
        if (process->suspects[i].at == AT_START || process->suspects[i].at == AT_DLOPEN)
            return true;
    return process->error_count > 0 || process->call_count > 0;
}

/* The newest failing call on a file, of the program itself. */
static const struct attempt *newest_failure(const struct process *process, size_t *count)
{
    const struct attempt *newest = NULL;
    const struct episode *episode, *next;

    *count = 0;
    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = 0; i < episode->count; i++) {
        const struct attempt *attempt = episode->attempts[i];

        if (attempt->by == BY_LOADER)
            continue;
        ++*count;
        if (!newest || attempt->last_n > newest->last_n)
            newest = attempt;
    }
    return newest;
}

static void rule_out_files(struct process *process, const char *name)
{
    size_t count;
    const struct attempt *newest = newest_failure(process, &count);
    const char *error = newest ? errno_name(newest->error) : NULL;

    if (newest)
        strings_addf(&process->ruled_out,
                     "%zu failed call%s of %s on files: it went on after %s, or does not name it (the last was %s: %s)",
                     count, count == 1 ? "" : "s", name, count == 1 ? "it" : "each", newest->path,
                     error ? error : "failed");
}

static bool explained(const struct process *process)
{
    for (size_t i = 0; i < process->suspect_count; i++)
        if (process->suspects[i].cause->confidence >= CONFIDENCE_TO_BET)
            return true;
    return false;
}

enum { LINES_QUOTED = 3 };

/* The newest lines that complain; where none does, the last one. */
static void quote(struct process *process, const struct output_line *lines, size_t count)
{
    size_t chosen[LINES_QUOTED], n = 0;

    for (size_t i = count; i-- > 0 && n < LINES_QUOTED;)
        if (words_object(lines[i].text))
            chosen[n++] = i;
    if (!n && count)
        chosen[n++] = count - 1;
    while (n-- > 0)
        strings_add(&process->quoted, xstrdup(lines[chosen[n]].text));
}

void judge_ruled_out(struct process *process)
{
    const char *name = process->exe ? path_base(process->exe) : "the program";

    if (!process_failed(process) || !process->executed || explained(process))
        return;
    if (process->loaded_count && !loader_failed(process))
        strings_addf(&process->ruled_out, "a library: %s loaded %zu objects, and nothing that they need was missing",
                     name, process->loaded_count);
    if (WIFEXITED(process->status))
        strings_addf(&process->ruled_out, "a crash: %s ended itself, with status %d, and no signal did", name,
                     WEXITSTATUS(process->status));
    rule_out_files(process, name);
    quote(process, process->lines, process->line_count);
    if (!process->quoted.n)
        quote(process, process->spoken, process->spoken_count);
    judge_looked_in(process);
}
