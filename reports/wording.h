/* What a report says in words, without saying how it is laid out: the sentences, the labelled rows, the numbers in
 * human units. The text, Markdown and HTML renderers share it, so that they never tell different things.
 *
 * Every text that comes from here is fit to be shown (utf8.h: valid, no control characters); a newline in a row's text
 * is a deliberate end of line. malloced strings are the caller's. */
#ifndef GLIBCTRACE_REPORTS_WORDING_H
#define GLIBCTRACE_REPORTS_WORDING_H

#include "report.h"

/* "node ended with status 1. The cause is known (97 % sure)." */
char *wording_headline(const struct report *report);
/* The first cause is only a guess: "not known" is said first, and what was ruled out before the guess. */
bool wording_guess(const struct report *report);
/* The cause's summary; where it has none, kind, subject and missing thing in one sentence. */
char *wording_summary(const struct cause *cause);

/* A person is told of it with an earlier cause: the same file lacks several things for the same asker, and one change
 * mends all. (report.json has each as a cause of its own.) */
bool wording_told_before(const struct report *report, size_t cause);
/* How many are told of on their own. */
size_t wording_cause_count(const struct report *report);

/* Labelled rows, in the order in which they are shown. */
struct sheet {
    struct fact *rows;
    size_t count, cap;
};
/* Asked by, it needs, it gets, it said, seen at, then the cause's own facts. A fact with one of those labels takes
 * the place of what would be derived from the cause. */
void wording_cause(const struct report *report, const struct cause *cause, struct sheet *ret);
/* What was ruled out, for before a guess. */
void wording_not_it(const struct report *report, struct sheet *ret);
/* Of the report as a whole: not it (unless it stands before a guess), not seen, and where nothing failed how much was
 * seen. */
void wording_rest(const struct report *report, struct sheet *ret);
void sheet_deinit(struct sheet *sheet);

/* One line of the search list: a place with its number from 1, or, where SKIPPED > 0, that many places from NUMBER on
 * at each of which nothing stood; those are the inner ones of a long run of places of one origin. */
struct place_line {
    size_t number;
    const struct place *place; /* of the run: its first one */
    size_t skipped;
};
/* The lines for CAUSE's places in *RET (malloced; the places stay the cause's); their number. */
size_t wording_places(const struct cause *cause, struct place_line **ret);
/* Why the place was left, or that it was taken; without the path where that is only the place's own. */
char *wording_why(const struct place *place);
/* Nothing stands at that place: it may be left out of a long list. */
bool place_is_dull(const struct place *place);

/* "tried in a copy: gets past this point", … */
const char *wording_proof(enum proof proof);
/* "2 files, 21 KB, verified: fails alike, and passes with the cause mended"; NULL where the report has no reproduction.
 */
char *wording_reproduction(const struct report *report);
/* "1,234", "21 KB" (of 1024 bytes), "0.31 s" (from seconds). */
char *wording_number(uint64_t number);
char *wording_size(uint64_t bytes);
char *wording_time(double seconds);
/* "Debian 12, glibc 2.36, x86_64, Linux 6.1, in a container"; NULL where nothing is known. */
char *wording_system(const struct report *report);

/* WORDS as they would be typed to a shell; malloced. */
char *wording_command(char *const *words, size_t count);

#endif
