#include "read_said.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { LINE_READ = 8192 }; /* bytes: no message of a loader's is longer than a few paths */

bool said_is_library(const char *word, size_t size)
{
    const char *so;

    if (size > 5 && size < 4096 && memcmp(word + size - 5, ".node", 5) == 0)
        return true;
    so = size > 3 && size < 4096 ? memmem(word, size, ".so", 3) : NULL;
    while (so && so + 3 < word + size && so[3] != '.')
        so = memmem(so + 3, (size_t)(word + size - so - 3), ".so", 3);
    return so && so > word && so[-1] != '/' && !memchr(word, ' ', size);
}

/* ---- pieces of a line ---- */

/* The bytes around names: quotes of all sorts, brackets. Those of more than one byte end in one of 0x80 and more. */
static bool is_fence(char c)
{
    return strchr("\"'`()<>[]{},;", c) || (unsigned char)c >= 0x80;
}

/* A copy of SIZE bytes at S without blanks and quotes around it, or NULL. */
static char *bare(const char *s, size_t size)
{
    while (size && (isspace((unsigned char)*s) || strchr("\"'`<(", *s))) {
        s++;
        size--;
    }
    while (size && (isspace((unsigned char)s[size - 1]) || strchr("\"'`>).,;", s[size - 1])))
        size--;
    return size && size < 4096 ? xstrndup(s, size) : NULL;
}

/* Where the name begins that ends before END: behind the last blank, or ": ", or quote. A path may have blanks in it
 * where it begins a line. */
static const char *name_before(const char *line, const char *end)
{
    const char *start = end;

    while (start > line && !isspace((unsigned char)start[-1]) && !strchr("\"'`(", start[-1]))
        start--;
    return start;
}

/* What stands before AT, which is ": …": the object of the message. */
static char *object_before(const char *line, const char *at)
{
    const char *start;

    while (at > line && isspace((unsigned char)at[-1]))
        at--;
    start = name_before(line, at);
    return bare(start, (size_t)(at - start));
}

/* "(required by X)", "(needed by X)": up to the bracket. */
static char *in_bracket(const char *line, const char *words)
{
    const char *at = strstr(line, words);

    return at ? bare(at + strlen(words), strcspn(at + strlen(words), ")")) : NULL;
}

static void name_program(struct said *ret, char *taken)
{
    free(ret->program);
    ret->program = taken;
}

static char *from(const char *at)
{
    return xstrndup(at, strnlen(at, LINE_READ));
}

/* ---- glibc, in English ---- */

/* The object's part of the message begins behind "PROGRAM: OCCASION: ". */
static const char *const occasions[] = {
    ": error while loading shared libraries: ", ": symbol lookup error: ", ": relocation error: "};

static const char *behind_occasion(const char *line, struct said *ret)
{
    static const char loading[] = "error while loading shared libraries: "; /* the name before it was left out */

    if (strncmp(line, loading, sizeof loading - 1) == 0)
        return line + sizeof loading - 1;
    for (size_t i = 0; i < sizeof occasions / sizeof *occasions; i++) {
        const char *at = strstr(line, occasions[i]), *start = at ? name_before(line, at) : NULL;

        if (!at)
            continue;
        name_program(ret, bare(start, (size_t)(at - start)));
        return at + strlen(occasions[i]);
    }
    return line;
}

/* Somebody has left out the end of the message; a terminal that breaks lines leaves some of "(required by". */
static bool tells_no_more(const char *rest)
{
    return !rest[strspn(rest, " .,;:!'\"`)\r")];
}

/* "version `%s' not found (required by %s)": a line of its own at the start, where the program's name is before the
 * library's. */
static bool parse_version(const char *line, struct said *ret)
{
    const char *at = strstr(line, ": version "), *name = at ? at + strlen(": version ") : NULL, *program;
    bool quoted = name && strchr("`'\"", *name);
    size_t n;

    while (name && (strchr("`'\"", *name) || (unsigned char)*name >= 0x80) && *name)
        name++;
    n = name ? strcspn(name, "'`\" \t") : 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] >= 0x80)
            n = i;
    if (quoted && name[n] == ' ') /* broken off within the name */
        return false;
    if (!n || n > 255 || !strstr(name + n, "not found"))
        return false;
    ret->object = object_before(line, at);
    if (!strstr(name + n, "required by ") && !(ret->object && tells_no_more(strstr(name + n, "not found") + 9) &&
                                               said_is_library(ret->object, strlen(ret->object))))
        return false;
    ret->args[0] = xstrndup(name, n);
    ret->args[1] = in_bracket(name, "required by ");
    ret->format = "version `%s' not found (required by %s)";
    ret->message = from(ret->object ? name_before(line, at) : at + 2);
    program = ret->object ? name_before(line, at) : line;
    if (program - line > 2 && strncmp(program - 2, ": ", 2) == 0 && !ret->program) {
        const char *start = name_before(line, program - 2);

        if (start == line) /* "node: /lib/libm.so.6: version …", not "Error: /lib/…" of a runtime */
            name_program(ret, bare(start, (size_t)(program - 2 - start)));
    }
    if (ret->program && (strcmp(ret->program, "Error") == 0 || strstr(ret->program, "Error") ||
                         strstr(ret->program, "Exception") || strcmp(ret->program, "error") == 0)) {
        free(ret->program);
        ret->program = NULL;
    }
    return ret->object != NULL;
}

