/* Whether a program that complained of a library ended of that, or of something else that it says afterwards.
 *
 * "cannot load libx.so" and then "initialisation failed" is one failure and its consequence. "libx not available, going
 * on without" is none, whatever the program ends of later; nor is a library that is complained of before an exception
 * with a reason of its own. */
#include "environment.h"
#include "told.h"

#include <ctype.h>
#include <string.h>

#include <probes/alloc.h>

/* "libfoo" of "libfoo.so.1", as people call it; NULL where it has no such name. malloced. */
static char *stem_of(const char *needle)
{
    const char *name = path_base(needle), *end = strstr(name, ".so");

    return strncmp(name, "lib", 3) == 0 && end && end - name > 4 ? xstrndup(name, (size_t)(end - name)) : NULL;
}

/* Where LINE names the library that SUSPECT is about, and how much of it that is; NULL: nowhere. */
static const char *name_in(const char *line, const struct suspect *suspect, size_t *size)
{
    for (size_t i = 0; i < suspect->needles.n; i++) {
        const char *needle = suspect->needles.v[i], *at = line_finds(line, line, needle);
        CLEANUP_FREE char *stem = stem_of(needle);

        *size = strlen(needle);
        if (!at && stem) {
            *size = strlen(stem);
            at = line_finds(line, line, stem);
        }
        if (at)
            return at;
    }
    return NULL;
}

static bool names_it(const char *line, const struct suspect *suspect)
{
    size_t size;

    return name_in(line, suspect, &size) != NULL;
}

/* What the words in its name mean is no matter. */
static bool shrugs(const char *line, const struct suspect *suspect)
{
    CLEANUP_FREE char *rest = xstrdup(line);
    size_t size;
    char *at;

    while ((at = (char *)name_in(rest, suspect, &size)))
        memset(at, '_', size);
    return words_shrug(rest);
}

const struct output_line *suspect_called(const struct process *process, const struct suspect *suspect)
{
    for (size_t i = process->line_count; i-- > 0 && process->lines[i].n >= suspect->n;)
        if (names_it(process->lines[i].text, suspect) &&
            (words_object(process->lines[i].text) || shrugs(process->lines[i].text, suspect)))
            return &process->lines[i];
    return NULL;
}

/* Python tells an exception that came of another behind that one. */
static bool chains(const char *line)
{
    return strstr(line, "direct cause of the following exception") ||
           strstr(line, "During handling of the above exception");
}

/* Set in, as stacks are; of punctuation alone; node's signature. */
static bool is_headline(const char *line)
{
    while (*line && !isalpha((unsigned char)*line) && !isspace((unsigned char)*line) && (unsigned char)*line < 0x80)
        line++;
    return *line && !isspace((unsigned char)*line) && strncmp(line, "Node.js v", 9) != 0;
}

/* LINE is about another library that did not load: either may be what the program ended of. */
static bool of_another_library(const struct process *process, const char *line)
{
    for (size_t i = 0; i < process->suspect_count; i++)
        if (process->suspects[i].at == AT_DLOPEN && names_it(line, &process->suspects[i]))
            return true;
    return false;
}

/* The program goes on after line FROM, and complains at last of something else. */
static bool ends_of_another(const struct process *process, const struct suspect *suspect, size_t from)
{
    const char *program = process->exe ? path_base(process->exe) : NULL, *last = NULL;

    for (size_t i = from; i < process->line_count; i++) {
        const char *line = process->lines[i].text;

        if (names_it(line, suspect) || chains(line))
            return false;
        if (is_headline(line) && words_object(line))
            last = line;
    }
    return last && words_own_reason(last, program) && !of_another_library(process, last);
}

/* The first of PROCESS's lines behind LINE, perhaps of the same write. */
static size_t behind(const struct process *process, const struct output_line *line)
{
    size_t i = 0;

    while (i < process->line_count && process->lines[i].n <= line->n)
        i++;
    while (i > 0 && process->lines[i - 1].n == line->n && strcmp(process->lines[i - 1].text, line->text) != 0)
        i--;
    return i;
}

bool suspect_left_behind(const struct process *process, const struct suspect *suspect, const struct output_line *line)
{
    return ends_of_another(process, suspect, behind(process, line));
}

bool suspect_survived(const struct process *process, const struct suspect *suspect, const struct output_line *line)
{
    size_t from = behind(process, line);

    return from < process->line_count && (shrugs(line->text, suspect) || ends_of_another(process, suspect, from));
}

bool judge_ends_of_another(const struct process *process, const struct loader_error *error)
{
    const char *program = process->exe ? path_base(process->exe) : NULL;
    bool other = false;
    struct told told;

    told_by_loader(error, &told);
    for (size_t i = 0; i < process->line_count && !other; i++) {
        const char *line = process->lines[i].text;
        const char *object = error->object ? line_finds(line, line, path_base(error->object)) : NULL;

        other = process->lines[i].n > error->last_n && !object && !(told.symbol && strstr(line, told.symbol)) &&
                words_own_reason(line, program);
    }
    told_deinit(&told);
    return other;
}
