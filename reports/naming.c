#include "naming.h"

#include "environment.h"
#include "told.h"
#include "sight.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/path.h>

enum { LIST_LINES = 64, SHORTEST = 3 };

/* ---- complaints ---- */

/* The line states another error than ERROR: it is about another call. */
static bool states_another(const char *line, int error)
{
    return !words_state(line, error) && words_other_error(line, error);
}

/* Libraries and programs make ENOENT of whatever kept them from a file (ld.so does of ELOOP): of one that is named by
 * its path that is no other call, but a wrong word for this one (words_mislead() says so then). */
static bool makes_it_absent(const char *line, int error)
{
    return (error == ELOOP || error == ENOTDIR || error == EACCES || error == EPERM) &&
           strcasestr(line, strerror(ENOENT));
}

/* "Could not locate the file. Tried:" and then a list, one place a line. */
static const struct output_line *head_of_list(const struct process *process, size_t i, int error)
{
    for (size_t n = 0; i > 0 && n < LIST_LINES; n++) {
        const char *line = process->lines[--i].text;
        size_t size = strlen(line);

        if (size && line[size - 1] == ':')
            return words_complain(line, error) ? &process->lines[i] : NULL;
    }
    return NULL;
}

static bool begins_item(const char *line)
{
    return isspace((unsigned char)line[0]) || strchr("-*/.0123456789", line[0]) || (unsigned char)line[0] >= 0x80;
}

/* ---- names ---- */

/* What may stand before a relative name that is told by its end: "./", "../", "~/", "$HOME/", "file://". */
static size_t prefix_before(const char *line, const char *at)
{
    const char *start = at - 1; /* the slash */

    while (start > line && !isspace((unsigned char)start[-1]) && start[-1] != '/' && !strchr("'\"`(<[=,;", start[-1]))
        start--;
    if (start == at - 1) /* "//": what is before it */
        return start > line && start[-1] == '/' ? 1 : 0;
    return start[0] == '$' || start[0] == '~' || (start[0] == '.' && (start[1] == '/' || start[1] == '.')) ||
                   at[-2] == ':'
               ? (size_t)(at - start)
               : 0;
}

/* Before an absolute path: nothing of its word, an option ("-I/usr"), "file://". Else it is the end of a longer one. */
static bool may_precede_path(const char *line, const char *at)
{
    const char *start = at;

    while (start > line && !isspace((unsigned char)start[-1]) && start[-1] > 0 && !strchr("'\"`(<[{=:,;|", start[-1]))
        start--;
    if (start == at || (start[0] == '-' && !memchr(start, '/', (size_t)(at - start))))
        return true;
    return at - start == 2 && strncmp(start, "//", 2) == 0 && start > line && start[-1] == ':';
}

/* "could not lock config file" names no file called "config"; "foo: config: …", 'config' and app.conf do. */
static bool stands_out(const char *line, const char *at, const char *base)
{
    size_t size = strlen(base);
    const char *end = at + size;

    for (size_t i = 0; i < size; i++)
        if (!isalpha((unsigned char)base[i]))
            return true;
    return *end == '\0' || *end == ':' || strncmp(end, " (", 2) == 0 || (at > line && strchr("'\"`<", at[-1])) ||
           (at > line && strchr("([", at[-1]) && strchr(")]", *end)) || (at > line && (unsigned char)at[-1] >= 0x80) ||
           (at >= line + 2 && strncmp(at - 2, ": ", 2) == 0);
}

/* Between quotes, or between colons ("cat: q: No such file or directory"): then it is a name, however short. */
static bool is_set_off(const char *line, const char *at, size_t size)
{
    static const char *const open[] = {"'", "\"", "`", "\u2018", "\u201c"}, *const close[] = {"'", "\"", "'", "\u2019",
                                                                                              "\u201d"};

    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        size_t n = strlen(open[i]);

        if ((size_t)(at - line) >= n && memcmp(at - n, open[i], n) == 0 &&
            strncmp(at + size, close[i], strlen(close[i])) == 0)
            return true;
    }
    return at - line >= 2 && strncmp(at - 2, ": ", 2) == 0 && strncmp(at + size, ": ", 2) == 0;
}

