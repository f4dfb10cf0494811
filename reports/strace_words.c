/* What programs write, from strace's lines. A string that strace has cut (-s, 32 bytes unless told otherwise) is made
 * whole where only one thing can have stood there (strace_cut.c). What remains is cut at a word's beginning: half a
 * name is a wrong one. */
#include "read_strace.h"

#include "read_said.h"
#include "strace_value.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <stdlib.h>
#include <string.h>

/* One buffer: TEXT as strace shows it, of WHOLE bytes. */
static void add(struct strace *strace, struct strace_group *group, struct text *out, const char *text, size_t whole)
{
    size_t from = out->n;
    bool cut;

    if (!strace_string(text, out, &cut) || !cut)
        return;
    if (strace_complete(strace, group, out, from, whole))
        return;
    while (out->n > from && !strace_boundary(out->v[out->n - 1]))
        out->n--;
    text_add(out, "...");
    group->in_line = true; /* whether it ends there, what comes next tells */
}

/* "[{iov_base="…", iov_len=4}, …]", "[{"…", 4}, …]". */
static void add_vector(struct strace *strace, struct strace_group *group, struct text *out, const char *p)
{
    for (p = strchr(p, '{'); p; p = strchr(p, '{')) {
        const char *string = strchr(p, '"'), *rest;
        struct text skipped = {0};
        bool cut;

        if (!string)
            return;
        rest = strace_string(string, &skipped, &cut);
        text_deinit(&skipped);
        if (!rest)
            return;
        rest += strcspn(rest, "0123456789}");
        add(strace, group, out, string, strtoul(rest, NULL, 10));
        p = rest + strcspn(rest, "}");
    }
}

/* The terminal had the program's words in the middle of strace's line: "write(2, "ls: "..., 40ls: cannot access …) =
 * 40".
 */
static bool add_interleaved(struct text *out, const char *size_text)
{
    char *rest;
    size_t size = strtoul(size_text, &rest, 10), n = strlen(rest);

    if (!n || *rest == ' ' || n + 1 < size)
        return false;
    text_addn(out, rest, n < size ? n : size);
    return true;
}

/* The words before were cut, and what is written now begins a line: what follows a part of a message does with a colon,
 * or is but the end of the line (error(3) of glibc writes a message in pieces). */
static bool ends_line(struct strace_group *group, const struct strace_call *call)
{
    const char *string = strchr(call->text[1], '"');
    bool goes_on = string && (strncmp(string, "\": ", 3) == 0 || strncmp(string, "\"\\n\"", 4) == 0);
    bool ends = group->in_line && !goes_on;

    group->in_line = false;
    return ends;
}

void strace_written(struct strace *strace, struct strace_group *group, const struct strace_call *call)
{
    struct text *out = &strace->data;

    text_clear(out);
    if (call->count < 2)
        return;
    if (ends_line(group, call))
        text_addc(out, '\n');
    if (call->name->handling == HANDLE_WRITEV) {
        add_vector(strace, group, out, call->text[1]);
    } else if (call->name->handling == HANDLE_SENDMSG) {
        const char *vector = strstr(call->text[1], "msg_iov");

        add_vector(strace, group, out, vector ? vector : call->text[1] + (*call->text[1] == '{'));
    } else if (call->count < 3 || !add_interleaved(out, call->text[2])) {
        add(strace, group, out, call->text[1], call->count > 2 ? strtoul(call->text[2], NULL, 10) : 0);
    }
}

/* STRING, N bytes, with dots in the place of what is not known; malloced. */
static struct text with_dots(const char *string, size_t n)
{
    struct text text = {0};

    for (size_t i = 0; i < n; i++)
        if (string[i] == STRACE_UNKNOWN)
            text_add(&text, "...");
        else
            text_addc(&text, string[i]);
    return text;
}

static void put_dots(char **string)
{
    struct text text;

    if (!*string || !strchr(*string, STRACE_UNKNOWN))
        return;
    text = with_dots(*string, strlen(*string));
    free(*string);
    *string = text.v;
}

static void show_unknown(struct said *said)
{
    if (!said->args[0] && said->message && strchr(said->message, STRACE_UNKNOWN))
        said->args[0] = xstrdup("..."); /* all of it is a guess */
    put_dots(&said->object);
    put_dots(&said->message);
    for (size_t i = 0; i < sizeof said->args / sizeof *said->args; i++)
        put_dots(&said->args[i]);
}

/* Why a dlopen failed, or the program ended at its start: by words, and by what the loader did before them. */
static void tell_said(struct strace *strace, struct strace_thread *thread, struct said *said)
{
    const struct strace_group *group = thread->group;
    const char *name = said->object ? said->object : said->args[0];
    const char *needer = said->object && !said->args[0] ? strace_needer(group, name) : NULL;
    struct event_loader error = said_event(said, group->loading ? LOADER_FATAL : LOADER_CAUGHT);

    if (!group->loading && strace_has_told(group, name))
        return;
    if (needer) {
        error.format = "Error loading shared library %s: %m (needed by %s)";
        error.object = NULL;
        error.args[0] = name;
        error.args[1] = needer;
    }
    strace_tell_refused(strace, thread, &error);
}

static void data_with_dots(struct text *data)
{
    struct text text;

    if (!data->n || !memchr(data->v, STRACE_UNKNOWN, data->n))
        return;
    text = with_dots(data->v, data->n);
    text_deinit(data);
    *data = text;
}

void strace_said(struct strace *strace, struct strace_thread *thread)
{
    enum { LINE_MOST = 1 << 14 };
    struct text *line = &thread->group->line;
    const char *p = strace->data.n ? strace->data.v : "";

    while (*p) { /* musl writes a line in pieces */
        size_t n = strcspn(p, "\n");
        struct said said;

        if (line->n + n < LINE_MOST)
            text_addn(line, p, n);
        if (p[n] == '\n') {
            if (line->n && !strstr(line->v, "...") && said_parse(line->v, &said)) {
                show_unknown(&said);
                tell_said(strace, thread, &said);
                said_deinit(&said);
            }
            text_clear(line);
        }
        p += n + (p[n] == '\n');
    }
    data_with_dots(&strace->data);
}
