/* Variables of a process that its own words, or the loader's, say to be wrong.
 *
 * Where a failing call names the path, judge_led.c finds the variable. Here are the others: the call was none that is
 * traced, the value is no path, or the words name something that was looked for where the variable says. */
#include "environment.h"

#include "sight.h"

#include "syscall.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <probes/alloc.h>

enum {
    LINES_READ = 64,  /* the last ones of a process */
    VALUE_LEAST = 3,  /* bytes: a shorter value in a line is chance */
    LINE_MOST = 4096, /* of a line that is searched for many words */
};

struct reading {
    struct process *process;
    bool failed;
    bool explained; /* another suspect does, in words */
};

/* One that was suspected for a call, and for want of words not believed. */
static struct suspect *doubted(struct process *process, const struct lead *lead)
{
    for (size_t i = 0; i < process->suspect_count; i++) {
        struct suspect *suspect = &process->suspects[i];

        if (suspect->cause->kind == CAUSE_ENVIRONMENT_WRONG && suspect->cause->confidence <= 0 &&
            strcmp(suspect->cause->missing, lead->variable.entry) == 0)
            return suspect;
    }
    return NULL;
}

/* LEAD's path may be NULL. Takes nothing. */
static struct suspect *accuse(const struct reading *reading, struct lead *lead, const struct output_line *line,
                              uint64_t n, double sure)
{
    struct process *process = reading->process;
    struct finding finding = {.kind = CAUSE_ENVIRONMENT_WRONG,
                              .process = process,
                              .path = lead->path,
                              .subject = process->exe ? process->exe : "",
                              .missing = lead->variable.entry,
                              .lead = lead};
    struct suspect *suspect = doubted(process, lead);

    if (suspect) {
        suspect->at = AT_VARIABLE;
        suspect->coped = false;
        suspect->cause->confidence = sure;
        free(suspect->cause->words);
        suspect->cause->words = NULL;
    } else if (process->exe) {
        suspect = suspect_add(process, AT_VARIABLE, &finding, n, process->end_ns);
    }
    if (!suspect)
        return NULL;
    suspect->sure = sure;
    suspect->said_n = line ? line->n : 0;
    if (line && !suspect->cause->words) {
        suspect->cause->words = xstrdup(line->text);
        if (line->n != n)
            cause_evidence(suspect->cause, line->n);
    }
    return suspect;
}

/* Those that were doubted are settled already. */
static void settle_doubted(const struct reading *reading)
{
    for (size_t i = 0; i < reading->process->suspect_count; i++) {
        struct suspect *suspect = &reading->process->suspects[i];

        if (suspect->at == AT_VARIABLE)
            suspect->cause->impact = reading->failed && !suspect->lived_with ? IMPACT_FATAL : IMPACT_DEGRADED;
    }
}

/* ---- LD_PRELOAD and LD_AUDIT: the loader goes on without ---- */

/* glibc's elf/rtld.c, in no language: "object '%s' from %s cannot be preloaded (%s): ignored.", "object '%s' cannot be
 * loaded as audit interface: %s; ignored." One of another class is for other programs of the session (a list for both);
 * the loader passes over it. */
static const struct output_line *loader_ignored(const struct process *process, const char *entry, const char *what)
{
    for (size_t i = 0; i < process->line_count; i++) {
        const struct output_line *line = &process->lines[i];
        const char *at = line->by == BY_LOADER && line->n >= process->exec_n ? strstr(line->text, what) : NULL;
        CLEANUP_FREE char *quoted = xasprintf("object '%s'", entry);

        if (at && strstr(line->text, quoted) && !strstr(line->text, "wrong ELF class"))
            return line;
    }
    return NULL;
}

