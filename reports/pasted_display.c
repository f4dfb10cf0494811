/* A display that a program wants and has not: the variable that would name one, or the server behind it. */
#include "pasted.h"

#include "environment.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <probes/alloc.h>

static const char *behind(const char *line)
{
    static const char *const words[] = {"open display",       "open X display",   "open X11 display",
                                        "connect to display", "open the display", "connect to X server"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *at = strcasestr(line, words[i]);

        if (at)
            return at + strlen(words[i]);
    }
    return NULL;
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

/* Nothing is named: "", "(null)", the line's end. */
static bool is_empty(const char *at)
{
    at += strspn(at, " :.");
    return !*at || strncmp(at, "\"\"", 2) == 0 || strncmp(at, "(null)", 6) == 0 || strncmp(at, "''", 2) == 0;
}

static bool is_unset(const char *line)
{
    static const char *const words[] = {"$DISPLAY", "DISPLAY environment variable is not set",
                                        "No X11 DISPLAY variable was set", "DISPLAY is not set"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(line, words[i]))
            return true;
    return false;
}

bool pasted_display(struct pasted *pasted, const char *line)
{
    const char *at = behind(line);
    char *address = at ? display_at(at) : NULL;

    if (address) {
        pasted_found(pasted, CAUSE_CONNECTION_REFUSED, pasted_speaker(pasted, line), address, 0.85);
        return true;
    }
    if (!(at && is_empty(at)) && !(is_unset(line) && (words_complain(line, 0) || words_object(line))))
        return false;
    pasted_found(pasted, CAUSE_ENVIRONMENT_WRONG, pasted_speaker(pasted, line), xstrdup("DISPLAY="), 0.8);
    return true;
}
