/* What a line of a program's says: whether it complains, and of what (part of environment.h). */
#include "environment.h"

#include <ctype.h>
#include <string.h>

#include <probes/alloc.h>

/* WORDS are in small letters. All the words that programs say come by here: one copy and strstr(3) take a fifth of the
 * time of as many strcasestr(3). */
static bool holds_one_of(const char *line, const char *const *words)
{
    CLEANUP_FREE char *small = xstrdup(line);

    for (char *p = small; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    for (; *words; words++)
        if (strstr(small, *words))
            return true;
    return false;
}

/* A line that names a thing need not be about it: "make: *** [all] Error 1". It is where it complains, in the C
 * library's words for that error or in a few that most programs use; of another language's words nothing can be said.
 */
bool words_complain(const char *line, int error)
{
    static const char *const words[] = {
        "cannot", "can't", "could not", "couldn't", "unable", "not found", "no such", "missing", "failed", "denied",
        "not exist", "not open", "not read", "not load", "fatal", "required", "not permitted", "needed by",
        "not appear", "not contain", "can not", "not there", "isn't", "absent", "nonexist", "unreadable", "accessible",
        "not readable", "not writable", "unavailab", "not available", " is needed",
        /* java.nio.file's exceptions have no more than the path behind them */
        "notfound", "nosuchfile", "accessdenied", "notdirectoryexception", "filesystemloop", NULL};

    return words_state(line, error) || holds_one_of(line, words);
}

bool words_state(const char *line, int error)
{
    const char *name = error ? errno_name(error) : NULL;

    return error && (strcasestr(line, strerror(error)) || (name && words_word(line, name, strlen(name))));
}

bool words_warn(const char *line)
{
    /* "warning" and "Warnung", "ignoring" and "ignored" */
    static const char *const beginnings[] = {"warn", "ignor"};

    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        for (const char *at = line; (at = strcasestr(at, beginnings[i])); at++)
            if (at == line || strchr(" \t[(<:", at[-1])) /* not in a file's name */
                return true;
    return strstr(line, "Warning: ") ||
           strstr(line, "-WARNING "); /* Python's "UserWarning: ", GLib's "Gtk-WARNING **" */
}

bool words_shrug(const char *line)
{
    static const char *const words[] = {
        "warning",    "warn:",       "default",  "ignor",        "skipp",       "fall back", "falling",  "fallback",
        "continuing", "carrying on", "optional", "using built",  "instead",     "no matter", "harmless", "going on",
        "proceeding", "disabl",      "retrying", "trying again", "trying with", NULL};

    return words_warn(line) || holds_one_of(line, words);
}

/* A word that is a name: a path, a file name or version, something in quotes, an option. */
static bool is_name(const char *word, size_t size)
{
    if (strchr("'\"`<", word[0]) || (unsigned char)word[0] == 0xe2 || word[0] == '-')
        return size > 1;
    for (size_t i = 0; i < size; i++)
        if (word[i] == '/' || word[i] == '=' || word[i] == '@' ||
            (i > 0 && i + 1 < size && (word[i] == '.' || word[i] == ':') && word[i + 1] != word[i]))
            return true;
    return false;
}

static bool names_something(const char *line)
{
    while (*line) {
        size_t size = strcspn(line, " \t");

        if (size && is_name(line, size))
            return true;
        line += size + strspn(line + size, " \t");
    }
    return false;
}

bool words_other_error(const char *line, int error)
{
    for (int i = 1; i < 134; i++) /* asm-generic/errno.h ends there */
        if (i != error && words_state(line, i) && !(error && strcasestr(strerror(error), strerror(i))))
            return true;
    return false;
}

const char *words_word(const char *line, const char *word, size_t size)
{
    for (const char *at = line; size && (at = memmem(at, strlen(at), word, size)); at++) {
        const char *end = at + size;
        bool begins = at == line || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        bool ends = !(isalnum((unsigned char)*end) || *end == '_');

        if (begins && ends)
            return at;
    }
    return NULL;
}

/* LINE behind what it begins with: "/usr/bin/foo: ", "[foo] ", "foo[12]: ". */
static const char *behind_program(const char *line, const char *program)
{
    size_t n = program ? strlen(program) : 0, first = strcspn(line, " \t");
    const char *at = n ? words_word(line, program, n) : NULL;

    return at && at < line + first ? at + n : line;
}

/* What a line is about that has one of them is no file that failed to open. */
static const char *const elsewhere[] = {"usage",    "try ",     "option", "syntax",  "parse",     "parsing", "assert",
                                        "expected", "argument", "test",   "timeout", "timed out", "connect", "password",
                                        "network",  "display",  "socket", "input",   "stdin",     NULL};

/* The exceptions by which Python and JavaScript programs fail over their own data. */
static const char *const own_data[] = {"valueerror",        "typeerror",      "keyerror",       "indexerror",
                                       "zerodivisionerror", "nameerror",      "rangeerror",     "syntaxerror",
                                       "referenceerror",    "attributeerror", "assertionerror", NULL};

/* perl's "… at x.pl line 3." and "x.c:3: …" say where, not of what. malloced. */
static char *without_place(const char *line)
{
    size_t first = strcspn(line, " \t"), digits = first;
    const char *at = strstr(line, " at "), *number = at ? strstr(at, " line ") : NULL;

    while (digits > 1 && (isdigit((unsigned char)line[digits - 2]) || line[digits - 2] == ':'))
        digits--;
    if (first && line[first - 1] == ':' && first - digits > 1)
        return xstrdup(line + first);
    return number && isdigit((unsigned char)number[6]) ? xstrndup(line, (size_t)(at - line)) : xstrdup(line);
}

bool words_own_reason(const char *line, const char *program)
{
    CLEANUP_FREE char *rest = without_place(behind_program(line, program));

    return words_object(rest) && (holds_one_of(rest, elsewhere) || holds_one_of(rest, own_data) ||
                                  words_other_error(rest, 0) || names_something(rest));
}

/* "cannot start at x.pl line 3.": perl's alone. malloced. */
static char *without_line(const char *line)
{
    const char *at = strstr(line, " at "), *number = at ? strstr(at, " line ") : NULL;

    return number && isdigit((unsigned char)number[6]) ? xstrndup(line, (size_t)(at - line)) : xstrdup(line);
}

bool words_vague(const char *said, const char *program, int error, bool *text)
{
    static const char *const general[] = {"error", "abort", "giving up", "died", NULL};
    CLEANUP_FREE char *line = without_line(said);
    const char *rest = behind_program(line, program);

    *text = error && strcasestr(rest, strerror(error));
    if (strncmp(line, "Died at ", 8) == 0) /* perl's die() with nothing to say */
        return true;
    if (holds_one_of(rest, elsewhere) || words_other_error(rest, error) || words_shrug(rest))
        return false;
    return *text || ((words_complain(rest, 0) || holds_one_of(rest, general)) && !names_something(rest));
}

bool words_usage(const char *line)
{
    static const char *const words[] = {
        "unknown flag",        "unknown shorthand flag", "unknown option",
        "unrecognized option", "unrecognised option",    "unrecognized argument",
        "invalid option",      "illegal option",         "flag provided but not defined",
        "unknown command",     "unknown subcommand",     "unknown argument",
        "unexpected argument", "too many arguments",     "requires an argument",
        "missing operand",     "ambiguous option",       NULL};

    return holds_one_of(line, words);
}

bool words_ask(const char *line)
{
    static const char *const words[] = {"please ", "install ", "installed", "need", "require", NULL};

    return holds_one_of(line, words);
}

bool words_object(const char *line)
{
    static const char *const words[] = {"invalid", "must be",   "must have", "unknown", "unsupported",   "not allowed",
                                        "illegal", "not a ",    "not an ",   "ignor",   "unrecogni",     "bad ",
                                        "is not ", "not valid", "error",     "wrong",   "not supported", "parsing ",
                                        "failure", "refused",   NULL};

    return words_complain(line, 0) || holds_one_of(line, words);
}

const char *words_path(const char *line, const char *path)
{
    size_t size = strlen(path);

    for (const char *at = line; size && (at = strstr(at, path)); at++) {
        const char *end = at + size;
        bool scheme = at - line >= 2 && at[-1] == '/' && at[-2] == '/'; /* "unix:///run/x" */
        bool begins =
            at == line || (!words_name_byte(at[-1]) && at[-1] != '/') || scheme || words_quote_before(line, at);
        bool ends = !words_name_byte(*end) || (*end == '.' && !words_name_byte(end[1])) || words_quote_at(end);

        if (begins && ends)
            return at;
    }
    return NULL;
}
