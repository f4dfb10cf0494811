/* A loader's words that strace has cut (strace_cut.c): made whole by their length, by the files that the process has
 * opened or missed, and by how far the loader came with them. A name that is nowhere else stays unknown: STRACE_UNKNOWN
 * stands in its place.
 *
 * elf/rtld.c, elf/dl-load.c, elf/dl-lookup.c, elf/dl-version.c; ldso/dynlink.c of musl. */
#include "strace_cut.h"

#include "model.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum stage { MISSED, OPENED, MAPPED };

/* Behind a library's: dlerror(3) has it all in one. What had come of the library then, and the errno value of the call
 * that failed. */
#define TEXT(literal) literal, sizeof(literal) - 1
static const struct {
    const char *text;
    size_t size;
    enum stage stage;
    int error;
} refusals[] = {
    {TEXT(": cannot open shared object file: No such file or directory"), MISSED, ENOENT},
    {TEXT(": cannot open shared object file: Permission denied"), MISSED, EACCES},
    {TEXT(": cannot open shared object file: Too many levels of symbolic links"), MISSED, ELOOP},
    {TEXT(": invalid ELF header"), OPENED, 0},
    {TEXT(": file too short"), OPENED, 0},
    {TEXT(": wrong ELF class: ELFCLASS32"), OPENED, 0},
    {TEXT(": wrong ELF class: ELFCLASS64"), OPENED, 0},
    {TEXT(": ELF file data encoding not little-endian"), OPENED, 0},
    {TEXT(": cannot read file data: Is a directory"), OPENED, 0},
    {TEXT(": cannot read file data"), OPENED, 0},
    {TEXT(": object file has no dynamic section"), OPENED, 0},
    {TEXT(": object file has no loadable segments"), OPENED, 0},
    {TEXT(": ELF load command address/offset not properly aligned"), OPENED, 0},
    {TEXT(": ELF load command address/offset not page-aligned"), OPENED, 0},
    {TEXT(": only ET_DYN and ET_EXEC can be loaded"), OPENED, 0},
    {TEXT(": cannot dynamically load executable"), OPENED, 0},
    {TEXT(": cannot dynamically load position-independent executable"), OPENED, 0},
    {TEXT(": cannot allocate memory in static TLS block"), MAPPED, 0},
    {TEXT(": cannot enable executable stack as shared object requires: Invalid argument"), MAPPED, 0},
    {TEXT(": cannot enable executable stack as shared object requires: Permission denied"), MAPPED, 0},
    {TEXT(": cannot enable executable stack as shared object requires: Operation not permitted"), MAPPED, 0},
    {TEXT(": CPU ISA level is lower than required"), MAPPED, 0},
};

/* strerror(3) of musl. */
static const char *const reasons[] = {"No such file or directory",     "Exec format error",  "Permission denied",
                                      "Operation not permitted",       "Symbolic link loop", "Invalid argument",
                                      "No file descriptors available", "Out of memory",      "Is a directory"};

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* A line's end may stand behind it: ENDS. */
static bool fits(const struct strace_cut *cut, const char *name, const char *tail, bool ends)
{
    size_t seen;

    return strace_cut_fits(cut, name, tail, ends, &seen) && seen >= STRACE_CUT_ALIKE;
}

static bool completes(const struct strace_cut *cut, const char *name, const char *tail)
{
    for (int ends = 1; ends >= 0; ends--) {
        if (!fits(cut, name, tail, ends))
            continue;
        strace_cut_take(cut, name, tail, (size_t)ends);
        return true;
    }
    return false;
}

/* ---- who may be named ---- */

/* What the program was called by is known to its end. */
static bool has_name(const struct strace_group *group)
{
    size_t n = group->argv.n ? strlen(group->argv.v[0]) : 0;

    return n && (n < 3 || strcmp(group->argv.v[0] + n - 3, "...") != 0);
}

/* Number I of the objects that the process is known to have, the newest first; NULL behind the last. */
static const char *object_at(const struct strace_group *group, size_t i)
{
    size_t count = group->library_count < STRACE_LIBRARIES ? group->library_count : STRACE_LIBRARIES;

    if (i < count)
        return group->libraries[(group->library_count - 1 - i) % STRACE_LIBRARIES];
    i -= count;
    if (i == 0 && group->exe)
        return group->exe;
    i -= group->exe != NULL;
    return i == 0 && has_name(group) ? group->argv.v[0] : NULL;
}

