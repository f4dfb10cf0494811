/* `go test -run PATTERN` of a module: all of it is compiled and linked, and the tests' programs run. */
#include "verify.h"

#include <probes/alloc.h>

#include <sys/wait.h>

static bool run(struct verify_talk *talk)
{
    struct peer *peer = talk->peer;
    enum peer_news news = PEER_DATA;

    while (news == PEER_DATA) { /* its output counts as its words: "--- FAIL" is on standard output */
        news = peer_now() < talk->deadline_ns ? peer_wait(peer, talk->deadline_ns) : PEER_LATE;
        text_addn(&peer->said, peer->out.v, peer->out.n);
        text_clear(&peer->out);
    }
    if (news != PEER_ENDED || !WIFEXITED(peer->status))
        return verify_cut_short(talk, news, "the tests were done");
    if (WEXITSTATUS(peer->status) != 0)
        return verify_failed(talk, "ended with status %d", WEXITSTATUS(peer->status));
    talk->result->seen = xasprintf("builds and passes after %.2f s", verify_elapsed(talk));
    return true;
}

const struct verify_check verify_test = {"test", "go test", true, run};
