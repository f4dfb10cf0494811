/* Stamps: the times that tools put before a line, and who wrote it. Part of read_clean.h. */
#include "read_clean.h"

#include <ctype.h>
#include <string.h>

/* As far as P goes like SHAPE: '0' is a digit, ' ' some blanks, '+' the digits that are there, else the character. */
static char *like(char *p, const char *shape)
{
    for (; *shape; shape++) {
        if (*shape == '0') {
            if (!isdigit((unsigned char)*p++))
                return NULL;
        } else if (*shape == '+') {
            if (!isdigit((unsigned char)*p))
                return NULL;
            while (isdigit((unsigned char)*p))
                p++;
        } else if (*shape == ' ') {
            if (*p != ' ')
                return NULL;
            while (*p == ' ')
                p++;
        } else if (*p++ != *shape) {
            return NULL;
        }
    }
    return p;
}

/* "2024-05-01T10:00:00.123456Z ", "2024-05-01 10:00:00,123 ". */
static char *iso_stamp(char *line)
{
    char *p = like(line, "0000-00-00"), *q;

    if (!p || (*p != 'T' && *p != ' '))
        return NULL;
    p = like(p + 1, "00:00:00");
    if (!p)
        return NULL;
    if (*p == '.' || *p == ',')
        for (p++; isdigit((unsigned char)*p);)
            p++;
    if (*p == 'Z')
        p++;
    else if ((*p == '+' || *p == '-') && (q = like(p + 1, "00")))
        for (p = q; isdigit((unsigned char)*p) || *p == ':';)
            p++;
    return *p == ' ' ? p + 1 : *p ? NULL : p;
}

/* "host prog[12]: ", "host kernel: ": who wrote a line of syslog. */
static char *writer(char *p)
{
    size_t host = strcspn(p, " "), program;

    if (!p[host])
        return NULL;
    program = strcspn(p + host + 1, " :");
    p += host + 1 + program;
    return program && p[0] == ':' && p[1] == ' ' ? p + 2 : NULL;
}

/* "May 01 10:00:00 host prog[12]: " (RFC 3164), as journalctl prints it too. */
static char *syslog_stamp(char *line)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char *p = line;

    for (size_t i = 0; i < sizeof months - 1; i += 3)
        if (strncmp(line, months + i, 3) == 0)
            p = like(line + 3, " + 00:00:00");
    if (p == line || !p)
        return NULL;
    while (*p == '.' || isdigit((unsigned char)*p))
        p++;
    return *p == ' ' ? writer(p + 1) : NULL;
}

/* "[  12.345678] " of dmesg, "[10:00:00] " and "[2024-05-01 10:00:00] " of tools. */
static char *bracket_stamp(char *line)
{
    char *p = line + 1, *q;

    while (*p == ' ')
        p++;
    q = like(p, "+.000000");
    if (!q && (q = like(p, "00:00:00")) && *q == '.')
        q = like(q, ".+");
    if (!q && (q = like(p, "+:00 ")) && (q[0] == 'A' || q[0] == 'P') && q[1] == 'M') /* of a chat */
        q += 2;
    if (!q && (q = iso_stamp(p)) && q[-1] == ' ')
        q = NULL;
    return q && q[0] == ']' && q[1] == ' ' ? q + 2 : NULL;
}

/* "#12 3.456 " of a docker build. */
static char *build_stamp(char *line)
{
    char *p = like(line, "#+ +.+ ");

    return p;
}

/* "job\tstep\t2024-05-01T10:00:00.1234567Z " of "gh run view --log". */
static char *run_stamp(char *line)
{
    static const char bom[] = "\xef\xbb\xbf";
    char *p = strchr(line, '\t');

    p = p ? strchr(p + 1, '\t') : NULL;
    if (!p)
        return NULL;
    p += strncmp(p + 1, bom, 3) == 0 ? 4 : 1;
    return isdigit((unsigned char)*p) ? iso_stamp(p) : NULL;
}

char *clean_stamp(char *line)
{
    char *p = NULL;

    if (isdigit((unsigned char)*line)) {
        char *by;

        p = iso_stamp(line);
        if (p && (by = writer(p)) && strchr(p, '[') && strchr(p, '[') < by) /* journalctl -o short-iso */
            p = by;
    } else if (*line == '[') {
        p = bracket_stamp(line);
    } else if (*line == '#') {
        p = build_stamp(line);
    } else if (isupper((unsigned char)*line)) {
        p = syslog_stamp(line);
    }
    if (!p && *line != '\t' && strchr(line, '\t'))
        p = run_stamp(line);
    return p ? p : line;
}
