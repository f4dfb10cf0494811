/* file-missing: a file that the program itself needs is not there. */
#include "judge.h"
#include "remedy.h"

#include <string.h>

#include <probes/alloc.h>

enum { SIMILAR = 3 };

static void tell_nearby(const struct finding *finding, struct cause *cause)
{
    size_t count = 0;
    char **names = path_nearby(finding_root(finding), finding->path, SIMILAR, &count);

    for (size_t i = 0; i < count; i++) {
        cause_fact(cause, i ? "or" : "nearby", "%s", names[i]);
        free(names[i]);
    }
    free(names);
}

void cause_file_tell(const struct finding *finding, struct cause *cause)
{
    const struct path_walk *walk = finding->walk;
    const char *subject = path_base(finding->subject);
    bool higher = walk && walk->at && strcmp(walk->at, finding->path) != 0;

    if (higher)
        cause->summary =
            xasprintf("%s needs %s, which is not there: already %s does not exist.", subject, finding->path, walk->at);
    else
        cause->summary = xasprintf("%s needs %s, which is not there.", subject, finding->path);
    cause_fact(cause, "it needs", "%s", finding->path);
    if (walk && walk->nearest)
        cause_fact(cause, "up to", "%s   the path exists", walk->nearest);
    if (!higher)
        tell_nearby(finding, cause);
    cause->detail = xasprintf("%s(\"%s\") failed because %s is not there, and the program did not go on without it.",
                              finding->call, finding->path, walk && walk->at ? walk->at : finding->path);
    remedy_ask(finding, cause, ASK_FILE, finding->path, NULL);
    remedy_add(cause, PROOF_KNOWN, TRIAL_PUT, NULL, "put %s in place, or tell the program where it is", finding->path);
}
