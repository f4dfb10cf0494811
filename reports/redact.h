/* What a report must not give away: home directories, names of users, hosts and domains, addresses, and what
 * looks like a secret.
 *
 * Each is replaced by the same word everywhere ($HOME, user1, host1, address1, [redacted]), so that a report stays
 * readable and two strings that were equal stay equal. Kept as they are: system paths, sonames, versions, symbols,
 * hashes in hexadecimal, and the names of accounts and machines that say nothing about a person (root, node,
 * localhost). */
#ifndef GLIBCTRACE_REPORTS_REDACT_H
#define GLIBCTRACE_REPORTS_REDACT_H

#include "event.h"
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
/* What is secret in a command line is hidden wherever it stands, where it is long enough. */
void redactor_add_argv(struct redactor *redactor, const char *const *argv);
/* The above for this process: ENV, the user UID's line of PASSWD ("/etc/passwd"; read by hand, no NSS; may be absent),
 * and the host name of uname(2). */
void redactor_add_here(struct redactor *redactor, const char *const *env, const char *passwd, uid_t uid);

/* A sink, whose context is the redactor: it learns what the processes were started with. */
struct sink redactor_sink(struct redactor *redactor);

/* An address within TEXT, or what is drawn there like a secret, is what the report is about: it stays. */
void redactor_keep(struct redactor *redactor, const char *text);

/* BYTES with all of that replaced, malloced. Addresses are numbered as they are met: equal ones get the same word. */
char *redactor_text(struct redactor *redactor, const char *bytes);
/* The same of a command line, of which more is hidden (redact_argv.h): its words are added to RET. ARGV may be NULL. */
void redactor_argv(struct redactor *redactor, const char *const *argv, struct strings *ret);
/* The same as a callback for strings that come one by one in their order, as trace.jsonl's do; CTX is a struct
 * redactor. A string that is NAME=value as a whole, or that follows an option such as "--password", is taken as one
 * value. */
char *redactor_callback(void *ctx, const char *bytes);
/* The list of such strings is at its end. */
void redactor_end(struct redactor *redactor);
/* RET, emptied first: what was replaced so far, a phrase for each word that stands for something. */
void redactor_tell(const struct redactor *redactor, struct strings *ret);
/* Whether a variable or option of that name (without its dashes) holds a secret: API_TOKEN, --password, sshKey … */
bool redact_secret_name(const char *name, size_t length);

/* Replaces in every string of REPORT. Argument vectors are read as such ("--password" hides the next word). */
void report_redact(struct report *report, struct redactor *redactor);

#endif
