/* Searches on PATH that found nothing, and files that could not be opened, of which nothing is said; or not by who
 * searched.
 *
 * exec.LookPath, shutil.which(), system(3) whose words go to /dev/null, which(1): the program knows what it lacks, and
 * ends with a status only, or with "no compiler". What is left is the order of things: the search was the last that was
 * done, all that ended since ended badly, and no word since is about anything else. A status of 127 says more: shells
 * keep it for this. */
#include "judge.h"

#include "environment.h"

#include "syscall.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>

#include <probes/alloc.h>

enum { NOT_FOUND = 127, PARENTS_MOST = 64, TRIES_MOST = 3 };
static const double REPLACED = 0.6;

/* ---- words that name the command in other letters ---- */

/* "Make sure that …" is about no make(1), "Make is needed" is. */
static bool begins_sentence(const char *line, const char *at)
{
    while (at > line && strchr(" \t'\"`", at[-1]))
        at--;
    return at == line || strchr(".:!;)]", at[-1]);
}

static bool is_subject(const char *after)
{
    static const char *const verbs[] = {"is ",     "isn't ", "was ",     "must ",       "not ",    "needs ",
                                        "cannot ", "could ", "command ", "executable ", "missing", "required"};

    after += strspn(after, " '\"`");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strncasecmp(after, verbs[i], strlen(verbs[i])) == 0)
            return true;
    return false;
}

