/* Sandboxes that cannot start: a program asks the kernel for namespaces of its own, or a helper that is to be
 * set-user-ID root for them, and does not get them.
 *
 * The call tells of namespaces. Of the helper, and of what Chromium and what is built on it will not do as root, only
 * its words tell; they are believed where the file is as they say. */
#include "judge.h"

#include "syscall.h"
#include "sight.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include <probes/alloc.h>

bool failure_is_namespace(const struct failure *failure)
{
    const char *name = failure->desc->name;
    uint64_t flags = strcmp(name, "clone3") == 0 ? failure->flags : failure->args[0];

    return (strcmp(name, "unshare") == 0 || strcmp(name, "clone") == 0 || strcmp(name, "clone3") == 0) &&
           flags & CLONE_NEWUSER;
}

/* What user_namespaces(7) and create_user_ns() (kernel/user_namespace.c) give where there are none to be had; EINVAL is
 * a mistake in the call. */
static bool is_refusal(int error)
{
    return error == EPERM || error == EACCES || error == ENOSPC || error == EUSERS || error == ENOSYS;
}

/* A policy that keeps a program from the call is one that lets it be made, where the program does not say that it was
 * about a sandbox of its own. */
bool failure_is_sandbox(const struct process *process, const struct failure *failure)
{
    if (!failure_is_namespace(failure) || !failure->policy)
        return failure_is_namespace(failure);
    for (size_t i = 0; i < process->line_count; i++)
        if (strcasestr(process->lines[i].text, "sandbox") || strcasestr(process->lines[i].text, "namespace"))
            return true;
    return false;
}

static struct suspect *suspect_sandbox(struct process *process, struct finding *finding, uint64_t n, uint64_t t_ns)
{
    const struct process *image = process_owner(process);

    finding->kind = CAUSE_SANDBOX_UNAVAILABLE;
    finding->process = image;
    finding->subject = image->exe;
    return image->exe ? suspect_add(process, AT_CALL, finding, n, t_ns) : NULL;
}

static bool judge_namespaces(struct process *process)
{
    static const char *const words[] = {"namespace", "namespaces", "sandbox",      "Sandbox",
                                        "sandbox!",  "unshare",    "CLONE_NEWUSER"};
    bool any = false;

    for (size_t i = 0; i < process->failure_count; i++) {
        const struct failure *failure = &process->failures[i];
        struct finding finding = {
            .missing = "user namespaces", .call = failure->desc->name, .error = failure->error, .failure = failure};
        struct suspect *suspect;

        if (!failure_is_sandbox(process, failure) || !is_refusal(failure->error))
            continue;
        any = true;
        suspect = suspect_sandbox(process, &finding, failure->n, failure->t_ns);
        if (!suspect)
            continue;
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            strings_add(&suspect->needles, xstrdup(words[k]));
        suspect_needles(suspect, failure->error);
        suspect_failure(suspect, process, failure);
        suspect->last_act = false; /* many programs only ask whether they could */
    }
    return any;
}

/* "… make sure that /opt/x/chrome-sandbox is owned by root and has mode 4755." malloced, or NULL. */
static char *helper_in(const char *line)
{
    const char *end = strstr(line, " is owned by root"), *start = end;

    while (start && start > line && start[-1] != ' ')
        start--;
    return start && *start == '/' ? xstrndup(start, (size_t)(end - start)) : NULL;
}

static bool helper_is_good(const struct process *process, const char *path)
{
    struct stat st;

    return sight_stat(process, path, &st) == 0 && st.st_uid == 0 && st.st_mode & S_ISUID;
}

static void judge_line(struct process *process, const struct output_line *line, bool namespaces)
{
    static const char as_root[] = "Running as root without --no-sandbox is not supported";
    CLEANUP_FREE char *helper = strstr(line->text, "sandbox") ? helper_in(line->text) : NULL;
    struct finding finding = {0};
    const char *needle = NULL;
    struct suspect *suspect;
    bool sure = false;

    if (helper) {
        finding.missing = finding.path = helper;
        needle = "is owned by root";
        sure = !helper_is_good(process, helper);
    } else if (strstr(line->text, as_root)) {
        finding.missing = "a user other than root";
        needle = as_root;
        sure = process->has_image && process->cred.uid == 0;
    } else if (strstr(line->text, "No usable sandbox!") && !namespaces) {
        finding.missing = "user namespaces";
        needle = "No usable sandbox!";
    }
    if (!needle || (helper && !sure))
        return;
    suspect = suspect_sandbox(process, &finding, line->n, process->end_ns);
    if (!suspect)
        return;
    strings_add(&suspect->needles, xstrdup(needle));
    suspect->certain = sure && process_failed(process);
}

void judge_sandbox(struct process *process)
{
    bool namespaces = judge_namespaces(process);

    for (size_t i = 0; i < process->line_count; i++)
        judge_line(process, &process->lines[i], namespaces);
}