/* A symbol's name, without what a program adds behind it. */
static char *symbol_at(const char *at)
{
    size_t n = strcspn(at, " \t,;)'\"");

    while (n && strchr(".:", at[n - 1]))
        n--;
    return n && n < 4096 ? xstrndup(at, n) : NULL;
}

static bool parse_symbol(const char *line, const char *begin, struct said *ret)
{
    static const char words[] = "undefined symbol: ";
    const char *at = strstr(begin, words), *version;

    if (!at)
        return false;
    ret->args[0] = symbol_at(at + sizeof words - 1);
    version = strstr(at, ", version ");
    if (version) {
        ret->args[1] = xstrdup(", version ");
        ret->args[2] = symbol_at(version + strlen(", version "));
    }
    if (at > line + 1 && strncmp(at - 2, ": ", 2) == 0) {
        ret->object = object_before(line, at - 2);
    } else { /* ldd -r: "undefined symbol: dep\t(./prog)" */
        const char *open = strchr(at, '(');

        ret->object = open ? bare(open + 1, strcspn(open + 1, ")")) : NULL;
    }
    ret->format = "undefined symbol: %s%s%s";
    ret->message = from(at > line + 1 && ret->object ? name_before(line, at - 2) : at);
    return ret->args[0] != NULL && (ret->object || ret->program);
}

/* "relocation error: X: symbol S[, ]version V not defined in file F with link time reference" (dl-lookup.c). */
static bool parse_relocation(const char *line, const char *begin, struct said *ret)
{
    const char *end = strstr(begin, " not defined in file "), *at = strstr(begin, ": symbol "), *version;

    if (!end || !at || at > end)
        return false;
    ret->object = object_before(line, at);
    ret->args[0] = symbol_at(at + strlen(": symbol "));
    version = strstr(at, "version ");
    if (version && version < end) {
        ret->args[1] = xstrdup(", version ");
        ret->args[2] = symbol_at(version + strlen("version "));
    }
    ret->format = "undefined symbol: %s%s%s";
    ret->message = from(name_before(line, at));
    return ret->args[0] && ret->object;
}

/* Pieces of which each is in one message only; what stands before it is the object. */
static const char *const files[] = {
    "cannot open shared object file",
    "wrong ELF class",
    "ELF file data encoding not",
    "invalid ELF header",
    "file too short",
    "cannot read file data",
    "object file has no dynamic section",
    "object file has no loadable segments",
    "ELF load command",
    "ELF file's phentsize",
    "ELF file version",
    "cannot allocate memory in static TLS block",
    "cannot enable executable stack as shared object requires",
    "failed to map segment from shared object",
    "CPU ISA level is lower than required",
};

/* "/opt/libjni.so: libfoo.so.2: cannot open ...": Java and others name what they were to load before it. */
static char *needer_around(const char *line)
{
    static const char perl[] = "Can't load '", ruby[] = " - ";
    const char *at = strstr(line, perl);

    if (at)
        return bare(at + sizeof perl - 1, strcspn(at + sizeof perl - 1, "'"));
    at = strstr(line, "(LoadError)") ? strstr(line, ruby) : NULL;
    return at ? bare(at + sizeof ruby - 1, strcspn(at + sizeof ruby - 1, " ")) : NULL;
}

static void take_needer(const char *line, struct said *ret)
{
    const char *start = ret->message ? strstr(line, ret->message) : NULL;
    char *needer = needer_around(line);

    if (!needer && start && start > line + 2 && strncmp(start - 2, ": ", 2) == 0)
        needer = object_before(line, start - 2);
    if (!needer || !strchr(needer, '/') || !said_is_library(needer, strlen(needer))) {
        free(needer);
        return;
    }
    ret->args[0] = steal_pointer(&ret->object);
    ret->args[1] = needer;
    ret->format = "Error loading shared library %s: %m (needed by %s)";
}

