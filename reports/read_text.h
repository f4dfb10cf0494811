/* Text that somebody pasted or kept: the log of another tool, what stood in a terminal, a bug report with both.
 *
 * It is read line by line, whatever its size; each line is cleaned of what the way here has added to it (read_clean.h)
 * and offered to the readers of formats, one row each in a table. A line that none of them takes is kept as words: they
 * go to descriptor 2 of the process that the text is about, where the judges look for words. All of it is hostile. */
#ifndef GLIBCTRACE_REPORTS_READ_TEXT_H
#define GLIBCTRACE_REPORTS_READ_TEXT_H

#include "event.h"
#include "report.h"
#include "text.h"
#include "told_system.h"

#include <probes/err.h>

struct text_reader;

/* What the readers of one text share. */
struct text_reading {
    const struct sink *sink;
    uint64_t n;                      /* of the last event */
    uint64_t t_ns;                   /* what the next one gets, where its reader knows better than 0 */
    uint64_t number;                 /* of the line, from 1 */
    pid_t about;                     /* the process that words are of; 0: none is known yet */
    bool made_up;                    /* it was made up for them */
    int status;                      /* how a made-up one ended, as waitpid(2) packs it … */
    bool status_known;               /* … and whether the text says so; else it is taken to have failed */
    struct strings argv;             /* what a made-up one runs, by a prompt that shows it; may be empty */
    char *library_path;              /* "LD_LIBRARY_PATH=…", by a prompt; or NULL */
    bool argv_sure;                  /* the loader's own words have its name */
    bool musl;                       /* they are musl's loader's */
    bool by_words;                   /* of the process nothing but its words, or its loader's, is known */
    bool failed;                     /* they tell of a failure */
    struct strings refused;          /* files that the words say more of than that they are not found */
    struct strings told;             /* what a reader has told of that others may find in the words, by its name */
    struct strings copies;           /* libraries that are seen to stand somewhere */
    struct told_system *system;      /* what is told of it */
    struct text waiting;             /* words that came before any process was known */
    const struct text_reader *taker; /* of most lines: says what the text is */
    uint64_t taken;
    void **states; /* of the readers, in the order of the table */
};

struct text_reader {
    const char *name;
    enum input_how how; /* what a text is called that has lines of it */
    /* A reader's own state, or NULL. */
    void *(*begin)(struct text_reading *reading);
    /* Whether LINE (SIZE bytes and a NUL, no newline), which may be changed where it is, is of the format: its events
     * are made then. */
    bool (*take)(void *state, char *line, size_t size);
    /* The text is over: processes that words may be of are told of here; or NULL. */
    void (*close)(void *state);
    /* All have done so: makes the events that were held back, frees STATE. */
    void (*end)(void *state);
};

/* Hands EVENT on, numbered; its time, root and thread are filled in where they are 0. */
void text_event(struct text_reading *reading, struct event *event);
/* SIZE bytes of DATA as words of the process that the text is about, or of none yet. */
void text_words(struct text_reading *reading, const char *data, size_t size);
/* The text is about process PID, which has started: words that waited are its. */
void text_about(struct text_reading *reading, pid_t pid);

/* LINE (SIZE bytes and a NUL), which another reader has made, as one of strace's: false: it is none. */
bool text_as_strace(struct text_reading *reading, char *line, size_t size);
/* The same as a line of words; a newline stands in the place of its NUL meanwhile. */
void text_as_words(struct text_reading *reading, char *line, size_t size);

/* Whether SIZE bytes at HEAD, the beginning of a file, are text. */
bool text_knows(const char *head, size_t size);
/* Hands the events to SINK; HOW is what the text is, by its lines, SYSTEM (which is {0}) the one that it tells of. */
int text_read(FILE *in, const struct sink *sink, enum input_how *how, struct told_system *system, struct err *err);
/* The command behind a prompt, or NULL: "$ ", "# ", "user@host:~/x$ ", "[user@host x]# ", "% ", "❯ ". */
const char *text_prompt(const char *line);

/* The rows of the table: one file each (read_NAME.c). */
extern const struct text_reader text_reader_strace;
extern const struct text_reader text_reader_perf;
extern const struct text_reader text_reader_ltrace;
extern const struct text_reader text_reader_words;
extern const struct text_reader text_reader_lddebug;

#endif
