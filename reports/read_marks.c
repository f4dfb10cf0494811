#include "read_marks.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MOST = 6, NAME_MOST = 64, LINES_LOOKED_AT = 400 };

/* ---- numbers ---- */

/* "12: ", "  12 | ", "    12\t" of cat -n, "  12  ": what is behind, or NULL. */
static char *behind_number(char *line, char *separator, unsigned long *number)
{
    char *p = line + strspn(line, " "), *end = p;

    while (isdigit((unsigned char)*end))
        end++;
    if (end == p || end - p > NUMBER_MOST)
        return NULL;
    *number = strtoul(p, NULL, 10);
    p = end;
    if (*p == ':' || *p == '\t') {
        *separator = *p++;
    } else {
        p += strspn(p, " ");
        *separator = *p == '|' ? '|' : ' ';
        if (*p == '|')
            p++;
        else if (p < end + 2)
            return NULL;
        else
            return p;
    }
    return *p == ' ' && *separator != '\t' ? p + 1 : p;
}

/* ---- names ---- */

/* "web_1  | ": what is behind, or NULL. NUMBERED: only where the name ends with a number, as docker compose's do. */
static char *behind_name(char *line, bool numbered)
{
    size_t n = 0, blanks;

    while (isalnum((unsigned char)line[n]) || (n && line[n] && strchr("_.-", line[n])))
        n++;
    blanks = strspn(line + n, " ");
    if (!n || n > NAME_MOST || !blanks || line[n + blanks] != '|' ||
        (line[n + blanks + 1] && line[n + blanks + 1] != ' '))
        return NULL;
    if (numbered) {
        size_t k = n;

        while (k && isdigit((unsigned char)line[k - 1]))
            k--;
        if (k == n || k < 2 || !strchr("_.-", line[k - 1]))
            return NULL;
    }
    n += blanks + 1;
    return line + n + (line[n] == ' ');
}

/* ---- the whole ---- */

/* Colours stand before names, too. */
static char *behind_colours(char *line)
{
    while (line[0] == '\033' && line[1] == '[') {
        line += 2 + strspn(line + 2, "0123456789;");
        line += *line == 'm';
    }
    return line;
}

void marks_look(struct marks *marks, const char *head, size_t size)
{
    size_t lines = 0, numbered = 0, named = 0;
    unsigned long last = 0;
    char style = 0;
    const char *end = head + size;

    for (const char *p = head; p < end && lines < LINES_LOOKED_AT;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((newline ? newline : end) - p);
        char line[512], separator, *start;
        unsigned long number = 0;

        memcpy(line, p, n < sizeof line ? n : sizeof line - 1);
        line[n < sizeof line ? n : sizeof line - 1] = '\0';
        start = behind_colours(line);
        lines += line[strspn(line, " \t\r")] != '\0';
        if (behind_number(start, &separator, &number)) {
            numbered += number == last + 1 && (!style || style == separator);
            style = separator;
        }
        last = number;
        named += behind_name(start, false) != NULL;
        p = newline ? newline + 1 : end;
    }
    if (numbered >= 3 && numbered * 10 >= lines * 6)
        marks->number = style;
    marks->names = named >= 2 && named * 10 >= lines * 6;
}

/* "-rw-r--r--": of ls(1). */
static bool is_mode(const char *line)
{
    return strspn(line + 1, "rwxsStT-") >= 9;
}

/* "[pod/web-5/main] " of kubectl logs --prefix, "##[error]" of a runner's. */
static char *behind_bracket(char *line)
{
    static const char *const signs[] = {"##[error]", "##[warning]", "##[command]", "##[debug]", "::error::"};
    char *end;

    if (!*line || !strchr("[#:", *line))
        return line;
    if (strncmp(line, "[pod/", 5) == 0 && (end = strstr(line, "] ")))
        return end + 2;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strncmp(line, signs[i], strlen(signs[i])) == 0)
            return line + strlen(signs[i]);
    return line;
}

char *marks_strip(struct marks *marks, char *line)
{
    unsigned long number;
    char separator, *p;

    if (strncmp(line, "@@ -", 4) == 0)
        marks->difference = true;
    else if (marks->difference && strchr("+- ", *line) && *line && !is_mode(line))
        line++;
    if (marks->number && (p = behind_number(line, &separator, &number)) && separator == marks->number)
        line = p;
    if (isalnum((unsigned char)*line) && (p = behind_name(line, !marks->names)))
        line = p;
    return behind_bracket(line);
}
