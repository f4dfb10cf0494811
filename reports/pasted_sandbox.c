/* Sandboxes that cannot start: Chromium's, and what is built on it, bubblewrap's, unshare(1)'s. */
#include "pasted.h"

#include <string.h>

#include <probes/alloc.h>

bool pasted_sandbox(struct pasted *pasted, const char *line)
{
    static const char *const words[] = {"No usable sandbox!",
                                        "Failed to move to new namespace",
                                        "No permissions to create new namespace",
                                        "unshare failed: Operation not permitted",
                                        "bwrap: setting up uid map",
                                        "Creating new namespace failed"};
    static const char as_root[] = "Running as root without --no-sandbox is not supported";
    const char *end = strstr(line, "sandbox") ? strstr(line, " is owned by root") : NULL, *start = end;
    bool known = false;

    while (start && start > line && start[-1] != ' ')
        start--;
    if (start && *start == '/') {
        pasted_found(pasted, CAUSE_SANDBOX_UNAVAILABLE, xstrdup(pasted->process->exe),
                     pasted_word(start, (size_t)(end - start)), 0.9);
        return true;
    }
    if (strstr(line, as_root)) {
        pasted_found(pasted, CAUSE_SANDBOX_UNAVAILABLE, xstrdup(pasted->process->exe),
                     xstrdup("a user other than root"), 0.93);
        return true;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        known |= strstr(line, words[i]) != NULL;
    if (known)
        pasted_found(pasted, CAUSE_SANDBOX_UNAVAILABLE, xstrdup(pasted->process->exe), xstrdup("user namespaces"), 0.9);
    return known;
}
