/* The verdict: which suspects are causes, in which order, and what was ruled out. */
#include "environment.h"
#include "remedy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <probes/alloc.h>

static const double CONFIDENCE_SAID = 0.9;

enum { CAUSES_TOLD = 128, RULED_OUT_TOLD = 12, ARGUMENTS_READ = 64 };

struct candidate_cause {
    struct suspect *suspect;
    struct process *process;
    bool reaches_end; /* every process from this one up to the first ended badly: its harm is the visible one */
};

/* From PROCESS up to the program that was launched everything ended badly, or it is that program. */
static bool harm_reaches_end(const struct model *model, const struct process *process)
{
    for (int depth = 0; process && depth < 1000; process = process->parent, depth++) {
        if (!process_gave_up(process) && process->ended)
            return false;
        if (process == model->first)
            return true;
    }
    return false;
}

static bool own_file_only(const struct suspect *suspect)
{
    return suspect->at == AT_OPEN || suspect->at == AT_CALL || suspect->at == AT_COMMAND || suspect->at == AT_VARIABLE;
}

/* Nobody waited for PROCESS (a daemon), or its parent ended badly in its turn. */
static bool nobody_coped(const struct process *process)
{
    const struct process *parent = process->parent;

    return parent && parent->ended && (process_gave_up(parent) || parent->end_n < process->end_n);
}

/* A program of the same name was executed after PROCESS had ended, and ended well. */
static bool other_copy_ran(const struct model *model, const struct process *process)
{
    const struct process *other, *next;

    HASH_ITER(hh, model->processes, other, next)
    if (other->executed && other->exec_n > process->end_n && other->ended && !process_failed(other) && other->exe &&
        process->exe && strcmp(path_base(other->exe), path_base(process->exe)) == 0)
        return true;
    return false;
}

/* A shell ran PROCESS, whose failure its text provides for, and ended well: it got over that. A program that is there
 * and could not begin, or not load what it needs, is to be mended all the same where anybody was to read of it: its
 * process ended of that, however well the rest went. Where its words go to null(4) and its status is tested ("if prog
 * --version >/dev/null 2>&1; then"), it was a probe; "prog 2>/dev/null; exit 0" is none. */
static bool shell_got_over(const struct process *process, const struct suspect *suspect)
{
    const struct process *shell = process->parent ? process_owner(process->parent) : NULL;

    return process->provided_for && shell && shell->ended && !process_gave_up(shell) &&
           (own_file_only(suspect) || suspect->at == AT_EXECUTION ||
            (process->stderr_null && (suspect->at == AT_START || suspect->at == AT_DLOPEN)));
}

/* The program that was launched ended well, and what this process said of its failure nobody was to read. That a
 * program which is there could not begin at all is no probe: then somebody has to have done its work. */
static bool hushed(const struct model *model, const struct process *process, const struct suspect *suspect)
{
    if (!model->first || model->first == process || !model->first->ended || process_gave_up(model->first) ||
        !process->stderr_null)
        return false;
    if (own_file_only(suspect) || suspect->at == AT_EXECUTION)
        return true;
    return suspect->at == AT_START ? other_copy_ran(model, process) : !nobody_coped(process);
}

static bool line_repeats(const char *line, const struct suspect *suspect)
{
    for (size_t i = 0; i < suspect->needles.n; i++)
        if (line_finds(line, line, suspect->needles.v[i]))
            return true;
    return false;
}

static bool has_spoken(const struct process *fork)
{
    return fork->ended && fork->line_count && fork->stderr_known;
}

/* What a subshell says goes where its own descriptor leads: "(eval $CC --version) >log 2>&1" is a probe. Bash searches
 * in one fork and says so in another one. */
static const struct process *speaker_of(const struct model *model, const struct process *process,
                                        const struct suspect *suspect)
{
    const struct process *actor = suspect->actor, *fork, *next;

    if (!actor || actor == process || has_spoken(actor))
        return actor && has_spoken(actor) ? actor : process;
    HASH_ITER(hh, model->processes, fork, next)
    if (fork->parent == actor && !fork->executed && has_spoken(fork) &&
        line_repeats(fork->lines[fork->line_count - 1].text, suspect))
        return fork;
    return process;
}

/* Somebody who started PROCESS, and outlived it, ended well. */
static bool coped_above(const struct model *model, const struct process *process)
{
    const struct process *up = process->parent;

    for (int depth = 0; up && depth < 1000; up = up->parent, depth++) {
        if (up->ended && up->end_n > process->end_n && !process_gave_up(up))
            return true;
        if (up == model->first)
            break;
    }
    return model->first && model->first->ended && !process_gave_up(model->first);
}

