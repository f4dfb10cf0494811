/* Which parts of a command line are secrets. It fails closed: a command line is where passwords are typed, and nothing
 * of what is hidden here without need would be missed. Beyond what redact_shape.h finds in any text: the word behind
 * "--password", "-u user:word", what is glued to "-p", the password of user:word@host, members of JSON, headers, and
 * words that nobody would have thought of. Words with blanks in them (sh -c) are read as command lines in their turn.
 * Inside of redact.c. */
#ifndef GLIBCTRACE_REPORTS_REDACT_ARGV_H
#define GLIBCTRACE_REPORTS_REDACT_ARGV_H

#include <stdbool.h>
#include <stddef.h>

/* Tells FOUND of each part of ARGV (NULL-terminated) that is to be hidden, in their order: LENGTH bytes of WORD from AT
 * on. PLAIN: it may be an everyday word, for it was found by where it stands. */
struct redact_argv_part {
    size_t word, at, length;
    bool plain;
};
void redact_argv_find(const char *const *argv, void (*found)(void *ctx, const struct redact_argv_part *part),
                      void *ctx);

#endif
