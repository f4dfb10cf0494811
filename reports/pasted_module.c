/* Add-ons and plugins that were built for another runtime, by the runtime's own words alone (module.h has those of
 * which more is known). */
#include "pasted.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <probes/alloc.h>

/* "go1.21.1" of "go version go1.21.1 linux/amd64" and the like, anywhere in the paste; malloced, or NULL. */
static char *go_version(const struct process *process)
{
    for (size_t i = 0; i < process->line_count; i++)
        for (const char *at = process->lines[i].text; (at = strstr(at, "go1.")); at++)
            if (isdigit((unsigned char)at[4]) && (at == process->lines[i].text || !isalnum((unsigned char)at[-1])))
                return pasted_word(at, 4 + strspn(at + 4, "0123456789."));
    return NULL;
}

/* 'plugin.Open("/x/p"): plugin was built with a different version of package runtime' (src/runtime/plugin.go). */
static bool by_go(struct pasted *pasted, const char *line)
{
    static const char open[] = "plugin.Open(\"";
    const char *at = strstr(line, open);
    char *version, *object;

    if (!strstr(line, "plugin was built with a different version of package"))
        return false;
    at = at ? at + sizeof open - 1 : NULL;
    object = at ? pasted_word(at, strcspn(at, "\"")) : xstrdup(pasted->process->exe);
    version = go_version(pasted->process);
    pasted_found(pasted, CAUSE_MODULE_ABI_MISMATCH, object, version ? version : xstrdup("go"), version ? 0.85 : 0.6);
    return true;
}

/* "Module version mismatch. Expected 49, got 48." (node up to 6); and the newer words where one of the two numbers was
 * left out. */
static bool by_node(struct pasted *pasted, const char *line)
{
    static const char old[] = "Module version mismatch. Expected ",
                      wants[] = "of Node.js requires NODE_MODULE_VERSION ";
    const char *at = strstr(line, old), *object = strstr(line, "The module '");

    if (at)
        at += sizeof old - 1;
    else if ((at = strstr(line, wants)))
        at += sizeof wants - 1;
    if (!at || !isdigit((unsigned char)*at))
        return false;
    pasted_found(pasted, CAUSE_MODULE_ABI_MISMATCH,
                 object ? pasted_word(object + 12, strcspn(object + 12, "'")) : xstrdup(pasted->process->exe),
                 xasprintf("NODE_MODULE_VERSION %d", atoi(at)), 0.85);
    return true;
}

bool pasted_module(struct pasted *pasted, const char *line)
{
    return by_go(pasted, line) || by_node(pasted, line);
}
