/* command-not-found: a program that was looked for on PATH is not there. */
#include "judge.h"
#include "remedy.h"
#include "scenario.h"

#include <string.h>

#include <probes/alloc.h>

enum { SIMILAR = 3 };

static bool is_shell(const char *exe)
{
    static const char *const names[] = {"sh", "dash", "bash", "ash", "busybox", "ksh", "mksh", "zsh", "yash"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(path_base(exe), names[i]) == 0)
            return true;
    return false;
}

static void tell_places(const struct finding *finding, struct cause *cause)
{
    for (size_t i = 0; i < finding->episode->count; i++) {
        const struct attempt *attempt = finding->episode->attempts[i];
        struct path_walk walk;

        path_walk(attempt->root, attempt->cwd, attempt->path, NULL, &walk);
        cause_place(cause, attempt->path, "PATH", path_reason_text(walk.reason), false);
        path_walk_deinit(&walk);
    }
}

static void tell_nearby(const struct finding *finding, struct cause *cause)
{
    for (size_t i = 0; i < finding->episode->count; i++) {
        size_t count = 0;
        char **names = path_nearby(finding_root(finding), finding->episode->attempts[i]->path, SIMILAR, &count);

        for (size_t k = 0; k < count; k++) {
            if (k == 0)
                cause_fact(cause, "nearby", "%s", names[k]);
            free(names[k]);
        }
        free(names);
        if (count)
            return;
    }
}

void cause_command_tell(const struct finding *finding, struct cause *cause)
{
    const char *subject = path_base(finding->subject);

    if (finding->process->executed)
        cause->summary = xasprintf("%s looked for the program %s on PATH, and it is in none of its %zu directories.",
                                   subject, finding->missing, finding->episode->count);
    else
        cause->summary = xasprintf("The command %s is in none of the %zu directories of PATH.", finding->missing,
                                   finding->episode->count);
    cause_fact(cause, "it needs", "%s", finding->missing);
    tell_places(finding, cause);
    tell_nearby(finding, cause);
    cause->detail = xasprintf("%s tried %zu directories of PATH for %s; none has a file of that name.",
                              finding->subject, finding->episode->count, finding->missing);
    remedy_command(finding, cause);
    remedy_ask(finding, cause, ASK_COMMAND, finding->missing, NULL);
    cause_remedy(cause, PROOF_KNOWN, "install %s, or put its directory on PATH", finding->missing);
    if (is_shell(finding->subject)) {
        cause->scenario = scenario_create(SCENARIO_COMMAND);
        cause->scenario->shell = xstrdup(finding->subject);
        cause->scenario->command = xstrdup(finding->missing);
    }
}
