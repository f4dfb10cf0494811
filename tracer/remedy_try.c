#include "remedy_try.h"

#include "repro_run.h"

#include <probes/alloc.h>
#include <reports/repro_trial.h>

enum { MOST_TRIALS = 4 };

static bool gets_past(const struct scenario *scenario, const struct cause *cause, const struct remedy *remedy)
{
    CLEANUP_FREE char *directory = repro_scratch_make(NULL);
    struct report *got = NULL;
    bool past = false;
    int code = 0;

    if (!directory)
        return false;
    if (repro_trial_write(scenario, remedy, directory, NULL) == 0 &&
        repro_run_script(directory, "try.sh", &got, &code, NULL) == 0)
        past = code == 0 && !repro_find_alike(cause, got);
    report_destroy(got);
    repro_scratch_remove(directory);
    return past;
}

void remedies_try(const struct scenario *scenario, struct cause *cause)
{
    struct scenario *own = scenario ? NULL : scenario_of_cause(cause);
    size_t trials = 0;

    if (!scenario)
        scenario = own;
    for (size_t i = 0; scenario && i < cause->remedy_count && trials < MOST_TRIALS; i++) {
        struct remedy *remedy = &cause->remedies[i];

        if (remedy->trial == TRIAL_NONE)
            continue;
        trials++;
        if (gets_past(scenario, cause, remedy))
            remedy->proof = PROOF_TRIED;
    }
    scenario_destroy(own);
}
