/* What is replaced in a report: every string of it that comes from outside. */
#include "redact.h"
#include "surroundings.h"
#include "table.h"

#include <probes/alloc.h>

#include <string.h>

static void redact(struct redactor *redactor, char **string)
{
    char *redacted;

    if (!*string)
        return;
    redacted = redactor_text(redactor, *string);
    free(*string);
    *string = redacted;
}

static void redact_strings(struct redactor *redactor, struct strings *list)
{
    for (size_t i = 0; i < list->n; i++)
        redact(redactor, &list->v[i]);
}

static void redact_argv(struct redactor *redactor, struct strings *argv)
{
    CLEANUP_FREE const char **words = xcalloc(argv->n + 1, sizeof *words);
    struct strings redacted = {0};

    for (size_t i = 0; i < argv->n; i++)
        words[i] = argv->v[i];
    redactor_argv(redactor, words, &redacted);
    strings_deinit(argv);
    *argv = redacted;
}

static void redact_lists(struct redactor *redactor, struct cause *cause)
{
    for (size_t i = 0; i < cause->stack_count; i++) {
        redact(redactor, &cause->stack[i].object);
        redact(redactor, &cause->stack[i].file);
    }
    for (size_t i = 0; i < cause->remedy_count; i++) {
        redact(redactor, &cause->remedies[i].title);
        redact_strings(redactor, &cause->remedies[i].commands);
        redact(redactor, &cause->remedies[i].risk);
    }
    for (size_t i = 0; i < cause->fact_count; i++)
        redact(redactor, &cause->facts[i].text);
    for (size_t i = 0; i < cause->crash_count; i++) {
        redact(redactor, &cause->crash[i].title);
        redact_strings(redactor, &cause->crash[i].lines);
    }
    for (size_t i = 0; i < cause->place_count; i++) {
        redact(redactor, &cause->places[i].path);
        redact(redactor, &cause->places[i].from);
        redact(redactor, &cause->places[i].why);
    }
}

static void redact_cause(struct redactor *redactor, struct cause *cause)
{
    redact(redactor, &cause->subject);
    redact(redactor, &cause->missing);
    redact(redactor, &cause->provider);
    redact(redactor, &cause->exe);
    redact_argv(redactor, &cause->argv);
    redact_strings(redactor, &cause->chain);
    redact(redactor, &cause->summary);
    redact(redactor, &cause->detail);
    redact(redactor, &cause->words);
    redact_lists(redactor, cause);
}

static void redact_around(struct redactor *redactor, struct surroundings *around)
{
    for (size_t i = 0; around && i < around->mount_count; i++) {
        redact(redactor, &around->mounts[i].point);
        redact(redactor, &around->mounts[i].options);
    }
    for (size_t i = 0; around && i < around->programs.n; i++) {
        redact(redactor, &around->programs.v[i].name);
        redact(redactor, &around->programs.v[i].version);
        redact(redactor, &around->programs.v[i].path);
    }
}

/* What cannot be reached is what such a report is about: "address1 refuses" would help nobody. A symbol that is drawn
 * like a secret ("i2d_PKCS8PrivateKeyInfo_bio") is none. */
static void keep_what_matters(const struct report *report, struct redactor *redactor)
{
    for (size_t i = 0; i < report->cause_count; i++) {
        const struct cause *cause = report->causes[i];

        if (cause->missing && (cause->kind == CAUSE_CONNECTION_REFUSED || cause->kind == CAUSE_SYMBOL_MISSING))
            redactor_keep(redactor, cause->missing);
    }
}

void report_redact(struct report *report, struct redactor *redactor)
{
    keep_what_matters(report, redactor);
    redact_argv(redactor, &report->argv);
    redact(redactor, &report->libc.path);
    redact(redactor, &report->libc.from);
    redact_around(redactor, report->around);
    for (size_t i = 0; i < report->cause_count; i++)
        redact_cause(redactor, report->causes[i]);
    redact_strings(redactor, &report->ruled_out);
    redact_strings(redactor, &report->unseen);
    redact_strings(redactor, &report->said);
    redact_strings(redactor, &report->looked_in);
    redact_argv(redactor, &report->minimal);
    redact(redactor, &report->headline);
    for (size_t i = 0; i < report->table_count; i++)
        for (size_t k = 0; k < report->tables[i]->cell_count; k++)
            redact(redactor, &report->tables[i]->cells[k].text);
    redact(redactor, &report->repro_command);
    redact(redactor, &report->repro_expect);
    redact(redactor, &report->repro_why);
}
