/* Whether a shell got over a command that failed: its own text says so, that of a script or behind -c.
 *
 * From the calls alone "tool || other" and "tool; other" are the same; so are "if prog --version >/dev/null 2>&1" and
 * "prog >/dev/null 2>&1; exit 0". The text is evidence that is at hand. A shell that ends badly all the same got over
 * nothing. */
#include "environment.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <probes/alloc.h>
#include <probes/shelltext.h>

/* The index of the first argument of IMAGE behind its options; *COMMAND: it is a text, behind -c. */
static size_t behind_options(const struct process *image, bool *command)
{
    size_t i = image->argv.n && strcmp(path_base(image->argv.v[0]), "busybox") == 0 ? 2 : 1;

    for (*command = false; i < image->argv.n; i++) {
        const char *option = image->argv.v[i];
        size_t n = strlen(option);

        if (n < 2 || (option[0] != '-' && option[0] != '+'))
            break;
        if (strcmp(option, "--") == 0)
            return i + 1;
        if (option[1] == '-')
            continue;
        *command |= strchr(option, 'c') != NULL;
        i += option[n - 1] == 'o' || option[n - 1] == 'O'; /* "-eo pipefail" */
    }
    return i;
}

/* malloced; NULL: it cannot be had, or is longer than we read. */
static char *read_script(const struct process *image, const char *file)
{
    CLEANUP_FREE char *path = path_join(image->cwd ? image->cwd : "/", file);
    CLEANUP_CLOSE int fd = path_open(image->root, path);
    CLEANUP_FREE char *text = fd >= 0 ? xcalloc(1, SHELLTEXT_MOST) : NULL;
    size_t size = 0;
    ssize_t n;

    while (text && size < SHELLTEXT_MOST - 1 && (n = read(fd, text + size, SHELLTEXT_MOST - 1 - size)) > 0)
        size += (size_t)n;
    return text && size < SHELLTEXT_MOST - 1 ? steal_pointer(&text) : NULL;
}

static char *text_of(const struct process *image)
{
    bool command;
    size_t i = behind_options(image, &command);

    if (i >= image->argv.n)
        return NULL;
    return command ? xstrdup(image->argv.v[i]) : read_script(image, image->argv.v[i]);
}

/* "sh: 3: tool: not found", "x.sh: line 3: tool: command not found": the number before WORD; 0: there is none. */
static size_t line_in(const char *words, const char *word)
{
    const char *at = words ? words_word(words, word, strlen(word)) : NULL;

    if (!at || at - words < 3 || strncmp(at - 2, ": ", 2) != 0)
        return 0;
    for (at -= 2; at > words && isdigit((unsigned char)at[-1]);)
        at--;
    return strtoul(at, NULL, 10);
}

/* The text is asked about SHELL's command WORD. */
static bool provides(struct process *shell, const char *word, const char *const *args, const char *words)
{
    const struct process *image = process_owner(shell);
    CLEANUP_FREE char *text = judge_is_shell(image->exe) ? text_of(image) : NULL;
    CLEANUP_FREE char *key = xasprintf("script:%d:%zu:%s", (int)image->pid, line_in(words, word), word);

    if (!text && path_nowhere(image->root))
        return image->seen && answers_value(image->seen, key);
    if (!text || !shelltext_provides(text, word, args, line_in(words, word)))
        return false;
    if (image->seen)
        answers_note(image->seen, key, "provides");
    return true;
}

bool judge_shell_provides(const struct process *process)
{
    CLEANUP_FREE const char **args = xcalloc(process->argv.n + 1, sizeof *args);

    for (size_t i = 1; i < process->argv.n; i++)
        args[i - 1] = process->argv.v[i];
    return process->parent && process->argv.n && provides(process->parent, process->argv.v[0], args, NULL);
}

bool judge_shell_got_over(const struct process *process, const struct suspect *suspect, const char *words)
{
    if (!process->ended || process_gave_up(process) || (suspect->at != AT_COMMAND && suspect->at != AT_EXECUTION))
        return false;
    for (size_t i = 0; i < suspect->needles.n; i++)
        if (provides((struct process *)process, suspect->needles.v[i], NULL, words))
            return true;
    return false;
}
