/* perf trace's lines (tools/perf/builtin-trace.c of Linux): system calls with the names of their arguments, as far as
 * they go. A path is there only where perf could read it ("filename: 0x…" is none); no line tells of signals.
 *
 *      0.012 ( 0.003 ms): cat/123 openat(dfd: CWD, filename: "/x", flags: RDONLY) = -1 ENOENT (No such file or
 * directory)
 *
 * They are put as strace would, and read as strace's. */
#include "read_text.h"

#include <probes/alloc.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct perf {
    struct text_reading *reading;
    struct text line;
};

static void *begin(struct text_reading *reading)
{
    struct perf *perf = xcalloc(1, sizeof *perf);

    perf->reading = reading;
    return perf;
}

/* "     0.012 ( 0.003 ms): ", "         ? (         ): ": where it ends, or NULL. */
static char *behind_times(char *p)
{
    char *digits;

    while (*p == ' ')
        p++;
    for (digits = p; isdigit((unsigned char)*p);) /* most lines are strace's: without strspn(3), which would be slow */
        p++;
    if (p == digits && *p == '?')
        p++;
    else if (p > digits && *p == '.')
        p += strspn(p, "0123456789.");
    else
        return NULL;
    p += strspn(p, " ");
    if (*p != '(')
        return NULL;
    p += 1 + strspn(p + 1, " 0123456789.ms");
    if (strncmp(p, "):", 2) != 0)
        return NULL;
    return p + 2 + strspn(p + 2, " ");
}

/* "cat/123 ": who, and its number; behind it, or NULL. */
static char *take_thread(char *p, char **comm, pid_t *tid)
{
    char *slash, *end;

    *comm = p;
    for (slash = p; (slash = strchr(slash, '/')) && slash - p < 64; slash++) {
        long number = strtol(slash + 1, &end, 10);

        if (end == slash + 1 || *end != ' ' || number <= 0 || number > 1 << 30)
            continue;
        *slash = '\0';
        *tid = (pid_t)number;
        return end + strspn(end, " ");
    }
    return NULL;
}

/* "RDONLY|CLOEXEC" of openat(2) as "O_RDONLY|O_CLOEXEC". */
static size_t add_flags(struct text *out, const char *p)
{
    const char *start = p;

    while (isupper((unsigned char)*p)) {
        size_t n = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

        text_addf(out, "%s%.*s", strncmp(p, "O_", 2) == 0 ? "" : "O_", (int)n, p);
        p += n;
        if (*p == '|')
            text_addc(out, *p++);
    }
    return (size_t)(p - start);
}

/* "filename: " at P, which begins an argument: its length, or 0. */
static size_t key_length(const char *p)
{
    size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz_0123456789");

    return n && strncmp(p + n, ": ", 2) == 0 ? n + 2 : 0;
}

/* The arguments from P on, without their names. */
static void add_arguments(struct text *out, const char *p, const char *end, bool opens)
{
    bool begins = true, quoted = false;

    while (p < end) {
        size_t key = begins && !quoted ? key_length(p) : 0;
        bool flags = key && opens && strncmp(p, "flags: ", 7) == 0;

        begins = false;
        if (key) {
            p += key;
            if (strncmp(p, "CWD", 3) == 0 && strchr(",)", p[3])) {
                text_add(out, "AT_FDCWD");
                p += 3;
            } else if (flags) {
                p += add_flags(out, p);
            }
            continue;
        }
        quoted ^= *p == '"';
        begins = !quoted && strncmp(p, ", ", 2) == 0;
        if (begins)
            text_addc(out, *p++);
        text_addc(out, *p++);
    }
}

/* The call at P, "name(…) = result", "name(…) ..." or "... [continued]: name()) = result"; false: it is none. */
static bool put_call(struct perf *perf, const char *comm, const char *p)
{
    static const char continued[] = "... [continued]: ";
    bool resumed = strncmp(p, continued, sizeof continued - 1) == 0;
    const char *end = p + strlen(p), *open, *result = NULL;

    p += resumed ? sizeof continued - 1 : 0;
    open = strchr(p, '(');
    if (!open || open == p || (size_t)(open - p) != strspn(p, "abcdefghijklmnopqrstuvwxyz_0123456789"))
        return false;
    for (const char *at = open; (at = strstr(at, " = ")); at++) /* the last one is no argument's */
        result = at + 3;
    if (resumed && strncmp(p, "execve(", 7) == 0) { /* what it was called with nobody saw */
        text_addf(&perf->line, "execve(\"%s\", [\"%s\"], 0x1) = %s", comm, comm, result ? result : "0");
        return true;
    }
    if (resumed) {
        text_addf(&perf->line, "<... %.*s resumed>) = %s", (int)(open - p), p, result ? result : "?");
        return true;
    }
    text_addn(&perf->line, p, (size_t)(open - p) + 1);
    for (const char *at = result ? result - 3 : end; at > open; at--)
        if (*at == ')') {
            end = at;
            break;
        }
    add_arguments(&perf->line, open + 1, end, strncmp(p, "open", 4) == 0);
    if (result)
        text_addf(&perf->line, ") = %s", result);
    else
        text_add(&perf->line, " <unfinished ...>");
    return true;
}

static bool take(void *state, char *line, size_t size)
{
    struct perf *perf = state;
    char *comm, *p = (*line == ' ' || isdigit((unsigned char)*line)) && size < 8192 ? behind_times(line) : NULL;
    pid_t tid = 0;

    p = p ? take_thread(p, &comm, &tid) : NULL;
    if (!p)
        return false;
    text_clear(&perf->line);
    text_addf(&perf->line, "%d ", (int)tid);
    return put_call(perf, comm, p) && text_as_strace(perf->reading, perf->line.v, perf->line.n);
}

static void end(void *state)
{
    struct perf *perf = state;

    text_deinit(&perf->line);
    free(perf);
}

const struct text_reader text_reader_perf = {
    .name = "perf trace",
    .how = INPUT_STRACE_LOG,
    .begin = begin,
    .take = take,
    .end = end,
};