/* The same as who may need something: at the start the program, then the libraries as they came. */
static const char *needer_at(const struct strace_group *group, size_t i)
{
    size_t count = group->library_count < STRACE_LIBRARIES ? group->library_count : STRACE_LIBRARIES, first;

    if (!group->loading)
        return object_at(group, i);
    first = (group->exe != NULL) + has_name(group);
    return i < first           ? object_at(group, count + i)
           : i < first + count ? object_at(group, count - 1 - (i - first))
                               : NULL;
}

/* The same of paths that were asked for in vain. */
static const char *failed_at(const struct strace_group *group, size_t i)
{
    return i < STRACE_FAILED && i < group->failed.count
               ? group->failed.names[(group->failed.count - 1 - i) % STRACE_FAILED]
               : NULL;
}

static int failed_error(const struct strace_group *group, size_t i)
{
    return group->failed.errors[(group->failed.count - 1 - i) % STRACE_FAILED];
}

static const char *object_or_failed_at(const struct strace_group *group, size_t i)
{
    size_t count = group->failed.count < STRACE_FAILED ? group->failed.count : STRACE_FAILED;

    return i < count ? failed_at(group, i) : object_at(group, i - count);
}

/* ---- glibc's sentences about a library ---- */

/* NAME, which the process asked for in vain with ERROR, or has opened (0), came so far. Where its mappings are not in
 * the log it may have come to anything. */
static bool came_to(const struct strace_group *group, const char *name, int error, size_t refusal)
{
    const struct strace_load *load = &group->load;

    if (error)
        return refusals[refusal].error == error;
    for (size_t i = 0; i < load->count; i++)
        if (strcmp(path_base(load->objects[i].path), path_base(name)) == 0)
            return load->objects[i].base ? refusals[refusal].stage == MAPPED : refusals[refusal].stage != MISSED;
    return false;
}

/* At the end of what OUT says, before the line's end. */
static void mark_unknown(struct text *out)
{
    bool ends = out->n && out->v[out->n - 1] == '\n';

    out->n -= ends;
    text_addc(out, STRACE_UNKNOWN);
    if (ends)
        text_addc(out, '\n');
}

static size_t longest_refusal(void)
{
    size_t most = 0;

    for (size_t k = 0; k < COUNT(refusals); k++)
        most = refusals[k].size > most ? refusals[k].size : most;
    return most;
}

/* One of the refusals, and only one: they may be of equal length. */
static bool completes_refusal(const struct strace_cut *cut)
{
    const struct strace_group *group = cut->group;
    size_t failed = group->failed.count < STRACE_FAILED ? group->failed.count : STRACE_FAILED, count = 0;
    const char *name, *found = NULL, *with = NULL;
    size_t most = longest_refusal() + 1; /* and a newline */
    bool mapped = false, seen;

    for (size_t i = 0; (name = object_or_failed_at(group, i)); i++) {
        size_t whole = strlen(name), sizes[] = {whole, strlen(path_base(name))};

        if (cut->whole > strace_cut_known(cut) + whole + most) /* as of most that is written */
            continue;
        for (size_t k = 0; k < COUNT(refusals); k++)
            for (int base = 0; base < (refusals[k].stage == MISSED ? 2 : 1); base++) {
                const char *said = base ? path_base(name) : name, *text = refusals[k].text;

                if (!strace_cut_can_end(cut, sizes[base] + refusals[k].size, 1) ||
                    !came_to(group, name, i < failed ? failed_error(group, i) : 0, k) ||
                    (!fits(cut, said, text, true) && !fits(cut, said, text, false)) ||
                    (found && strcmp(said, found) == 0 && with == text))
                    continue;
                found = said;
                with = text;
                mapped = refusals[k].stage == MAPPED;
                count++;
            }
    }
    if (count != 1)
        return false;
    seen = strace_cut_known(cut) + strlen(with) >= cut->whole + 2;
    if (!completes(cut, found, with))
        return false;
    if (mapped && !seen) /* a symbol's name may as well have that length */
        mark_unknown(cut->out);
    return true;
}

static bool agrees(const struct strace_cut *cut, size_t at, const char *text, size_t size)
{
    size_t there = at < strace_cut_known(cut) ? strace_cut_known(cut) - at : 0;

    return memcmp(strace_cut_text(cut) + (there ? at : 0), text, there < size ? there : size) == 0;
}

