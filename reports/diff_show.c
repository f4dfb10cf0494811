/* A comparison as text and as JSON. */
#include "diff.h"

#include "json_text.h"
#include "utf8.h"
#include "wording.h"

#include <probes/alloc.h>

#include <string.h>

enum { SHOWN = 40 /* of the text; the JSON has all */ };

static void show_side(const char *label, const struct side *side, FILE *out)
{
    CLEANUP_FREE char *name = utf8_plain(side->evidence.name), *headline = wording_headline(side->report);
    CLEANUP_FREE char *system = wording_system(side->report);

    fprintf(out, "%-4s  %s: %s\n", label, name, headline);
    if (system)
        fprintf(out, "      %s\n", system);
}

static void show_difference(size_t number, const struct difference *difference, FILE *out)
{
    CLEANUP_FREE char *what = utf8_plain(difference->title ? difference->title : difference->what);
    CLEANUP_FREE char *good = utf8_plain(difference->good), *bad = utf8_plain(difference->bad);

    if (difference->title)
        fprintf(out, "%3zu. %s\n", number, what);
    else
        fprintf(out, "%3zu. %s %s%s\n", number, difference->kind, what,
                difference->rank == RANK_EXPLAINS ? "   (has to do with it)" : "");
    fprintf(out, "       good  %s\n       bad   %s\n", good, bad);
}

void diff_text(const struct diff *diff, FILE *out)
{
    show_side("good", &diff->good, out);
    show_side("bad", &diff->bad, out);
    if (!diff->count) {
        fputs("\nNo difference.\n", out);
        return;
    }
    fputs(diff->list[0].rank == RANK_CAUSE ? "\nWhat leads to the failure first:\n\n" : "\nWhat differs:\n\n", out);
    for (size_t i = 0; i < diff->count && i < SHOWN; i++)
        show_difference(i + 1, &diff->list[i], out);
    if (diff->count > SHOWN)
        fprintf(out, "     and %zu more\n", diff->count - SHOWN);
    if (diff->files_left)
        fprintf(out, "     and %zu more files that one of them used, or found, and the other did not\n",
                diff->files_left);
}

static void put(struct text *text, const char *key, const char *value, const char *end)
{
    text_addf(text, "\"%s\": ", key);
    if (value)
        json_text_add(text, value);
    else
        text_add(text, "null");
    text_add(text, end);
}

static void put_side(struct text *text, const char *key, const struct side *side)
{
    CLEANUP_FREE char *headline = wording_headline(side->report);

    text_addf(text, "  \"%s\": {", key);
    put(text, "file", side->evidence.name, ", ");
    put(text, "outcome", headline, "},\n");
}

void diff_json(const struct diff *diff, FILE *out)
{
    struct text text = {0};

    text_add(&text,
             "{\n  \"schema\": \"glibctrace.diff/1\",\n  \"tool\": {\"version\": \"" GLIBCTRACE_VERSION "\"},\n");
    put_side(&text, "good", &diff->good);
    put_side(&text, "bad", &diff->bad);
    text_add(&text, "  \"differences\": [");
    for (size_t i = 0; i < diff->count; i++) {
        const struct difference *difference = &diff->list[i];

        text_add(&text, i ? ",\n    {" : "\n    {");
        put(&text, "kind", difference->kind, ", ");
        put(&text, "what", difference->what, ", ");
        put(&text, "good", difference->good, ", ");
        put(&text, "bad", difference->bad, ", ");
        text_addf(&text, "\"explains\": %s}", difference->rank <= RANK_EXPLAINS ? "true" : "false");
    }
    text_addf(&text, "%s],\n  \"files_left\": %zu\n}\n", diff->count ? "\n  " : "", diff->files_left);
    fwrite(text.v, 1, text.n, out);
    text_deinit(&text);
}
