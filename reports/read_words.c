/* What programs and people say, as it is pasted: the loader's messages, and those of tools that look at files for it
 * (ldd(1)). Of a text that tells of no process by itself one is made up, under the name by which the words call it.
 *
 * Every line stays words; what a loader said in one is told as its error besides. A terminal may have broken lines at
 * its width. All is bounded. */
#include "read_text.h"

#include "foreign.h"
#include "read_said.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <ctype.h>
#include <string.h>

enum {
    SAID_KEPT = 64,
    COPIES_KEPT = 32,
    SHORT = 36, /* bytes: no terminal is so narrow that it breaks a line there */
    LINE_READ = 8192,
};

struct words {
    struct text_reading *reading;
    struct said said[SAID_KEPT];
    size_t said_count;
    char *before;         /* the line before, where nothing was made of it; or NULL */
    size_t width;         /* of that, or of the first of several */
    char *asked;          /* the file that ldd(1) is at work on, by its prompt or its own heading; or NULL */
    char *program;        /* who is meant, as far as is known; or NULL */
    bool sure;            /* … by the loader's own words */
    struct strings files; /* absolute paths that stand there by themselves, as find(1) prints them */
};

static void *begin(struct text_reading *reading)
{
    struct words *words = xcalloc(1, sizeof *words);

    words->reading = reading;
    return words;
}

/* ---- who ---- */

static void name_program(struct words *words, const char *name, size_t size, bool sure)
{
    if (!size || size > 4095 || words->sure || (words->program && !sure))
        return;
    free(words->program);
    words->program = xstrndup(name, size);
    words->sure = sure;
}

const char *text_prompt(const char *line)
{
    static const char *const marks[] = {"$ ", "# ", "% ", "\xe2\x9d\xaf ", "\xe2\x9e\x9c "};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const char *at = strstr(line, marks[i]);

        if (at &&
            (at == line || (at - line < 80 && (memchr(line, '@', (size_t)(at - line)) || *line == '[' || *line == '/' ||
                                               strncmp(line, "bash-", 5) == 0 || strncmp(line, "sh-", 3) == 0 ||
                                               memchr(line, '~', (size_t)(at - line))))))
            return at + strlen(marks[i]);
    }
    return NULL;
}

/* A prompt's command begins with a name; that of a heading ("# Error: …"), of a list or of what a program says does
 * not.
 */
static bool is_program(const char *word, size_t size)
{
    if (isupper((unsigned char)*word) && word[size] == ' ' && islower((unsigned char)word[size + 1]))
        return false; /* "# A fatal error has been …" */
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)word[i] < 0x80 && !isalnum((unsigned char)word[i]) && !strchr("._/+-~=", word[i]))
            return false;
    return size > 0 && size < 4096;
}

static bool is_word(const char *word, size_t size, const char *name)
{
    return size == strlen(name) && strncmp(word, name, size) == 0;
}

/* "LD_LIBRARY_PATH=/a:$LD_LIBRARY_PATH", as a shell is told it. */
static void note_variable(struct words *words, const char *word, size_t size)
{
    static const char name[] = "LD_LIBRARY_PATH=";

    if (size < sizeof name || size > 4095 || strncmp(word, name, sizeof name - 1) != 0)
        return;
    free(words->reading->library_path);
    words->reading->library_path = xstrndup(word, size);
}

/* What goes before a command and is none: NAME=value, sudo(8) and the like. */
static bool goes_before(const char *word, size_t size)
{
    static const char *const names[] = {"sudo",   "env",   "exec",    "export", "set", "time",
                                        "strace", "nohup", "command", "-f",     "-v",  "-r"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_word(word, size, names[i]))
            return true;
    return memchr(word, '=', size) && *word != '/' && *word != '.';
}

/* The program of a debugger's command line is its last word. */
static const char *behind_debugger(const char *command)
{
    const char *last = strrchr(command, ' ');

    return strncmp(command, "gdb ", 4) == 0 || strncmp(command, "valgrind ", 9) == 0 ? last + 1 : command;
}

static const char *behind_word(const char *p)
{
    p += strcspn(p, " \t");
    return p + strspn(p, " \t");
}

/* The command that strace, ltrace or perf runs: behind their options. */
static const char *behind_tracer(const char *command)
{
    static const char *const tracers[] = {"strace ", "ltrace ", "perf trace "};
    static const char *const with_value[] = {"-o ", "-e ", "-s ", "-p ", "-u ", "-a ",
                                             "-l ", "-x ", "-E ", "-P ", "-I "};
    size_t i = 0;

    while (i < sizeof tracers / sizeof *tracers && strncmp(command, tracers[i], strlen(tracers[i])) != 0)
        i++;
    if (i == sizeof tracers / sizeof *tracers)
        return command;
    for (command += strlen(tracers[i]); *command == '-'; command = behind_word(command))
        for (size_t k = 0; k < sizeof with_value / sizeof *with_value; k++)
            if (strncmp(command, with_value[k], 3) == 0) {
                command = behind_word(command);
                break;
            }
    return command;
}