/* What is known of an unknown name of SIZE bytes at AT, and how the text goes on behind it. */
static void add_unknown(const struct strace_cut *cut, size_t at, size_t size)
{
    size_t there = at < strace_cut_known(cut) ? strace_cut_known(cut) - at : 0;

    cut->out->n = cut->from + at + (there < size ? there : size);
    if (there < size)
        text_addc(cut->out, STRACE_UNKNOWN);
}

/* WORDS at AT, as far as they are not shown, and the unknown name of SIZE bytes behind them. */
static void add_words(const struct strace_cut *cut, size_t at, const char *words, size_t size)
{
    size_t n = strlen(words);

    if (strace_cut_known(cut) < at + n) {
        cut->out->n = cut->from + at;
        text_addn(cut->out, words, n);
        text_addc(cut->out, STRACE_UNKNOWN);
    } else {
        add_unknown(cut, at + n, size);
    }
}

static const char version_words[] = "version `", version_by[] = "' not found (required by ";

enum { NAME_MOST = 200, VERSION_LEAST = 2, VERSION_MOST = 24 };

/* "undefined symbol: NAME" at AT. */
static bool completes_symbol(const struct strace_cut *cut, size_t at)
{
    static const char words[] = "undefined symbol: ";
    size_t n = sizeof words - 1;

    if (cut->whole < at + n + 2 || cut->whole - at - n > NAME_MOST || !agrees(cut, at, words, n))
        return false;
    add_words(cut, at, words, NAME_MOST);
    text_addc(cut->out, '\n');
    return true;
}

/* What stands at AT of "version `NAME' not found (required by OTHER)", SIZE bytes of NAME. */
static void add_version(const struct strace_cut *cut, size_t at, size_t size, const char *other, bool ends)
{
    add_words(cut, at, version_words, size);
    text_addf(cut->out, "%s%s)%s", version_by, other, ends ? "\n" : "");
}

/* The same of OBJECT (or NULL: another piece names it), which is never OTHER. */
static bool completes_version(const struct strace_cut *cut, size_t at, const char *object)
{
    size_t n = sizeof version_words - 1, by = sizeof version_by - 1, shown_name = 0;
    const char *other;
    bool whole_name = false;

    if (!agrees(cut, at, version_words, n))
        return false;
    if (strace_cut_known(cut) > at + n) {
        shown_name = strcspn(strace_cut_text(cut) + at + n, "'");
        whole_name = shown_name < strace_cut_known(cut) - at - n;
    }
    for (int ends = object != NULL; ends >= 0; ends--)
        for (size_t i = 0; (other = needer_at(cut->group, i)); i++) {
            size_t fixed = at + n + by + strlen(other) + 1 + (size_t)ends, size = cut->whole - fixed;

            if (cut->whole < fixed + VERSION_LEAST || size > VERSION_MOST ||
                (whole_name ? size != shown_name || !agrees(cut, at + n + size, version_by, by) : size < shown_name) ||
                (object && strcmp(object, other) == 0))
                continue;
            add_version(cut, at, size, other, ends);
            return true;
        }
    return false;
}

/* Where in what is shown OBJECT begins, as far as that goes; SIZE_MAX: nowhere. */
static size_t begins_at(const struct strace_cut *cut, const char *object)
{
    enum { ALIKE = 8 };
    size_t n = strlen(object), known = strace_cut_known(cut);
    const char *text = strace_cut_text(cut);

    for (size_t at = 0; at + ALIKE <= known; at++) {
        size_t there = known - at < n ? known - at : n;

        if (text[at] == *object && memcmp(text + at, object, there) == 0 && (at == 0 || strace_boundary(text[at - 1])))
            return at;
    }
    return SIZE_MAX;
}