static char *lowered(const char *text)
{
    char *copy = xstrdup(text);

    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

static bool names_in_other_letters(const char *line, const char *name)
{
    CLEANUP_FREE char *low = lowered(line), *low_name = lowered(name);
    const char *at =
        strlen(name) < 3 || (!words_ask(line) && !words_complain(line, 0)) ? NULL : line_finds(low, low, low_name);

    for (; at; at = line_finds(low, at + 1, low_name))
        if (!begins_sentence(low, at) || is_subject(at + strlen(low_name)))
            return true;
    return false;
}

/* The command by its name, as programs write it in a sentence ("Please install Clang"), after event N. */
static const struct output_line *named_after(const struct process *process, const char *name, uint64_t n)
{
    for (size_t i = process->line_count; i-- > 0 && process->lines[i].n > n;)
        if (names_in_other_letters(process->lines[i].text, name))
            return &process->lines[i];
    for (size_t i = process->spoken_count; i-- > 0 && process->spoken[i].n > n;)
        if (names_in_other_letters(process->spoken[i].text, name))
            return &process->spoken[i];
    return NULL;
}

/* ---- words that may be about it ---- */

/* "Error 127", which is how shells end that found no command; "127.0.0.1" is an address. */
static bool has_status(const char *line)
{
    for (const char *at = line; (at = words_word(at, "127", 3)); at += 3)
        if ((at == line || at[-1] != '.') && !(at[3] == '.' && isdigit((unsigned char)at[4])))
            return true;
    return false;
}

/* "no compiler", "configure: error: no acceptable C compiler found in $PATH", make's "Error 127". */
static bool may_be_about(const struct process *process, const char *line, bool *text)
{
    const char *no = strcasestr(line, "no "), *program = process->exe ? path_base(process->exe) : NULL;

    *text = false;
    if (has_status(line) || words_vague(line, program, ENOENT, text))
        return true;
    if (words_shrug(line) || words_other_error(line, ENOENT))
        return false;
    return words_word(line, "PATH", 4) || (no && begins_sentence(line, no) && !strpbrk(no, "/=<"));
}

/* "expected str, bytes or os.PathLike object, not NoneType": what the search gave back, and nobody looked at. */
static bool of_nothing(const char *line)
{
    return words_word(line, "NoneType", 8) || words_word(line, "null", 4) || words_word(line, "nil", 3);
}

/* Behind Python's "Traceback (most recent call last):" and the places comes what it is about, as the last line. */
static const struct output_line *behind_trace(const struct process *process, const struct output_line *line)
{
    return strncmp(line->text, "Traceback (most", 15) == 0 && process->line_count
               ? &process->lines[process->line_count - 1]
               : line;
}

/* ---- the process that searched, at its end ---- */

static bool exited(const struct process *process, int status)
{
    return process->ended && WIFEXITED(process->status) && WEXITSTATUS(process->status) == status;
}

static bool is_shell(const struct process *process)
{
    static const char *const shells[] = {"sh",    "dash", "bash", "ash",  "busybox", "ksh",
                                         "ksh93", "mksh", "zsh",  "yash", "fish"};

    for (size_t i = 0; process->exe && i < sizeof shells / sizeof *shells; i++)
        if (strcmp(path_base(process->exe), shells[i]) == 0)
            return true;
    return false;
}

/* What a login shell's profile looks for it does without. */
static bool reads_profiles(const struct process *process)
{
    if (process->argv.n && process->argv.v[0][0] == '-')
        return true;
    for (size_t i = 1; i < process->argv.n && process->argv.v[i][0] == '-'; i++)
        if (strcmp(process->argv.v[i], "--login") == 0 ||
            (process->argv.v[i][1] != '-' && strpbrk(process->argv.v[i], "li")))
            return true;
    return false;
}

/* which(1) and its like, and as a script of a shell: to be told is all that was wanted. */
static bool is_question(const struct process *process)
{
    static const char *const names[] = {"which", "whereis", "whence", "type", "command"};

    for (size_t i = 0; i < process->argv.n && i < 2; i++)
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (strcmp(path_base(process->argv.v[i]), names[k]) == 0)
                return true;
    return false;
}

static bool asked_for(const struct process *process, const char *name)
{
    for (size_t i = 1; i < process->argv.n; i++)
        if (words_word(process->argv.v[i], name, strlen(name)))
            return true;
    return false;
}

/* First words since event N. What a shell says of itself goes to descriptor 1, redirected (">&2"). */
static const struct output_line *first_words(const struct process *process, uint64_t n)
{
    const struct output_line *first = NULL;

    for (size_t i = process->line_count; i-- > 0 && process->lines[i].n > n;)
        first = &process->lines[i];
    for (size_t i = process->spoken_count; i-- > 0 && process->spoken[i].n > n;)
        if (!first || process->spoken[i].n < first->n)
            first = &process->spoken[i];
    return first;
}

/* The line names what another search was for. */
static bool about_another(const struct process *process, const struct suspect *suspect, const char *line)
{
    for (size_t i = 0; i < process->suspect_count; i++) {
        const struct suspect *other = &process->suspects[i];

        if (other != suspect && other->at == AT_COMMAND && line_finds(line, line, other->cause->missing))
            return true;
    }
    return false;
}

static double of_words(const struct process *process, struct suspect *suspect, const struct output_line *line)
{
    bool text = false, thrown;

    line = judge_reason_of(process, behind_trace(process, line), &thrown);
    if (about_another(process, suspect, line->text))
        return 0;
    if (of_nothing(line->text))
        text = true;
    else if (!may_be_about(process, line->text, &text))
        return 0;
    else if (!suspect->tried && text && strchr(line->text, '/'))
        return 0; /* "open /x/y: No such file or directory": of a file */
    if (!text && process->last_file_n > suspect->last_n)
        return 0;
    if (!suspect->cause->words)
        suspect->cause->words = xstrdup(line->text);
    suspect->last_act = true;
    if (!suspect->tried)
        return text ? 0.75 : 0.65;
    return text ? 0.85 : 0.7;
}

double judge_unsaid_command(const struct process *process, struct suspect *suspect)
{
    const struct output_line *line;
    const char *name = suspect->cause->missing;

    if (!process_gave_up(process) || suspect->cause->kind != CAUSE_COMMAND_NOT_FOUND)
        return 0;
    line = named_after(process, name, suspect->last_n);
    if (line) {
        suspect->cause->words = suspect->cause->words ? suspect->cause->words : xstrdup(line->text);
        cause_evidence(suspect->cause, line->n);
        suspect->said_n = line->n;
        suspect->last_act = true;
        return 0.88;
    }
    line = first_words(process, suspect->last_n);
    if (line)
        return of_words(process, suspect, line);
    if (!WIFEXITED(process->status) || process->last_work_n > suspect->last_n ||
        (is_shell(process) && reads_profiles(process) && !asked_for(process, name)))
        return 0;
    suspect->quiet = suspect->unsaid = suspect->last_act = true;
    if (exited(process, NOT_FOUND))
        return 0.85;
    if (process->stdout_n > suspect->last_n) /* no complaint: it went on to what it is there for */
        return 0;
    return suspect->tried ? 0.7 : is_shell(process) ? 0.55 : 0.6; /* "[ a = b ]" of a shell leaves no trace */
}

/* ---- files ---- */

/* How many files it was refused since the last call on one that succeeded: who tries many does without most. */
static size_t refused_in_turn(const struct process *process)
{
    struct episode *episode, *next;
    size_t count = 0;

    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = 0; i < episode->count; i++)
        if (episode->attempts[i]->by != BY_LOADER && episode->attempts[i]->n > process->last_done_n) {
            count++;
            break;
        }
    return count;
}

