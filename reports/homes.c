#include "homes.h"

#include "report_each.h"
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

static void change(void *ctx, char **string)
{
    const struct change *how = ctx;
    char *changed;

    if (!strstr(*string, how->from))
        return;
    changed = replaced(*string, how->from, how->to);
    free(*string);
    *string = changed;
}

void homes_in_report(struct report *report, bool put_back)
{
    struct change how = put_back ? (struct change){PATH, WORD} : (struct change){WORD, PATH};

    report_each_string(report, 0, change, &how);
}
