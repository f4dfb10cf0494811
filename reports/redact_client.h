/* Programs that take a password on their command line by an option of one letter, and the few options of any program
 * that do. Inside of redact.c. */
#ifndef GLIBCTRACE_REPORTS_REDACT_CLIENT_H
#define GLIBCTRACE_REPORTS_REDACT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct client;

/* What the value of an option is. */
enum client_value {
    VALUE_NONE,
    VALUE_PASSWORD,
    VALUE_SECRET,  /* or the path of a file that has it */
    VALUE_PAIR,    /* user:word, user%word, user,word */
    VALUE_LOGIN,   /* perhaps user:word */
    VALUE_NO_PORT, /* a password, unless it is a port or several (docker's -p means both) */
};

/* The program whose path WORD (LENGTH bytes) is, or NULL. */
const struct client *client_called(const char *word, size_t length);
/* What LETTER's value is in CLIENT's line; CLIENT may be NULL. */
enum client_value client_letter(const struct client *client, char letter);
/* The value may stand glued to the letter. */
bool client_glues(const struct client *client, char letter);
/* What follows the option at WORD, of any program. */
enum client_value client_option(const char *word, size_t length);
/* "-pX" with X like this is an option of compilers and the like. */
bool client_known_word(const char *word, size_t length);

#endif