/* "OBJECT: undefined symbol: NAME", "OBJECT: version `NAME' not found (required by OTHER)". */
static bool completes_lookup(const struct strace_cut *cut)
{
    enum { TEXT_MOST = 4096 };
    const char *object;

    if (strace_cut_known(cut) > TEXT_MOST)
        return false;

    for (size_t pass = 0; pass < 2; pass++) /* a name may be of any length, a version's is short */
        for (size_t i = 0; (object = object_at(cut->group, i)); i++) {
            size_t at = begins_at(cut, object), n = strlen(object);
            size_t known = strace_cut_known(cut);

            if (at == SIZE_MAX || cut->whole < at + n + 20 || !agrees(cut, at + n, ": ", 2))
                continue;
            if (known < at + n + 2) { /* as if it had been shown */
                text_addn(cut->out, object + (known - at < n ? known - at : n), known - at < n ? n - (known - at) : 0);
                text_addn(cut->out, &": "[strace_cut_known(cut) - at - n], 2 - (strace_cut_known(cut) - at - n));
            }
            if (pass ? completes_symbol(cut, at + n + 2) : completes_version(cut, at + n + 2, object))
                return true;
            cut->out->n = cut->from + known;
            cut->out->v[cut->out->n] = '\0';
        }
    return false;
}

/* How many bytes of WORDS the text from AT on has, which ends there or goes on as they do; 0: it does not. */
static size_t begins_with(const char *at, const char *words)
{
    size_t n = 0;

    while (words[n] && at[n] == words[n])
        n++;
    return words[n] && at[n] ? 0 : n;
}

/* Whether OBJECT ends before AT of what is shown. */
static bool is_before(const struct strace_cut *cut, size_t at, const char *object)
{
    size_t n = strlen(object);

    return n <= at && memcmp(strace_cut_text(cut) + at - n, object, n) == 0 &&
           (at == n || strace_boundary(strace_cut_text(cut)[at - n - 1]));
}

/* Who it is that needs a version, by what is SHOWN of the name. */
static const char *needer_like(const struct strace_cut *cut, const char *beginning)
{
    const struct strace_load *load = &cut->group->load;
    const char *first = load->refused ? load->refused : load->count ? load->objects[0].path : NULL, *other;
    size_t n = strlen(beginning);

    if (!cut->group->loading && first && strncmp(first, beginning, n) == 0)
        return first;
    for (size_t i = 0; (other = needer_at(cut->group, i)); i++)
        if (strncmp(other, beginning, n) == 0)
            return other;
    return NULL;
}

/* "…: OBJECT: undefined symbol: NA", "…: OBJECT: version `NAME' not found (requ": a runtime's long text, which is cut
 * within the loader's words. How they end there no length tells. */
static bool completes_end(const struct strace_cut *cut)
{
    static const char symbol[] = ": undefined symbol: ", version[] = ": version `";
    enum { ALIKE = 6, END_MOST = 1024 };
    const char *object, *text = strace_cut_text(cut);

    for (size_t i = 0; (object = object_at(cut->group, i)); i++)
        for (size_t at = strace_cut_known(cut); at-- > 0 && strace_cut_known(cut) - at < END_MOST;) {
            size_t of_symbol = begins_with(text + at, symbol), of_version = begins_with(text + at, version), name;
            const char *quote, *needer;

            if (text[at] == '\n' || (of_symbol < ALIKE && of_version < ALIKE) || !is_before(cut, at, object))
                continue;
            cut->out->n = cut->from + strace_cut_known(cut);
            if (of_symbol >= ALIKE) {
                text_addf(cut->out, "%s%c\n", symbol + of_symbol, STRACE_UNKNOWN);
                return true;
            }
            name = at + of_version;
            quote = strchr(text + name, '\'');
            needer = quote && begins_with(quote, version_by) == sizeof version_by - 1
                         ? needer_like(cut, quote + sizeof version_by - 1)
                         : needer_like(cut, "");
            if (!needer)
                return false;
            if (quote)
                cut->out->n = cut->from + (size_t)(quote - text);
            else
                text_addf(cut->out, "%s%c", version + of_version, STRACE_UNKNOWN);
            text_addf(cut->out, "%s%s)\n", version_by, needer);
            return true;
        }
    return false;
}

static bool completes_alone(const struct strace_cut *cut, const char *name)
{
    return (strlen(name) == cut->whole && completes(cut, name, "")) ||
           (strlen(path_base(name)) == cut->whole && completes(cut, path_base(name), ""));
}

