/* wrong-architecture: class, byte order or machine do not fit. */
#include "judge.h"
#include "remedy.h"
#include "scenario.h"

#include <string.h>

#include <probes/alloc.h>

/* A loader that was run itself refuses the program. */
static bool by_hand(const struct finding *finding)
{
    return !finding->fault && finding->provider && strcmp(finding->provider, finding->subject) != 0;
}

static void tell_scenario(const struct finding *finding, struct cause *cause)
{
    struct mini_object *stub;

    if (!finding->elf || by_hand(finding))
        return;
    stub = finding->fault ? tell_needed_scenario(finding, cause) : tell_executed_scenario(finding, cause);
    mini_object_fit(stub, finding->elf); /* the mended one is for this machine */
}

void cause_architecture_tell(const struct finding *finding, struct cause *cause)
{
    const char *file = finding->provider ? finding->provider : finding->subject;
    const char *is = finding->elf ? elffile_machine_name(finding->elf) : "another machine";

    if (finding->fault)
        cause->summary = xasprintf("%s needs %s, but the file that is there, %s, is for %s, not %s.",
                                   path_base(finding->subject), finding->fault->name, file, is, finding->missing);
    else if (by_hand(finding) && finding->call && strncmp(finding->call, "execve", 6) == 0)
        cause->summary = xasprintf("%s is for %s, but the dynamic loader that it names, %s, is for %s.",
                                   path_base(finding->subject), finding->missing, file, is);
    else if (by_hand(finding))
        cause->summary = xasprintf("%s was told to run %s, which is for %s, not %s.", path_base(finding->subject), file,
                                   is, finding->missing);
    else
        cause->summary = xasprintf("%s cannot be executed: it is for %s, this machine is %s.", path_base(file), is,
                                   finding->missing);
    cause_fact(cause, "it needs", "%s for %s", finding->fault ? finding->fault->name : path_base(file),
               finding->missing);
    cause_fact(cause, "it gets", "%s   for %s", file, is);
    if (finding->fault)
        tell_search(cause, &finding->fault->search);
    cause->detail = xasprintf("%s is an ELF file for %s; %s is needed.", file, is, finding->missing);
    if (finding->fault && finding->fault->kind == FAULT_NOT_FOUND) {
        remedy_other_machine(finding, cause);
        remedy_ask_library(finding, cause, path_base(finding->fault->name));
    }
    cause_remedy(cause, PROOF_KNOWN, "install the %s build of %s", finding->missing, path_base(file));
    tell_scenario(finding, cause);
}