static void judge_ignored(const struct reading *reading, const struct variable *variable)
{
    struct process *process = reading->process;
    bool audit = variable_is(variable, "LD_AUDIT");

    if (!audit && !variable_is(variable, "LD_PRELOAD"))
        return;
    for (const char *p = variable->value; *p;) {
        size_t size = strcspn(p, audit ? ":" : ": ");
        CLEANUP_FREE char *entry = xstrndup(p, size);
        const struct output_line *line =
            size ? loader_ignored(process, entry, audit ? "as audit interface" : "from LD_PRELOAD cannot") : NULL;
        struct lead lead = {*variable, line ? xstrdup(entry) : NULL, LEAD_ABSENT};
        struct suspect *suspect = line ? accuse(reading, &lead, line, line->n, 0.95) : NULL;

        if (suspect)
            suspect->lived_with = true;
        lead_deinit(&lead);
        p += size + (p[size] != '\0');
    }
}

/* ---- a path of a value in a line that complains ---- */

static bool is_there(const struct process *process, const char *path)
{
    enum path_reason reason = sight_known(process, path, NULL);

    return reason != PATH_ABSENT && reason != PATH_NOT_DIRECTORY;
}

/* The words contradict the kind of thing that is there. */
static bool of_another_kind(const char *line, const char *at, const char *path)
{
    return (strcasestr(line, strerror(EISDIR)) || strcasestr(line, strerror(ENOTDIR))) && at[strlen(path)] != '/';
}

/* The last word is about something else. */
static bool complains_later(const struct process *process, const struct output_line *line, const char *path)
{
    bool later = false;

    for (size_t i = 0; i < process->line_count; i++)
        if (process->lines[i].n > line->n && words_complain(process->lines[i].text, 0))
            later = !words_path(process->lines[i].text, path);
    return later;
}

/* The library that the loader was sent for by PATH, of which it says that it is not there. */
static struct suspect *library_at(struct process *process, const char *path)
{
    for (size_t i = 0; i < process->suspect_count; i++) {
        struct suspect *suspect = &process->suspects[i];

        if (suspect->at == AT_DLOPEN && suspect->cause->kind == CAUSE_LIBRARY_MISSING &&
            suspect->cause->confidence > 0 && strcmp(suspect->cause->missing, path) == 0)
            return suspect;
    }
    return NULL;
}

/* The whole value is what the loader was asked for: the variable is nearer to what is to be changed. */
static bool take_library(const struct variable *variable, struct suspect *library)
{
    if (!library || strcmp(variable->value, library->cause->missing) != 0)
        return false;
    library->renamed = true;
    library->cause->confidence = 0;
    return library->cause->impact == IMPACT_FATAL;
}

static void judge_path_in(const struct reading *reading, const struct variable *variable,
                          const struct output_line *line)
{
    const struct process *process = reading->process;
    bool goes_on = !reading->failed || reading->explained || words_warn(line->text);
    struct strings paths;

    variable_paths(variable->value, process->cwd, &paths);
    for (size_t i = 0; i < paths.n; i++) {
        const char *at = words_path(line->text, paths.v[i]);
        struct lead lead = {*variable, NULL, LEAD_ABSENT};
        struct suspect *suspect;
        bool taken_over;

        if (!at ||
            (is_there(process, paths.v[i]) && !of_another_kind(line->text, at, paths.v[i]) &&
             !lead_not_meant(process, variable, paths.v[i])) ||
            lead_is_outdone(process, variable, paths.v[i]))
            continue;
        lead.path = xstrdup(paths.v[i]);
        lead.fault = is_there(process, paths.v[i]) ? LEAD_NOT_MEANT : LEAD_ABSENT;
        taken_over = take_library(variable, library_at(reading->process, paths.v[i]));
        goes_on &= !taken_over;
        suspect = accuse(reading, &lead, line, line->n,
                         goes_on                                      ? 0.8
                         : complains_later(process, line, paths.v[i]) ? 0.6
                                                                      : 0.9);
        if (suspect)
            suspect->lived_with = goes_on;
        lead_deinit(&lead);
        break;
    }
    strings_deinit(&paths);
}

/* ---- a value that the program does not take ---- */

/* What programs call the thing that a variable is about, where they do not name the variable. */
static const struct topic {
    const char *name, *word;
} topics[] = {
    {"TERM", "terminal"}, {"TERM", "terminfo"}, {"DISPLAY", "display"},
    {"TZ", "time zone"},  {"TZ", "timezone"},   {"QT_QPA_PLATFORM", "platform plugin"},
};

