/* `go test -run PATTERN` of a module: all of it is compiled and linked, and the tests' programs run. */
#include "verify.h"

#include <probes/alloc.h>

#include <string.h>
#include <sys/wait.h>

enum { LINE_MOST = 64 * 1024 };

/* Whether a test was run, by what go says of each package: "ok  \tmod\t0.002s", with "[no tests to run]" behind where
 * the pattern fits none. REST keeps a line that is not whole yet. */
static bool says_that_one_ran(struct text *rest, const char *bytes, size_t n)
{
    bool ran = false;
    char *line, *end;

    text_addn(rest, bytes, n);
    if (rest->n > LINE_MOST && !memchr(rest->v, '\n', rest->n)) /* no line of go's */
        text_clear(rest);
    for (line = rest->n ? rest->v : NULL; line && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        ran |= strncmp(line, "ok  \t", 5) == 0 && !strstr(line, "[no tests to run]");
    }
    if (line) {
        size_t left = strlen(line);

        memmove(rest->v, line, left + 1);
        rest->n = left;
    }
    return ran;
}

static bool run(struct verify_talk *talk)
{
    struct peer *peer = talk->peer;
    enum peer_news news = PEER_DATA;
    struct text rest = {0};
    bool ran = false;

    while (news == PEER_DATA) { /* its output counts as its words: "--- FAIL" is on standard output */
        news = peer_now() < talk->deadline_ns ? peer_wait(peer, talk->deadline_ns) : PEER_LATE;
        text_addn(&peer->said, peer->out.v, peer->out.n);
        ran |= says_that_one_ran(&rest, peer->out.v, peer->out.n);
        text_clear(&peer->out);
    }
    text_deinit(&rest);
    if (news != PEER_ENDED || !WIFEXITED(peer->status))
        return verify_cut_short(talk, news, "the tests were done");
    if (WEXITSTATUS(peer->status) != 0)
        return verify_failed(talk, "ended with status %d", WEXITSTATUS(peer->status));
    talk->result->seen = xasprintf(ran ? "builds and passes after %.2f s" : "builds after %.2f s; no test was run",
                                   verify_elapsed(talk));
    return true;
}

const struct verify_check verify_test = {"test", "go test", true, run};
