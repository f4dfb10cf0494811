/* ltrace's lines: calls of libraries' functions, as far as they go. They have no errno and hardly a path of a system
 * call (SYS_openat shows an address); what they do have is what dlerror(3) said, what was written, and how it ended.
 *
 * So they are no events: their strings are words, as if somebody had pasted these. ltrace cuts strings (-s, 32 bytes
 * unless told otherwise); half a name is none, but how the loader's sentence ends is known. */
#include "read_text.h"

#include "event.h"
#include "strace_value.h"

#include <probes/alloc.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct ltrace {
    struct text_reading *reading;
    bool sure; /* a line was that of nothing else */
    bool open; /* a call that the program's words have cut goes on in the next line */
    struct text line;
};

static void *begin(struct text_reading *reading)
{
    struct ltrace *ltrace = xcalloc(1, sizeof *ltrace);

    ltrace->reading = reading;
    return ltrace;
}

static char *behind_blanks(char *p)
{
    while (*p == ' ')
        p++;
    return p;
}

/* "[pid 12] ", "12 ", "10:00:00.123456 ", "  0.000123 ", "[0x401126] ": what stands before a call. */
static char *behind_leader(char *p)
{
    for (int i = 0; i < 4; i++) {
        char *q = behind_blanks(p);

        if (*q == '[' && (strncmp(q, "[pid ", 5) == 0 || strncmp(q, "[0x", 3) == 0)) {
            q = strchr(q, ']');
            if (!q)
                return p;
            q++;
        } else {
            const char *from = q;

            while (isdigit((unsigned char)*q) || *q == ':' || *q == '.')
                q++;
            if (q == from)
                return q;
        }
        if (*q != ' ')
            return p;
        p = q + 1;
    }
    return behind_blanks(p);
}