/* To ask whether a file is there is no more than that ("test -e x"); to open it or to go there is to need it. */
static bool is_wanted(const struct attempt *attempt)
{
    const char *name = attempt->desc->name;

    return strncmp(name, "open", 4) == 0 || strcmp(name, "creat") == 0 || strcmp(name, "chdir") == 0;
}

/* All that it has said since was one thing on standard output, and that may be about it ("cannot start"). What else is
 * printed is what the program is there for, and so may its status be. */
static bool said_nothing_else(const struct process *process, const struct attempt *attempt)
{
    const struct output_line *line = first_words(process, attempt->n);
    uint64_t writes = process->stdout_count - process->stdout_before;
    bool text;

    if (writes == 0)
        return !line;
    return writes == 1 && line && line->n == process->stdout_n &&
           words_vague(line->text, process->exe ? path_base(process->exe) : NULL, attempt->error, &text);
}

static bool was_given(const struct process *process, const struct attempt *attempt)
{
    for (size_t i = 1; attempt->string && i < process->argv.n; i++)
        if (strcmp(process->argv.v[i], attempt->string) == 0)
            return true;
    return false;
}

/* A file that is simply not there may be one that the program does without, and its status its own matter: nobody can
 * tell, so that it is no cause, and named under "not it". That somebody asked for it by its name, that it is there and
 * may not be had, or that there are words that may be about it, is enough to bet on. */
static double of_silence(const struct process *process, const struct suspect *suspect, const struct attempt *attempt)
{
    if (was_given(process, attempt))
        return 0.75;
    if (suspect->cause->kind != CAUSE_FILE_MISSING || first_words(process, attempt->n))
        return 0.6;
    return 0;
}

void judge_unsaid_file(struct process *process)
{
    const struct attempt *attempt = process->last_work;
    struct suspect *suspect;

    if (!attempt || !is_wanted(attempt) || !process->executed || !process_gave_up(process) ||
        !WIFEXITED(process->status) || !said_nothing_else(process, attempt) || refused_in_turn(process) > TRIES_MOST ||
        (is_shell(process) && reads_profiles(process)))
        return;
    suspect = judge_open_blame(process, attempt);
    if (!suspect)
        return;
    suspect->last_n = attempt->last_n;
    suspect->quiet = suspect->unsaid = suspect->last_act = true;
    suspect->sure = of_silence(process, suspect, attempt);
    suspect->coped = suspect->sure <= 0;
}

/* ---- the whole session, at its end ---- */

