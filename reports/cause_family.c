/* libc-family-mismatch: an object linked to musl in a glibc process, or the reverse. No library path and no version
 * helps. */
#include "judge.h"
#include "remedy.h"
#include "scenario.h"

#include <string.h>

#include <probes/alloc.h>

/* musl takes libc.so.6 for itself and lacks a function that glibc has. */
static void symbol_scenario(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;
    struct mini_object *subject = tell_load_scenario(finding, cause);
    struct mini_object *libc = scenario_object(cause->scenario, "libc.so.6");

    libc->soname = xstrdup("libc.so.6");
    mini_object_need(subject, "libc.so.6");
    mini_object_need_version(subject, "libc.so.6", fault->version);
    mini_object_undefined(subject, fault->name, fault->version, "libc.so.6");
    scenario_mend_last(cause->scenario);
    mini_object_define(cause->scenario->mended, fault->name, NULL);
}

/* The object that asks for the last one has been linked to glibc's libc.so.6. */
static void need_libc(struct scenario *scenario)
{
    struct mini_object *library = scenario->objects[scenario->object_count - 1], *libc;

    for (size_t i = 0; i + 1 < scenario->object_count; i++)
        for (size_t k = 0; k < scenario->objects[i]->needed.n; k++)
            if (strcmp(scenario->objects[i]->needed.v[k], library->name) == 0) {
                mini_object_need(scenario->objects[i], "libc.so.6");
                libc = scenario_object(scenario, "libc.so.6");
                libc->soname = xstrdup("libc.so.6");
                return;
            }
}

static void tell_scenario(const struct finding *finding, struct cause *cause)
{
    struct mini_object *library;

    if (finding->fault->kind == FAULT_SYMBOL) {
        symbol_scenario(finding, cause);
        return;
    }
    library = tell_needed_scenario(finding, cause);
    library->absent = true;
    if (finding->load->family == LOADER_MUSL) /* which takes it for itself: it tells of whom the object is */
        need_libc(cause->scenario);
}

void cause_family_tell(const struct finding *finding, struct cause *cause)
{
    bool glibc = finding->load->family == LOADER_GLIBC;
    const char *ours = glibc ? "glibc" : "musl", *theirs = glibc ? "musl" : "glibc";
    const char *subject = path_base(finding->subject);

    cause->summary =
        xasprintf("%s was built for %s (it asks for %s), but %s runs on %s.", subject, theirs, finding->missing,
                  finding->process->exe ? path_base(finding->process->exe) : "this process", ours);
    cause_fact(cause, "it needs", "%s   (%s)", finding->missing, theirs);
    cause_fact(cause, "it gets", "a process whose C library is %s", ours);
    if (finding->fault->kind == FAULT_NOT_FOUND)
        tell_search(cause, &finding->fault->search);
    cause->detail = xasprintf("%s asks for %s, which only %s has; the loader of this process is %s.", finding->subject,
                              finding->missing, theirs, finding->load->interp ? finding->load->interp : "unknown");
    remedy_npm(finding, cause, finding->subject);
    cause_remedy(cause, PROOF_KNOWN, "install the %s build of %s", ours, subject);
    cause_remedy(cause, PROOF_KNOWN, "or run the program with a %s runtime", theirs);
    tell_scenario(finding, cause);
}