static bool topic_of(const struct variable *variable, const char *line)
{
    if (words_word(line, variable->entry, variable->name_size))
        return true;
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        if (variable_is(variable, topics[i].name) && strcasestr(line, topics[i].word))
            return true;
    return false;
}

/* The whole value, or an argument in it. */
static bool names_value(const char *line, const char *value)
{
    size_t whole = strlen(value);

    if (whole >= VALUE_LEAST && whole < LINE_MOST && words_word(line, value, whole))
        return true;
    for (const char *p = value; *p; p += strspn(p, " \t,")) {
        size_t size = strcspn(p, " \t,");

        if (size < whole && size >= VALUE_LEAST && words_word(line, p, size))
            return true;
        p += size;
    }
    return false;
}

/* "GOCACHE is not an absolute path", "--x is not allowed in NODE_OPTIONS": the variable is what the sentence is about.
 * That a program advises to set it ("set PKG_CONFIG_PATH") is none of these. */
static bool accuses(const char *line, const struct variable *variable)
{
    static const char *const after[] = {" is not ",    " is invalid", " must be",  " points ",   " refers ",
                                        " is set to ", " does not ",  " entry is", " directory", " has an invalid"};
    static const char *const before[] = {"not allowed in ",
                                         "parsing $",
                                         "invalid ",
                                         "invalid value for ",
                                         "bad ",
                                         "unsupported ",
                                         "unknown environment setting ",
                                         "value of ",
                                         "variable "};
    const char *at = words_word(line, variable->entry, variable->name_size);
    const char *end = at ? at + variable->name_size : NULL;

    if (!at || strncmp(end, " is not set", 11) == 0 || strncmp(end, " is not defined", 15) == 0)
        return false;
    for (size_t i = 0; i < sizeof after / sizeof *after; i++)
        if (strncmp(end, after[i], strlen(after[i])) == 0)
            return true;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        size_t n = strlen(before[i]);

        if ((size_t)(at - line) >= n && strncasecmp(at - n, before[i], n) == 0)
            return true;
    }
    return false;
}

/* Words that stand in lines for themselves; and a DISPLAY that is well formed is a server's matter. */
static bool unspecific(const struct variable *variable)
{
    static const char *const names[] = {"DEBUG", "TRACE", "VERBOSE", "ERROR", "WARN",    "INFO",     "LOG",  "CI",
                                        "USER",  "HOST",  "NAME",    "MODE",  "LOGNAME", "HOSTNAME", "LEVEL"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (variable_is(variable, names[i]))
            return true;
    return variable_is(variable, "DISPLAY") && strchr(variable->value, ':');
}

/* The value is a name under which something was looked for, in vain: a terminal's description, a theme. */
static bool sought_by_name(const struct process *process, const struct variable *variable)
{
    struct episode *episode, *next;

    if (strlen(variable->value) < VALUE_LEAST || strchr(variable->value, '/'))
        return false;
    HASH_ITER(hh, process->episodes, episode, next)
    if (!episode->found_n && episode->key[0] == 'f' && strcmp(episode->name, variable->value) == 0)
        return true;
    return false;
}

static void judge_value_in(const struct reading *reading, const struct variable *variable,
                           const struct output_line *line)
{
    bool about = topic_of(variable, line->text);
    bool named = about && (names_value(line->text, variable->value) ||
                           (words_complain(line->text, 0) && sought_by_name(reading->process, variable)));
    struct lead lead = {*variable, NULL, LEAD_VALUE};

    if (!about || unspecific(variable) || variable->name_size < 2 || (!named && !accuses(line->text, variable)))
        return;
    accuse(reading, &lead, line, line->n, named ? 0.88 : 0.8);
}

/* ---- a path of a value that was tried, and words that name no path at all ---- */

/* Lists of directories in which things are looked for by name: PYTHONPATH, NODE_PATH, PERL5LIB, CLASSPATH … */
static bool is_search_list(const struct variable *variable)
{
    static const char *const endings[] = {"PATH", "LIB", "DIRS", "INCLUDE"};

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(endings[i]);

        if (variable->name_size > n && strncmp(variable->entry + variable->name_size - n, endings[i], n) == 0)
            return strncmp(variable->entry, "LD_", 3) != 0 && strncmp(variable->entry, "MAN", 3) != 0;
    }
    return false;
}