/* A line of UP's own, said since PROCESS has ended, repeats what failed there or names the program that it was: by its
 * name, or by what it was given, as those do who show the whole command. */
static bool line_mentions(const char *line, const struct process *process, const struct suspect *suspect)
{
    if (line_repeats(line, suspect))
        return true;
    for (size_t i = 0; i < process->argv.n && i < ARGUMENTS_READ; i++) {
        const char *name = path_base(process->argv.v[i]);

        if (strlen(name) >= 2 && line_finds(line, line, name))
            return true;
    }
    return false;
}

/* Who captured what PROCESS said, and ended badly later, gave a reason for that which is another: it was not of this
 * that it ended. Where it says nothing, or nothing but that something failed, it may have been. */
static bool another_reason(const struct process *process, const struct suspect *suspect)
{
    const struct process *up = process->parent;
    const char *last = NULL;

    while (up && !up->line_count && up->parent && !process_owner((struct process *)up)->line_count)
        up = up->parent;
    for (size_t i = 0; up && i < up->line_count; i++) {
        const char *line = up->lines[i].text;

        /* cmake(1) passes on what it reads while the other is still there. */
        if (up->lines[i].n > suspect->n && line_repeats(line, suspect))
            return false;
        if (up->lines[i].n <= process->end_n)
            continue;
        if (line_mentions(line, process, suspect))
            return false;
        last = words_object(line) ? line : last;
    }
    return last && words_own_reason(last, up->exe ? path_base(up->exe) : NULL);
}

/* A program that UP started after N ended badly and said why. */
static bool child_has_reason(const struct model *model, const struct process *up, uint64_t n)
{
    const struct process *other, *next;

    HASH_ITER(hh, model->processes, other, next)
    if (other->executed && other->exec_n > n && other->parent && process_owner(other->parent) == up &&
        process_gave_up(other) && other->status == up->status && other->line_count && other->stderr_shared &&
        words_own_reason(other->lines[other->line_count - 1].text, other->exe ? path_base(other->exe) : NULL))
        return true;
    return false;
}

/* The same of a shell that captured what SPEAKER, a fork of its own, said ("$(tool 2>&1)"). It has that one's words as
 * its own, and says what it says itself on standard output (">&2"). */
static bool shell_has_reason(const struct model *model, const struct process *shell, const struct process *speaker,
                             const struct suspect *suspect)
{
    const struct output_line *last = NULL;

    for (size_t spoken = 0; spoken < 2; spoken++) {
        const struct output_line *lines = spoken ? shell->spoken : shell->lines;
        size_t count = spoken ? shell->spoken_count : shell->line_count;

        for (size_t i = 0; i < count; i++) {
            if (lines[i].n <= speaker->end_n)
                continue;
            if (line_repeats(lines[i].text, suspect))
                return false;
            if (words_object(lines[i].text) && (!last || lines[i].n > last->n))
                last = &lines[i];
        }
    }
    if (last)
        return words_own_reason(last->text, shell->exe ? path_base(shell->exe) : NULL);
    return child_has_reason(model, shell, speaker->end_n);
}

/* "ld -o /dev/null -lx": what was asked is whether it could be done. */
static bool only_asks(const struct process *process)
{
    for (size_t i = 1; i + 1 < process->argv.n; i++)
        if (strcmp(process->argv.v[i], "-o") == 0 && strcmp(process->argv.v[i + 1], "/dev/null") == 0)
            return true;
    return false;
}

/* And so was it later, of the same thing, by another program (ctypes.util: gcc, then ld). */
static bool asked_again(const struct model *model, const struct process *process, const struct suspect *suspect)
{
    const struct process *other, *next;

    HASH_ITER(hh, model->processes, other, next)
    if (other->executed && other->exec_n > process->end_n && only_asks(other))
        for (size_t i = 1; i < other->argv.n; i++)
            if (strcmp(other->argv.v[i], path_base(suspect->cause->missing)) == 0)
                return true;
    return false;
}

/* Who asked knows that the command failed, whatever its exit status: what it then quoted it did not cope with. */
static bool is_quoted(const struct model *model, const struct suspect *suspect)
{
    const char *words = suspect->cause->words;
    CLEANUP_FREE char *said = NULL;

    if (!model->complaint) /* as in all but verify's second runs */
        return false;
    said = words ? xstrndup(words, strcspn(words, "\n")) : NULL;
    return line_repeats(model->complaint, suspect) || (said && *said && strstr(model->complaint, said));
}

