/* file-missing: a file that the program itself needs is not there. */
#include "judge.h"
#include "remedy.h"
#include "sight.h"

#include <string.h>

#include <probes/alloc.h>

enum { SIMILAR = 3, PLACES = 64 };

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

static bool tried_before(const struct episode *episode, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(episode->attempts[k]->path, episode->attempts[i]->path) == 0)
            return true;
    return false;
}

/* The program's own search, where it tried more than one place. */
static void tell_tried(const struct finding *finding, struct cause *cause)
{
    const struct episode *episode = finding->episode;

    bool several = false;

    for (size_t i = 1; episode && i < episode->count; i++)
        several |= !tried_before(episode, i);
    for (size_t i = 0; several && i < episode->count && cause->place_count < PLACES; i++) {
        const struct attempt *attempt = episode->attempts[i];
        struct path_walk walk;

        if (attempt->execution || tried_before(episode, i))
            continue;
        sight_walk(attempt, process_cred(finding->process), &walk);
        CLEANUP_FREE char *why = walk.at && strcmp(walk.at, attempt->path) != 0
                                     ? xasprintf("not there: %s does not exist", walk.at)
                                     : xstrdup("not there");
        cause_place(cause, attempt->path, "the program's own search", walk.reason == PATH_OK ? "there" : why, false);
        path_walk_deinit(&walk);
    }
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
    tell_tried(finding, cause);
    remedy_ask(finding, cause, ASK_FILE, finding->path, NULL);
    remedy_add(cause, PROOF_KNOWN, TRIAL_PUT, NULL, "put %s in place, or tell the program where it is", finding->path);
}
