/* What runtimes say when they end a program (part of model.h): kept from the first line on, however much follows. */
#include "model_parts.h"

#include <string.h>

#include <probes/alloc.h>

static const struct {
    enum last_words kind;
    const char *text;
    bool inside; /* may stand within the line */
} beginnings[] = {
    {WORDS_GO, "panic: ", false},
    {WORDS_GO, "fatal error: ", false},
    {WORDS_GO, "unexpected fault address ", false},
    {WORDS_GO, "runtime: ", false},
    {WORDS_GO, "SIG", false}, /* "SIGSEGV: segmentation violation" */
    {WORDS_NODE, "FATAL ERROR: ", false},
    {WORDS_NODE, "# Fatal error in ", false},
    {WORDS_NODE, "----- Native stack trace -----", false},
    {WORDS_NODE, "  #  Assertion failed: ", false},
    {WORDS_CXX, "terminate called ", false},
    {WORDS_PYTHON, "Fatal Python error: ", false},
    {WORDS_JAVA, "# A fatal error has been detected by the Java Runtime Environment", false},
    {WORDS_RUST, "thread '", false},
    {WORDS_LIBC, ": Assertion `", true},
    {WORDS_LIBC, "Assertion failed: ", false}, /* musl */
    {WORDS_LIBC, "*** ", false},
};

static enum last_words kind_of(const char *line)
{
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        const char *at = strstr(line, beginnings[i].text);

        if (!at || (at != line && !beginnings[i].inside))
            continue;
        if (beginnings[i].kind == WORDS_RUST && !strstr(line, " panicked at "))
            continue;
        if (strcmp(beginnings[i].text, "SIG") == 0 && line[strcspn(line, ": ")] != ':')
            continue;
        if (strcmp(beginnings[i].text, "*** ") == 0 && !strstr(line, " detected ***") && !strstr(line, " terminated"))
            continue;
        return beginnings[i].kind;
    }
    return WORDS_NONE;
}

void model_last_words(struct process *process, const char *line, uint64_t n)
{
    enum last_words kind = kind_of(line);

    if (kind == WORDS_NODE && process->words_kind == WORDS_NODE)
        kind = WORDS_NONE; /* the stack below the reason */

    /* Of a thread that runs meanwhile, Go's unwinder says what it cannot do between the goroutines: "runtime: g 7:
     * unexpected return pc for …" (runtime/traceback.go). */
    if (kind == WORDS_GO && process->words_kind == WORDS_GO && strncmp(line, "runtime: g ", 11) == 0)
        kind = WORDS_NONE;
    /* A panic that is recovered from is followed by others: the last one counts. Within one, Go's first line only. */
    if (kind != WORDS_NONE &&
        (process->words_kind != kind || kind != WORDS_GO || process_last_words(process, "goroutine "))) {
        strings_deinit(&process->words);
        process->words_kind = kind;
        process->words_n = n;
    }
    if (process->words_kind != WORDS_NONE && process->words.n < LAST_WORDS_KEPT)
        strings_add(&process->words, xstrdup(line));
}

const char *process_last_words(const struct process *process, const char *prefix)
{
    for (size_t i = 0; i < process->words.n; i++)
        if (strncmp(process->words.v[i], prefix, strlen(prefix)) == 0)
            return process->words.v[i];
    return NULL;
}