/* The words in which interpreters say that a module, class or package is in none of the places searched. */
static bool misses_module(const char *line)
{
    static const char *const words[] = {"No module named",  "Cannot find module",    "Can't locate",
                                        "cannot load such", "ClassNotFound",         "find or load main class",
                                        "module not found", "cannot find package",   "pkg-config search path",
                                        "Package '",        "is not a git command",  "cannot find -l",
                                        ".h: No such file", "could not find package"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(line, words[i]))
            return true;
    return false;
}

static const struct attempt *attempt_at(const struct process *process, const char *path)
{
    struct episode *episode, *next;

    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = 0; i < episode->count; i++) {
        const struct attempt *attempt = episode->attempts[i];

        if (attempt->by != BY_LOADER && (attempt->error == ENOENT || attempt->error == ENOTDIR) &&
            variable_fit(path, attempt->path) >= FIT_BENEATH)
            return attempt;
    }
    return NULL;
}

static const struct output_line *line_with(const struct reading *reading, bool module, int error)
{
    const struct process *process = reading->process;
    bool text = false;

    for (size_t i = process->line_count; i-- > 0 && process->line_count - i <= LINES_READ;) {
        const struct output_line *line = &process->lines[i];

        if (line->n < process->exec_n)
            continue;
        if (module ? misses_module(line->text)
                   : words_vague(line->text, process->exe ? path_base(process->exe) : NULL, error, &text) && text)
            return line;
    }
    return NULL;
}

/* A line that objects to the variable by its name. Shells say things on descriptor 1 that is made the other
 * ("echo … >&2"). */
static const struct output_line *line_about(const struct reading *reading, const struct variable *variable)
{
    const struct process *process = reading->process;

    for (size_t spoken = 0; spoken < 2; spoken++) {
        const struct output_line *lines = spoken ? process->spoken : process->lines;
        size_t count = spoken ? process->spoken_count : process->line_count;

        for (size_t i = count; i-- > 0 && count - i <= LINES_READ;)
            if (lines[i].n >= process->exec_n && words_object(lines[i].text) &&
                words_word(lines[i].text, variable->entry, variable->name_size))
                return &lines[i];
    }
    return NULL;
}

static void judge_tried(const struct reading *reading, const struct variable *variable)
{
    const struct process *process = reading->process;
    bool tree = lead_is_tree(variable), list = is_search_list(variable) || tree;
    struct strings paths;

    variable_paths(variable->value, process->cwd, &paths);
    for (size_t i = 0; i < paths.n; i++) {
        const struct attempt *attempt = attempt_at(process, paths.v[i]);
        const struct output_line *line = NULL, *named = NULL;
        bool there = is_there(process, paths.v[i]);
        struct lead lead = {*variable, NULL, there ? LEAD_NOT_MEANT : LEAD_ABSENT};

        if (!attempt || (there && !(tree && lead_not_meant(process, variable, paths.v[i]))))
            continue;
        line = named = line_about(reading, variable);
        if (!line && (list || variable_fit(paths.v[i], attempt->path) == FIT_EXACT))
            line = line_with(reading, list, attempt->error);
        if (!line || line->n < attempt->n)
            continue;
        lead.path = xstrdup(paths.v[i]);
        accuse(reading, &lead, line, attempt->n, named ? 0.9 : tree ? 0.88 : list ? 0.65 : 0.75);
        lead_deinit(&lead);
        break;
    }
    strings_deinit(&paths);
}

/* ---- locales ---- */

/* "locale" as a word, or one of the C library's functions; not a part of "--enable-clocale=gnu" or of a path. */
static bool is_of_locales(const char *line)
{
    for (const char *at = line; (at = strcasestr(at, "locale")); at++)
        if (at == line || (!words_name_byte(at[-1]) && at[-1] != '/') ||
            (at - line >= 3 && strncmp(at - 3, "set", 3) == 0) || (at - line >= 3 && strncmp(at - 3, "new", 3) == 0))
            return true;
    return false;
}