/* The last component of FORM stands at AT: how much of FORM does? What precedes it must not make it another file. */
static bool names_at(const char *line, const char *at, const char *form, struct naming *ret)
{
    const char *base = path_base(form), *end = at + strlen(base);
    size_t before = (size_t)(base - form), same = 0, whole;

    if (end[0] == '/' && (isalnum((unsigned char)end[1]) || (end[1] && strchr("._-", end[1]))))
        return false; /* a directory on the way to what is meant */
    while (same < before && at - same > line && at[-1 - (ptrdiff_t)same] == base[-1 - (ptrdiff_t)same])
        same++;
    whole = same;
    if (same < before) /* only whole components count */
        while (whole > 0 && base[-1 - (ptrdiff_t)whole] != '/')
            whole--;
    at -= whole;
    if (whole && whole == before && at[0] == '/') { /* all of an absolute path */
        if (!may_precede_path(line, at))
            return false;
        ret->how = NAMED_BY_PATH;
    } else if (at > line && at[-1] == '/') {
        size_t prefix = prefix_before(line, at);

        if (!prefix)
            return false;
        at -= prefix;
        ret->how = NAMED_BY_PATH;
    } else {
        ret->how = whole ? NAMED_BY_PATH : NAMED_BARELY;
        if (ret->how == NAMED_BARELY &&
            ((strlen(base) < SHORTEST && !is_set_off(line, at, strlen(base))) || !stands_out(line, at, base) ||
             (at > line && at[-1] > 0 && !strchr(" \t'\"`(<[{=:,", at[-1]))))
            return false;
    }
    ret->at = (size_t)(at - line);
    return true;
}

static bool better(const struct naming *one, const struct naming *than)
{
    return one->how > than->how || (one->how == than->how && one->at < than->at);
}

/* Whether LINE names FORM, and where it does so best. */
static bool names(const char *line, const char *form, struct naming *ret)
{
    const char *base = form ? path_base(form) : "";
    bool found = false;

    for (const char *at = line; *base && (at = line_finds(line, at, base)); at++) {
        struct naming one = *ret;

        if (names_at(line, at, form, &one) && (!found || better(&one, ret))) {
            *ret = one;
            found = true;
        }
    }
    return found;
}

static bool line_names(const char *line, const struct attempt *attempt, struct naming *ret)
{
    struct naming by_path = {0}, as_passed = {0};
    bool path = names(line, attempt->path, &by_path);
    bool passed =
        attempt->string && strcmp(attempt->string, attempt->path) != 0 && names(line, attempt->string, &as_passed);

    if (!path && !passed)
        return false;
    *ret = passed && (!path || better(&as_passed, &by_path)) ? as_passed : by_path;
    return true;
}

/* LINE without the name that stands in it: what the words in a path mean is no matter. malloced. */
static char *without_name(const char *line, const struct naming *naming)
{
    char *copy = xstrdup(line);

    for (size_t i = naming->at; copy[i] && !strchr(" \t'\"`)>],;", copy[i]) && (unsigned char)copy[i] != 0xe2; i++)
        copy[i] = '_';
    return copy;
}

/* "    ^~~~" and gcc's "      |          ^~~~": it points into the line above. */
static bool is_pointer(const char *line)
{
    return strchr(line, '^') && line[strspn(line, " \t|^~")] == '\0';
}

/* `  File "x.py", line 3, in f`: what follows, set in, is that line, where Python has it. */
static bool is_place(const char *line)
{
    return strncmp(line, "  File \"", 8) == 0 && strstr(line, "\", line ");
}

/* Line number I of PROCESS is of the program's own text, as runtimes quote it to show where something happened: it is
 * not what happened. */
static bool is_quotation(const struct process *process, size_t i)
{
    return (i + 1 < process->line_count && is_pointer(process->lines[i + 1].text)) ||
           (i > 0 && is_place(process->lines[i - 1].text) && strncmp(process->lines[i].text, "    ", 4) == 0);
}

/* "node: cannot start" is node speaking, and about no file of that name. */
static bool speaks_of_itself(const struct process *process, const struct attempt *attempt, const struct naming *naming)
{
    const char *name = path_base(attempt->path), *called = process->argv.n ? path_base(process->argv.v[0]) : NULL;

    return naming->how == NAMED_BARELY && ((process->exe && strcmp(path_base(process->exe), name) == 0) ||
                                           (called && naming->at == 0 && strcmp(called, name) == 0));
}

/* A line of the loader's names libraries and symbols: any other word in it is a word ("version `X' not found"). Nor
 * does anybody mean a file of the kernel's, or one that the C library does without, by its last component. */
static bool means_no_file(const char *line, const struct attempt *attempt, const struct naming *naming)
{
    struct told told;
    bool other;

    if (naming->how != NAMED_BARELY)
        return false;
    told_in_line(line, &told);
    other =
        told.what != TOLD_NOTHING && !(told.object && strcmp(path_base(told.object), path_base(attempt->path)) == 0);
    told_deinit(&told);
    return other || judge_open_optional(attempt->path);
}

/* "make: *** [Makefile:2: x.o] Error 1", in any language: what was to be made, by a program that has spoken for itself.
 */
static bool is_recipe(const char *line)
{
    const char *end = strstr(line, "*** [") ? strrchr(line, ']') : NULL;
    size_t size;

    if (!end || end[1] != ' ')
        return false;
    size = strcspn(end + 2, " ");
    return end[2 + size] == ' ' && isdigit((unsigned char)end[3 + size]);
}

/* What stands in LINE, with a directory, is a file that is there: of others whose names end so the line says nothing.
 */
