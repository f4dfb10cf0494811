/* What the loader was told to load besides and did without: glibc's elf/rtld.c says so in no language but its own. */
#include "pasted.h"

#include <string.h>

#include <probes/alloc.h>

/* "ERROR: ld.so: object 'libx.so' from LD_PRELOAD cannot be preloaded (cannot open shared object file): ignored." One
 * of another class is for other programs of the session (a list for both). */
bool pasted_preload(struct pasted *pasted, const char *line)
{
    static const struct {
        const char *words, *variable;
    } told[] = {{"' from LD_PRELOAD cannot be preloaded", "LD_PRELOAD"},
                {"' cannot be loaded as audit interface", "LD_AUDIT"}};
    const char *object = strstr(line, "object '");

    for (size_t i = 0; object && i < sizeof told / sizeof *told; i++) {
        const char *end = strstr(object, told[i].words);

        if (!end || strstr(end, "wrong ELF class"))
            continue;
        object += strlen("object '");
        pasted->degraded = true;
        pasted_found(pasted, CAUSE_ENVIRONMENT_WRONG, pasted_speaker(pasted, line),
                     xasprintf("%s=%.*s", told[i].variable, (int)(end - object), object), 0.85);
        return true;
    }
    return false;
}