static void judge_locale(const struct reading *reading, const struct output_line *line)
{
    struct lead lead = {.fault = LEAD_VALUE};
    struct suspect *suspect;
    bool last = line == &reading->process->lines[reading->process->line_count - 1];

    if (!lead_locale(reading->process, line, &lead.variable))
        return;
    suspect = accuse(reading, &lead, line, line->n, 0.88);
    if (suspect)
        suspect->lived_with = !reading->failed || !last || words_warn(line->text);
}

/* ---- */

/* It is what another suspect is believed for. */
static bool taken(const struct process *process, const char *line)
{
    for (size_t i = 0; i < process->suspect_count; i++) {
        const struct cause *cause = process->suspects[i].cause;

        if (cause->confidence > 0 && cause->words && strcmp(cause->words, line) == 0)
            return true;
    }
    return false;
}

static void read_line(const struct reading *reading, const struct output_line *line)
{
    const struct process *process = reading->process;
    bool objects = words_object(line->text) && !taken(process, line->text);

    if (objects && is_of_locales(line->text))
        judge_locale(reading, line);
    if (!objects || (!reading->failed && !words_warn(line->text)))
        return;
    for (size_t i = 0; i < process->env.n; i++) {
        struct variable variable;

        if (!variable_of(process->env.v[i], &variable))
            continue;
        judge_path_in(reading, &variable, line);
        if (reading->failed && !reading->explained)
            judge_value_in(reading, &variable, line);
    }
}

/* On standard output, where a shell's "echo … >&2" goes as well: only what names a path. */
static void read_spoken(const struct reading *reading, const struct output_line *line)
{
    const struct process *process = reading->process;

    if (!words_object(line->text) || taken(process, line->text))
        return;
    for (size_t i = 0; i < process->env.n; i++) {
        struct variable variable;

        if (variable_of(process->env.v[i], &variable))
            judge_path_in(reading, &variable, line);
    }
}

/* One of the places where an interpreter has looked for a module, of which it names only the module. */
static bool of_a_search(const struct suspect *suspect)
{
    const struct cause *cause = suspect->cause;

    return suspect->at == AT_OPEN && cause->kind == CAUSE_FILE_MISSING && cause->words && misses_module(cause->words) &&
           !words_path(cause->words, cause->missing);
}

static bool explained(const struct process *process)
{
    for (size_t i = 0; i < process->suspect_count; i++)
        if (!of_a_search(&process->suspects[i]) && process->suspects[i].cause->confidence > 0 &&
            process->suspects[i].cause->impact == IMPACT_FATAL)
            return true;
    return false;
}

void judge_environment(struct process *process)
{
    struct reading reading = {process, process_gave_up(process), explained(process)};
    size_t first = process->line_count > LINES_READ ? process->line_count - LINES_READ : 0;
    size_t before;

    if (process_owner(process) != process || (process->line_count == 0 && process->spoken_count == 0))
        return;
    for (size_t i = 0; i < process->env.n; i++) {
        struct variable variable;

        if (variable_of(process->env.v[i], &variable))
            judge_ignored(&reading, &variable);
    }
    before = process->suspect_count;
    for (size_t i = first; i < process->line_count; i++)
        if (process->lines[i].n >= process->exec_n && process->lines[i].by != BY_LOADER)
            read_line(&reading, &process->lines[i]);
    for (size_t i = 0; reading.failed && i < process->spoken_count; i++)
        if (process->spoken[i].n >= process->exec_n)
            read_spoken(&reading, &process->spoken[i]);
    for (size_t i = 0; i < process->env.n && reading.failed && !reading.explained && process->suspect_count == before;
         i++) {
        struct variable variable;

        if (variable_of(process->env.v[i], &variable))
            judge_tried(&reading, &variable);
    }
    for (size_t i = 0; i < before && process->suspect_count > before; i++)
        if (of_a_search(&process->suspects[i])) /* the place that a variable names goes before it */
            process->suspects[i].cause->confidence = 0;
    if (reading.failed && !reading.explained && process->suspect_count == before)
        judge_display(process);
    settle_doubted(&reading);
}
