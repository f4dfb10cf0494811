/* Servers that were not reached: the address as it stands in the message. */
#include "pasted.h"

#include "environment.h"

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

/* Behind the words for a display that was not opened; NULL: LINE is not about one. */
static const char *display_words(const char *line)
{
    static const char *const words[] = {"open display", "open X display", "open X11 display", "connect to display",
                                        "open the display"};
    const char *at = NULL;

    for (size_t i = 0; !at && i < sizeof words / sizeof *words; i++)
        if ((at = strcasestr(line, words[i])))
            at += strlen(words[i]);
    return at;
}

/* The address of the display that is named behind AT, ":0", "":77"", "localhost:10.0"; malloced, or NULL (X(7)). */
static char *display_at(const char *at)
{
    for (at += strspn(at, ": \"'`"); at[-1] == ':' && isdigit((unsigned char)*at);)
        at--;
    for (const char *colon = at; (colon = strchr(colon, ':')); colon++) {
        const char *host = colon;
        int number = isdigit((unsigned char)colon[1]) ? atoi(colon + 1) & 0xffff : -1;

        while (host > at && !strchr(" \"'`(", host[-1]))
            host--;
        if (number >= 0 && (host == colon || strncmp(host, "unix:", 5) == 0))
            return xasprintf("/tmp/.X11-unix/X%d", number);
        if (number >= 0)
            return xasprintf("%.*s:%d", (int)(colon - host), host, 6000 + number);
    }
    return NULL;
}

/* Nothing says which display it was to be. */
static bool without_display(const char *line, const char *at)
{
    return strstr(line, "$DISPLAY") || (at && at[-1] == 'y' && *at == ':' && !at[1 + strspn(at + 1, " .\"'`")]);
}

bool pasted_display(struct pasted *pasted, const char *line)
{
    const char *at = display_words(line);
    char *address = at ? display_at(at) : NULL;

    if (address)
        pasted_found(pasted, CAUSE_CONNECTION_REFUSED, pasted_speaker(pasted, line), address, 0.85);
    else if (without_display(line, at) && (words_complain(line, 0) || words_object(line)))
        pasted_found(pasted, CAUSE_ENVIRONMENT_WRONG, pasted_speaker(pasted, line), xstrdup("DISPLAY="), 0.75);
    return pasted->found;
}

bool pasted_connection(struct pasted *pasted, const char *line)
{
    bool refused = strcasestr(line, "connection refused") || strstr(line, "ECONNREFUSED") ||
                   strstr(line, "Failed to connect to ") || strcasestr(line, "could not connect to ") ||
                   strcasestr(line, "couldn't connect to ") || strstr(line, "connect: no such file or directory") ||
                   strstr(line, "Cannot connect to the Docker daemon") || strstr(line, "connect ENOENT ") ||
                   (strstr(line, "connection to server ") && strstr(line, " failed: "));
    char *address = refused ? address_in(line) : NULL;

    if (!refused)
        return false;
    if (!address)
        address = host_and_port(line);
    if (!address)
        address = whole(pasted, line, socket_in(line));
    pasted_found(pasted, CAUSE_CONNECTION_REFUSED, pasted_speaker(pasted, line), address, 0.85);
    return true;
}
