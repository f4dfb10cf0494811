/* Sandboxes that cannot start: Chromium's, and what is built on it, bubblewrap's, unshare(1)'s. */
#include "pasted.h"

#include "syscall.h"

#include <string.h>

#include <probes/alloc.h>

bool pasted_sandbox(struct pasted *pasted, const char *line)
{
    static const char *const words[] = {"No usable sandbox!",        "Failed to move to new namespace",
                                        "No permissions to creat",   "unshare failed: Operation not permitted",
                                        "bwrap: setting up uid map", "Creating new namespace failed"};
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

/* "statx: Function not implemented": a system call by its name, with the answer of one that is not to be had. */
bool pasted_policy(struct pasted *pasted, const char *line)
{
    /* What the kernel itself seldom refuses for want of a right. */
    static const char *const free_to_all[] = {"memfd_create", "clone3",     "statx",      "openat2",
                                              "faccessat2",   "pidfd_open", "membarrier", "io_uring_setup",
                                              "close_range",  "getrandom"};
    const char *end = strstr(line, ": Function not implemented"), *refused = strstr(line, ": Operation not permitted"),
               *rule = strstr(line, "seccomp filter rule for syscall ");
    char *name = rule             ? pasted_word(rule + 32, strcspn(rule + 32, ": "))
                 : end || refused ? pasted_field_before(line, end ? end : refused)
                                  : NULL;
    bool known = name && (end || rule) && syscall_by_name(name);

    if (strstr(line, "Bad system call") || strstr(line, "signal SIGSYS") || strstr(line, "status=31/SYS")) {
        free(name); /* SIGSYS: a filter has ended it, and which call it was stands nowhere */
        pasted_found(pasted, CAUSE_SYSCALL_BLOCKED, pasted_speaker(pasted, line), xstrdup("a system call"), 0.45);
        return true;
    }
    if (refused && strstr(line, "pthread_create")) {
        free(name); /* glibc 2.34 and later make threads by clone3, and old container policies answer EPERM to it */
        pasted_found(pasted, CAUSE_SYSCALL_BLOCKED,
                     strncmp(line, "runtime/", 8) == 0 ? xstrdup(pasted->process->exe) : pasted_speaker(pasted, line),
                     xstrdup("clone3"), 0.65); /* "runtime/cgo" is a package of Go's */
        return true;
    }
    for (size_t i = 0; name && refused && i < sizeof free_to_all / sizeof *free_to_all; i++)
        known |= strcmp(name, free_to_all[i]) == 0;
    if (!known) {
        free(name);
        return false;
    }
    pasted_found(pasted, CAUSE_SYSCALL_BLOCKED, pasted_speaker(pasted, line), name, 0.8);
    return true;
}
