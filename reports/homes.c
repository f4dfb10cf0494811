#include "homes.h"

#include "text.h"

#include <probes/alloc.h>

#include <errno.h>
#include <string.h>

#define WORD "$HOME"
#define PATH "/$HOMEPLACE" /* not the variable's name, which words about a variable are looked for by */

static char *replaced(const char *text, const char *from, const char *to)
{
    struct text out = {0};
    const char *at;

    while ((at = strstr(text, from))) {
        text_addn(&out, text, (size_t)(at - text));
        text_add(&out, to);
        text = at + strlen(from);
    }
    text_add(&out, text);
    return out.v;
}

char *homes_put_back(const char *text)
{
    return replaced(text, PATH, WORD);
}

/* ---- a log ---- */

/* Byte by byte: WORD's first letter stands nowhere else in it. */
static bool copy(FILE *in, FILE *out)
{
    size_t met = 0;
    bool any = false;
    int c;

    while ((c = getc_unlocked(in)) != EOF) {
        if (c == WORD[met]) {
            if (++met == strlen(WORD)) {
                fputs(PATH, out);
                any = true;
                met = 0;
            }
            continue;
        }
        fwrite(WORD, 1, met, out);
        met = c == WORD[0];
        if (!met)
            putc_unlocked(c, out);
    }
    fwrite(WORD, 1, met, out);
    return any;
}

int homes_in_log(FILE *in, FILE **ret, struct err *err)
{
    FILE *out = tmpfile();
    bool any;

    *ret = NULL;
    if (!out)
        return err_errno(err, errno, "cannot keep a log in %s", P_tmpdir);
    any = copy(in, out);
    rewind(in);
    if (fflush(out) != 0 || ferror(out)) {
        fclose(out);
        return err_errno(err, errno, "cannot keep a log in %s", P_tmpdir);
    }
    rewind(out);
    if (any)
        *ret = out;
    else
        fclose(out);
    return 0;
}

/* ---- a report ---- */

struct change {
    const char *from, *to;
};

static void change(const struct change *how, char **string)
{
    char *changed;

    if (!*string || !strstr(*string, how->from))
        return;
    changed = replaced(*string, how->from, how->to);
    free(*string);
    *string = changed;
}

static void change_all(const struct change *how, struct strings *list)
{
    for (size_t i = 0; i < list->n; i++)
        change(how, &list->v[i]);
}

static void change_lists(const struct change *how, struct cause *cause)
{
    for (size_t i = 0; i < cause->stack_count; i++) {
        change(how, &cause->stack[i].object);
        change(how, &cause->stack[i].file);
    }
    for (size_t i = 0; i < cause->remedy_count; i++) {
        change(how, &cause->remedies[i].title);
        change_all(how, &cause->remedies[i].commands);
        change(how, &cause->remedies[i].risk);
    }
    for (size_t i = 0; i < cause->fact_count; i++)
        change(how, &cause->facts[i].text);
    for (size_t i = 0; i < cause->place_count; i++) {
        change(how, &cause->places[i].path);
        change(how, &cause->places[i].from);
        change(how, &cause->places[i].why);
    }
    for (size_t i = 0; i < cause->crash_count; i++) {
        change(how, &cause->crash[i].title);
        change_all(how, &cause->crash[i].lines);
    }
}

static void change_cause(const struct change *how, struct cause *cause)
{
    char **const strings[] = {&cause->subject, &cause->missing, &cause->provider, &cause->exe,
                              &cause->summary, &cause->detail,  &cause->words,    &cause->elsewhere};

    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        change(how, strings[i]);
    change_all(how, &cause->argv);
    change_all(how, &cause->chain);
    change_all(how, &cause->symbols);
    change_lists(how, cause);
}

void homes_in_report(struct report *report, bool put_back)
{
    const struct change how = put_back ? (struct change){PATH, WORD} : (struct change){WORD, PATH};

    change_all(&how, &report->argv);
    change(&how, &report->libc.path);
    change(&how, &report->libc.from);
    change_all(&how, &report->ruled_out);
    change_all(&how, &report->unseen);
    for (size_t i = 0; i < report->cause_count; i++)
        change_cause(&how, report->causes[i]);
}