/* Who started it may say for it what it lacks. */
static bool said_above(const struct process *process, struct suspect *suspect)
{
    struct process *up = process->parent;

    for (int i = 0; up && i < PARENTS_MOST; up = up->parent, i++) {
        const char *name = suspect->cause->missing;
        const struct output_line *line = process_gave_up(up) ? process_says(up, name) : NULL;

        if (line && line->n < suspect->last_n)
            line = NULL;
        if (!line && process_gave_up(up))
            line = named_after(up, name, suspect->last_n);
        if (!line)
            continue;
        if (!suspect->cause->words)
            suspect->cause->words = xstrdup(line->text);
        cause_evidence(suspect->cause, line->n);
        suspect->said_n = line->n;
        suspect->cause->confidence = 0.9;
        return true;
    }
    return false;
}

/* "make: *** [Makefile:2: all] Error 127": what came before is what it ends of. */
static bool repeats_status(const struct process *process, uint64_t n)
{
    for (size_t i = process->line_count; i-- > 0 && process->lines[i].n > n;)
        if (words_word(process->lines[i].text, "127", 3))
            return true;
    return false;
}

/* OTHER did something that may be what the end came from. */
static bool went_on(const struct process *other, const struct suspect *suspect)
{
    bool text;

    if (repeats_status(other, suspect->last_n))
        return false;
    if ((other->executed && other->exec_n > suspect->last_n) || other->last_work_n > suspect->last_n)
        return true;
    for (size_t i = 0; i < other->line_count && !other->muted; i++)
        if (other->lines[i].n > suspect->last_n && !may_be_about(other, other->lines[i].text, &text))
            return true;
    for (size_t i = 0; i < other->spoken_count; i++)
        if (other->spoken[i].n > suspect->last_n && !may_be_about(other, other->spoken[i].text, &text))
            return true;
    return false;
}

static bool explained_better(const struct process *process, const struct suspect *than)
{
    for (size_t i = 0; i < process->suspect_count; i++) {
        const struct suspect *suspect = &process->suspects[i];

        if (suspect != than && !suspect->unsaid && suspect->cause && (suspect->said_n || suspect->at != AT_COMMAND) &&
            suspect->cause->impact == IMPACT_FATAL && suspect->cause->confidence >= CONFIDENCE_TO_BET)
            return true;
    }
    return false;
}

static bool last_of_all(const struct model *model, const struct suspect *suspect)
{
    const struct process *other, *next;

    HASH_ITER(hh, model->processes, other, next)
    if (went_on(other, suspect) || explained_better(other, suspect))
        return false;
    for (size_t i = 0; i < model->retired_count; i++)
        if (went_on(model->retired[i], suspect) || explained_better(model->retired[i], suspect))
            return false;
    return true;
}

/* Whether who started PROCESS has ended otherwise than it did. */
static bool is_replaced(const struct process *process)
{
    const struct process *up = process->parent ? process_owner(process->parent) : NULL;

    return up && up->ended && up->status != process->status;
}

/* What it said to nobody: a shell that reads its output and ends with a status of its own
 * ("test -n \"$(ls *.zip 2>/dev/null)\"") asked a question; one that only has such a status may have had another
 * reason. */
static void weigh_muted(const struct process *process, struct cause *cause)
{
    if (!is_replaced(process))
        return;
    if (process->captured)
        cause->confidence = 0;
    else if (cause->confidence > REPLACED)
        cause->confidence = REPLACED;
}

static void weigh(const struct model *model, struct process *process)
{
    for (size_t i = 0; i < process->suspect_count; i++) {
        struct suspect *suspect = &process->suspects[i];
        bool question = process == model->first && !suspect->tried && is_question(process);

        if (suspect->at == AT_COMMAND && !suspect->said_n && explained_better(process, suspect))
            suspect->cause->confidence = 0;
        if (!suspect->unsaid || said_above(process, suspect))
            continue;
        if (question || !last_of_all(model, suspect))
            suspect->cause->confidence = 0;
        if (suspect->muted)
            weigh_muted(process, suspect->cause);
    }
}

void judge_unsaid(struct model *model)
{
    struct process *process, *next;

    HASH_ITER(hh, model->processes, process, next)
    weigh(model, process);
    for (size_t i = 0; i < model->retired_count; i++)
        weigh(model, model->retired[i]);
}
