#include "remedy_try.h"

#include "repro_run.h"

#include <probes/alloc.h>
#include <reports/repro_trial.h>

enum { MOST_TRIALS = 4 };

enum result { TRIAL_IMPOSSIBLE, TRIAL_PASSED, TRIAL_FAILED };

static enum result try_one(const struct scenario *scenario, const struct cause *cause, const struct remedy *remedy)
{
    CLEANUP_FREE char *directory = repro_scratch_make(NULL);
    enum result result = TRIAL_IMPOSSIBLE;
    struct report *got = NULL;
    int code = 0;

    if (!directory)
        return TRIAL_IMPOSSIBLE;
    if (repro_trial_write(scenario, remedy, directory, NULL) == 0 &&
        repro_run_script(directory, "try.sh", &got, &code, NULL) == 0) {
        if (repro_find_alike(cause, got))
            result = TRIAL_FAILED;
        else if (code == 0)
            result = TRIAL_PASSED;
    }
    report_destroy(got);
    repro_scratch_remove(directory);
    return result;
}

static void take_out(struct cause *cause, size_t at)
{
    remedy_deinit(&cause->remedies[at]);
    cause->remedy_count--;
    for (size_t i = at; i < cause->remedy_count; i++)
        cause->remedies[i] = cause->remedies[i + 1];
}

void remedies_try(const struct scenario *scenario, struct cause *cause)
{
    struct scenario *own = scenario ? NULL : scenario_of_cause(cause);
    size_t trials = 0;

    if (!scenario)
        scenario = own;
    for (size_t i = 0; scenario && i < cause->remedy_count && trials < MOST_TRIALS;) {
        enum result result = TRIAL_IMPOSSIBLE;

        if (cause->remedies[i].trial != TRIAL_NONE) {
            trials++;
            result = try_one(scenario, cause, &cause->remedies[i]);
        }
        if (result == TRIAL_PASSED)
            cause->remedies[i].proof = PROOF_TRIED;
        if (result == TRIAL_FAILED)
            take_out(cause, i); /* it does not help, whatever was thought of it */
        else
            i++;
    }
    scenario_destroy(own);
}
