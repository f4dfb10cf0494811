/* What a string was that strace has cut (-s, 32 bytes unless told otherwise): made whole where only one thing can have
 * stood there. The length is told, what failed lately is known with its error, and so are the loaders' sentences.
 *
 * Many things have one length. So what is not seen at all counts only where it is what failed last. */
#include "strace_cut.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* elf/rtld.c, elf/dl-load.c, elf/dl-lookup.c, elf/dl-version.c; ldso/dynlink.c of musl. */
static const char *const sentences[] = {
    "error while loading shared libraries",
    "cannot open shared object file",
    "No such file or directory",
    "cannot allocate memory in static TLS block",
    "cannot enable executable stack as shared object requires",
    "failed to map segment from shared object",
    "object file has no dynamic section",
    "object file has no loadable segments",
    "ELF load command address/offset not properly aligned",
    "ELF file data encoding not little-endian",
    "ELF file version does not match current one",
    "only ET_DYN and ET_EXEC can be loaded",
    "ELF file's phentsize not the expected size",
    "CPU ISA level is lower than required",
    "cannot apply additional memory protection after relocation",
    "cannot create cache for search path",
    "unexpected reloc type in static binary",
    "can't start new thread\n", /* Python's _thread */
};

/* What stands before the text for an error, behind a name, and behind that text. */
#define TEXT(literal)                                                                                                  \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }
static const struct {
    const char *text;
    size_t size;
} befores[] = {TEXT(": "),          TEXT("': "),       TEXT("\": "), TEXT(") failed: "),
               TEXT("': failed: "), TEXT(" failed: "), TEXT("")},
  behinds[] = {TEXT("\n"), TEXT(""), TEXT(".\n"), TEXT(" \n"), TEXT("'\n")};
enum { AROUND_MOST = 16 }; /* the longest of both */

/* What stands behind a name at the end of what is said, besides. */
static const char *const tails[] = {
    ": cannot open shared object file: No such file or directory\n",
    ": cannot open shared object file: No such file or directory",
    "\": executable file not found in $PATH\n", /* Go's os/exec */
    ": not found\n",
    ": command not found\n",
    "': not found\n",
    "'\n",
    "\"\n",
    "'",
    "\"",
    ")\n",
    "\n",
    "",
};

/* musl's own texts (src/errno/__strerror.h), where they are others than glibc's. */
static const struct {
    int error;
    const char *text;
} of_musl[] = {
    {ELOOP, "Symbolic link loop"},
    {EMFILE, "No file descriptors available"},
    {ENFILE, "Too many open files in system"},
    {ENOMEM, "Out of memory"},
    {EDQUOT, "Quota exceeded"},
    {ETIMEDOUT, "Operation timed out"},
    {EHOSTUNREACH, "Host is unreachable"},
    {EADDRINUSE, "Address in use"},
    {EADDRNOTAVAIL, "Address not available"},
    {ENAMETOOLONG, "Filename too long"},
    {ENOTTY, "Not a tty"},
};
enum { SPELLINGS = 3 };

/* How ERROR is spelt: by glibc, by Go and libuv (with a small letter: the caller's to make), by musl. Or NULL. */
static const char *spelling(int error, unsigned which)
{
    if (which < 2)
        return strerror(error);
    for (size_t i = 0; i < sizeof of_musl / sizeof *of_musl; i++)
        if (of_musl[i].error == error)
            return of_musl[i].text;
    return NULL;
}

void strace_failed_add(struct strace *strace, struct strace_failed *failed, const char *name, int error)
{
    size_t i = failed->count++ % STRACE_FAILED;

    free(failed->names[i]);
    failed->names[i] = xstrdup(name);
    failed->errors[i] = error;
    failed->order[i] = ++strace->failures;
}

void strace_failed_deinit(struct strace_failed *failed)
{
    for (size_t i = 0; i < STRACE_FAILED; i++)
        free(failed->names[i]);
}

bool strace_boundary(char c)
{
    return strchr(" \t\n:'`\"(=,", c) != NULL;
}

/* ---- one guess ---- */

size_t strace_cut_known(const struct strace_cut *cut)
{
    return cut->out->n - cut->from;
}

const char *strace_cut_text(const struct strace_cut *cut)
{
    return cut->out->v + cut->from;
}

bool strace_cut_can_end(const struct strace_cut *cut, size_t size, size_t rest)
{
    return size <= cut->whole && cut->whole - size <= strace_cut_known(cut) + rest;
}

bool strace_cut_fits(const struct strace_cut *cut, const char *name, const char *tail, size_t ends, size_t *seen)
{
    const char *text = strace_cut_text(cut);
    size_t n = strlen(name), size = n + strlen(tail), begin, of_name;

    if (!strace_cut_can_end(cut, size + ends, 0))
        return false;
    begin = cut->whole - size - ends;
    *seen = strace_cut_known(cut) - begin;
    of_name = *seen < n ? *seen : n;
    return *seen <= size && !(n && begin && !strace_boundary(text[begin - 1])) &&
           memcmp(text + begin, name, of_name) == 0 && memcmp(text + begin + of_name, tail, *seen - of_name) == 0;
}