/* A child's failure over its own files is its parent's business where the parent captured what it said, and ended well,
 * or of something else. A parent that quotes it later, as the output that it has got, coped all the same. */
static bool swallowed(const struct model *model, const struct process *process, const struct suspect *suspect)
{
    const struct process *speaker = speaker_of(model, process, suspect);

    return model->first && model->first != speaker && own_file_only(suspect) && !speaker->stderr_shared &&
           (coped_above(model, process) ||
            (speaker->stderr_known && speaker->parent &&
             (only_asks(speaker) || asked_again(model, speaker, suspect) ||
              (speaker == process ? another_reason(process, suspect)
                                  : shell_has_reason(model, process, speaker, suspect)))));
}

/* OTHER was executed with the arguments that REST holds, a line each. */
static bool has_arguments(const struct process *other, const char *rest)
{
    for (size_t i = 1; i < other->argv.n; i++) {
        size_t n = strlen(other->argv.v[i]);

        if (strncmp(rest, other->argv.v[i], n) != 0 || rest[n] != '\n')
            return false;
        rest += n + 1;
    }
    return *rest == '\0';
}

/* PROCESS went on to another program that did the same work, with the same arguments, and did it well: it had several
 * names to try (gcc or cc, xsel or xclip). That both had none says so only where all ended well. */
static bool another_did_it(const struct model *model, struct process *process, const struct suspect *suspect)
{
    const char *rest = suspect->argv_rest;
    struct process *other, *next;

    if (suspect->at != AT_COMMAND || !rest || (!*rest && process_gave_up(process)))
        return false;
    HASH_ITER(hh, model->processes, other, next)
    if (other->executed && other->exec_n > suspect->last_n && other->parent &&
        process_owner(other->parent) == process && other->ended && !other->status && has_arguments(other, rest))
        return true;
    return false;
}

/* A server that came up while the session went on, and was found by a later try, perhaps of another process. */
static bool reached_later(const struct model *model, const struct suspect *suspect)
{
    return suspect->server && model_reached(model, suspect->server, suspect->last_n);
}

/* What is said in so many words, or known, is equally so: what happened first is told first. */
static double rank_of(const struct cause *cause)
{
    return cause->confidence > CONFIDENCE_SAID ? CONFIDENCE_SAID : cause->confidence;
}

static int compare(const void *a, const void *b)
{
    const struct candidate_cause *x = a, *y = b;
    const struct cause *cx = x->suspect->cause, *cy = y->suspect->cause;

    if (cx->impact != cy->impact)
        return cx->impact == IMPACT_FATAL ? -1 : 1;
    if (x->reaches_end != y->reaches_end)
        return x->reaches_end ? -1 : 1;
    if (rank_of(cx) != rank_of(cy))
        return rank_of(cx) > rank_of(cy) ? -1 : 1;
    return (x->suspect->n > y->suspect->n) - (x->suspect->n < y->suspect->n);
}

/* One thing to change, however many programs met it: a variable is inherited, a file, a server or a full file system is
 * the same for all. */
static bool is_shared(const struct cause *cause)
{
    switch (cause->kind) {
    case CAUSE_ENVIRONMENT_WRONG:
    case CAUSE_FILE_MISSING:
    case CAUSE_SYMLINK_DANGLING:
    case CAUSE_SYMLINK_LOOP:
    case CAUSE_COMMAND_NOT_FOUND:
    case CAUSE_CONNECTION_REFUSED:
        return true;
    case CAUSE_RESOURCE_LIMIT:
        return strncmp(cause->missing, "ENOSPC:", 7) == 0 || strncmp(cause->missing, "EDQUOT:", 7) == 0;
    default:
        return false;
    }
}

static bool told_already(const struct report *report, const struct cause *cause)
{
    for (size_t i = 0; i < report->cause_count; i++) {
        struct cause *told = report->causes[i];

        if (told->kind != cause->kind || strcmp(told->missing, cause->missing) != 0)
            continue;
        if (strcmp(told->subject, cause->subject) == 0 && !judge_asks_another(told, cause->provider))
            return true;
        if (is_shared(cause)) {
            cause_fact(told, "met by", "%s, too", cause->subject);
            return true;
        }
    }
    return false;
}

/* Optional files are too many to be told one by one; what the loader or an execve could not do is worth a line, once.
 */
