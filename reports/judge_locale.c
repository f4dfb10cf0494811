/* Which variable asked for a locale that is not installed.
 *
 * setlocale(3) with "" takes LC_ALL, then the category's own variable, then LANG, each where it is not empty
 * (locale(7)). glibc looks for its files in LOCPATH or /usr/lib/locale, by the name as it is and by shorter forms of
 * it. */
#include "environment.h"

#include <string.h>

#include <probes/alloc.h>

static bool is_category(const char *name)
{
    return strncmp(name, "LC_", 3) == 0 || strcmp(name, "SYS_LC_MESSAGES") == 0;
}

/* "xx_XX.UTF-8" is looked for as xx_XX.UTF-8, xx_XX.utf8, xx_XX, xx.UTF-8, xx.utf8 and xx. */
static bool form_of(const char *directory, const char *value)
{
    size_t language = strcspn(value, "_.@");

    return language >= 1 && strncmp(directory, value, language) == 0 && strcspn(directory, "_.@") == language;
}

/* One of its places was tried and is not there. */
static bool looked_for(const struct process *process, const char *value)
{
    struct episode *episode, *next;

    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = 0; i < episode->count && is_category(episode->name); i++) {
        CLEANUP_FREE char *directory = path_dir(episode->attempts[i]->path);

        if (strcmp(path_base(directory), "LC_MESSAGES") == 0) {
            char *up = path_dir(directory);

            free(directory);
            directory = up;
        }
        if (form_of(path_base(directory), value))
            return true;
    }
    return false;
}

static bool always_there(const char *value)
{
    return strcmp(value, "C") == 0 || strcmp(value, "POSIX") == 0;
}

static bool asks(const struct process *process, const struct output_line *line, const struct variable *variable)
{
    if (always_there(variable->value))
        return false;
    return words_word(line->text, variable->value, strlen(variable->value)) || looked_for(process, variable->value);
}

bool lead_locale(const struct process *process, const struct output_line *line, struct variable *ret)
{
    bool all = false, own = false;

    for (size_t i = 0; i < process->env.n && !all; i++) {
        struct variable variable;

        if (!variable_of(process->env.v[i], &variable))
            continue;
        if (variable_is(&variable, "LC_ALL")) { /* no other counts then */
            all = asks(process, line, &variable);
            if (!all)
                return false;
            *ret = variable;
        } else if (strncmp(variable.entry, "LC_", 3) == 0 && !own && asks(process, line, &variable)) {
            own = true;
            *ret = variable;
        }
    }
    for (size_t i = 0; i < process->env.n && !all && !own; i++)
        if (variable_of(process->env.v[i], ret) && variable_is(ret, "LANG") && asks(process, line, ret))
            return true;
    return all || own;
}