/* "cd /opt/x && ./bin/y". */
static const char *behind_cd(const char *command)
{
    const char *end = strncmp(command, "cd ", 3) == 0 ? strpbrk(command, "&;") : NULL;

    return end ? end + strspn(end, "&; ") : command;
}

static void on_command(struct words *words, const char *command)
{
    bool ldd = false;

    command = behind_debugger(behind_tracer(behind_cd(command)));

    for (size_t size; command += strspn(command, " \t"), *command; command += size) {
        size = strcspn(command, " \t;|&");
        if (!size)
            return;
        if (is_word(command, size, "ldd")) {
            ldd = true;
        } else if (ldd && *command != '-') {
            free(words->asked);
            words->asked = xstrndup(command, size < 4096 ? size : 4095);
            name_program(words, command, size, false);
            return;
        } else if (memchr(command, '=', size) && *command != '/' && *command != '.') {
            note_variable(words, command, size);
        } else if (!ldd && !goes_before(command, size)) {
            if (is_program(command, size))
                name_program(words, command, size, false);
            return;
        }
    }
}

/* Lines that a runtime's own words begin with. */
static void know_runtime(struct words *words, const char *line)
{
    static const struct {
        const char *piece, *name;
    } runtimes[] = {
        {"Traceback (most recent call last)", "python3"},
        {"/lib/python", "python3"},
        {"ImportError: ", "python3"},
        {"node:internal/", "node"},
        {"internal/modules/cjs/loader.js", "node"},
        {"ERR_DLOPEN_FAILED", "node"},
        {"java.lang.UnsatisfiedLinkError", "java"},
        {"(Fiddle::DLError)", "ruby"},
        {"(LoadError)", "ruby"},
        {"node_modules/", "node"},
        {"golang.org/x/tools/gopls", "gopls"},
        {"golang.org/x/tools/internal/lsp", "gopls"},
        {"gopls version: ", "gopls"},
        {"go command required", "gopls"},
        {"github.com/go-delve/delve", "dlv"},
        {"could not launch process: ", "dlv"},
        {"DynaLoader.pm", "perl"},
        {" in @INC ", "perl"},
        {" (Errno::E", "ruby"},
        {"Cannot connect to the Docker daemon", "docker"},
        {"Docker daemon socket", "docker"},
        {"[Errno ", "python3"},
        {"<--- JS stacktrace --->", "node"},
        {"Module version mismatch. Expected ", "node"},
        {"Java Runtime Environment", "java"},
        {"Exception in thread \"main\"", "java"},
    };

    for (size_t i = 0; !words->program && i < sizeof runtimes / sizeof *runtimes; i++)
        if (strstr(line, runtimes[i].piece))
            name_program(words, runtimes[i].name, strlen(runtimes[i].name), false);
}

/* ---- what a loader said ---- */

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool known(const struct words *words, const struct said *said)
{
    for (size_t i = 0; i < words->said_count; i++) {
        const struct said *other = &words->said[i];

        if (other->format == said->format && same(other->object, said->object) && same(other->args[0], said->args[0]) &&
            same(other->args[1], said->args[1]))
            return true;
    }
    return false;
}

/* The same told again by one that knows who needs it, or does not; true: one of the two is enough, and is kept. */
static bool merge(struct words *words, struct said *said)
{
    for (size_t i = 0; i < words->said_count; i++) {
        struct said *other = &words->said[i];

        if (other->format != said->format || !same(other->object, said->object) ||
            !same(other->args[0], said->args[0]) || (other->args[1] && said->args[1]))
            continue;
        if (!other->args[1]) {
            struct said kept = *other;

            *other = *said;
            *said = kept;
        }
        return true;
    }
    return false;
}

static void keep(struct words *words, struct said *said)
{
    if (said->program)
        name_program(words, said->program, strlen(said->program), true);
    if (said->args[0] && merge(words, said)) {
        said_deinit(said);
        return;
    }
    if (words->said_count == SAID_KEPT || known(words, said)) {
        said_deinit(said);
        return;
    }
    words->said[words->said_count++] = *said;
    *said = (struct said){0};
}

