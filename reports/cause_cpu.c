/* cpu-level-too-low: the object is marked as built for a level of x86-64 that this processor has not (the psABI's
 * x86-64-v2 to v4; GNU_PROPERTY_X86_ISA_1_NEEDED), and the loader refuses it. */
#include "judge.h"
#include "scenario.h"

#include <probes/alloc.h>

static void tell_scenario(const struct finding *finding, struct cause *cause)
{
    struct mini_object *stub;

    if (!finding->elf)
        return;
    if (finding->fault->kind == FAULT_NOT_FOUND) {
        stub = tell_needed_scenario(finding, cause);
    } else {
        stub = tell_load_scenario(finding, cause);
        scenario_mend_last(cause->scenario);
    }
    stub->isa_needed = finding->elf->isa_needed;
}

void cause_cpu_tell(const struct finding *finding, struct cause *cause)
{
    const char *file = finding->provider ? finding->provider : finding->subject;

    if (finding->crash) { /* an instruction told it, not the loader */
        cause_crash_tell(finding, cause);
        return;
    }
    cause->summary =
        xasprintf("%s was built for processors of level %s, and this one is not.", path_base(file), finding->missing);
    cause_fact(cause, "it needs", "a processor of level %s", finding->missing);
    cause_fact(cause, "it gets", "%s", finding->place && finding->place->why ? finding->place->why : "a lower one");
    if (finding->fault)
        tell_search(cause, &finding->fault->search);
    cause->detail = xasprintf("%s carries the note that it needs %s (GNU_PROPERTY_X86_ISA_1_NEEDED). The loader "
                              "compares that with the processor before it runs any of it, and gives up.",
                              file, finding->missing);
    cause_remedy(cause, PROOF_KNOWN, "install a build of %s for plain x86-64 (or a lower level)", path_base(file));
    cause_remedy(cause, PROOF_KNOWN,
                 "or run it on a newer processor; in a virtual machine, let the guest see the host's own (host model)");
    if (finding->fault)
        tell_scenario(finding, cause);
}
