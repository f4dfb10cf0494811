/* Where a text names a machine or a person by an address: network addresses, e-mail addresses, names of a private
 * network's hosts, home directories of other people. Inside of redact.c. */
#ifndef GLIBCTRACE_REPORTS_REDACT_ADDRESS_H
#define GLIBCTRACE_REPORTS_REDACT_ADDRESS_H

#include <stddef.h>

enum address_kind {
    ADDRESS_NONE,
    ADDRESS_NETWORK, /* IPv4, IPv6, MAC: not loopback, not "any" */
    ADDRESS_MAIL,
    ADDRESS_HOST,   /* "db.internal": names that exist within one network only */
    ADDRESS_PERSON, /* the name behind /home/ or /Users/ */
};

/* Whether such an address begins at TEXT + AT; its length in *LENGTH. */
enum address_kind redact_address_at(const char *text, size_t at, size_t *length);

#endif
