/* What looks like a secret: by the name that stands before it, by the shape that issuers give their keys, or because it
 * is long and random. Inside of redact.c. */
#ifndef GLIBCTRACE_REPORTS_REDACT_SHAPE_H
#define GLIBCTRACE_REPORTS_REDACT_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a secret, or what introduces one ("password="), begins at TEXT + AT: the secret's length, and in *SKIP how
 * many bytes of introduction stand before it and are kept. 0: none. A value of NAME=value counts from SHORTEST bytes
 * on. */
size_t redact_secret_at(const char *text, size_t at, size_t shortest, size_t *skip);
/* Whether a variable of that name holds a password, which may be a plain word. */
bool redact_password_name(const char *name, size_t length);
/* A value that is no plain word: "name: value" is prose more often than not. */
bool redact_value_like(const char *value, size_t length);

#endif