/* Where PIECE begins in LINE, which may have been cut behind it: "cannot open shared obj…". */
static const char *piece_in(const char *line, const char *piece)
{
    const char *at = strstr(line, piece), *end;
    size_t n = strlen(line), cut;

    if (at)
        return at;
    while (n && (strchr(". ", line[n - 1]) || (unsigned char)line[n - 1] >= 0x80))
        n--;
    if (n == strlen(line))
        return NULL;
    end = line + n;
    for (at = strstr(line, ": "); at; at = strstr(at + 2, ": ")) {
        cut = (size_t)(end - at) - 2;
        if (at + 2 < end && cut > 8 && cut < strlen(piece) && strncmp(at + 2, piece, cut) == 0)
            return at + 2;
    }
    return NULL;
}

static bool parse_file(const char *line, const char *begin, struct said *ret)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *at = piece_in(begin, files[i]);

        if (!at || at < line + 2 || strncmp(at - 2, ": ", 2) != 0)
            continue;
        ret->object = at > begin ? object_before(line, at - 2) : NULL; /* nothing names the one that it is about */
        ret->format = files[i];
        ret->message = ret->object ? from(name_before(line, at - 2)) : from(at);
        if (i == 0 && ret->object && !ret->program)
            take_needer(line, ret);
        if (ret->args[1] || !ret->object)
            return ret->args[1] || begin > line;
        return ret->program || said_is_library(ret->object, strlen(ret->object)) || strchr(ret->object, '/');
    }
    return false;
}

/* ---- musl ---- */

static bool parse_musl(const char *line, struct said *ret)
{
    static const char loading[] = "Error loading shared library ", relocating[] = "Error relocating ";
    const char *at = strstr(line, loading), *end;

    if (at) {
        const char *name = at + sizeof loading - 1;

        end = strstr(name, ": ");
        ret->args[0] = end ? bare(name, (size_t)(end - name)) : NULL;
        ret->args[1] = in_bracket(name, "(needed by ");
        ret->musl = true;
        ret->format = "Error loading shared library %s: %m (needed by %s)";
        ret->message = from(at);
        name_program(ret, xstrdup_or_null(at == line ? ret->args[1] : NULL));
        return ret->args[0] != NULL;
    }
    at = strstr(line, relocating);
    end = at ? strstr(at, ": symbol not found") : NULL;
    if (!end)
        return false;
    ret->args[1] = object_before(line, end);
    end = strstr(at, ": ");
    ret->args[0] = bare(at + sizeof relocating - 1, (size_t)(end - at) - (sizeof relocating - 1));
    ret->musl = true;
    ret->format = "Error relocating %s: %s: symbol not found";
    ret->message = from(at);
    name_program(ret, xstrdup_or_null(at == line ? ret->args[0] : NULL));
    return ret->args[0] && ret->args[1];
}

/* ---- other languages ---- */

enum { FIELDS = 8 };

/* LINE at ": " into at most FIELDS; their number. */
static size_t split(const char *line, const char *at[FIELDS], size_t size[FIELDS])
{
    size_t count = 0;

    while (count < FIELDS) {
        const char *end = strstr(line, ": ");

        at[count] = line;
        size[count++] = end ? (size_t)(end - line) : strlen(line);
        if (!end)
            return count;
        line = end + 2;
    }
    return count;
}

static bool is_foreign(const char *line)
{
    for (; *line; line++)
        if ((unsigned char)*line >= 0x80)
            return true;
    return false;
}

/* No name in it: a text of the C library's, in whatever language. */
static bool is_text(const char *s, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (strchr("/=_<>(){}[]\"`'0123456789", s[i]))
            return false;
    return size > 2;
}

static bool is_symbol(const char *s, size_t size)
{
    bool good = size > 0 && size < 1024 && !isdigit((unsigned char)*s);

    for (size_t i = 0; i < size && good; i++)
        good = isalnum((unsigned char)s[i]) || strchr("_.$@", s[i]);
    return good;
}

