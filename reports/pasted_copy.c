/* Libraries that were taken before better ones, as far as words show it: where the one that was taken lies. */
#include "pasted.h"

#include <string.h>

/* Whether PATH lies in one of LD_LIBRARY_PATH's directories. */
static bool on_library_path(const struct process *process, const char *path)
{
    const char *list = process_env(process, "LD_LIBRARY_PATH"), *base = path_base(path);
    size_t size = (size_t)(base - path);

    while (size > 1 && path[size - 1] == '/')
        size--;
    for (size_t n; list && size; list = list[n] ? list + n + 1 : NULL) {
        n = strcspn(list, ":;");
        if ((n == size || (n == size + 1 && list[size] == '/')) && strncmp(list, path, size) == 0)
            return true;
    }
    return false;
}

/* Where a distribution keeps what its own programs use. */
static bool of_the_system(const char *path)
{
    static const char *const places[] = {"/lib/", "/lib64/",    "/usr/lib/", "/usr/lib64/",  "/usr/bin/",
                                         "/bin/", "/usr/sbin/", "/sbin/",    "/usr/libexec/"};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strncmp(path, places[i], strlen(places[i])) == 0)
            return true;
    return false;
}

bool pasted_put_before(const struct process *process, const char *subject, const char *provider)
{
    if (!process->by_words || !provider || provider[0] != '/')
        return false;
    return on_library_path(process, provider) || (subject && of_the_system(subject) && !of_the_system(provider));
}

const char *pasted_needed_before(const struct process *process, const char *subject)
{
    for (size_t i = 0; process->by_words && subject && i < process->loaded_count; i++) {
        const struct loaded *loaded = &process->loaded[i];

        if (loaded->by && strcmp(loaded->by, subject) == 0 && on_library_path(process, loaded->path))
            return loaded->path;
    }
    return NULL;
}
