/* The second command of a paste: file(1), readelf(1), ls(1), uname(1) and what scripts begin with. */
#include "pasted.h"

#include "environment.h"

#include <string.h>

#include <probes/alloc.h>

static void take(char **to, char *taken)
{
    if (*to)
        free(taken);
    else
        *to = taken;
}

/* file(1)'s names for machines, and the contract's. */
static const struct {
    const char *piece, *name;
} machines[] = {
    {"x86-64", "x86_64"},   {"ARM aarch64", "aarch64"}, {"Intel 80386", "i386"},
    {"Intel i386", "i386"}, {"32-bit LSB", "i386"},     {"ARM,", "arm"},
    {"RISC-V", "riscv64"},  {"PowerPC", "ppc64"},       {"IBM S/390", "s390x"},
    {"MIPS", "mips"},
};

static void read_file(const char *said, struct pasted_proof *ret)
{
    const char *at;

    ret->there = true;
    if ((at = strstr(said, "interpreter ")))
        take(&ret->interpreter, pasted_word(at + 12, strcspn(at + 12, ", ")));
    for (size_t i = 0; strstr(said, "ELF ") && !ret->machine && i < sizeof machines / sizeof *machines; i++)
        if (strstr(said, machines[i].piece))
            ret->machine = xstrdup(machines[i].name);
    if (strstr(said, "Mach-O"))
        take(&ret->machine, xstrdup("Mach-O"));
    if (strncmp(said, "empty", 5) == 0 || strcmp(said, "data") == 0)
        ret->empty = true;
    if ((at = strstr(said, "broken symbolic link to ")))
        take(&ret->target, pasted_word(at + 24, strlen(at + 24)));
    if (strstr(said, "script") || strstr(said, "CRLF")) {
        ret->script = true;
        ret->carriage_return |= strstr(said, "CRLF") != NULL;
        if ((at = strstr(said, "a /")))
            take(&ret->interpreter, pasted_word(at + 2, strcspn(at + 2, " ,")));
    }
}

/* LINE names FILE (or its last component) at its beginning, with a colon behind: file(1)'s rest, or NULL. */
static const char *of_file(const char *line, const char *file)
{
    const char *end = strstr(line, ": "), *name = line;
    size_t n;

    if (!end)
        return NULL;
    for (const char *p = line; p < end; p++)
        if (*p == '/')
            name = p + 1;
    n = (size_t)(end - name);
    return n == strlen(path_base(file)) && strncmp(name, path_base(file), n) == 0 ? end + 2 + strspn(end + 2, " ")
                                                                                  : NULL;
}

static bool is_mode(const char *line)
{
    return strchr("-l", *line) && *line && strspn(line + 1, "rwxsStT-") >= 9;
}

void pasted_proof_of(const struct process *process, const char *file, struct pasted_proof *ret)
{
    *ret = (struct pasted_proof){0};
    for (size_t i = 0; i < process->line_count; i++) {
        const char *line = process->lines[i].text, *said = of_file(line, file), *at;

        if (said && (strncmp(said, "ELF ", 4) == 0 || strstr(said, "script") || strstr(said, "symbolic link") ||
                     strncmp(said, "empty", 5) == 0 || strcmp(said, "data") == 0 || strstr(said, " text") ||
                     strstr(said, "Mach-O")))
            read_file(said, ret);
        if ((at = strstr(line, "Requesting program interpreter: "))) {
            at += strlen("Requesting program interpreter: ");
            take(&ret->interpreter, pasted_word(at, strcspn(at, "]")));
            ret->there = true;
        }
        if (is_mode(line) && words_path(line, path_base(file)))
            ret->there = true;
        if (strncmp(line, "#!", 2) == 0) {
            at = line + 2 + strspn(line + 2, " ");
            take(&ret->interpreter, pasted_word(at, strcspn(at, " \t\r$^")));
            ret->script = ret->there = true;
            ret->carriage_return |= strstr(line, "^M") != NULL || strchr(line, '\r') != NULL;
        }
    }
}

void pasted_proof_deinit(struct pasted_proof *proof)
{
    free(proof->interpreter);
    free(proof->machine);
    free(proof->target);
}

const char *pasted_machine(const struct process *process)
{
    static const char *const names[] = {"aarch64", "riscv64", "ppc64le", "s390x", "armv7l", "i686"};

    for (size_t i = 0; i < process->line_count; i++) {
        const char *line = process->lines[i].text;

        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (strcmp(line, names[k]) == 0 ||
                (strncmp(line, "Linux ", 6) == 0 && strstr(line, names[k]) && !strstr(line, "x86_64")))
                return names[k];
    }
    return "x86_64";
}
