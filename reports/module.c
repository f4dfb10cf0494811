/* What node, Go and Perl say of a native module that was built for another of their versions. */
#include "module.h"

#include <stdlib.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/runtime.h>

void module_deinit(struct module_mismatch *mismatch)
{
    free(mismatch->object);
    free(mismatch->wanted);
    free(mismatch->built);
    free(mismatch->words);
    *mismatch = (struct module_mismatch){0};
}

const struct load_act *module_opened(const struct process *process, const char *ending, uint64_t n)
{
    size_t size = strlen(ending);

    for (size_t i = process->act_count; i-- > 0;) {
        const struct load_act *act = &process->acts[i];
        size_t length = strlen(act->path);

        if (!act->error && act->n < n && length > size && strcmp(act->path + length - size, ending) == 0)
            return act;
    }
    return NULL;
}

/* ---- node, and what has it inside (Electron) ---- */

/* The lines from LINE on as one: node breaks its sentence up. malloced. */
static char *joined(const struct process *process, const struct output_line *line)
{
    char *text = xstrdup(line->text);

    for (const struct output_line *next = line + 1; next < process->lines + process->line_count && next < line + 5;
         next++) {
        char *longer = xasprintf("%s %s", text, next->text);

        free(text);
        text = longer;
    }
    return text;
}

/* "NODE_MODULE_VERSION 93" behind WORD. */
static unsigned version_behind(const char *text, const char *word)
{
    static const char name[] = "NODE_MODULE_VERSION ";
    const char *at = strstr(text, word), *version = at ? strstr(at, name) : NULL;

    return version ? (unsigned)strtoul(version + sizeof name - 1, NULL, 10) : 0;
}

/* The path in quotes behind WORDS, made absolute. malloced, or NULL. */
static char *path_behind(const struct process *process, const char *text, const char *words)
{
    const char *at = strstr(text, words), *open = at ? strpbrk(at + strlen(words), "'\"") : NULL;
    size_t size = open ? strcspn(open + 1, "'\"") : 0;
    CLEANUP_FREE char *path = size && size < 4096 ? xstrndup(open + 1, size) : NULL;

    if (path && strchr(path, '\\')) /* of another system's */
        return xstrdup(path);
    return path ? path_join(process->cwd ? process->cwd : "/", path) : NULL;
}

static unsigned node_of(const struct process *process)
{
    unsigned number = process->exe ? runtime_node(process->root, process->exe) : 0;

    for (size_t i = 0; i < process->act_count && !number; i++) /* Debian's node is a library */
        if (!process->acts[i].error && strncmp(process->acts[i].name, "libnode.so", 10) == 0)
            number = runtime_node(process->root, process->acts[i].path);
    return number;
}

static void node_found(struct module_mismatch *ret, unsigned built, unsigned wanted)
{
    ret->built = xasprintf("NODE_MODULE_VERSION %u", built);
    ret->wanted = xasprintf("NODE_MODULE_VERSION %u", wanted);
    ret->helps =
        "build it again for this node (for Electron: with electron-rebuild), or use the node that it was built for";
    ret->command = "npm rebuild";
}

/* An add-on without a static description is asked for "node_register_module_v115" only, and node says nothing of
 * versions where it has another one (src/node_binding.cc, DLOpen). */
static bool node_unregistered(const struct process *process, const struct output_line *line,
                              struct module_mismatch *ret)
{
    const struct load_act *act = module_opened(process, ".node", line->n);
    char *path = path_behind(process, line->text, "did not self-register");
    unsigned built, wanted;

    if (!path && act)
        path = xstrdup(act->path);
    ret->object = path;
    built = path ? runtime_node_wanted(process->root, path) : 0;
    wanted = built ? node_of(process) : 0;
    if (!wanted || built == wanted)
        return false;
    node_found(ret, built, wanted);
    ret->sure = 0.95;
    return true;
}