/* Functions that are no system calls, and that hardly any program goes without. */
static bool is_function(const char *name, size_t size)
{
    static const char *const names[] = {
        "__libc_start_main",
        "dlopen",
        "dlsym",
        "dlerror",
        "dlclose",
        "getenv",
        "fopen",
        "fopen64",
        "fclose",
        "malloc",
        "free",
        "calloc",
        "realloc",
        "strlen",
        "strcmp",
        "strncmp",
        "strchr",
        "strrchr",
        "strcpy",
        "memcpy",
        "memset",
        "printf",
        "fprintf",
        "puts",
        "setlocale",
        "perror",
        "fputs",
        "textdomain",
        "strdup",
        "fwrite",
        "fputc",
        "putchar",
        "snprintf",
        "sprintf",
        "strerror",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (*name == *names[i] && strncmp(name, names[i], size) == 0 && !names[i][size])
            return true;
    return false;
}

/* The name of the call at P, without "prog->" before it; its size, 0: there is none. */
static size_t call_at(char **p, bool *of_object)
{
    char *open = strchr(*p, '('), *arrow = open ? memmem(*p, (size_t)(open - *p), "->", 2) : NULL;
    size_t n;

    *of_object = arrow != NULL;
    if (arrow)
        *p = arrow + 2;
    for (n = 0; isalnum((unsigned char)(*p)[n]) || (*p)[n] == '_';)
        n++;
    return (*p)[n] == '(' && n < 128 ? n : 0;
}

/* ---- words ---- */

static void say(struct ltrace *ltrace, const char *words)
{
    struct text *line = &ltrace->line;

    text_clear(line);
    text_addn(line, words, strcspn(words, "\n"));
    if (line->n)
        text_as_words(ltrace->reading, line->v, line->n);
}

/* The string of LTRACE's line at AT, a quote; where it was cut, only if one thing can have stood there. */
static void say_string(struct ltrace *ltrace, const char *at)
{
    static const char sentence[] = ": cannot open shared object file: No such file or directory";
    struct text string = {0};
    bool cut = false;

    if (*at != '"' || !strace_string(at, &string, &cut) || !string.n) {
        text_deinit(&string);
        return;
    }
    if (cut) {
        char *begun = strstr(string.v, ": cannot open shared");
        size_t there = begun ? string.n - (size_t)(begun - string.v) : 0;

        if (!begun || there > sizeof sentence - 1 || strncmp(begun, sentence, there) != 0)
            string.n = 0;
        else
            text_add(&string, sentence + there);
    }
    if (string.n)
        say(ltrace, string.v);
    text_deinit(&string);
}

/* ---- the end ---- */

static bool read_end(struct ltrace *ltrace, const char *p)
{
    static const char exited[] = "+++ exited (status ", killed[] = "+++ killed by ";
    CLEANUP_FREE char *name = NULL;
    int number;

    if (strncmp(p, exited, sizeof exited - 1) == 0) {
        ltrace->reading->status = (atoi(p + sizeof exited - 1) & 0xff) << 8;
        ltrace->reading->status_known = ltrace->sure = true;
        return true;
    }
    if (strncmp(p, "--- SIG", 7) == 0 && strstr(p, ") ---") && !strchr(p, '@') && !strchr(p, '{')) {
        ltrace->sure = true;
        return true;
    }
    if (!ltrace->sure || strncmp(p, killed, sizeof killed - 1) != 0)
        return false;
    name = xstrndup(p + sizeof killed - 1, strcspn(p + sizeof killed - 1, " "));
    number = signal_value(name);
    if (number) /* as a shell says it */
        say(ltrace, strsignal(number));
    return true;
}

/* ---- calls ---- */

/* "SYS_writev(2, 0x…, 10./prog: error while …": the terminal had the program's words within ltrace's line. */
static void read_written(struct ltrace *ltrace, char *args, bool whole)
{
    char *second = strchr(args, ','), *third = second ? strchr(second + 1, ',') : NULL;

    if (strncmp(args, "2,", 2) != 0 || !second)
        return;
    if (whole) {
        say_string(ltrace, second + 1 + strspn(second + 1, " "));
    } else if (third) {
        third += 1 + strspn(third + 1, " ");
        say(ltrace, third + strspn(third, "0123456789"));
        ltrace->open = true;
    }
}

static bool read_call(struct ltrace *ltrace, char *name, size_t n, bool of_object)
{
    bool system_call = strncmp(name, "SYS_", 4) == 0, known = system_call || of_object || is_function(name, n), ends;
    char *result, *value = NULL;

    if (!known && !ltrace->sure) /* most lines: they are strace's */
        return false;
    ends = strstr(name, "<no return ...>") || strstr(name, "<unfinished ...>");
    for (result = strstr(name, ") "); result; result = strstr(result + 1, ") ")) {
        char *at = result + 1 + strspn(result + 1, " ");

        if (strncmp(at, "= ", 2) == 0)
            value = at + 2;
    }
    ltrace->sure |= system_call || of_object || (known && (value || ends));
    if (!ltrace->sure || !(value || ends || system_call))
        return false;
    if (n == 7 && strncmp(name, "dlerror", 7) == 0 && value)
        say_string(ltrace, value);
    else if (strncmp(name, "SYS_write", 9) == 0 && !ends)
        read_written(ltrace, name + n + 1, value != NULL);
    return true;
}

static bool take(void *state, char *line, size_t size)
{
    struct ltrace *ltrace = state;
    char *p = size < 8192 ? behind_leader(line) : line;
    bool of_object;
    size_t n;

    if (size >= 8192)
        return false;
    if (ltrace->open && *line == ')' && strstr(line, "= ")) {
        ltrace->open = false;
        return true;
    }
    if (*p == '+' || *p == '-')
        return read_end(ltrace, p);
    if (ltrace->sure && strncmp(p, "<... ", 5) == 0) {
        if (strncmp(p + 5, "dlerror resumed> ", 17) == 0 && strstr(p, "= "))
            say_string(ltrace, strstr(p, "= ") + 2);
        return true;
    }
    n = call_at(&p, &of_object);
    return n && read_call(ltrace, p, n, of_object);
}

static void end(void *state)
{
    struct ltrace *ltrace = state;

    text_deinit(&ltrace->line);
    free(ltrace);
}

const struct text_reader text_reader_ltrace = {
    .name = "ltrace",
    .how = INPUT_STRACE_LOG,
    .begin = begin,
    .take = take,
    .end = end,
};
