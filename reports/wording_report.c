/* The wording of what belongs to the report as a whole rather than to one cause. */
#include "wording.h"

#include "repro_script.h"
#include "text.h"
#include "utf8.h"

#include <probes/alloc.h>

#include <string.h>

enum {
    PHRASES_SHOWN = 12 /* of "not it" and "not seen"; report.json has all */
};

const char *wording_proof(enum proof proof)
{
    static const char *const words[] = {[PROOF_KNOWN] = "known",
                                        [PROOF_MODELLED] = "worked out: gets past this point",
                                        [PROOF_TRIED] = "tried in a copy: gets past this point"};

    return words[proof];
}

char *wording_reproduction(const struct report *report)
{
    static const char *const words[] = {[REPRO_VERIFIED] = "verified: fails alike, and passes with the cause mended",
                                        [REPRO_DIFFERS] = "differs: it does not fail alike here",
                                        [REPRO_NOT_ATTEMPTED] = "not attempted"};
    struct text text = {0};

    if (!report->has_repro)
        return NULL;
    if (report->repro_files) {
        CLEANUP_FREE char *size = wording_size(report->repro_bytes);

        text_addf(&text, "%zu file%s, %s, ", report->repro_files, report->repro_files == 1 ? "" : "s", size);
    }
    text_add(&text, words[report->repro_status]);
    if (report->repro_why && report->repro_status != REPRO_VERIFIED) {
        CLEANUP_FREE char *why = utf8_plain(report->repro_why);

        text_addf(&text, "%s%s", report->repro_status == REPRO_DIFFERS ? " (" : ": ", why);
        text_add(&text, report->repro_status == REPRO_DIFFERS ? ")" : "");
    }
    return text.v;
}

static void add_part(struct text *text, const char *format, const char *part)
{
    CLEANUP_FREE char *plain = part ? utf8_plain(part) : NULL;

    if (!plain || !*plain)
        return;
    if (text->n)
        text_add(text, ", ");
    text_addf(text, "%s%s", format, plain);
}

char *wording_system(const struct report *report)
{
    struct text text = {0};
    CLEANUP_FREE char *libc = NULL;

    if (report->libc.family && strcmp(report->libc.family, "unknown") != 0 && strcmp(report->libc.family, "none") != 0)
        libc =
            xasprintf("%s %s", report->libc.family, report->libc.version ? report->libc.version : "of unknown version");
    add_part(&text, "", report->distribution);
    add_part(&text, "", libc);
    add_part(&text, "", report->machine);
    add_part(&text, "Linux ", report->kernel);
    if (report->context && strcmp(report->context, "host") != 0)
        add_part(&text, "in a ", strcmp(report->context, "root") == 0 ? "root of its own" : report->context);
    return text.v;
}

static void add_row(struct sheet *sheet, const char *label, char *taken)
{
    struct fact *row = array_add(&sheet->rows, &sheet->count, &sheet->cap, sizeof *row);

    row->label = xstrdup(label);
    row->text = taken;
}

static void add_phrases(struct sheet *sheet, const char *label, const struct strings *phrases)
{
    struct text text = {0};

    for (size_t i = 0; i < phrases->n && i < PHRASES_SHOWN; i++) {
        CLEANUP_FREE char *plain = utf8_plain(phrases->v[i]);

        text_addf(&text, "%s%s", i ? "\n" : "", plain);
    }
    if (phrases->n > PHRASES_SHOWN)
        text_addf(&text, "\n… and %zu more", phrases->n - PHRASES_SHOWN);
    if (text.v)
        add_row(sheet, label, text.v);
}

static void add_count(struct text *text, uint64_t count, const char *one, const char *many)
{
    CLEANUP_FREE char *number = wording_number(count);

    if (count)
        text_addf(text, "%s%s %s", text->n ? ", " : "", number, count == 1 ? one : many);
}

static char *how_much(const struct report *report)
{
    struct text text = {0};

    add_count(&text, report->processes, "process", "processes");
    add_count(&text, report->threads, "thread", "threads");
    add_count(&text, report->events, "event", "events");
    add_count(&text, report->failed, "failed call", "failed calls");
    if (text.v && report->seconds > 0) {
        CLEANUP_FREE char *time = wording_time(report->seconds);

        text_addf(&text, ", in %s", time);
    }
    return text.v;
}

void wording_not_it(const struct report *report, struct sheet *ret)
{
    *ret = (struct sheet){0};
    add_phrases(ret, "not it", &report->ruled_out);
}

static bool is_plain(const char *word)
{
    return *word &&
           strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-") == strlen(word);
}

char *wording_command(char *const *words, size_t count)
{
    struct text text = {0};

    text_add(&text, "");
    for (size_t i = 0; i < count; i++) {
        CLEANUP_FREE char *plain = utf8_plain(words[i]);
        CLEANUP_FREE char *quoted = is_plain(plain) ? xstrdup(plain) : repro_quote(plain);

        text_addf(&text, "%s%s", i ? " " : "", quoted);
    }
    return text.v ? text.v : xstrdup("");
}

static void add_minimal(struct sheet *ret, const struct report *report)
{
    CLEANUP_FREE char *command = wording_command(report->minimal.v, report->minimal.n);

    if (report->minimal.n)
        add_row(ret, "the same with",
                xasprintf("env -i %s   (found by running it %zu times)", command, report->minimal_runs));
}

void wording_rest(const struct report *report, struct sheet *ret)
{
    *ret = (struct sheet){0};
    if (!report->cause_count) {
        char *much = how_much(report);

        if (much)
            add_row(ret, "seen", much);
        add_phrases(ret, "it said", &report->said);
        add_phrases(ret, "it looked in", &report->looked_in);
    }
    if (!wording_guess(report))
        add_phrases(ret, "not it", &report->ruled_out);
    add_phrases(ret, "not seen", &report->unseen);
    add_minimal(ret, report);
    if (report->lost) {
        CLEANUP_FREE char *number = wording_number(report->lost);

        add_row(ret, "lost", xasprintf("%s event%s could not be kept", number, report->lost == 1 ? "" : "s"));
    }
}
