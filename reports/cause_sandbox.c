/* sandbox-unavailable: a program's sandbox has no namespaces, or no helper with the rights that it needs. */
#include "judge.h"

#include "namespaces.h"
#include "scenario.h"
#include "syscall.h"

#include <errno.h>
#include <string.h>

#include <probes/alloc.h>
static void set(struct cause *cause, const char *assignment)
{
    struct remedy *remedy = cause_remedy(cause, PROOF_KNOWN, "allow user namespaces");

    strings_addf(&remedy->commands, "sysctl -w %s", assignment);
    remedy->risk = xstrdup("as root, for the whole system: ordinary users may then ask the kernel for namespaces");
}

/* Why there are none, as far as it shows. */
static const char *tell_why(const struct finding *finding, struct cause *cause)
{
    const struct failure *failure = finding->failure;
    pid_t pid = finding->process->pid;
    const char *setting, *why;
    bool chrooted;

    if (failure && failure->policy) {
        cause_remedy(cause, PROOF_KNOWN,
                     "let the seccomp policy of the container or sandbox allow %s with CLONE_NEWUSER",
                     failure->desc->name);
        return "a seccomp policy refuses them";
    }
    if (path_nowhere(finding->process->root)) /* the settings of that machine are in no log */
        return "the kernel refuses them, for a reason that the log does not have";
    why = namespaces_refused(pid, finding->process->root, finding->error, &setting, &chrooted);
    if (setting)
        set(cause, setting);
    else if (chrooted)
        cause_remedy(cause, PROOF_KNOWN,
                     "run it outside the chroot, or enter its root with pivot_root(2) (bwrap, unshare)");
    else
        cause_remedy(cause, PROOF_KNOWN, "allow user namespaces to this user, in a container: to the container");
    return why;
}

static void tell_helper(const struct finding *finding, struct cause *cause)
{
    const char *helper = finding->path;
    struct remedy *remedy = cause_remedy(cause, PROOF_KNOWN, "give the helper its rights");
    struct stat st;

    strings_addf(&remedy->commands, "chown root:root %s && chmod 4755 %s", helper, helper);
    remedy->risk = xstrdup("as root; anybody can then run it as root");
    if (path_stat(finding->process->root, helper, &st) == 0) {
        cause_fact(cause, "it gets", "%s   mode %04o, owner %u", helper, (unsigned)st.st_mode & 07777,
                   (unsigned)st.st_uid);
        cause->summary = xasprintf("The sandbox of %s cannot start: its helper %s is not set-user-ID root.",
                                   path_base(finding->subject), helper);
    } else if (path_nowhere(finding->process->root)) {
        cause->summary =
            xasprintf("The sandbox of %s cannot start: its helper %s is not set-user-ID root, or not there.",
                      path_base(finding->subject), helper);
    } else {
        cause->summary = xasprintf("The sandbox of %s cannot start: its helper %s is not there.",
                                   path_base(finding->subject), helper);
    }
    cause->detail = xstrdup("Without user namespaces the helper has to make the sandbox, which takes root's rights.");
}

void cause_sandbox_tell(const struct finding *finding, struct cause *cause)
{
    const struct failure *failure = finding->failure;
    const char *subject = path_base(finding->subject), *why;

    if (finding->path) {
        tell_helper(finding, cause);
        return;
    }
    if (strcmp(finding->missing, "user namespaces") != 0) {
        cause->summary = xasprintf("%s does not start as root: its sandbox is made for ordinary users.", subject);
        cause->detail = xstrdup("The program ends itself for that, before it asks the kernel for anything.");
        cause_remedy(cause, PROOF_KNOWN, "run it as an ordinary user");
        cause_remedy(cause, PROOF_KNOWN, "or, where what it shows is trusted, with --no-sandbox")->risk =
            xstrdup("a hostile page then has root's rights");
        return;
    }
    why = tell_why(finding, cause);
    cause->summary = xasprintf("The sandbox of %s cannot start: it gets no user namespaces, since %s.", subject, why);
    if (failure)
        cause->detail = xasprintf("%s(%s) with CLONE_NEWUSER failed with %s.", failure->desc->name, failure->text,
                                  errno_name(failure->error));
    else
        cause->detail = xstrdup("The program says so; the call that failed was not seen.");
    cause->scenario = scenario_of_state(STATE_NAMESPACES, finding->subject);
    cause->scenario->error = finding->error ? finding->error : EPERM;
}