static void rule_out(struct report *report, const struct process *process, const struct suspect *suspect)
{
    char *line;

    if (suspect->renamed || suspect->at == AT_OPEN || report->ruled_out.n >= RULED_OUT_TOLD)
        return;
    line = xasprintf("%s: %s got over it", suspect->cause->missing,
                     process->exe ? path_base(process->exe) : "the program");
    for (size_t i = 0; i < report->ruled_out.n; i++)
        if (strcmp(report->ruled_out.v[i], line) == 0) {
            free(line);
            return;
        }
    strings_add(&report->ruled_out, line);
}

static void collect_from(const struct model *model, struct process *process, struct candidate_cause **list,
                         size_t *count, size_t *cap, struct report *report)
{
    for (size_t i = 0; i < process->suspect_count; i++) {
        struct suspect *suspect = &process->suspects[i];
        struct candidate_cause *one;

        bool quoted = is_quoted(model, suspect);

        if (suspect->cause->confidence <= 0 ||
            (!quoted && (hushed(model, process, suspect) || swallowed(model, process, suspect))) ||
            shell_got_over(process, suspect) ||
            ((suspect->quiet || (suspect->muted && !nobody_coped(process))) && !harm_reaches_end(model, process)) ||
            reached_later(model, suspect) || another_did_it(model, process, suspect)) {
            rule_out(report, process, suspect);
            continue;
        }
        one = array_add(list, count, cap, sizeof *one);
        *one = (struct candidate_cause){suspect, process, harm_reaches_end(model, process)};
    }
}

/* Of the processes that ended like the program itself, the one that did so first: the others may only have passed it
 * on. */
static void rule_out_unknown(const struct model *model, struct report *report)
{
    const struct process *found = NULL, *process, *next;

    HASH_ITER(hh, model->processes, process, next)
    if (process->ruled_out.n && process_failed(process) && harm_reaches_end(model, process) &&
        process->status == model->first->status && (!found || process->end_n < found->end_n))
        found = process;
    for (size_t i = 0; found && i < found->ruled_out.n; i++)
        strings_add(&report->ruled_out, xstrdup(found->ruled_out.v[i]));
    for (size_t i = 0; found && i < found->quoted.n; i++)
        strings_add(&report->said, xstrdup(found->quoted.v[i]));
    for (size_t i = 0; found && i < found->looked_in.n; i++)
        strings_add(&report->looked_in, xstrdup(found->looked_in.v[i]));
}

static void rule_out_the_rest(const struct model *model, struct report *report)
{
    uint64_t of_causes = 0;

    for (size_t i = 0; i < report->cause_count; i++)
        of_causes += report->causes[i]->evidence_count;
    if (model->failed > of_causes && (report->cause_count || report->ruled_out.n))
        strings_addf(&report->ruled_out, "%llu other failed calls: searches that went on, optional files, probes",
                     (unsigned long long)(model->failed - of_causes));
}

void judge_verdict(struct model *model, struct report *report)
{
    CLEANUP_FREE struct candidate_cause *list = NULL;
    struct process *process, *next;
    size_t count = 0, cap = 0, untold = 0;

    judge_unsaid(model);
    HASH_ITER(hh, model->processes, process, next)
    collect_from(model, process, &list, &count, &cap, report);
    for (size_t i = 0; i < model->retired_count; i++)
        collect_from(model, model->retired[i], &list, &count, &cap, report);
    if (count)
        qsort(list, count, sizeof *list, compare);
    for (size_t i = 0; i < count; i++) {
        struct cause *cause = list[i].suspect->cause;

        if (told_already(report, cause) || (report->cause_count >= CAUSES_TOLD && ++untold))
            continue;
        remedies_drop_questions(cause);
        report_add_cause(report, cause);
        list[i].suspect->cause = NULL; /* moved: the report owns it now */
    }
    if (untold)
        strings_addf(&report->unseen, "%zu more causes: there are too many to tell all", untold);
    report->events = model->events;
    report->failed = model->failed;
    report->processes = model->process_count;
    report->threads = model->thread_count;
    report->lost = model->lost;
    for (size_t i = 0; i < model->unseen.n; i++)
        strings_add(&report->unseen, xstrdup(model->unseen.v[i]));
    if (model->forgotten)
        strings_addf(&report->unseen,
                     "%llu of the processes, which had ended and seemed to matter least: there were too many to keep "
                     "what was known of each",
                     (unsigned long long)model->forgotten);
    if (!report->cause_count || report->causes[0]->confidence < CONFIDENCE_TO_BET ||
        report->causes[0]->impact != IMPACT_FATAL)
        rule_out_unknown(model, report);
    rule_out_the_rest(model, report);
}
