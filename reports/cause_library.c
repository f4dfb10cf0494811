/* library-missing: nowhere the loader looked, nor nearby. library-off-path: it is on this system, but in no directory
 * that was searched. */
#include "judge.h"
#include "remedy.h"
#include "scenario.h"

#include <string.h>

#include <probes/alloc.h>

static void tell_asked(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;

    cause_fact(cause, "it needs", "%s", fault->name);
    if (finding->elsewhere)
        cause_fact(cause, "it is at", "%s   (no directory that was searched)", finding->elsewhere);
    tell_search(cause, &fault->search);
}

static void tell_missing_remedies(const struct finding *finding, struct cause *cause)
{
    const char *name = path_base(finding->fault->name);

    if (strchr(finding->fault->name, '/')) {
        remedy_ask(finding, cause, ASK_FILE, finding->fault->name, NULL);
        remedy_add(cause, PROOF_KNOWN, TRIAL_PUT, NULL, "put %s in place, or tell the program where it is",
                   finding->fault->name);
        return;
    }
    remedy_ask_library(finding, cause, name);
    cause_remedy(
        cause, PROOF_KNOWN,
        "if %s was built for another release, use a build for this one: the number in %s is part of its interface",
        path_base(finding->subject), name);
}

static void tell_scenario(const struct finding *finding, struct cause *cause)
{
    struct mini_object *library = tell_needed_scenario(finding, cause);

    if (finding->elsewhere)
        library->directory = 2;
    else
        library->absent = true;
}

void cause_library_tell(const struct finding *finding, struct cause *cause)
{
    const char *subject = path_base(finding->subject), *name = finding->fault->name;
    size_t places = finding->fault->search.count;

    if (finding->elsewhere) {
        const struct load_guests *guests = finding->process->guests;

        cause->summary =
            xasprintf("%s needs %s, which %s as %s, but in no directory that the loader searches.", subject, name,
                      !guests                                  ? "is on this system"
                      : guests_own(guests, finding->elsewhere) ? "stands near it"
                                                               : "is on that system",
                      finding->elsewhere);
        remedy_off_path(finding, cause);
    } else {
        CLEANUP_FREE char *where =
            places > 1 ? xasprintf("not at any of the %zu places searched, nor near the program", places)
                       : xstrdup("not at the one place where the loader looks for it");

        cause->summary = xasprintf("%s needs %s, which is not there: %s.", subject, name, where);
        tell_missing_remedies(finding, cause);
    }
    tell_asked(finding, cause);
    cause->detail = xasprintf("The loader looked for %s, asked for by %s, at %zu place%s in the order listed; nothing "
                              "usable stands there.",
                              name, finding->subject, places, places == 1 ? "" : "s");
    tell_scenario(finding, cause);
}
