/* The report of `glibctrace verify`: a table of the checks, and the causes from the reports of those that were run
 * again. */
#include "verify.h"

#include "ptrace.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <reports/table.h>

#include <string.h>

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* One thing that is wrong is met by several programs; a command that is not there by each under its own name. */
static bool is_told(const struct report *report, const struct cause *cause)
{
    for (size_t i = 0; i < report->cause_count; i++) {
        const struct cause *other = report->causes[i];

        if (other->kind == cause->kind && same(other->missing, cause->missing) &&
            (cause->kind == CAUSE_COMMAND_NOT_FOUND || same(other->subject, cause->subject)))
            return true;
    }
    return false;
}

/* Behind those of its impact: what ended a program stands before what it went on without. */
static void put_cause(struct report *report, struct cause *taken)
{
    size_t at = report->cause_count;

    array_add(&report->causes, &report->cause_count, &report->cause_cap, sizeof *report->causes);
    for (; at && report->causes[at - 1]->impact > taken->impact; at--)
        report->causes[at] = report->causes[at - 1];
    report->causes[at] = taken;
}

/* "path\tGOBIN" of verify_find(). */
static void add_looked(const struct verify_job *job, struct cause *cause)
{
    if (job->found || cause->kind != CAUSE_COMMAND_NOT_FOUND || !same(cause->missing, job->command.v[0]))
        return;
    for (size_t i = 0; i < job->looked.n; i++) {
        const char *tab = strchr(job->looked.v[i], '\t');
        CLEANUP_FREE char *path = xstrndup(job->looked.v[i], (size_t)(tab - job->looked.v[i]));

        cause_place(cause, path, tab + 1, "not there", false);
    }
}

static void take_reproduction(struct report *to, struct report *from)
{
    to->has_repro = from->has_repro;
    to->repro_status = from->repro_status;
    to->repro_command = steal_pointer(&from->repro_command);
    to->repro_expect = steal_pointer(&from->repro_expect);
    to->repro_why = steal_pointer(&from->repro_why);
    to->repro_files = from->repro_files;
    to->repro_bytes = from->repro_bytes;
}

static void take_libc(struct report *to, struct report *from)
{
    if (to->libc.family || !from->libc.family || strcmp(from->libc.family, "unknown") == 0)
        return;
    to->libc = from->libc;
    from->libc = (struct libc_facts){0};
}

/* What JOB's second run tells. */
static void take_report(struct report *report, struct verify_job *job)
{
    struct report *from = job->report;
    bool first = !report->cause_count && from->cause_count;

    for (size_t i = 0; i < from->cause_count; i++) {
        struct cause *cause = from->causes[i];

        from->causes[i] = NULL;
        add_looked(job, cause);
        if (is_told(report, cause))
            cause_destroy(cause);
        else
            put_cause(report, cause);
    }
    from->cause_count = 0;
    if (first)
        take_reproduction(report, from);
    for (size_t i = 0; i < from->unseen.n; i++)
        strings_addf(&report->unseen, "%s: %s", job->title, from->unseen.v[i]);
    take_libc(report, from);
    strings_move(&from->redacted, &report->redacted);
}

/* What holds the debug adapter back holds glibctrace back as well, which then has nothing to tell of it. */
static struct cause *refused_to_trace(const struct verify_job *job)
{
    const char *words = job->result.words;
    struct cause *cause;

    if (job->check != &verify_dap || job->report || !words || !strcasestr(words, "not permitted") || !ptrace_try())
        return NULL;
    cause = cause_create(CAUSE_SYSCALL_BLOCKED);
    cause->confidence = 0.95;
    cause->subject = xstrdup(job->command.v[0]);
    cause->missing = xstrdup("ptrace");
    cause->words = xstrndup(words, strcspn(words, "\n"));
    cause->summary = xasprintf("%s may not trace the program that it is to debug: ptrace is refused here.", job->title);
    cause->detail = xstrdup("A child of glibctrace's own was to be traced, which was refused, too.");
    cause_fact(cause, "tried", "glibctrace may not trace a child of its own either");
    cause_remedy(cause, PROOF_KNOWN,
                 "let the container trace: --cap-add SYS_PTRACE, and a seccomp policy that allows "
                 "ptrace");
    cause_remedy(cause, PROOF_KNOWN, "glibctrace doctor says what else may refuse it (Yama, another tracer)");
    return cause;
}

/* What only its client sees: nothing listens where the debug adapter says that it does. */
static struct cause *not_listening(const struct verify_job *job)
{
    struct cause *cause;

    if (!job->result.refused || (job->report && job->report->cause_count) || job->passed_again)
        return NULL;
    cause = cause_create(CAUSE_CONNECTION_REFUSED);
    cause->confidence = 0.9;
    cause->subject = xstrdup(job->command.v[0]);
    cause->missing = xstrdup(job->result.refused);
    cause->summary =
        xasprintf("%s says that it listens at %s, but takes no connection there.", job->title, job->result.refused);
    cause->detail = xasprintf("glibctrace was to talk with it there, as an editor does: %s.", job->result.seen);
    cause_fact(cause, "it needs", "%s", job->result.refused);
    cause_remedy(cause, PROOF_KNOWN,
                 "look at how %s is started: what wraps it may announce another's port, or lives "
                 "in another network namespace",
                 job->title);
    return cause;
}