void strace_cut_take(const struct strace_cut *cut, const char *name, const char *tail, size_t ends)
{
    cut->out->n = cut->from + cut->whole - strlen(name) - strlen(tail) - ends;
    text_add(cut->out, name);
    text_add(cut->out, tail);
    if (ends)
        text_addc(cut->out, '\n');
}

/* Whether its last SIZE bytes begin as TEXT does, as far as they are there; a capital may be small. */
static bool begins(const struct strace_cut *cut, size_t size, const char *text)
{
    size_t at = cut->whole - size, there = strace_cut_known(cut) - at, n = strlen(text);
    const char *shown = strace_cut_text(cut) + at;

    n = there < n ? there : n;
    return !n ||
           ((*shown == *text || *shown == tolower((unsigned char)*text)) && memcmp(shown + 1, text + 1, n - 1) == 0);
}

/* NAME and TAIL it is, if STRACE_CUT_ALIKE bytes of them are there. */
static bool completes(const struct strace_cut *cut, const char *name, const char *tail, size_t alike)
{
    size_t seen;

    if (!strace_cut_fits(cut, name, tail, 0, &seen) || seen < alike)
        return false;
    strace_cut_take(cut, name, tail, 0);
    return true;
}

/* ---- errors ---- */

/* NAME is followed by BEFORE, TEXT and BEHIND; SMALL: TEXT begins with a small letter. */
static bool completes_around(const struct strace_cut *cut, const char *name, const char *before, const char *text,
                             const char *behind, bool small, size_t alike)
{
    CLEANUP_FREE char *tail = xasprintf("%s%s%s", before, text, behind);

    if (small)
        tail[strlen(before)] = (char)tolower((unsigned char)*text);
    return completes(cut, name, tail, alike);
}

/* It ends with the text for ERROR, said of WHAT ("": of nothing): STRACE_CUT_ALIKE bytes are there, besides what stands
 * before a text of which nothing is said. */
static bool completes_error(const struct strace_cut *cut, const char *what, int error, size_t alike)
{
    size_t n = strlen(what);

    for (unsigned which = 0; which < SPELLINGS; which++) {
        const char *text = spelling(error, which);
        size_t size = text ? n + strlen(text) : 0;

        if (!text || !strace_cut_can_end(cut, size, AROUND_MOST))
            continue;
        for (size_t i = 0; i < sizeof befores / sizeof *befores; i++)
            for (size_t k = 0; k < sizeof behinds / sizeof *behinds; k++) {
                size_t before = befores[i].size, around = size + before + behinds[k].size;
                size_t least = *what ? alike : before ? alike + before : STRACE_CUT_ALIKE;

                if (strace_cut_can_end(cut, around, 0) &&
                    begins(cut, around,
                           *what    ? what
                           : before ? befores[i].text
                                    : text) &&
                    completes_around(cut, what, befores[i].text, text, behinds[k].text, which == 1, least))
                    return true;
            }
    }
    return false;
}

static bool completes_errors(const struct strace_cut *cut, const struct strace_group *group)
{
    for (size_t i = 1; i <= STRACE_ERRORS && i <= group->error_count; i++)
        if (completes_error(cut, "", group->errors[(group->error_count - i) % STRACE_ERRORS],
                            i > 1 ? STRACE_CUT_ALIKE : 0))
            return true;
    return false;
}

/* ---- names of what failed ---- */

/* What failed last of those with ERROR (0: any) in the group or, of executions, anywhere. */
static const char *latest(const struct strace *strace, const struct strace_group *group, int error)
{
    const struct strace_failed *const lists[] = {&group->failed, &strace->executions};
    const char *name = NULL;
    uint64_t order = 0;

    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < STRACE_FAILED; i++)
            if (lists[l]->names[i] && lists[l]->order[i] > order && (!error || lists[l]->errors[i] == error)) {
                order = lists[l]->order[i];
                name = lists[l]->names[i];
            }
    return name;
}

/* NAME is there to its end and something behind it; or it is what failed LAST and has begun. */
static bool completes_one(const struct strace_cut *cut, const char *name, int error, bool last)
{
    enum { BEHIND_MOST = 128 }; /* a text for an error, one of the tails */
    size_t whole = strlen(name), alike = last ? STRACE_CUT_ALIKE : whole + 1;

    if (!strace_cut_can_end(cut, whole, BEHIND_MOST))
        return false;
    if (error && completes_error(cut, name, error, last ? STRACE_CUT_ALIKE : whole))
        return true;
    for (size_t k = 0; k < sizeof tails / sizeof *tails; k++)
        if (completes(cut, name, tails[k], alike))
            return true;
    return false;
}

static bool completes_name(const struct strace_cut *cut, const char *name, int error, bool last)
{
    return name && (completes_one(cut, name, error, last) || completes_one(cut, path_base(name), error, last));
}

