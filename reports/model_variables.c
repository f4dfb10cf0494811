/* Who put a variable into the environment (part of model.h): a program hands its environment on at each execve(2), and
 * what is in the new one but was not in its own, it has set itself. */
#include "model_parts.h"

#include <string.h>

#include <probes/alloc.h>

/* The program, or the script that it runs: after execve(2) of a script, argv is the interpreter, perhaps one option,
 * and the script's path. */
static const char *setter(const struct process *process)
{
    for (size_t i = 1; i < process->argv.n && i < 3; i++) {
        const char *word = process->argv.v[i];

        if (word[0] == '-' && i == 1 && word[1] != 'c')
            continue;
        if (strchr(word, '/') && word[0] != '-' && !strpbrk(word, " ;\n="))
            return word;
        break;
    }
    return process->exe ? process->exe : "";
}

void model_variables(struct process *process, const struct image *image)
{
    struct strings by = {0};

    for (size_t i = 0; image->env && image->env[i]; i++) {
        const char *who = process->has_image ? setter(process) : "";

        for (size_t k = 0; k < process->env.n; k++)
            if (strcmp(process->env.v[k], image->env[i]) == 0) {
                who = k < process->env_by.n ? process->env_by.v[k] : "";
                break;
            }
        strings_add(&by, xstrdup(who));
    }
    strings_deinit(&process->env_by);
    process->env_by = by;
}
