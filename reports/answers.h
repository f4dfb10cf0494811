/* What the judges have asked of files while processes stood, and what they were answered: for the log, so that who
 * reads it is answered alike. Each is asked where a file's own word decides (a directory that a variable names is
 * there, a script does without a command); most of them never are. Bounded: what comes after ANSWERS_MOST is not kept.
 */
#ifndef GLIBCTRACE_REPORTS_ANSWERS_H
#define GLIBCTRACE_REPORTS_ANSWERS_H

#include <stddef.h>

enum { ANSWERS_MOST = 4096 };

struct answer_entry;
struct answers {
    char **entries; /* "VALUE KEY", in the order in which they came */
    size_t count, cap;
    struct answer_entry *known; /* hash by key */
};

/* The last answer counts. VALUE has no blank in it. */
void answers_note(struct answers *seen, const char *key, const char *value);
/* "VALUE KEY", of a log. */
void answers_take(struct answers *seen, const char *entry);
/* NULL where it was not asked. */
const char *answers_value(const struct answers *seen, const char *key);
void answers_deinit(struct answers *seen);

#endif
