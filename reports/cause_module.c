/* module-abi-mismatch: a native add-on was built for another runtime ABI. */
#include "module.h"

#include <string.h>

#include <probes/alloc.h>

void cause_module_tell(const struct finding *finding, struct cause *cause)
{
    const struct module_mismatch *mismatch = finding->mismatch;
    const char *subject = path_base(finding->subject);
    const char *runtime = finding->process->exe ? path_base(finding->process->exe) : "the program";
    bool same = mismatch->built && strcmp(mismatch->built, mismatch->wanted) == 0;
    struct remedy *remedy;

    if (same)
        cause->summary = xasprintf("%s is for %s as %s is, but was built from other sources or in another way.",
                                   subject, mismatch->built, runtime);
    else if (mismatch->built)
        cause->summary = xasprintf("%s was built for %s, but %s takes modules for %s only.", subject, mismatch->built,
                                   runtime, mismatch->wanted);
    else
        cause->summary =
            xasprintf("%s was not built for this %s, which takes modules for %s.", subject, runtime, mismatch->wanted);
    cause_fact(cause, "it wants", "%s", mismatch->wanted);
    if (mismatch->built)
        cause_fact(cause, "it gets", "%s   %s", finding->subject, mismatch->built);
    cause->detail =
        xasprintf("The loader has nothing against %s; the runtime has: its own interface to such modules is "
                  "another one.",
                  finding->subject);
    remedy = cause_remedy(cause, PROOF_KNOWN, "%s", mismatch->helps);
    if (mismatch->command)
        strings_addf(&remedy->commands, "%s", mismatch->command);
}
