/* What programs write, from strace's lines. A string that strace has cut (-s, 32 bytes unless told otherwise) is made
 * whole where only one thing can have stood there: the length is told, and the loaders' sentences are known. What
 * remains is cut at a word's beginning: half a name is a wrong one. */
#include "read_strace.h"

#include "read_said.h"
#include "strace_value.h"

#include <probes/alloc.h>
#include <probes/path.h>

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
};

/* What stands behind a name at the end of what is said. */
static const char *const tails[] = {
    ": cannot open shared object file: No such file or directory\n",
    ": cannot open shared object file: No such file or directory",
    ": No such file or directory\n",
    "': No such file or directory\n",
    ": No such file or directory",
    ": Permission denied\n",
    ": Too many open files\n",
    ": No space left on device\n",
    ": Operation not permitted\n",
    ": Function not implemented\n",
    ": Cannot allocate memory\n",
    ": Connection refused\n",
    ": Exec format error\n",
    "': Permission denied\n",
    ": Permission denied",
    ": Too many levels of symbolic links\n",
    ": Not a directory\n",
    ": Is a directory\n",
    ": not found\n",
    ": command not found\n",
    "\n",
    "",
};

static bool is_boundary(char c)
{
    return strchr(" \t\n:'`\"(=,", c) != NULL;
}

/* Whether what is left out, of a text of WHOLE bytes at FROM, can be that it ends with NAME and TAIL: it has their
 * length and begins like them. */
static bool completes(struct text *out, size_t from, size_t whole, const char *name, const char *tail)
{
    enum { ALIKE = 3 }; /* bytes that have to be there */
    size_t known = out->n - from, n = strlen(name), size = n + strlen(tail), begin, there, of_name;

    if (size > whole || whole - size > known)
        return false;
    begin = whole - size;
    there = known - begin;
    of_name = there < n ? there : n;
    if (there < ALIKE || there > size || (n && begin && !is_boundary(out->v[from + begin - 1])) ||
        memcmp(out->v + from + begin, name, of_name) != 0 ||
        memcmp(out->v + from + begin + of_name, tail, there - of_name) != 0)
        return false;
    out->n = from + begin;
    text_add(out, name);
    text_add(out, tail);
    return true;
}

static bool completes_name(struct text *out, size_t from, size_t whole, const char *name)
{
    for (size_t i = 0; name && i < sizeof tails / sizeof *tails; i++)
        if (completes(out, from, whole, name, tails[i]) || completes(out, from, whole, path_base(name), tails[i]))
            return true;
    return false;
}

/* "version `X' not found (required by NAME)": NAME is one of those that were opened. */
static bool completes_version(const struct strace_group *group, struct text *out, size_t from, size_t whole)
{
    static const char by[] = "' not found (required by ";
    const char *quote = NULL;
    size_t known;

    text_addc(out, '\0');
    out->n--;
    if (strncmp(out->v + from, "version `", 9) == 0)
        quote = strchr(out->v + from + 9, '\'');
    if (!quote)
        return false;
    known = (size_t)(quote - out->v) - from;
    for (size_t i = 0; i <= group->library_count + 1; i++) {
        const char *name = i < group->library_count    ? group->libraries[i]
                           : i == group->library_count ? group->exe
                           : group->argv.n             ? group->argv.v[0]
                                                       : NULL;
        CLEANUP_FREE char *sentence = name ? xasprintf("%.*s%s%s)", (int)known, out->v + from, by, name) : NULL;

        if (sentence && completes(out, from, whole, sentence, ""))
            return true;
    }
    return false;
}

/* musl's "Error loading shared library NAME: … (needed by ", which the other's name follows. */
static bool completes_musl(const struct strace_group *group, struct text *out, size_t from, size_t whole)
{
    static const char *const reasons[] = {"No such file or directory", "Exec format error",  "Permission denied",
                                          "Operation not permitted",   "Symbolic link loop", "Invalid argument"};

    if (out->n - from < 14 || strncmp(out->v + from, "Error loading ", 14) != 0)
        return false;
    for (size_t i = 0; i < STRACE_FAILED + group->library_count; i++) {
        const char *name = i < STRACE_FAILED ? group->failed[i] : group->libraries[i - STRACE_FAILED];

        for (size_t k = 0; name && k < sizeof reasons / sizeof *reasons; k++) {
            CLEANUP_FREE char *sentence =
                xasprintf("Error loading shared library %s: %s (needed by ", path_base(name), reasons[k]);

            if (completes(out, from, whole, sentence, ""))
                return true;
        }
    }
    return false;
}

static bool complete(const struct strace_group *group, struct text *out, size_t from, size_t whole)
{
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
        if (completes(out, from, whole, "", sentences[i]))
            return true;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
        if (completes(out, from, whole, "", tails[i]))
            return true;
    if (completes_musl(group, out, from, whole))
        return true;
    for (size_t i = 0; i < STRACE_FAILED; i++) /* the last one first */
        if (completes_name(out, from, whole,
                           group->failed[(group->failed_count + STRACE_FAILED - 1 - i) % STRACE_FAILED]))
            return true;
    for (size_t i = 0; i < group->library_count; i++)
        if (completes_name(out, from, whole, group->libraries[i]))
            return true;
    return completes_name(out, from, whole, group->exe) ||
           (group->argv.n && completes_name(out, from, whole, group->argv.v[0])) ||
           completes_version(group, out, from, whole);
}

/* One buffer: TEXT as strace shows it, of WHOLE bytes. */
static void add(const struct strace_group *group, struct text *out, const char *text, size_t whole)
{
    size_t from = out->n;
    bool cut;

    if (!strace_string(text, out, &cut) || !cut)
        return;
    if (complete(group, out, from, whole))
        return;
    while (out->n > from && !is_boundary(out->v[out->n - 1]))
        out->n--;
    text_add(out, "...");
    if (whole && strcmp(text, "") != 0)
        text_add(out, "\n");
}

/* "[{iov_base="…", iov_len=4}, …]", "[{"…", 4}, …]". */
static void add_vector(const struct strace_group *group, struct text *out, const char *p)
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
        add(group, out, string, strtoul(rest, NULL, 10));
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

void strace_written(struct strace *strace, const struct strace_group *group, const struct strace_call *call)
{
    struct text *out = &strace->data;

    text_clear(out);
    if (call->count < 2)
        return;
    if (call->name->handling == HANDLE_WRITEV) {
        add_vector(group, out, call->text[1]);
    } else if (call->name->handling == HANDLE_SENDMSG) {
        const char *vector = strstr(call->text[1], "msg_iov");

        add_vector(group, out, vector ? vector : call->text[1] + (*call->text[1] == '{'));
    } else if (call->count < 3 || !add_interleaved(out, call->text[2])) {
        add(group, out, call->text[1], call->count > 2 ? strtoul(call->text[2], NULL, 10) : 0);
    }
}

static void tell_said(struct strace *strace, struct strace_thread *thread, const struct said *said)
{
    struct event event = {
        .type = EVENT_LOADER,
        .loader = said_event(said, thread->group->loading ? LOADER_FATAL : LOADER_CAUGHT),
    };

    strace_event(strace, thread, &event);
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
                tell_said(strace, thread, &said);
                said_deinit(&said);
            }
            text_clear(line);
        }
        p += n + (p[n] == '\n');
    }
}