static void explain(struct report *report, struct verify_job *job)
{
    bool known = job->report && job->report->cause_count;
    struct cause *refused = job->result.passes ? NULL : refused_to_trace(job);

    refused = job->result.passes || refused ? refused : not_listening(job);

    if (job->result.passes)
        return;
    if (refused) {
        put_cause(report, refused);
        return;
    }
    if (job->passed_again)
        strings_addf(&report->unseen, "%s: it passed when it was run again, under glibctrace", job->title);
    else if (known)
        take_report(report, job);
    else
        strings_addf(&report->unseen, "%s: why it fails is not known: %s", job->title,
                     job->why_not ? job->why_not : "no cause was found when it was run again, under glibctrace");
}

/* ---- the tables ---- */

static char *joined(const struct strings *words)
{
    struct text text = {0};

    for (size_t i = 0; i < words->n; i++)
        text_addf(&text, "%s%s", i ? " " : "", words->v[i]);
    return text.v;
}

static void put_checks(struct report *report, const struct verify_job *jobs, size_t count)
{
    struct table *table = table_add(report, "checks", NULL);

    table_column(table, "check", "check");
    table_column(table, "result", "result");
    table_number(table, "milliseconds", "ms");
    table_column(table, "seen", "what was seen");
    for (size_t i = 0; i < count; i++) {
        const struct verify_job *job = &jobs[i];

        table_text(table, job->title);
        table_cell(table, job->result.passes ? TABLE_GOOD : TABLE_BAD, "%s", job->result.passes ? "passes" : "fails");
        table_cell(table, TABLE_PLAIN, "%.0f", job->result.seconds * 1000);
        table_text(table, job->result.seen);
    }
}

static void put_commands(struct report *report, const struct verify_job *jobs, size_t count)
{
    struct table *table = table_add(report, "commands", "what was run");

    table_column(table, "check", "");
    table_column(table, "command", "");
    for (size_t i = 0; i < count; i++) {
        CLEANUP_FREE char *command = joined(&jobs[i].command);

        table_text(table, jobs[i].title);
        table_text(table, command);
    }
}

/* What the failing ones said. */
static void put_words(struct report *report, const struct verify_job *jobs, size_t count)
{
    struct table *table = table_add(report, "words", "what they said");

    table_column(table, "check", "");
    table_column(table, "said", "");
    for (size_t i = 0; i < count; i++) {
        CLEANUP_FREE char *words = xstrdup_or_null(jobs[i].result.words);

        if (jobs[i].result.passes || !words)
            continue;
        for (char *line = words, *end; line; line = end) {
            end = strchr(line, '\n');
            if (end)
                *end++ = '\0';
            for (char *tab = line; (tab = strchr(tab, '\t'));) /* go's own columns */
                *tab = ' ';
            table_text(table, line == words ? jobs[i].title : "");
            table_text(table, line);
        }
    }
}

/* ---- the whole ---- */

/* "gopls, go test and dlv", of those that pass or fail. */
static char *names(const struct verify_job *jobs, size_t count, bool passing)
{
    struct text text = {0};
    size_t left = 0, done = 0;

    for (size_t i = 0; i < count; i++)
        left += jobs[i].result.passes == passing;
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].result.passes != passing)
            continue;
        text_addf(&text, "%s%s", !done ? "" : --left == 1 ? " and " : ", ", jobs[i].title);
        done++;
    }
    return text.v;
}

/* Where they were made; the scratch module is not spoken of where all that was asked for is the user's. */
static char *place_of(const struct verify *verify, const struct verify_job *jobs, size_t count)
{
    const struct options *options = verify->options;
    bool own = false;

    for (size_t i = 0; i < count && verify->module.own; i++)
        own |= jobs[i].check == &verify_lsp ? !options->open : jobs[i].check == &verify_dap ? !options->launch : true;
    return own ? xasprintf("a scratch module (%s)", verify->module.own) : xstrdup(verify->module.directory);
}

static char *headline(const struct verify *verify, const struct verify_job *jobs, size_t count)
{
    CLEANUP_FREE char *failing = names(jobs, count, false), *passing = names(jobs, count, true);
    CLEANUP_FREE char *where = place_of(verify, jobs, count);

    if (!failing)
        return xasprintf("%s %s, in %s.", passing, count == 1 ? "passes" : "pass", where);
    if (!passing)
        return xasprintf("%s %s, in %s.", failing, count == 1 ? "fails" : count == 2 ? "both fail" : "all fail", where);
    return xasprintf("%s %s, %s %s, in %s.", failing, strstr(failing, " and ") ? "fail" : "fails", passing,
                     strstr(passing, " and ") ? "pass" : "passes", where);
}

struct report *verify_report(const struct verify *verify, struct verify_job *jobs, size_t count)
{
    struct report *report = report_static("");

    report->headline = headline(verify, jobs, count);
    for (size_t i = 0; i < count; i++)
        explain(report, &jobs[i]);
    put_checks(report, jobs, count);
    put_words(report, jobs, count);
    put_commands(report, jobs, count);
    return report;
}
