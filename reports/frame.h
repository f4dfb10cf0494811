/* Messages of the language server and debug adapter protocols as they come over a pipe or a socket: a header with
 * "Content-Length: N", an empty line, N bytes of JSON ("Base protocol" of both specifications).
 *
 * What comes is written by a program that may be broken in any way: lengths are bounded, and nothing is assumed. */
#ifndef GLIBCTRACE_REPORTS_FRAME_H
#define GLIBCTRACE_REPORTS_FRAME_H

#include "json_line.h"
#include "text.h"

enum {
    FRAME_HEADER_MOST = 4096,  /* bytes of a header; real ones have some thirty */
    FRAME_BODY_MOST = 64 << 20 /* bytes of a message */
};

/* Start with {0}. */
struct frames {
    struct text in; /* bytes that came; those before .at are done with */
    size_t at;
    bool strict; /* a line of a header ends in CR LF, and in nothing else: clients of language servers split it there */
};

void frames_add(struct frames *frames, const char *bytes, size_t n);
/* The next message, parsed: its strings stay valid until the next call of either function. 1, 0 where more bytes have
 * to come first, or -1 with ERR where what came is no message. RET as for json_line_parse(). */
int frames_next(struct frames *frames, struct json_line *ret, struct err *err);
/* The start of a message of which not all has come: so many bytes of *OF; false where there is none. */
bool frames_cut(const struct frames *frames, size_t *have, size_t *of);
void frames_deinit(struct frames *frames);
/* Appends the header for TEXT, a whole JSON object, and it. */
void frame_write(struct text *out, const char *text);

#endif