/* "PROGRAM: VERSION-MESSAGE": the library, then a text with a name in quotes and a path in brackets. */
static bool foreign_version(const char *const at[], const size_t size[], size_t i, struct said *ret)
{
    const char *text = at[i + 1], *end = text + size[i + 1], *open = memchr(text, '(', size[i + 1]), *p, *path;
    size_t n = 0;

    if (!open)
        return false;
    for (p = text; p < open; p += n + 1) { /* the version: letters, then an underscore or a digit */
        n = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");
        if (n > 1 && p > text && is_fence(p[-1]) && is_fence(p[n]) && isupper((unsigned char)*p))
            break;
    }
    if (p >= open)
        return false;
    for (path = open; path < end && *path != '/'; path++)
        ;
    while (path > open + 1 && !isspace((unsigned char)path[-1]) && path[-1] != '(' && (unsigned char)path[-1] < 0x80)
        path--;
    if (path >= end)
        return false;
    ret->args[0] = xstrndup(p, n);
    ret->args[1] = bare(path, strcspn(path, " \t)"));
    ret->object = bare(at[i], size[i]);
    ret->format = "version `%s' not found (required by %s)";
    ret->message = from(at[i]);
    name_program(ret, i > 0 ? bare(at[i - 1], size[i - 1]) : NULL);
    return ret->args[1] && ret->object;
}

/* "[PROGRAM: text: ]LIBRARY: text: text", "…: text: symbol", "…: text: ELFCLASS32". */
static bool parse_foreign(const char *line, struct said *ret)
{
    const char *at[FIELDS];
    size_t size[FIELDS], count = split(line, at, size);

    if (!is_foreign(line))
        return false;
    for (size_t i = 0; i + 1 < count; i++) {
        const char *last;

        if (!said_is_library(at[i], size[i]))
            continue;
        if (foreign_version(at, size, i, ret))
            return true;
        if (i + 3 != count || !is_text(at[i + 1], size[i + 1]))
            continue;
        last = at[i + 2];
        if (strncmp(last, "ELFCLASS", 8) == 0) {
            ret->format = "wrong ELF class";
        } else if (is_symbol(last, strcspn(last, ","))) {
            ret->format = "undefined symbol: %s%s%s";
            ret->args[0] = symbol_at(last);
        } else if (is_text(last, size[i + 2])) {
            ret->format = "cannot open shared object file";
        } else {
            continue;
        }
        ret->object = bare(at[i], size[i]);
        name_program(ret, i > 1 ? bare(at[i - 2], size[i - 2]) : NULL);
        ret->message = from(at[i]);
        return ret->object != NULL;
    }
    return false;
}

/* ---- */

/* glibc's and musl's text for what may have kept a loader from a file; of other languages it is not known. */
static int error_in(const char *message)
{
    static const struct {
        const char *text;
        int error;
    } texts[] = {
        {"No such file or directory", ENOENT},        {"Permission denied", EACCES},
        {"Operation not permitted", EPERM},           {"Exec format error", ENOEXEC},
        {"Too many levels of symbolic links", ELOOP}, {"Symbolic link loop", ELOOP},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strstr(message, texts[i].text))
            return texts[i].error;
    return 0;
}

/* What an attempt has left that came to nothing is not for the next one; who ended is. */
static bool is_it(bool parsed, struct said *ret)
{
    struct said rest = *ret;

    if (parsed)
        return true;
    *ret = (struct said){.program = rest.program};
    rest.program = NULL;
    said_deinit(&rest);
    return false;
}

static bool parse(const char *line, struct said *ret)
{
    const char *begin;

    if (strstr(line, "no version information available") || strstr(line, ": ignored"))
        return false; /* warnings of the loader's own */
    begin = behind_occasion(line, ret);
    return is_it(parse_musl(line, ret), ret) || is_it(parse_version(line, ret), ret) ||
           is_it(parse_symbol(line, begin, ret), ret) || is_it(parse_relocation(line, begin, ret), ret) ||
           is_it(parse_file(line, begin, ret), ret) || is_it(parse_foreign(line, ret), ret);
}

bool said_parse(const char *line, struct said *ret)
{
    CLEANUP_FREE char *start = xstrndup(line, strnlen(line, LINE_READ));

    *ret = (struct said){0};
    if (parse(start, ret)) {
        ret->error = ret->message ? error_in(ret->message) : 0;
        return true;
    }
    said_deinit(ret);
    return false;
}

void said_deinit(struct said *said)
{
    free(said->program);
    free(said->object);
    for (size_t i = 0; i < sizeof said->args / sizeof *said->args; i++)
        free(said->args[i]);
    free(said->message);
    *said = (struct said){0};
}

struct event_loader said_event(const struct said *said, enum loader_outcome outcome)
{
    return (struct event_loader){
        .what = LOADER_ERROR,
        .object = said->object,
        .format = said->format,
        .args = {said->args[0], said->args[1], said->args[2]},
        .message = said->message,
        .outcome = outcome,
    };
}
