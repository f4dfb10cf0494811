/* What the three checks have in common: messages that come, and how a check ends that does not get what it waits for.
 */
#include "verify.h"

#include <probes/alloc.h>

#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

enum { WORDS_MOST = 600, LINES_MOST = 4, CLOSED_MS = 1000 };

double verify_elapsed(const struct verify_talk *talk)
{
    return (double)(peer_now() - talk->from_ns) / 1e9;
}

void verify_note(struct verify_talk *talk, const char *text)
{
    size_t n = strlen(text);
    struct text *said = &talk->peer->said;

    if (n && said->n > n && said->v[said->n - 1] == '\n' && strncmp(said->v + said->n - 1 - n, text, n) == 0)
        return; /* as before */
    text_addn(&talk->peer->said, text, n < WORDS_MOST ? n : WORDS_MOST);
    if (n && text[n - 1] != '\n')
        text_addc(&talk->peer->said, '\n');
}

/* The last lines of what it said, malloced, or NULL. */
static char *last_words(const struct text *said)
{
    size_t end = said->n, start, lines = 0;

    while (end && strchr(" \t\r\n", said->v[end - 1]))
        end--;
    if (!end)
        return NULL;
    for (start = end; start && end - start < WORDS_MOST; start--)
        if (said->v[start - 1] == '\n' && ++lines == LINES_MOST)
            break;
    return xstrndup(said->v + start, end - start);
}

/* "    at main (x.js:1:2)", a dump of registers: a stack or the like, and not what is wrong. */
static bool is_set_in(const char *line)
{
    return *line == ' ' || *line == '\t';
}

/* The last line before the last ones that begins at the margin, where these are all set in: what they belong to. */
static char *with_heading(const struct text *said, char *words)
{
    size_t start = said->n;
    bool set_in = words != NULL;
    char *more;

    for (const char *line = words; set_in && line; line = strchr(line, '\n'), line += line != NULL)
        set_in = is_set_in(line);
    if (!set_in)
        return words;
    while (start) {
        size_t begin = start - 1;

        while (begin && said->v[begin - 1] != '\n')
            begin--;
        if (!strchr(" \t\r\n", said->v[begin])) {
            size_t n = strcspn(said->v + begin, "\n");

            more = xasprintf("%.*s\n%s", (int)(n < WORDS_MOST ? n : WORDS_MOST), said->v + begin, words);
            free(words);
            return more;
        }
        start = begin;
    }
    return words;
}

static void take_words(struct verify_talk *talk)
{
    free(talk->result->words);
    talk->result->words = with_heading(&talk->peer->said, last_words(&talk->peer->said));
}

bool verify_failed(struct verify_talk *talk, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    free(talk->result->seen);
    talk->result->seen = xvasprintf(format, args);
    va_end(args);
    take_words(talk);
    return false;
}

bool verify_cut_short(struct verify_talk *talk, enum peer_news news, const char *doing)
{
    const struct peer *peer = talk->peer;

    if (news == PEER_STOPPED)
        return verify_failed(talk, "was stopped before %s", doing);
    if (news == PEER_LATE && peer->from < 0)
        return verify_failed(talk, "closed its output before %s", doing);
    if (news == PEER_LATE)
        return verify_failed(talk, "%.0f s went by before %s", verify_elapsed(talk), doing);
    if (WIFSIGNALED(peer->status))
        return verify_failed(talk, "was ended by SIG%s before %s", sigabbrev_np(WTERMSIG(peer->status)), doing);
    return verify_failed(talk, "ended with status %d before %s", WEXITSTATUS(peer->status), doing);
}

/* The same, with what there is of a message that has not come whole. */
static bool cut_short(struct verify_talk *talk, const struct frames *frames, enum peer_news news, const char *doing)
{
    size_t have, of;
    CLEANUP_FREE char *seen = NULL;

    verify_cut_short(talk, news, doing);
    if (frames_cut(frames, &have, &of)) {
        seen = steal_pointer(&talk->result->seen);
        talk->result->seen = xasprintf("%s: %zu bytes came of a message of %zu", seen, have, of);
    }
    return false;
}

bool verify_receive(struct verify_talk *talk, struct frames *frames, struct json_line *ret, const char *doing)
{
    struct peer *peer = talk->peer;

    for (;;) {
        struct err err;
        enum peer_news news;
        int got;

        if (peer->out.n) {
            frames_add(frames, peer->out.v, peer->out.n);
            text_clear(&peer->out);
        }
        got = frames_next(frames, ret, &err);
        if (got > 0)
            return true;
        if (got < 0)
            return verify_failed(talk, "%s, before %s", err.text, doing);
        if (peer->from < 0 && talk->deadline_ns > peer_after(CLOSED_MS)) /* nothing can come but its end */
            talk->deadline_ns = peer_after(CLOSED_MS);
        /* A peer that never stops sending has a limit as well. */
        news = peer_now() < talk->deadline_ns ? peer_wait(peer, talk->deadline_ns) : PEER_LATE;
        if (news != PEER_DATA)
            return cut_short(talk, frames, news, doing);
    }
}