static bool names_what_is_there(const struct process *process, const char *line, const struct attempt *attempt,
                                const struct naming *naming)
{
    const char *at = line + naming->at, *base = path_base(attempt->path), *end = strstr(at, base);
    CLEANUP_FREE char *name = end && process->cwd ? xstrndup(at, (size_t)(end - at) + strlen(base)) : NULL;
    CLEANUP_FREE char *path = name ? path_join(process->cwd, name) : NULL;
    struct stat st;

    return naming->how == NAMED_BY_PATH && path && name[0] != '/' && strchr(name, '/') &&
           strcmp(path, attempt->path) != 0 && sight_stat(process, path, &st) == 0;
}

/* Which errors calls on a file's name give, all of which are seen: where a line gives another one than the call on the
 * path that it names did, and no call did give that one, the line is wrong (words_mislead() says so then). */
static bool misstates(const struct process *process, const char *line, const struct attempt *attempt)
{
    static const int errors[] = {ENOENT, EACCES, EPERM, ENOTDIR, ELOOP};
    struct episode *episode, *next;
    bool stated = false;

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        stated |= errors[i] != attempt->error && strcasestr(line, strerror(errors[i]));
    for (size_t i = 0; i < process->failure_count; i++)
        stated &= !strcasestr(line, strerror(process->failures[i].error));
    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = 0; stated && i < episode->count; i++)
        stated &= strcmp(episode->attempts[i]->path, attempt->path) != 0 ||
                  !strcasestr(line, strerror(episode->attempts[i]->error));
    return stated;
}

/* Perl lists behind each complaint all directories that it searches. */
static bool is_search_path(const char *line, const struct naming *naming)
{
    const char *list = strstr(line, "(@INC contains:");

    list = list ? list : strstr(line, "(@INC entries checked:");
    return list && line + naming->at > list;
}

/* Line number I of PROCESS: false where it is not about ATTEMPT. */
static bool read_line(const struct process *process, size_t i, const struct attempt *attempt, struct naming *ret)
{
    const struct output_line *line = &process->lines[i], *head;
    bool last = i + 1 == process->line_count;

    *ret = (struct naming){0};
    if (is_quotation(process, i) || is_recipe(line->text) || !line_names(line->text, attempt, ret) ||
        speaks_of_itself(process, attempt, ret) || means_no_file(line->text, attempt, ret) ||
        names_what_is_there(process, line->text, attempt, ret) || is_search_path(line->text, ret))
        return false;
    CLEANUP_FREE char *rest = without_name(line->text, ret);
    if (states_another(rest, attempt->error) &&
        !(ret->how == NAMED_BY_PATH && (makes_it_absent(rest, attempt->error) || misstates(process, rest, attempt))))
        return false;
    ret->warns = words_shrug(rest);
    ret->last = last;
    head = begins_item(line->text) ? head_of_list(process, i, attempt->error) : NULL;
    ret->line = line;
    ret->complaint = head ? head : line;
    /* a path that is all that was said at last is a complaint in any language */
    return (head || words_complain(rest, attempt->error) || (last && ret->how == NAMED_BY_PATH));
}

/* On standard output, where all sorts of names stand: only by its path. */
static bool read_spoken(const struct process *process, const struct output_line *line, const struct attempt *attempt,
                        struct naming *ret)
{
    *ret = (struct naming){0};
    if (is_recipe(line->text) || !line_names(line->text, attempt, ret) || ret->how != NAMED_BY_PATH ||
        names_what_is_there(process, line->text, attempt, ret))
        return false;
    CLEANUP_FREE char *rest = without_name(line->text, ret);
    ret->line = ret->complaint = line;
    return !words_shrug(rest) && !states_another(rest, attempt->error) && words_complain(rest, attempt->error);
}

bool naming_find(const struct process *process, const struct attempt *attempt, struct naming *ret)
{
    struct naming one;

    *ret = (struct naming){0};
    for (size_t i = process->line_count; i-- > 0 && process->lines[i].n >= attempt->n;)
        if (read_line(process, i, attempt, &one) && one.how > ret->how)
            *ret = one;
    for (size_t i = process->spoken_count; i-- > 0 && process->spoken[i].n >= attempt->n;)
        if (read_spoken(process, &process->spoken[i], attempt, &one) && one.how > ret->how)
            *ret = one;
    return ret->how != NAMED_NOT;
}

bool naming_mentions(const struct process *process, const char *line, const struct attempt *attempt)
{
    struct naming naming = {0};

    if (is_recipe(line) || !line_names(line, attempt, &naming) || speaks_of_itself(process, attempt, &naming) ||
        names_what_is_there(process, line, attempt, &naming))
        return false;
    CLEANUP_FREE char *rest = without_name(line, &naming);
    return !states_another(rest, attempt->error) && !words_shrug(rest) && !strcasestr(rest, "usage");
}
