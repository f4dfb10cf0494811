/* What a bundle holds, before anybody shares it: every file, and every replacement.
 *
 * What was replaced, and how often while the report was made, report.json says ("home directory, as $HOME: 14 times").
 * Where the words that took its place stand is counted here, in the very bytes of the bundle. */
#include "bundle.h"

#include "pack.h"
#include "unpack.h"
#include "utf8.h"
#include "wording.h"

#include <probes/alloc.h>

#include <ctype.h>
#include <string.h>

enum {
    STEM_MAX = 32,  /* bytes of a replacement word that is looked for */
    WORDS_MAX = 64, /* different ones: $HOME, $HOME2, user1, … */
};

/* A word that took the place of something, and where it stands. */
struct stand_in {
    char *word;
    uint64_t *counts; /* of each file */
    size_t count_cap;
};

/* One phrase of report.json. */
struct replaced {
    const char *phrase;
    char *stem; /* of its words, without a number at the end; or NULL where the phrase names none */
    struct stand_in words[WORDS_MAX];
    size_t word_count;
};

struct held {
    char *name;
    char *link;
    bool directory;
    uint64_t size;
};

struct list {
    struct held *files;
    size_t count, cap;
    struct replaced *replaced;
    size_t replaced_count;
    char carry[STEM_MAX]; /* the end of what was read of the file, which may be the beginning of a word, … */
    size_t carried;
    char before; /* … and the byte before that, 0 at the start */
};

/* ---- reading ---- */

/* "what it was, as WORD: 3 times". */
static char *stem_of(const char *phrase)
{
    const char *at = strstr(phrase, ", as "), *end = at ? strchr(at + 5, ':') : NULL;
    size_t n;

    if (!end)
        return NULL;
    at += 5;
    n = (size_t)(end - at);
    while (n && isdigit((unsigned char)at[n - 1]))
        n--;
    return n && n < STEM_MAX ? xstrndup(at, n) : NULL;
}

static struct stand_in *stand_in_of(struct replaced *replaced, const char *word, size_t size)
{
    struct stand_in *found;

    for (size_t i = 0; i < replaced->word_count; i++)
        if (strlen(replaced->words[i].word) == size && memcmp(replaced->words[i].word, word, size) == 0)
            return &replaced->words[i];
    if (replaced->word_count == WORDS_MAX)
        return NULL;
    found = &replaced->words[replaced->word_count++];
    *found = (struct stand_in){.word = xstrndup(word, size)};
    return found;
}

static void count(struct list *list, struct replaced *replaced, const char *word, size_t size)
{
    struct stand_in *found = stand_in_of(replaced, word, size);

    if (!found)
        return;
    if (found->count_cap < list->count) {
        found->counts = xreallocarray(found->counts, list->count, sizeof *found->counts);
        memset(found->counts + found->count_cap, 0, (list->count - found->count_cap) * sizeof *found->counts);
        found->count_cap = list->count;
    }
    found->counts[list->count - 1]++;
}

static bool in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Counts REPLACED's words among those that begin before DATA + UPTO. A word of letters is none within a longer one. */
static void look_for(struct list *list, struct replaced *replaced, const char *data, size_t size, size_t upto)
{
    size_t length = strlen(replaced->stem);

    for (const char *at = data; (at = memmem(at, size - (size_t)(at - data), replaced->stem, length)); at++) {
        const char *end = at + length;
        char before = at > data ? at[-1] : list->before;

        if ((size_t)(at - data) >= upto)
            return;
        while (end < data + size && isdigit((unsigned char)*end) && end - at < STEM_MAX)
            end++;
        if ((in_word(at[0]) && in_word(before)) || (end < data + size && in_word(end[-1]) && in_word(*end)))
            continue;
        count(list, replaced, at, (size_t)(end - at));
    }
}

/* LAST: no more of this file comes. What may be a word's beginning waits for the rest. */
static void look(struct list *list, const char *data, size_t size, bool last)
{
    size_t keep = last || size < STEM_MAX ? 0 : STEM_MAX;

    for (size_t i = 0; i < list->replaced_count; i++)
        if (list->replaced[i].stem)
            look_for(list, &list->replaced[i], data, size, size - keep);
}

static void on_bytes(void *ctx, const char *data, size_t size)
{
    struct list *list = ctx;
    size_t all = list->carried + size, keep;
    CLEANUP_FREE char *joined = xmalloc(all + 1);

    memcpy(joined, list->carry, list->carried);
    memcpy(joined + list->carried, data, size);
    keep = all < STEM_MAX ? all : STEM_MAX;
    if (keep == STEM_MAX)
        look(list, joined, all, false);
    if (all > keep)
        list->before = joined[all - keep - 1];
    memcpy(list->carry, joined + all - keep, keep);
    list->carried = keep;
}