static bool completes_failed(const struct strace *strace, const struct strace_group *group,
                             const struct strace_cut *cut)
{
    const struct strace_failed *const lists[] = {&group->failed, &strace->executions};
    const char *last = latest(strace, group, 0);

    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < STRACE_FAILED; i++)
            if (lists[l]->names[i] == last && completes_name(cut, last, lists[l]->errors[i], true))
                return true;
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < STRACE_FAILED; i++)
            if (completes_name(cut, lists[l]->names[i], lists[l]->errors[i], false))
                return true;
    return false;
}

static bool completes_quoted(const struct strace_cut *cut, int error, const char *name)
{
    static const char *const forms[] = {"[Errno %d] %s: '%s'\n", "[Errno %d] %s: '%s'"};

    for (size_t i = 0; name && i < sizeof forms / sizeof *forms; i++) {
        CLEANUP_FREE char *text = xasprintf(forms[i], error, strerror(error), name);

        if (completes(cut, text, "", 0))
            return true;
    }
    return false;
}

/* Of a script that it is to run. */
static bool completes_python(const struct strace *strace, const struct strace_group *group,
                             const struct strace_cut *cut)
{
    const char *name = latest(strace, group, 0);

    for (size_t i = 0; i < STRACE_FAILED && name; i++) {
        CLEANUP_FREE char *text = group->failed.names[i] == name
                                      ? xasprintf("can't open file '%s': [Errno %d] %s\n", name,
                                                  group->failed.errors[i], strerror(group->failed.errors[i]))
                                      : NULL;

        if (text && completes(cut, text, "", 10))
            return true;
    }
    return false;
}

/* Python's and others' "[Errno 2] No such file or directory: 'NAME'": the number says which text stands there, if not
 * which name. */
static bool completes_numbered(const struct strace *strace, const struct strace_group *group,
                               const struct strace_cut *cut)
{
    const char *at = strstr(cut->out->v + cut->from, "[Errno ");
    int error = at ? atoi(at + 7) : 0;
    CLEANUP_FREE char *text = at && errno_name(error) ? xasprintf("[Errno %d] %s", error, strerror(error)) : NULL;
    size_t seen = at ? strlen(at) : 0, before = at ? (size_t)(at - cut->out->v) - cut->from : 0;

    if (!text || completes_quoted(cut, error, latest(strace, group, error)))
        return text != NULL;
    for (size_t i = 0; i < STRACE_FAILED && error != ENOENT; i++) /* of those there are many */
        if (group->failed.errors[i] == error && completes_quoted(cut, error, group->failed.names[i]))
            return true;
    if (strncmp(text, at, seen < strlen(text) ? seen : strlen(text)) != 0 || before + strlen(text) > cut->whole)
        return false;
    cut->out->n = cut->from + before;
    text_add(cut->out, text);
    text_add(cut->out, before + strlen(text) + 1 < cut->whole ? " ...\n" : "\n");
    return true;
}

/* What failed last has begun at the end of what is there, and there is room for the rest of it: how the sentence ends
 * is not known. */
static bool completes_begun(const struct strace *strace, const struct strace_group *group, const struct strace_cut *cut)
{
    enum { BEGUN = 4 };
    const char *text = cut->out->v + cut->from, *name = latest(strace, group, 0);
    size_t known = cut->out->n - cut->from, n = name ? strlen(name) : 0;

    for (size_t begin = 0; begin + BEGUN <= known && n; begin++) {
        size_t seen = known - begin;

        if ((begin && !strace_boundary(text[begin - 1])) || seen > n || begin + n > cut->whole ||
            memcmp(text + begin, name, seen) != 0)
            continue;
        text_add(cut->out, name + seen);
        text_add(cut->out, " ...");
        return true;
    }
    return false;
}

bool strace_complete(struct strace *strace, struct strace_group *group, struct text *out, size_t from, size_t whole)
{
    struct strace_cut cut = {group, out, from, whole};

    text_addc(out, '\0'); /* so that it is one string */
    out->n--;
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
        if (completes(&cut, "", sentences[i], STRACE_CUT_ALIKE))
            return true;
    if (strace_complete_refusal(&cut) || completes_errors(&cut, group))
        return true;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
        if (completes(&cut, "", tails[i], STRACE_CUT_ALIKE))
            return true;
    if (completes_failed(strace, group, &cut) || completes_numbered(strace, group, &cut) ||
        completes_python(strace, group, &cut))
        return true;
    for (size_t i = 0; i < group->library_count && i < STRACE_LIBRARIES; i++)
        if (completes_name(&cut, group->libraries[i], ENOENT, true))
            return true;
    if (completes_name(&cut, group->exe, 0, true) || (group->argv.n && completes_name(&cut, group->argv.v[0], 0, true)))
        return true;
    group->in_line = completes_begun(strace, group, &cut);
    return group->in_line;
}