/* A bracket is open at the end: the rest of it stands in the next line. */
static bool is_broken_off(const char *line)
{
    const char *at = strstr(line, "required by ");

    if (!at)
        at = strstr(line, "(needed by ");
    return at && !strchr(at, ')') && strlen(line) > SHORT;
}

static bool warns(const char *line)
{
    static const char *const words[] = {"warning",  "ignor",    "falling back", "fallback",     "optional",
                                        "; trying", ", trying", "retry",        "search paths", "libgl error",
                                        ": w ",     ": i "}; /* and how logs mark what is no error */

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(line, words[i]))
            return true;
    return strstr(line, "WARN") || strncmp(line, "If ", 3) == 0;
}

/* "prog: libx.so: cannot open …": who passes it on. */
static void know_speaker(struct words *words, const char *line, const struct said *said)
{
    size_t n = strcspn(line, ": \t'\"(");

    if (!said->program && n && n < 256 && line[n] == ':' && said->object && strlen(said->object) == n &&
        strncmp(line, said->object, n) == 0 && !said_is_library(line, n)) { /* the program itself is refused */
        name_program(words, line, n, true);
        return;
    }

    if (n && n < 256 && line[n] == ':' && line[n + 1] == ' ' && !said_is_library(line, n) &&
        strncasecmp(line + (n > 5 ? n - 5 : 0), "error", 5) != 0 && strncmp(said->message, line, n) != 0)
        name_program(words, line, n, false);
}

/* LINE may be of another language: its message is kept as it stands there. */
static bool parse(const char *line, struct said *ret)
{
    bool library = strstr(line, ".so") || strstr(line, ".node");
    CLEANUP_FREE char *english = library ? foreign_in_english(line) : NULL;
    const char *name, *at;

    if (!english || !said_parse(english, ret))
        return said_parse(line, ret);
    name = ret->object ? ret->object : ret->args[0];
    at = name && *line ? strstr(line + 1, name) : NULL;
    free(ret->message);
    ret->message = xstrdup(at ? at : line);
    return true;
}

static bool said_in(struct words *words, const char *line)
{
    struct said said;

    if (!parse(line, &said))
        return false;
    if (warns(line)) {
        said_deinit(&said);
        return false;
    }
    know_speaker(words, line, &said);
    keep(words, &said);
    return true;
}

/* What a terminal, or a mail, has broken into lines: BEFORE, with LINE as its rest, or as a part of that. A terminal
 * breaks all at one width, wherever that is. False: they are not of one message. */
static bool read_joined(struct words *words, const char *before, const char *line, size_t size)
{
    bool one_width = size + 2 > words->width && size < words->width + 2, taken;
    char *joined = xasprintf("%s%s", before, line);
    char *spaced = xasprintf("%s %s", before, line + strspn(line, " "));

    if (is_broken_off(joined)) {
        taken = one_width || is_broken_off(before);
        if (taken)
            words->before = one_width ? steal_pointer(&joined) : steal_pointer(&spaced);
    } else {
        taken = said_in(words, joined) || said_in(words, spaced);
    }
    free(joined);
    free(spaced);
    return taken;
}

static void read_said(struct words *words, const char *line, size_t size)
{
    CLEANUP_FREE char *before = steal_pointer(&words->before);
    bool rest = before && is_broken_off(before), off = is_broken_off(line);

    if (!rest && !off && said_in(words, line))
        return;
    if (before && strlen(before) + size < LINE_READ && read_joined(words, before, line, size))
        return;
    if (rest && !off && said_in(words, line)) /* what was broken off stands nowhere */
        return;
    if (size > SHORT && size < LINE_READ) {
        words->before = xstrdup(line);
        words->width = size;
    }
}

/* ---- ldd(1) ---- */

/* Where the name begins that ends at AT, or, where AT is NULL, LINE's first word: other tools pass lines of ldd's on.
 */
static const char *ldd_name(const char *line, const char *at)
{
    const char *first = line + strspn(line, " \t"), *name = at;

    if (!at || (first[strcspn(first, " ")] == ' ' && first[strcspn(first, " ") + 1] == '('))
        return first;
    while (name > line && !strchr(" \t\"'`", name[-1]))
        name--;
    return strncmp(name, "\\t", 2) == 0 ? name + 2 : name; /* quoted by a program */
}

