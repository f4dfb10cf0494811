/* Servers that were not reached: the address as it stands in the message. */
#include "pasted.h"

#include <string.h>

#include <probes/alloc.h>

/* "127.0.0.1:80", "[::1]:80", "localhost:6379": the last such word of LINE; malloced, or NULL. */
static char *address_in(const char *line)
{
    char *found = NULL;

    for (const char *at = line; *at;) {
        size_t all = strcspn(at, " \t'\"`(),;="), n = all - (all && at[all - 1] == ':');
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
        at += all + (at[all] != '\0');
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

/* SOCKET, with the rest of it where a terminal broke the line in its middle. */
static char *whole(const struct pasted *pasted, const char *line, char *socket)
{
    const struct output_line *next = pasted->line + 1;
    size_t n = socket ? strlen(socket) : 0, size = strlen(line);
    char *both;

    if (!n || socket[n - 1] != '/' || size < n || strcmp(line + size - n, socket) != 0 ||
        next == pasted->process->lines + pasted->process->line_count)
        return socket;
    both = xasprintf("%s%.*s", socket, (int)strcspn(next->text, " :,'\""), next->text);
    free(socket);
    return both;
}

/* "HTTPConnectionPool(host='localhost', port=8080)" (urllib3), "host=db port=5432" (libpq). */
static char *host_and_port_keys(const char *line)
{
    const char *host = strstr(line, "host="), *port = strstr(line, "port=");
    CLEANUP_FREE char *name = host ? pasted_word(host + 5, strcspn(host + 5, " ,)")) : NULL;
    size_t digits = port ? strspn(port + 5, "0123456789") : 0;

    return name && digits ? xasprintf("%s:%.*s", name, (int)(digits < 6 ? digits : 5), port + 5) : NULL;
}

bool pasted_connection(struct pasted *pasted, const char *line)
{
    bool refused = strcasestr(line, "connection refused") || strstr(line, "ECONNREFUSED") ||
                   strstr(line, "Failed to connect to ") || strcasestr(line, "could not connect to ") ||
                   strcasestr(line, "couldn't connect to ") || strstr(line, "connect: no such file or directory") ||
                   strstr(line, "Cannot connect to the Docker daemon") || strstr(line, "connect ENOENT ") ||
                   (strstr(line, "connection to server ") && strstr(line, " failed: ")) ||
                   strstr(line, "Can't connect to local ");
    char *address;
    bool known;

    if (!refused)
        return false;
    address = host_and_port_keys(line);
    if (!address)
        address = address_in(line);
    if (!address)
        address = host_and_port(line);
    if (!address)
        address = whole(pasted, line, socket_in(line));
    known = address != NULL;
    if (!known && strcasestr(line, "connection refused"))
        address = xstrdup("a server"); /* which one stands nowhere */
    pasted_found(pasted, CAUSE_CONNECTION_REFUSED, pasted_speaker(pasted, line), address, known ? 0.85 : 0.45);
    return true;
}
