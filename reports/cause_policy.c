/* syscall-blocked: a seccomp policy or an old kernel refuses a system call. */
#include "judge.h"

#include "crash.h"
#include "scenario.h"
#include "syscall.h"

#include <errno.h>
#include <string.h>

#include <probes/alloc.h>

/* The first kernel that has it: "VERSIONS" in each call's man page. */
static const char *since(const char *call)
{
    static const struct {
        const char *call, *kernel;
    } calls[] = {{"clone3", "5.3"},         {"statx", "4.11"},     {"openat2", "5.6"},     {"faccessat2", "5.8"},
                 {"io_uring_setup", "5.1"}, {"pidfd_open", "5.3"}, {"close_range", "5.9"}, {"memfd_create", "3.17"},
                 {"userfaultfd", "4.3"},    {"getrandom", "3.17"}, {"rseq", "4.18"},       {"copy_file_range", "4.5"},
                 {"execveat", "3.19"},      {"bpf", "3.18"},       {"renameat2", "3.15"},  {"membarrier", "4.3"},
                 {"preadv2", "4.6"},        {"fchmodat2", "6.6"},  {"futex_waitv", "5.16"}};

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(calls[i].call, call) == 0)
            return calls[i].kernel;
    return NULL;
}

static void tell_kernel(const struct finding *finding, struct cause *cause)
{
    const char *kernel = since(finding->missing);

    cause->summary = xasprintf("%s needs the system call %s, which this kernel does not have.",
                               path_base(finding->subject), finding->missing);
    cause->detail = xasprintf("%s(%s) failed with ENOSYS, and no seccomp filter was seen that could have said so.",
                              finding->missing, finding->failure->text);
    if (kernel)
        cause_remedy(cause, PROOF_KNOWN, "run it on Linux %s or newer, which has %s", kernel, finding->missing);
    cause_remedy(cause, PROOF_KNOWN, "in a container or sandbox: let its seccomp policy allow %s", finding->missing);
}

static void remedies(const struct finding *finding, struct cause *cause, bool own)
{
    const char *by = finding->process->policy_by;
    struct remedy *remedy;

    if (own) {
        cause_remedy(cause, PROOF_KNOWN, "let the policy that %s puts on itself allow %s, or update %s", path_base(by),
                     finding->missing, path_base(by));
        return;
    }
    if (by) {
        cause_remedy(cause, PROOF_KNOWN, "let the policy that %s puts on allow %s", path_base(by), finding->missing);
        return;
    }
    cause_remedy(cause, PROOF_KNOWN, "let the policy of the container or service allow %s", finding->missing);
    remedy = cause_remedy(cause, PROOF_KNOWN, "to try whether that is all: run the container without one");
    strings_addf(&remedy->commands, "docker run --security-opt seccomp=unconfined …");
    remedy->risk = xstrdup("without a policy the container can ask the kernel for anything");
}

static void tell_policy(const struct finding *finding, struct cause *cause)
{
    const struct failure *failure = finding->failure;
    const struct process *process = finding->process;
    const char *subject = path_base(finding->subject), *by = process->policy_by;
    bool own = by && process->exe && strcmp(by, process->exe) == 0;
    CLEANUP_FREE char *whose = own  ? xasprintf("The seccomp policy that %s has put on itself", subject)
                               : by ? xasprintf("A seccomp policy that %s has put on", path_base(by))
                                    : xstrdup("A seccomp policy that it was started under");

    if (failure && !failure->policy && failure->error == ENOSYS) {
        tell_kernel(finding, cause);
        return;
    }
    if (failure) {
        cause->summary = xasprintf("%s answers %s to %s, which %s needs.", whose, errno_name(failure->error),
                                   finding->missing, subject);
        cause_fact(cause, "it asked", "%s(%s)", finding->missing, failure->text);
        cause->detail =
            xasprintf("%s got %s %llu time%s; the kernel's own code for the call was not reached.", finding->missing,
                      errno_name(failure->error), (unsigned long long)failure->count, failure->count == 1 ? "" : "s");
    } else {
        cause->summary = xasprintf("%s ends %s with SIGSYS for calling %s.", whose, subject, finding->missing);
        cause->detail =
            xasprintf("The process stood in %s when it got SIGSYS from a seccomp filter.", finding->missing);
    }
    if (by)
        cause_fact(cause, "policy of", "%s", by);
    remedies(finding, cause, own);
}

void cause_policy_tell(const struct finding *finding, struct cause *cause)
{
    tell_policy(finding, cause);
    cause->scenario = scenario_of_state(STATE_POLICY, finding->subject);
    cause->scenario->call = xstrdup(finding->missing);
    cause->scenario->error = finding->failure ? finding->failure->error : 0;
}
