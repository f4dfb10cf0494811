/* Evidence: what was recorded elsewhere and is read here, whatever it comes in: a bundle, the folder that one was
 * unpacked into, its trace.jsonl or report.json alone, standard input.
 *
 * All of it is hostile. Only plain files are read, nothing is unpacked. What the log in it says is not read here: one
 * reader a format does that, one row in evidence_readers[]; it makes events of it for the model, as if they were seen
 * now. */
#ifndef GLIBCTRACE_REPORTS_EVIDENCE_H
#define GLIBCTRACE_REPORTS_EVIDENCE_H

#include "event.h"
#include "report.h"
#include "told_system.h"

#include <probes/err.h>

/* What a log turned out to be. */
struct evidence_read {
    enum input_how how;
    uint64_t skipped;          /* lines that this version does not know */
    struct told_system system; /* of a text: told_system_deinit() */
};

struct evidence_reader {
    const char *name; /* "trace.jsonl", as messages call it */
    bool whole;       /* all that happened is in it, as far as a tracer sees it */
    bool redacted;    /* words stand in the place of home directories (homes.h) */
    /* Whether a file that begins with HEAD (SIZE bytes, a NUL behind them) is one. */
    bool (*knows)(const char *head, size_t size);
    /* Hands its events to SINK, in order. Fills in RET. */
    int (*read)(FILE *in, const struct sink *sink, struct evidence_read *ret, struct err *err);
};

struct evidence {
    char *name;                           /* as it was given */
    FILE *log;                            /* at its start, or NULL: a report.json alone; of text it can be read once */
    bool cut;                             /* it is packed and ends too early, or is too large: known when it was read */
    const struct evidence_reader *reader; /* of the log */
    struct report *report;                /* what was said of it then, or NULL: a log alone */
};

/* NAME: a file, a folder, or "-"; where there is no such file, NAME.PID, all there are. On an error RET needs no
 * evidence_close(). */
int evidence_open(const char *name, struct evidence *ret, struct err *err);
/* The same for COUNT of them, more than one of which are read as one text (evidence_set.h). */
int evidence_open_all(char *const *names, size_t count, struct evidence *ret, struct err *err);
void evidence_close(struct evidence *evidence);
/* What can be read, for messages: "a bundle (.tar.zst), …". */
const char *evidence_known(void);

#endif
