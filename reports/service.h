/* Servers by their addresses: what listens there by custom, what programs call it, and how it is started. One const
 * table. Nothing here says whether it listens. */
#ifndef GLIBCTRACE_REPORTS_SERVICE_H
#define GLIBCTRACE_REPORTS_SERVICE_H

#include <stdbool.h>

struct service_kind {
    const char *pattern;  /* fnmatch(3), of a socket's path or abstract name; or NULL */
    unsigned first, last; /* or ports; 0: none */
    const char *name;     /* "the X server" */
    const char *words[3]; /* what programs call it when they name no address, in lower case; NULL: no more */
    const char *start;    /* what starts it, in words; or NULL */
    const char *command;  /* and a command; or NULL */
    bool optional;        /* programs do without it as a matter of course */
};

/* TARGET as struct failure has it: "unix:/run/x", "unix:@name", "127.0.0.1:80", "[::1]:80". NULL: a server of no
 * custom. */
const struct service_kind *service_of(const char *target);
/* TARGET as the contract spells an address: "/run/x", "@name", "127.0.0.1:80". Part of TARGET. */
const char *service_address(const char *target);
/* The port, or 0. */
unsigned service_port(const char *target);

#endif