static void end_file(struct list *list)
{
    if (list->count)
        look(list, list->carry, list->carried, true);
    list->carried = 0;
    list->before = '\0';
}

static void on_entry(void *ctx, const struct unpack_item *item)
{
    struct list *list = ctx;
    struct held *held;

    end_file(list);
    held = array_add(&list->files, &list->count, &list->cap, sizeof *held);
    held->name = xstrdup(item->name);
    held->link = item->kind == UNPACK_LINK ? xstrdup_or_null(item->link) : NULL;
    held->directory = item->kind == UNPACK_DIRECTORY;
    held->size = item->size;
}

/* ---- telling ---- */

static const char *what_it_is(const struct held *held)
{
    const char *name = bundle_below_top(held->name), *purpose = pack_purpose(name);

    if (*purpose)
        return purpose;
    return strncmp(name, "repro/", 6) == 0 ? "of the reproduction" : "not a file that this version knows";
}

static void tell_files(const struct list *list, FILE *out)
{
    size_t files = 0, widest = 0;
    uint64_t bytes = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct held *held = &list->files[i];
        size_t length = strlen(held->name);

        files += !held->directory;
        bytes += held->size;
        widest = !held->directory && length > widest && length < 60 ? length : widest;
    }
    CLEANUP_FREE char *all = wording_size(bytes);

    fprintf(out, "In this bundle, %zu files, %s unpacked:\n", files, all);
    for (size_t i = 0; i < list->count; i++) {
        const struct held *held = &list->files[i];
        CLEANUP_FREE char *name = utf8_plain(held->name), *link = held->link ? utf8_plain(held->link) : NULL;
        CLEANUP_FREE char *size = held->link ? xstrdup("link") : wording_size(held->size);

        if (held->directory)
            continue;
        fprintf(out, "%10s  %-*s  %s%s\n", size, (int)widest, name, link ? "-> " : what_it_is(held), link ? link : "");
    }
}

static void tell_stand_in(const struct list *list, const struct stand_in *word, FILE *out)
{
    CLEANUP_FREE char *plain = utf8_plain(word->word);
    const char *comma = "";

    fprintf(out, "      %s in", plain);
    for (size_t i = 0; i < word->count_cap; i++) {
        CLEANUP_FREE char *name = word->counts[i] ? utf8_plain(bundle_below_top(list->files[i].name)) : NULL;

        if (!name)
            continue;
        fprintf(out, "%s %s (%llu)", comma, name, (unsigned long long)word->counts[i]);
        comma = ",";
    }
    fputc('\n', out);
}

static void tell_replaced(const struct list *list, FILE *out)
{
    fputs("\nReplaced in it:\n", out);
    for (size_t i = 0; i < list->replaced_count; i++) {
        const struct replaced *replaced = &list->replaced[i];
        CLEANUP_FREE char *phrase = utf8_plain(replaced->phrase);

        fprintf(out, "  %s\n", phrase);
        for (size_t k = 0; k < replaced->word_count; k++)
            tell_stand_in(list, &replaced->words[k], out);
    }
    if (!list->replaced_count)
        fputs("  nothing\n", out);
}

static void list_deinit(struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->files[i].name);
        free(list->files[i].link);
    }
    free(list->files);
    for (size_t i = 0; i < list->replaced_count; i++) {
        for (size_t k = 0; k < list->replaced[i].word_count; k++) {
            free(list->replaced[i].words[k].word);
            free(list->replaced[i].words[k].counts);
        }
        free(list->replaced[i].stem);
    }
    free(list->replaced);
}

int bundle_list(const char *file, FILE *out, struct err *err)
{
    struct list list = {0};
    const struct bundle_visitor visitor = {on_entry, on_bytes, &list};
    CLEANUP_FREE char *data = NULL;
    struct report *report;
    size_t size;
    int result;

    if (bundle_read(file, "report.json", &data, &size, err) < 0 ||
        report_json_parse(data, size, file, &report, err) < 0)
        return -1;
    list.replaced = xcalloc(report->redacted.n + 1, sizeof *list.replaced);
    for (size_t i = 0; i < report->redacted.n; i++, list.replaced_count++)
        list.replaced[i] = (struct replaced){.phrase = report->redacted.v[i], .stem = stem_of(report->redacted.v[i])};
    result = bundle_walk(file, &visitor, err);
    if (result >= 0) {
        end_file(&list);
        tell_files(&list, out);
        tell_replaced(&list, out);
    }
    list_deinit(&list);
    report_destroy(report);
    return result;
}
