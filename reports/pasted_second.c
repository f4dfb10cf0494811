/* The proof in the second command of a paste: what ls(1), find(1), ldconfig(8), ldd(1), strings(1), objdump(1) and
 * readelf(1) showed beside the failure. They say more of what the loader's words say: that a library is there,
 * elsewhere; that another copy has the version. What contradicts those words is said, and believed no more than they
 * are. */
#include "pasted.h"

#include "read_text.h"

#include <string.h>

#include <probes/alloc.h>

/* ---- commands ---- */

/* The next word of COMMAND from *AT on, without quotes; its size, 0 at the end (of the command, not of a pipeline). */
static size_t next_word(const char *command, const char **at)
{
    const char *p = *at ? *at + strcspn(*at, " \t|;&") : command;

    p += strspn(p, " \t'\"");
    *at = p;
    return strchr("|;&", *p) ? 0 : strcspn(p, " \t|;&'\"");
}

static bool runs(const char *command, const char *name)
{
    const char *at = NULL;
    size_t n = next_word(command, &at);

    if (n == 4 && strncmp(at, "sudo", 4) == 0)
        n = next_word(command, &at);
    return n == strlen(name) && strncmp(at, name, n) == 0;
}

/* The argument of COMMAND that is a path to a file called NAME (NULL: the first path), malloced; or NULL. */
static char *argument(const char *command, const char *name)
{
    const char *at = NULL;

    for (size_t n; (n = next_word(command, &at));) {
        CLEANUP_FREE char *word = n < 4096 ? xstrndup(at, n) : NULL;

        if (word && *word == '/' && (!name || strcmp(path_base(word), name) == 0))
            return steal_pointer(&word);
    }
    return NULL;
}

/* ---- where a library is ---- */

/* "\tlibx.so.1 (libc6,x86-64) => /opt/x/libx.so.1" of "ldconfig -p", "\tlibx.so.1 => /opt/x/libx.so.1 (0x…)" of ldd(1).
 */
static char *behind_arrow(const char *line, const char *name)
{
    const char *start = line + strspn(line, " \t"), *at = strstr(line, " => /");
    size_t n = strlen(name);

    if (!at || strncmp(start, name, n) != 0 || start[n] != ' ')
        return NULL;
    return pasted_word(at + 4, strcspn(at + 4, " "));
}

/* A line of "ls DIRECTORY" (with -l or without) that has NAME: its path. */
static char *listed(const char *command, const char *line, const char *name)
{
    CLEANUP_FREE char *directory = runs(command, "ls") ? argument(command, NULL) : NULL;
    const char *at = directory ? line_finds(line, line, name) : NULL;

    if (!at || strstr(line, ": ") || (at > line && at[-1] == '/') || strpbrk(directory, "*?"))
        return NULL;
    return path_join(directory, name);
}

static char *copy_shown(const struct process *process, const char *name)
{
    const char *command = NULL;

    for (size_t i = 0; i < process->line_count; i++) {
        const char *line = process->lines[i].text, *prompt = text_prompt(line);
        char *found;

        if (prompt) {
            command = prompt;
            continue;
        }
        found = behind_arrow(line, name);
        if (!found && command)
            found = listed(command, line, name);
        if (found)
            return found;
    }
    return NULL;
}

/* ---- who has a version ---- */

static bool lists_versions(const char *command)
{
    static const char *const tools[] = {"strings", "objdump", "readelf", "nm", "grep"};

    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        if (runs(command, tools[i]))
            return true;
    return false;
}

/* The files called as PROVIDER is in which VERSION was shown: PROVIDER itself (*ITSELF), another one (returned). */
static char *version_shown(const struct process *process, const char *provider, const char *version, bool *itself)
{
    CLEANUP_FREE char *file = NULL;
    char *other = NULL;

    *itself = false;
    for (size_t i = 0; i < process->line_count; i++) {
        const char *line = process->lines[i].text, *prompt = text_prompt(line);

        if (prompt) {
            free(file);
            file = lists_versions(prompt) ? argument(prompt, path_base(provider)) : NULL;
            continue;
        }
        if (!file || !line_finds(line, line, version) || strstr(line, "required ") || strstr(line, "not found"))
            continue;
        if (strcmp(file, provider) == 0)
            *itself = true;
        else if (!other)
            other = xstrdup(file);
    }
    return other;
}

/* ---- findings ---- */

static void second_copy(struct finding *finding, char *owned[2])
{
    const struct process *process = finding->process;
    struct pasted_proof proof;

    owned[0] = copy_shown(process, finding->missing);
    pasted_proof_of(process, finding->missing, &proof);
    if (proof.target) { /* file(1): "broken symbolic link to …" */
        CLEANUP_FREE char *directory = owned[0] ? path_dir(owned[0]) : NULL;

        owned[1] = directory && *proof.target != '/' ? path_join(directory, proof.target) : xstrdup(proof.target);
        finding->kind = CAUSE_SYMLINK_DANGLING;
        finding->missing = owned[1];
    } else if (owned[0] && !judge_is_searched(owned[0])) {
        finding->kind = CAUSE_LIBRARY_OFF_PATH;
        finding->elsewhere = owned[0];
    } else if (owned[0]) {
        finding->contradicted = owned[1] =
            xasprintf("%s is shown, where every loader looks: it came later, or stands in "
                      "another container or root, or is for another machine",
                      owned[0]);
    }
    pasted_proof_deinit(&proof);
}

static void second_version(struct finding *finding, char *owned[2])
{
    bool itself;

    owned[0] = version_shown(finding->process, finding->provider, finding->missing, &itself);
    if (itself) {
        finding->contradicted = owned[1] =
            xasprintf("%s is shown to define %s: the one that was loaded is another file of "
                      "that name",
                      finding->provider, finding->missing);
    } else if (owned[0]) {
        finding->elsewhere = owned[0];
        if (!judge_is_searched(finding->provider))
            finding->kind = CAUSE_LIBRARY_SHADOWED;
    }
}

size_t pasted_second(struct finding *finding, char *owned[2])
{
    owned[0] = owned[1] = NULL;
    if (finding->kind == CAUSE_LIBRARY_MISSING && !strchr(finding->missing, '/'))
        second_copy(finding, owned);
    else if (finding->kind == CAUSE_SYMBOL_VERSION_MISSING && finding->provider && *finding->provider == '/')
        second_version(finding, owned);
    return 2;
}
