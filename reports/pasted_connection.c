/* Servers that were not reached: the address as it stands in the message. */
#include "pasted.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <probes/alloc.h>

/* "127.0.0.1:80", "[::1]:80", "localhost:6379": the last such word of LINE; malloced, or NULL. */
static char *address_in(const char *line)
{
    char *found = NULL;

    for (const char *at = line; *at;) {
        size_t n = strcspn(at, " \t'\"`(),;=");
        const char *colon = n ? memrchr(at, ':', n) : NULL;
        size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
        const char *host = at, *scheme = memmem(at, n, "://", 3);

        if (scheme && scheme < colon)
            host = scheme + 3;
        if (colon && colon > host && digits && digits < 6 &&
            (memchr(host, '.', (size_t)(colon - host)) || *host == '[' || strncmp(host, "localhost", 9) == 0)) {
            free(found);
            found = xstrndup(host, (size_t)(colon - host) + 1 + digits);
        }
        at += n + (at[n] != '\0');
    }
    return found;
}

/* "… host HOST port 22: …", "to HOST port 1 …", "at "HOST", port 5432 failed". */
static char *host_and_port(const char *line)
{
    const char *at = strstr(line, " port "), *end = at, *start;
    size_t digits = at ? strspn(at + 6, "0123456789") : 0;
    CLEANUP_FREE char *host = NULL;

    if (!digits)
        return NULL;
    while (end > line && strchr(" ,", end[-1]))
        end--;
    for (start = end; start > line && start[-1] != ' ';)
        start--;
    host = pasted_word(start, (size_t)(end - start));
    return host ? xasprintf("%s:%.*s", host, (int)(digits < 6 ? digits : 5), at + 6) : NULL;
}

/* A path to a socket; malloced, or NULL. */
static char *socket_in(const char *line)
{
    const char *at = strstr(line, "unix://");

    if (at)
        return pasted_word(at + 7, strcspn(at + 7, " '\"`,"));
    for (at = line; (at = strchr(at, '/')); at++)
        if (at > line && strchr(" '\"`(", at[-1]))
            return pasted_word(at, strcspn(at, " '\"`:,)"));
    return NULL;
}

/* "cannot open display: :0", "unable to open display ":77"". */
static char *display_in(const char *line)
{
    const char *at = strcasestr(line, "open display"), *number = at ? strchr(at + 12, ':') : NULL;

    if (number && !isdigit((unsigned char)number[1]))
        number = strchr(number + 1, ':');
    return number && isdigit((unsigned char)number[1]) ? xasprintf("/tmp/.X11-unix/X%d", atoi(number + 1) & 0xffff)
                                                       : NULL;
}

bool pasted_connection(struct pasted *pasted, const char *line)
{
    bool refused = strcasestr(line, "connection refused") || strstr(line, "ECONNREFUSED") ||
                   strstr(line, "Failed to connect to ") || strcasestr(line, "could not connect to ") ||
                   strcasestr(line, "couldn't connect to ") || strstr(line, "connect: no such file or directory") ||
                   strstr(line, "Cannot connect to the Docker daemon") || strstr(line, "connect ENOENT ") ||
                   (strstr(line, "connection to server ") && strstr(line, " failed: "));
    char *address = strcasestr(line, "open display") ? display_in(line) : NULL;

    if (!refused && !address)
        return false;
    if (!address)
        address = address_in(line);
    if (!address)
        address = host_and_port(line);
    if (!address)
        address = socket_in(line);
    pasted_found(pasted, CAUSE_CONNECTION_REFUSED, pasted_speaker(pasted, line), address, 0.85);
    return true;
}
