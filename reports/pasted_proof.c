/* The second command of a paste: file(1), readelf(1), ls(1), uname(1) and what scripts begin with. */
#include "pasted.h"

#include "environment.h"

#include <ctype.h>
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

/* LINE names FILE (or its last component) with a colon behind: file(1)'s rest, or NULL. */
static const char *of_file(const char *line, const char *file)
{
    const char *name = path_base(file);
    size_t n = strlen(name);

    for (const char *at = line; n && (at = strstr(at, name)); at += n)
        if (strncmp(at + n, ": ", 2) == 0 && (at == line || strchr(" \t/`", at[-1])))
            return at + n + 2 + strspn(at + n + 2, " ");
    return NULL;
}

/* ldd(1)'s line of the loader itself, which the program names: "\t/lib64/ld-linux-x86-64.so.2 (0x…)"; malloced, or
 * NULL.
 */
static char *loader_in_ldd(const char *line)
{
    const char *at = line + strspn(line, " \t");
    size_t n = strcspn(at, " ");

    return at > line && *at == '/' && (strncmp(at + n, " (0x", 4) == 0 || strncmp(at + n, " => /", 5) == 0) &&
                   memmem(at, n, "/ld-", 4)
               ? xstrndup(at, n)
               : NULL;
}

static bool is_mode(const char *line)
{
    return strchr("-l", *line) && *line && strspn(line + 1, "rwxsStT-") >= 9;
}

void pasted_proof_of(const struct process *process, const char *file, struct pasted_proof *ret)
{
    bool ldd = false;
    char *found;

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
        if (is_mode(line + strspn(line, " \t")) && words_path(line, path_base(file)))
            ret->there = true;
        if (strstr(line, "ldd ") && words_path(line, path_base(file)))
            ldd = true;
        if (ldd && (found = loader_in_ldd(line))) {
            take(&ret->interpreter, found);
            ret->there = true;
            ldd = false;
        }
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

/* ---- mounts ---- */

static bool is_under(const char *path, const char *point)
{
    size_t n = strlen(point);

    return strncmp(path, point, n) == 0 && (path[n] == '/' || !path[n] || n == 1);
}

/* The mount point of a line of mount(8), "dev on POINT type T (…)", or of fstab(5) and /proc/mounts, "dev POINT T …",
 * that has the option noexec; else of people: "/tmp is mounted with noexec". malloced, or NULL. */
static char *point_in(const char *line)
{
    const char *at = strstr(line, " on /"), *option = strstr(line, "noexec");

    if (!option)
        return NULL;
    if (at && strstr(at, " type ") && at < option)
        return pasted_word(at + 4, strcspn(at + 4, " "));
    for (at = line; (at = strchr(at, '/')); at++)
        if ((at == line || strchr(" \t`'\"", at[-1])) && strncmp(at, "/dev/", 5) != 0 && isalpha((unsigned char)at[1]))
            return pasted_word(at, strcspn(at, " \t`'\""));
    return NULL;
}

/* Where mounts of their own are usual, and noexec. */
static char *usual_point(const char *path)
{
    static const char *const points[] = {"/var/tmp", "/dev/shm", "/tmp"};

    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        if (is_under(path, points[i]))
            return xstrdup(points[i]);
    return path_dir(path);
}

char *pasted_noexec_shown(const struct process *process, const char *path)
{
    bool absolute = path && *path == '/';

    for (size_t i = 0; i < process->line_count; i++) {
        char *point = point_in(process->lines[i].text);

        if (point && (!absolute || is_under(path, point)))
            return point;
        free(point);
    }
    return NULL;
}

char *pasted_noexec_mount(const struct process *process, const char *path)
{
    char *point = pasted_noexec_shown(process, path);

    return point || !path || !strchr(path, '/') ? point : usual_point(path);
}

bool pasted_all_may_run(const struct process *process, const char *path)
{
    bool may = false;

    for (size_t i = 0; i < process->line_count; i++) {
        const char *line = process->lines[i].text + strspn(process->lines[i].text, " \t");

        if (is_mode(line) && *line == '-' && line_finds(line, line, path_base(path)))
            may = line[3] == 'x' && line[6] == 'x' && line[9] == 'x';
    }
    return may;
}

/* ---- machines ---- */

/* A word of LINE, or what stands there between a slash, a dash or a dot. */
static bool has_word(const char *line, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = line; (at = strcasestr(at, word)); at += n)
        if ((at == line || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[n]) && at[n] != '_')
            return true;
    return false;
}

/* As uname(1), docker(1) ("linux/arm64") and people call it. */
static const struct {
    const char *word, *name;
} machine_words[] = {
    {"aarch64", "aarch64"}, {"arm64", "aarch64"},   {"arm64v8", "aarch64"},   {"armv7l", "arm"},  {"armv7", "arm"},
    {"armv6l", "arm"},      {"riscv64", "riscv64"}, {"ppc64le", "ppc64le"},   {"s390x", "s390x"}, {"x86_64", "x86_64"},
    {"amd64", "x86_64"},    {"i686", "i386"},       {"Raspberry", "aarch64"},
};

const char *pasted_machine(const struct process *process)
{
    const char *named = NULL;

    for (size_t i = 0; i < process->line_count; i++) {
        const char *line = process->lines[i].text;
        bool tells = strncmp(line, "Linux ", 6) == 0 || strstr(line, "OS/Arch") || strstr(line, "Architecture:");
        const char *host = strstr(line, "host platform (");

        if (strstr(line, ": ELF "))
            continue;
        if (host) { /* docker's: that of the image is before it */
            line = host;
            tells = true;
        }
        for (size_t k = 0; k < sizeof machine_words / sizeof *machine_words; k++) {
            if (strcmp(line, machine_words[k].word) == 0 || (tells && has_word(line, machine_words[k].word)))
                return machine_words[k].name;
            if (!named && strcmp(machine_words[k].name, "x86_64") != 0 && has_word(line, machine_words[k].word))
                named = machine_words[k].name; /* nobody speaks of it who has the common one */
        }
    }
    return named;
}