/* A piece of the loader's own message that begins with the sentence (elf/dl-catch.c). */
static bool completes_piece(const struct strace_cut *cut)
{
    static const char symbol[] = "undefined symbol: ";
    size_t known = strace_cut_known(cut);
    const char *name;

    for (size_t i = 0; (name = object_at(cut->group, i)); i++)
        if (completes_alone(cut, name))
            return true;
    for (size_t i = 0; (name = failed_at(cut->group, i)); i++)
        if (library_like(name) && completes_alone(cut, name))
            return true;
    if (known < sizeof version_words - 1)
        return false;
    return completes_version(cut, 0, NULL) ||
           (memcmp(strace_cut_text(cut), symbol, known < sizeof symbol - 1 ? known : sizeof symbol - 1) == 0 &&
            completes_symbol(cut, 0));
}

/* ---- musl's ---- */

static const char musl_loading[] = "Error loading shared library ", musl_relocating[] = "Error relocating ";
static const char musl_needed[] = " (needed by ", musl_symbol[] = ": symbol not found";

/* Where the message begins that is shown as far as PREFIX; SIZE_MAX: nowhere. */
static size_t musl_at(const struct strace_cut *cut, const char *prefix)
{
    const char *at =
        strace_cut_known(cut) ? memmem(strace_cut_text(cut), strace_cut_known(cut), prefix, strlen(prefix)) : NULL;

    return at ? (size_t)(at - strace_cut_text(cut)) : SIZE_MAX;
}

static bool musl_says(const struct strace_cut *cut, size_t at, const char *sentence)
{
    if (!agrees(cut, at, sentence, strlen(sentence)))
        return false;
    cut->out->n = cut->from + at;
    text_add(cut->out, sentence);
    return true;
}

/* "NAME: REASON (needed by OBJECT)", or without what is in brackets, or the other's name follows by itself. */
static bool musl_names(const struct strace_cut *cut, size_t at, const char *name, const char *reason)
{
    size_t fixed = at + sizeof musl_loading - 1 + strlen(name) + 2 + strlen(reason), by = sizeof musl_needed - 1;
    const char *needer;

    if (cut->whole == fixed || cut->whole == fixed + by) {
        CLEANUP_FREE char *said =
            xasprintf("%s%s: %s%s", musl_loading, name, reason, cut->whole == fixed ? "" : musl_needed);

        return musl_says(cut, at, said);
    }
    for (size_t i = 0; cut->whole > fixed + by && (needer = object_at(cut->group, i)); i++)
        if (cut->whole == fixed + by + strlen(needer) + 1) {
            CLEANUP_FREE char *said = xasprintf("%s%s: %s%s%s)", musl_loading, name, reason, musl_needed, needer);

            if (musl_says(cut, at, said))
                return true;
        }
    return false;
}

static bool completes_musl_loading(const struct strace_cut *cut)
{
    size_t at = musl_at(cut, musl_loading);
    const char *name;

    for (size_t i = 0; at != SIZE_MAX && (name = object_or_failed_at(cut->group, i)); i++)
        for (size_t k = 0; k < COUNT(reasons); k++)
            if (musl_names(cut, at, path_base(name), reasons[k]) || musl_names(cut, at, name, reasons[k]))
                return true;
    return false;
}

/* "Error relocating OBJECT: NAME: symbol not found": of NAME its length is known. */
static bool completes_musl_relocating(const struct strace_cut *cut)
{
    size_t at = musl_at(cut, musl_relocating), begin = at + sizeof musl_relocating - 1;
    const char *object;

    for (size_t i = 0; at != SIZE_MAX && (object = object_at(cut->group, i)); i++) {
        size_t n = strlen(object), fixed = begin + n + 2 + sizeof musl_symbol - 1;

        if (cut->whole <= fixed || cut->whole - fixed > NAME_MOST || !agrees(cut, begin, object, n) ||
            !agrees(cut, begin + n, ": ", 2))
            continue;
        if (strace_cut_known(cut) > begin + n + 2) {
            add_unknown(cut, begin + n + 2, cut->whole - fixed);
        } else {
            cut->out->n = cut->from + begin;
            text_addf(cut->out, "%s: %c", object, STRACE_UNKNOWN);
        }
        text_add(cut->out, musl_symbol);
        return true;
    }
    return false;
}

bool strace_complete_refusal(const struct strace_cut *cut)
{
    return completes(cut, "", ": CPU ISA level is lower than required") || completes_musl_loading(cut) ||
           completes_musl_relocating(cut) || completes_piece(cut) || completes_refusal(cut) || completes_lookup(cut) ||
           completes_end(cut);
}