/* In words of the program's own: it names the add-on, which is for another version by its symbol. */
static bool node_named(const struct process *process, const struct output_line *line, struct module_mismatch *ret)
{
    const struct load_act *act = module_opened(process, ".node", line->n);
    unsigned built = act && strstr(line->text, act->name) ? runtime_node_wanted(process->root, act->path) : 0;
    unsigned wanted = built ? node_of(process) : 0;

    if (!wanted || built == wanted)
        return false;
    node_found(ret, built, wanted);
    ret->object = xstrdup(act->path);
    ret->sure = 0.85;
    return true;
}

/* Its length up to the second version; what follows is advice. */
static size_t sentence_of(const char *text)
{
    const char *at = strstr(text, "of Node.js requires"), *version = at ? strstr(at, "NODE_MODULE_VERSION ") : NULL;
    size_t name = sizeof "NODE_MODULE_VERSION " - 1;

    return version ? (size_t)(version - text) + name + strspn(version + name, "0123456789.") : strlen(text);
}

bool module_node(const struct process *process, const struct output_line *line, struct module_mismatch *ret)
{
    CLEANUP_FREE char *text = NULL;
    unsigned built, wanted;

    if (strstr(line->text, "did not self-register"))
        return node_unregistered(process, line, ret);
    if (!strstr(line->text, "The module "))
        return node_named(process, line, ret);
    text = joined(process, line);
    built = version_behind(text, "compiled against");
    wanted = version_behind(text, "of Node.js requires");
    if (!built || !wanted || built == wanted)
        return false;
    ret->object = path_behind(process, text, "The module");
    if (!ret->object) {
        const struct load_act *act = module_opened(process, ".node", line->n);

        ret->object = xstrdup_or_null(act ? act->path : NULL);
    }
    node_found(ret, built, wanted);
    ret->words = xstrndup(text, sentence_of(text));
    ret->sure = 0.97;
    return true;
}

/* ---- Go ---- */

/* runtime/plugin.go: all that both have must be built from the same source, by the same Go, in the same way. */
bool module_go(const struct process *process, const struct output_line *line, struct module_mismatch *ret)
{
    const struct load_act *act;

    if (!strstr(line->text, "plugin was built with a different version of package"))
        return false;
    act = module_opened(process, ".so", line->n);
    ret->object = xstrdup_or_null(act ? act->path : NULL);
    ret->wanted = process->exe ? runtime_go(process->root, process->exe) : NULL;
    ret->built = act ? runtime_go(process->root, act->path) : NULL;
    ret->helps = "build program and plugin with the same Go, from the same source of all packages that both have, with "
                 "the same flags";
    ret->command = "go build -buildmode=plugin";
    ret->sure = 0.95;
    return ret->wanted != NULL;
}

/* ---- Perl ---- */

/* "Perl API version v5.34.0 of POSIX does not match v5.36.0"; "POSIX.c: loadable library and perl binaries are
 * mismatched (got handshake key 0xcd00080, needed 0xde00080)" (perldiag(1)). */
bool module_perl(const struct process *process, const struct output_line *line, struct module_mismatch *ret)
{
    static const char api[] = "Perl API version ", match[] = " does not match v";
    const char *at = strstr(line->text, api), *other = at ? strstr(at, match) : NULL;
    const struct load_act *act;

    if (!other && !strstr(line->text, "loadable library and perl binaries are mismatched"))
        return false;
    act = module_opened(process, ".so", line->n);
    ret->object = xstrdup_or_null(act ? act->path : NULL);
    if (other) {
        at += sizeof api - 1;
        ret->built = xstrndup(at, strcspn(at, " "));
        other += sizeof match - 2;
        ret->wanted = xstrndup(other, strspn(other, "v.0123456789"));
    } else {
        ret->wanted = process->exe ? runtime_perl(process->root, process->exe) : NULL;
        for (size_t i = 0; i < process->act_count && !ret->wanted; i++)
            if (!process->acts[i].error && strncmp(process->acts[i].name, "libperl.so", 10) == 0)
                ret->wanted = runtime_perl(process->root, process->acts[i].path);
    }
    ret->helps = "install the build of it for this Perl";
    ret->command = "cpan -fi MODULE";
    ret->sure = 0.93;
    return ret->wanted != NULL;
}
