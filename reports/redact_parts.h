/* What the parts of redaction share: the words to replace, and by what. Inside of redact*.c. */
#ifndef GLIBCTRACE_REPORTS_REDACT_PARTS_H
#define GLIBCTRACE_REPORTS_REDACT_PARTS_H

#include "redact.h"

#define HIDDEN "[redacted]"

enum rule { RULE_HOME, RULE_USER, RULE_HOST, RULE_ADDRESS, RULE_SECRET, RULE_COUNT };

/* A string that is replaced wherever it stands as a word of its kind. */
struct literal {
    enum rule rule;
    char *from, *to;
    size_t length;
    uint64_t hits;
};

struct redactor {
    struct literal *literals; /* longest first within a rule's priority: see add_literal() */
    size_t count, cap;
    bool begins[256];           /* with which bytes a literal can begin */
    size_t numbers[RULE_COUNT]; /* how many names of each kind there are */
    size_t domains;
    uint64_t secrets;    /* replaced for their name or shape */
    struct strings kept; /* addresses that stay */
    char *option;        /* the string before, where the callback's next one is its value; or NULL */
};

/* Accounts and machines that say nothing about a person. */
bool redact_anonymous(const char *name);
/* FROM (LENGTH bytes) is replaced by TO_TAKEN from now on. Unless it is there already: redact_has(). */
void redact_add(struct redactor *redactor, enum rule rule, const char *from, size_t length, char *to_taken);
bool redact_has(const struct redactor *redactor, const char *from, size_t length);
/* The names of all hosts end with it. */
void redact_add_domain(struct redactor *redactor, const char *domain);
/* The next word of a kind, malloced: "user1", "user2". */
char *redact_next_word(struct redactor *redactor, enum rule rule, const char *word);

#endif
