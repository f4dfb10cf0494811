#include "strace_line.h"

#include "event.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool starts(const char *s, const char *prefix)
{
    return *s == *prefix && strncmp(s, prefix, strlen(prefix)) == 0; /* mostly the first byte says no */
}

static char *skip_blanks(char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

static char *skip_digits(char *p)
{
    while (*p >= '0' && *p <= '9')
        p++;
    return p;
}

/* ---- what stands before a call ---- */

static pid_t number_at(const char *p)
{
    long value = strtol(p, NULL, 10);

    return value > 0 && value < 1 << 30 ? (pid_t)value : 0;
}

/* "123<comm>" of --decode-pids=comm. */
static char *skip_comm(char *p)
{
    char *end = *p == '<' ? strchr(p, '>') : NULL;

    return end ? end + 1 : p;
}

/* "[pid   123] " or "123   "; P itself where there is none. */
static char *take_pid(char *p, struct strace_line *ret)
{
    char *q;

    if (starts(p, "[pid ")) {
        q = skip_comm(skip_digits(skip_blanks(p + 5)));
        if (*q != ']')
            return p;
        ret->pid = number_at(p + 5);
        return skip_blanks(q + 1);
    }
    q = skip_digits(p);
    if (q == p)
        return p;
    q = skip_comm(q);
    if (*q != ' ')
        return p;
    ret->pid = number_at(p);
    return skip_blanks(q);
}

static uint64_t fraction(char **p)
{
    uint64_t value = 0, unit = 100000000;

    if (**p != '.')
        return 0;
    for (++*p; isdigit((unsigned char)**p); ++*p, unit /= 10)
        value += (uint64_t)(**p - '0') * unit;
    return value;
}

/* "10:00:00.123456 ", "1700000000.123456 ", "0.000123 " (-r: since the line before). */
static char *take_time(char *p, struct strace_line *ret)
{
    char *q = skip_digits(p);
    uint64_t seconds = 0;

    if (q == p || q - p > 12)
        return p;
    seconds = strtoull(p, NULL, 10);
    if (q - p == 2 && q[0] == ':' && isdigit((unsigned char)q[1]) && isdigit((unsigned char)q[2]) && q[3] == ':' &&
        isdigit((unsigned char)q[4]) && isdigit((unsigned char)q[5])) {
        seconds = seconds * 3600 + strtoull(q + 1, NULL, 10) * 60 + strtoull(q + 4, NULL, 10);
        q += 6;
    } else if (*q != '.') {
        return p;
    } else {
        ret->relative = q - p < 9;
    }
    ret->t_ns = seconds * 1000000000 + fraction(&q);
    if (*q != ' ')
        return p;
    ret->has_time = true;
    return skip_blanks(q);
}

/* "(+     0.000123) " of -r with -t, "[00007f…] " of -i, "[ 257] " of -n. */
static char *skip_extra(char *p)
{
    char *q;

    if (starts(p, "(+")) {
        q = strchr(p, ')');
        return q ? skip_blanks(q + 1) : p;
    }
    if (*p != '[')
        return p;
    for (q = p + 1; isxdigit((unsigned char)*q) || *q == ' ' || *q == '?'; q++)
        ;
    return *q == ']' && q > p + 1 ? skip_blanks(q + 1) : p;
}

/* ---- what a line is ---- */

/* "strace: Process 123 attached" at the end of LINE, which old versions write without their name; NULL: no. */
static char *attached_at(char *line, size_t size, pid_t *ret)
{
    static const char word[] = " attached";
    size_t n = sizeof word - 1;
    char *p, *digits;

    if (size < n || memcmp(line + size - n, word, n) != 0)
        return NULL;
    for (digits = p = line + size - n; p > line && isdigit((unsigned char)p[-1]);)
        p--;
    if (p == digits || p - line < 8 || strncmp(p - 8, "Process ", 8) != 0)
        return NULL;
    *ret = number_at(p);
    p -= 8;
    if (p - line >= 8 && strncmp(p - 8, "strace: ", 8) == 0)
        p -= 8;
    else if (p - line >= 12 && strncmp(p - 12, "glibctrace: ", 12) == 0)
        p -= 12;
    return p;
}

static void parse_signal(char *p, struct strace_line *ret)
{
    char *end;

    p += 4;
    if (!starts(p, "SIG"))
        return;
    ret->name = p;
    ret->name_size = strcspn(p, " ");
    ret->args = skip_blanks(p + ret->name_size);
    end = strstr(p, " ---");
    ret->kind = starts(p, "SIG") && end ? STRACE_SIGNAL : STRACE_NOTHING;
}

static void parse_end(char *p, struct strace_line *ret)
{
    p += 4;
    if (starts(p, "exited with ")) {
        ret->status = atoi(p + 12);
        ret->kind = STRACE_EXITED;
    } else if (starts(p, "killed by ")) {
        ret->name = p + 10;
        ret->name_size = strcspn(ret->name, " ");
        ret->core = strstr(p, "core dumped") != NULL;
        ret->kind = STRACE_KILLED;
    } else if (starts(p, "superseded by ")) {
        ret->kind = STRACE_OTHER;
    }
}

/* Backwards: a string among the arguments may look like a result, what stands behind the last one cannot. */
static char *find_result(char *from, char *end)
{
    for (char *p = end; p - from >= 2; p--) {
        char *q = p - 2;

        if (q[0] != '=' || q[1] != ' ')
            continue;
        while (q > from && q[-1] == ' ')
            q--;
        if (q > from && q[-1] == ')' && (isdigit((unsigned char)*p) || *p == '-' || *p == '?'))
            return p;
    }
    return NULL;
}

static bool ends_with(const char *from, const char *end, const char *what)
{
    size_t size = strlen(what);

    return (size_t)(end - from) >= size && memcmp(end - size, what, size) == 0;
}

/* "<unfinished ...>) = ?": its thread ended within it. RESULT: what find_result() gave. */
static const char *behind_unfinished(const char *args, const char *result)
{
    const char *end = result;

    if (strcmp(result, "?") != 0)
        return NULL;
    while (end > args && *end != ')')
        end--;
    return ends_with(args, end, "<unfinished ...>") ? end : NULL;
}

static bool parse_call(char *p, char *end, struct strace_line *ret)
{
    static const char unfinished[] = "<unfinished ...>";
    char *q = p;
    const char *behind = end;

    while (islower((unsigned char)*q) || *q == '_' || isdigit((unsigned char)*q))
        q++;
    if (q == p || *q != '(' || q - p > 40 || isdigit((unsigned char)*p))
        return false;
    ret->name = p;
    ret->name_size = (size_t)(q - p);
    ret->args = q + 1;
    ret->args_size = (size_t)(end - q - 1);
    if (ends_with(ret->args, end, "<detached ...>")) {
        ret->kind = STRACE_OTHER;
        return true;
    }
    if (!ends_with(ret->args, end, unfinished)) {
        ret->result = find_result(q + 1, end);
        if (ret->result && strcmp(ret->result, "-1") == 0) /* and the errno is on the next line */
            ret->result = NULL;
        ret->kind = ret->result ? STRACE_CALL : STRACE_PARTIAL;
        behind = ret->result ? behind_unfinished(ret->args, ret->result) : NULL;
        if (!behind)
            return true;
    }
    ret->result = NULL;
    ret->args_size = (size_t)(behind - ret->args) - (sizeof unfinished - 1);
    ret->kind = STRACE_UNFINISHED;
    return true;
}

static void parse_resumed(char *p, char *end, struct strace_line *ret)
{
    char *q = strstr(p, " resumed>");

    if (!q)
        return;
    ret->name = p + 5;
    ret->name_size = (size_t)(q - ret->name);
    ret->args = q + 9;
    ret->args_size = (size_t)(end - ret->args);
    ret->result = find_result(ret->args, end);
    ret->kind = STRACE_RESUMED;
}

static void parse_message(char *line, size_t size, struct strace_line *ret)
{
    char *p = attached_at(line, size, &ret->other);

    if (p == line) {
        ret->kind = STRACE_ATTACHED;
        return;
    }
    ret->other = 0;
    if (starts(line, "strace: Process ") || starts(line, "glibctrace: Process ") || starts(line, "[ Process PID=") ||
        starts(line, "strace: [ Process PID=") ||
        (starts(line, "Process ") &&
         (strstr(line, " suspended") || strstr(line, " resumed") || strstr(line, " detached"))) ||
        (starts(line, " > ") && strstr(line, ") [0x")))
        ret->kind = STRACE_OTHER;
}

void strace_parse(char *line, size_t size, bool (*known)(const void *ctx, const char *name, size_t n), const void *ctx,
                  struct strace_line *ret)
{
    char *end = line + size, *p = skip_blanks(line), *begin;

    *ret = (struct strace_line){.kind = STRACE_NOTHING};
    p = take_pid(p, ret);
    for (int i = 0; i < 3; i++) {
        begin = p;
        p = skip_extra(take_time(p, ret));
        if (p == begin)
            break;
    }
    if (starts(p, "--- "))
        parse_signal(p, ret);
    else if (starts(p, "+++ "))
        parse_end(p, ret);
    else if (starts(p, "<... "))
        parse_resumed(p, end, ret);
    else if (parse_call(p, end, ret)) {
        if (ret->kind != STRACE_CALL && ret->kind != STRACE_UNFINISHED && !ret->pid && !ret->has_time && known &&
            !known(ctx, ret->name, ret->name_size))
            ret->kind = STRACE_NOTHING;
        else if (ret->kind == STRACE_PARTIAL && (p = attached_at(ret->args, ret->args_size, &ret->other)))
            ret->args_size = (size_t)(p - ret->args);
    } else
        parse_message(line, size, ret);
}

/* ---- arguments ---- */

static char *skip_string(char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

/* "<…>" of -y, behind a number: a path, or an address with brackets of its own. */
static char *skip_annotation(char *p)
{
    int depth = 0;

    for (p++; *p && (*p != '>' || depth > 0); p++)
        depth += *p == '[' ? 1 : *p == ']' ? -1 : 0;
    return *p ? p + 1 : p;
}

static char *skip_comment(char *p)
{
    char *end = strstr(p, "*/");

    return end ? end + 2 : p + 2;
}

unsigned strace_split(char *args, char *ret[], unsigned most, char **end)
{
    char *p = args, *from = skip_blanks(args);
    unsigned count = 0;
    int depth = 0;

    *end = NULL;
    for (p = from; *p;) {
        switch (*p) {
        case '"':
            p = skip_string(p);
            continue;
        case '<':
            p = p > from && p[1] != '<' && p[-1] != '<' && isalnum((unsigned char)p[-1]) ? skip_annotation(p) : p + 1;
            continue;
        case '/':
            p = p[1] == '*' ? skip_comment(p) : p + 1;
            continue;
        case '(':
        case '[':
        case '{':
            depth++;
            break;
        case ']':
        case '}':
            depth -= depth > 0;
            break;
        case ')':
            if (depth > 0) {
                depth--;
                break;
            }
            *p = '\0';
            *end = p + 1;
            if (count < most && p > from)
                ret[count++] = from;
            return count;
        case ',':
            if (depth)
                break;
            *p = '\0';
            if (count < most)
                ret[count++] = from;
            from = p = skip_blanks(p + 1);
            continue;
        }
        p++;
    }
    if (count < most && p > from)
        ret[count++] = from;
    return count;
}

/* "3", "0x7f…", "-1 ENOENT (No such file or directory)", "? ERESTARTSYS (…)", "?". */
struct strace_result strace_result(char *text)
{
    struct strace_result result = {.rest = text};
    char name[32];
    char *p;
    size_t n;

    if (!text || *text == '?')
        return result;
    result.value = (int64_t)strtoull(text, &result.rest, 0);
    result.returned = result.rest > text;
    p = skip_blanks(result.rest);
    if (*p == '(' && starts(p, "(errno "))
        result.error = atoi(p + 7);
    for (n = 0; n < sizeof name - 1 && (isupper((unsigned char)p[n]) || isdigit((unsigned char)p[n]));)
        n++;
    if (*p == 'E' && n > 1) {
        memcpy(name, p, n);
        name[n] = '\0';
        result.error = errno_value(name);
        result.rest = p + n;
    }
    if (result.value >= 0 || result.value < -4095)
        result.error = 0;
    else if (!result.error)
        result.error = result.value < -1 ? (int)-result.value : 0;
    if (result.error >= 512)
        result.returned = false; /* it is made again */
    return result;
}
