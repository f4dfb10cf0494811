/* What programs write, from strace's lines. A string that strace has cut (-s, 32 bytes unless told otherwise) is made
 * whole where only one thing can have stood there: the length is told, and the loaders' sentences are known. What
 * remains is cut at a word's beginning: half a name is a wrong one. */
#include "read_strace.h"

#include "strace_value.h"

#include <probes/alloc.h>

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

static bool completes(struct text *out, size_t from, size_t whole, const char *with)
{
    size_t n = out->n - from;

    if (strlen(with) != whole || n > whole || memcmp(out->v + from, with, n) != 0)
        return false;
    text_add(out, with + n);
    return true;
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

        if (sentence && completes(out, from, whole, sentence))
            return true;
    }
    return false;
}

static bool complete(const struct strace_group *group, struct text *out, size_t from, size_t whole)
{
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
        if (completes(out, from, whole, sentences[i]))
            return true;
    for (size_t i = 0; i < group->library_count; i++)
        if (completes(out, from, whole, group->libraries[i]))
            return true;
    if ((group->exe && completes(out, from, whole, group->exe)) ||
        (group->argv.n && completes(out, from, whole, group->argv.v[0])))
        return true;
    return completes_version(group, out, from, whole);
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
    while (out->n > from && !strchr(" \t\n:'`\"(", out->v[out->n - 1]))
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
