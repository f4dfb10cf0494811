/* What a report must not give away: the home directory, user and host names, and what looks like a secret.
 *
 * Each is replaced by the same word everywhere ($HOME, user1, host1, [redacted]), so that a report stays readable and
 * two strings that were equal stay equal. Kept as they are: system paths, sonames, versions, symbols, hashes in
 * hexadecimal, and the names of accounts and machines that say nothing about a person (root, node, localhost). */
#ifndef GLIBCTRACE_REPORTS_REDACT_H
#define GLIBCTRACE_REPORTS_REDACT_H

#include "report.h"

struct redactor;

/* One that replaces secrets by name and shape, and knows nobody yet. */
struct redactor *redactor_create(void);
void redactor_destroy(struct redactor *redactor);
/* Tells it whom to hide. HOME: an absolute path ("/" and relative ones are passed over). ENV: NAME=VALUE,
 * NULL-terminated; the values of secret-looking names are hidden wherever they stand, HOME, USER, LOGNAME and SUDO_USER
 * are taken as a home and as names. */
void redactor_add_home(struct redactor *redactor, const char *home);
void redactor_add_user(struct redactor *redactor, const char *user);
void redactor_add_host(struct redactor *redactor, const char *host);
void redactor_add_environment(struct redactor *redactor, const char *const *env);
/* The above for this process: ENV, the user UID's line of PASSWD ("/etc/passwd"; read by hand, no NSS; may be absent),
 * and the host name of uname(2). */
void redactor_add_here(struct redactor *redactor, const char *const *env, const char *passwd, uid_t uid);

/* BYTES with all of that replaced, malloced. */
char *redactor_text(struct redactor *redactor, const char *bytes);
/* The same as a callback for strings that come one by one in their order, as trace.jsonl's do; CTX is a struct
 * redactor. A string that is NAME=value as a whole, or that follows an option such as "--password", is taken as one
 * value. */
char *redactor_callback(void *ctx, const char *bytes);
/* Whether a variable or option of that name (without its dashes) holds a secret: API_TOKEN, --password, sshKey … */
bool redact_secret_name(const char *name, size_t length);

/* Replaces in every string of REPORT and sets report->redacted to what was replaced by REDACTOR so far, one phrase
 * each. Argument vectors are read as such ("--password" hides the next word). */
void report_redact(struct report *report, struct redactor *redactor);

#endif