/* "\tlibx.so.1 => not found"; of "ldd -v": "\t\tlibx.so (V2) => not found". */
static void read_ldd(struct words *words, const char *line)
{
    const char *at = strstr(line, " => not found"), *name = ldd_name(line, at);
    size_t size = at ? strcspn(name, " ") : 0;
    struct said said = {0};
    const char *open;

    if (!at && !isspace((unsigned char)*line)) { /* the heading of each of several files */
        size_t length = strlen(line);

        if (length > 1 && length < 4096 && line[length - 1] == ':' && !strchr(line, ' ')) {
            free(words->asked);
            words->asked = xstrndup(line, length - 1);
        }
        return;
    }
    if (!size || !said_is_library(name, size))
        return;
    open = memchr(name, '(', (size_t)(at - name));
    if (open) {
        said.args[0] = xstrndup(open + 1, strcspn(open + 1, ") "));
        said.object = xstrndup(name, size);
        said.args[1] = xstrdup_or_null(words->asked);
        said.format = "version `%s' not found (required by %s)";
    } else {
        said.args[0] = xstrndup(name, size);
        said.args[1] = xstrdup_or_null(words->asked);
        said.format = "Error loading shared library %s: %m (needed by %s)";
    }
    said.message = xstrdup(name);
    if (open) /* the loader's own line for it, with the library's path, is above */
        said_deinit(&said);
    else
        keep(words, &said);
}

/* A path that stands alone in its line, or at the end of one of ls(1)'s. */
static void read_path(struct words *words, const char *line, size_t size)
{
    const char *path = line;

    if ((*line == '-' || *line == 'l') && size > 10 && strspn(line + 1, "rwxsStT-") >= 9) {
        path = strstr(line, " /");
        path = path ? path + 1 : line;
    }
    size = strcspn(path, " ");
    if (*path == '/' && (!path[size] || path != line) && said_is_library(path, size) && words->files.n < COPIES_KEPT)
        strings_add(&words->files, xstrndup(path, size));
}

/* ---- the row ---- */

static bool take(void *state, char *line, size_t size)
{
    struct words *words = state;
    const char *command = size < LINE_READ ? text_prompt(line) : NULL;

    if (size >= LINE_READ)
        return false;
    if (!command && strncmp(line, "./", 2) == 0 && !strchr(line, ':')) /* the prompt was left out */
        command = line;
    if (command)
        on_command(words, command);
    know_runtime(words, line);
    read_ldd(words, line);
    read_path(words, line, size);
    read_said(words, line, size);
    return false;
}

static void note_said(const struct words *words, const struct said *said)
{
    bool not_found = strncmp(said->format, "cannot open", 11) == 0 || strncmp(said->format, "Error loading", 13) == 0;

    words->reading->musl |= said->musl;
    if (said->object && !not_found)
        strings_add(&words->reading->refused, xstrdup(said->object));
}

/* Before a process is made up for the words: whose they are. */
static void name(void *state)
{
    struct words *words = state;
    struct strings *argv = &words->reading->argv;

    if (!argv->n && words->program)
        strings_add(argv, xstrdup(words->program));
    words->reading->argv_sure = words->sure;
    for (size_t i = 0; i < words->said_count; i++)
        note_said(words, &words->said[i]);
}

static bool told_already(const struct words *words, const struct said *said)
{
    const char *const names[] = {said->object, said->args[0]};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; names[i] && k < words->reading->told.n; k++)
            if (strcmp(path_base(names[i]), path_base(words->reading->told.v[k])) == 0)
                return true;
    return false;
}

/* A symbol of a version that the library lacks altogether, as is told besides (ldd -r). */
static bool is_consequence(const struct words *words, const struct said *said)
{
    for (size_t i = 0; said->args[2] && i < words->said_count; i++)
        if (strncmp(words->said[i].format, "version", 7) == 0 && same(words->said[i].args[0], said->args[2]))
            return true;
    return false;
}

static void tell(const struct words *words, const struct said *said)
{
    struct event event = {
        .pid = words->reading->about,
        .type = EVENT_LOADER,
        .loader = said_event(said, LOADER_FATAL),
    };

    event.loader.error = said->error;
    text_event(words->reading, &event);
}

static void end(void *state)
{
    struct words *words = state;

    for (size_t i = 0; words->reading->by_words && i < words->said_count; i++)
        if (!told_already(words, &words->said[i]) && !is_consequence(words, &words->said[i]))
            tell(words, &words->said[i]);
    for (size_t i = 0; i < words->said_count; i++)
        said_deinit(&words->said[i]);
    words->reading->failed |= words->said_count > 0;
    for (size_t i = 0; i < words->files.n; i++)
        strings_add(&words->reading->copies, xstrdup(words->files.v[i]));
    strings_deinit(&words->files);
    free(words->before);
    free(words->asked);
    free(words->program);
    free(words);
}

const struct text_reader text_reader_words = {
    .name = "words",
    .how = INPUT_TEXT,
    .begin = begin,
    .take = take,
    .close = name,
    .end = end,
};
