/* Modules, classes and packages that a runtime says it found nowhere, where a file of that name is there to be seen:
 * behind a dangling link, or in a directory that may not be read.
 *
 * Python lists the directories of its path and asks only for what stands in them; so it is with a link that leads
 * nowhere, of which it says "No module named". The words name the module, not the file: "a.b" is a/b.py. */
#include "environment.h"

#include "sight.h"
#include "syscall.h"

#include <errno.h>
#include <string.h>

#include <probes/alloc.h>

enum { LINES_READ = 64, NAME_MOST = 256 };

/* In whose words, and what becomes of the name in a path. */
static const struct saying {
    const char *words;
    bool dotted; /* a dot in the name is a slash */
} sayings[] = {
    {"No module named ", true},           {"Cannot find module ", false},     {"Cannot find package ", false},
    {"cannot load such file -- ", false}, {"Can't locate ", false},           {"module '", true},
    {"find or load main class ", true},   {"ClassNotFoundException: ", true}, {"can't find package ", false},
};

/* The name that LINE says, as a path without an ending, malloced; or NULL. */
static char *name_in(const char *line)
{
    for (size_t i = 0; i < sizeof sayings / sizeof *sayings; i++) {
        const char *at = strcasestr(line, sayings[i].words);
        size_t size;
        char *name;

        if (!at)
            continue;
        at += strlen(sayings[i].words);
        at += strspn(at, "'\"`");
        size = strcspn(at, "'\"` \t;,()");
        while (size && strchr(".:", at[size - 1]))
            size--;
        if (!size || size > NAME_MOST || at[0] == '/' || at[0] == '.')
            return NULL;
        name = xstrndup(at, size);
        for (char *p = name; sayings[i].dotted && *p; p++)
            if (*p == '.')
                *p = '/';
        if (!sayings[i].dotted && strrchr(name, '.') > strrchr(name, '/') && strrchr(name, '.') != name)
            *strrchr(name, '.') = '\0';
        return name;
    }
    return NULL;
}

/* NAME is of a scope ("@rollup/rollup-linux-x64-gnu"), whose directory is there with others of it: then there is one
 * place where it would be. */
static bool has_one_place(const struct process *process, const struct attempt *attempt, const char *name)
{
    CLEANUP_FREE char *directory = path_dir(attempt->path);
    struct stat st;

    return name[0] == '@' && strchr(name, '/') && sight_stat(process, directory, &st) == 0 && S_ISDIR(st.st_mode);
}

bool judge_is_module(const struct process *process, const struct attempt *attempt)
{
    for (size_t i = process->line_count; i-- > 0 && process->line_count - i <= LINES_READ;) {
        const char *line = process->lines[i].text;
        CLEANUP_FREE char *name = process->lines[i].n >= attempt->n ? name_in(line) : NULL;
        size_t n = name ? strlen(name) : 0, size = strlen(attempt->path);

        if (n && size > n && attempt->path[size - n - 1] == '/' && strcmp(attempt->path + size - n, name) == 0 &&
            !words_path(line, attempt->path))
            return !has_one_place(process, attempt, name);
    }
    return false;
}

/* PATH is where a module NAME would be: …/NAME, NAME.ending, or what makes a directory of that name one. */
static bool is_place_of(const char *path, const char *name)
{
    static const char *const within[] = {"/__init__.", "/index.", "/package.json", "/__main__."};
    size_t n = strlen(name);

    for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
        const char *rest = at + 1 + n;

        if (strncmp(at + 1, name, n) != 0)
            continue;
        if (!*rest || (*rest == '.' && !strchr(rest, '/')))
            return true;
        for (size_t i = 0; i < sizeof within / sizeof *within; i++)
            if (strncmp(rest, within[i], strlen(within[i])) == 0)
                return true;
    }
    return false;
}

static enum path_reason reason_at(const struct process *process, const struct attempt *attempt)
{
    struct path_walk walk;
    enum path_reason reason;

    sight_walk(attempt, process_cred(process), &walk);
    reason = walk.reason;
    path_walk_deinit(&walk);
    return reason;
}

/* The directory of ATTEMPT may not be read, and the module is in it. */
static bool keeps_back(const struct process *process, const struct attempt *attempt, const char *name)
{
    static const char *const endings[] = {"", ".py", ".so", ".rb", ".pm", ".lua", ".js", ".class"};
    struct stat st;

    if (attempt->error != EACCES || !sight_there(process, attempt, attempt->path, &st) || !S_ISDIR(st.st_mode))
        return false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        CLEANUP_FREE char *path = xasprintf("%s/%s%s", attempt->path, name, endings[i]);

        if (sight_there(process, attempt, path, &st))
            return true;
    }
    return false;
}

/* PATH is one of the places that COMMAND was told to search: "-cp a.jar:b.jar", "-I/opt/lib". */
static bool told_to_search(const struct process *process, const struct attempt *attempt)
{
    for (size_t i = 1; i < process->argv.n; i++)
        for (const char *p = process->argv.v[i]; *p; p += strspn(p, ":=")) {
            size_t size = strcspn(p, ":=");
            size_t skip = p[0] == '-' && p[1] == 'I' && size > 2 ? 2 : 0;
            CLEANUP_FREE char *word = xstrndup(p + skip, size - skip);
            CLEANUP_FREE char *path = path_join(attempt->cwd ? attempt->cwd : "/", word);

            if (strpbrk(word, "/.") && word[0] != '-' && strcmp(path, attempt->path) == 0)
                return true;
            p += size;
        }
    return false;
}

static bool listed_in_variable(const struct process *process, const struct attempt *attempt)
{
    for (size_t i = 0; i < process->env.n; i++) {
        struct variable variable;
        struct strings paths;
        bool found = false;

        if (!variable_of(process->env.v[i], &variable))
            continue;
        variable_paths(variable.value, process->cwd, &paths);
        for (size_t k = 0; k < paths.n && !found; k++)
            found = variable_fit(paths.v[k], attempt->path) == FIT_EXACT;
        strings_deinit(&paths);
        if (found)
            return true;
    }
    return false;
}

/* Where runtimes look by themselves (site(7) of Python, Node's modules documentation, RubyGems). */
static bool holds_modules(const char *path)
{
    static const char *const names[] = {"site-packages", "dist-packages", "node_modules", "gems"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(path_base(path), names[i]) == 0)
            return true;
    return false;
}

/* How sure it is that ATTEMPT is why NAME was not found; 0: it is not. */
static double weight(const struct process *process, const struct attempt *attempt, const char *name)
{
    enum path_reason reason;

    if (attempt->by == BY_LOADER || attempt->execution || !judge_open_fits(attempt))
        return 0;
    reason = reason_at(process, attempt);
    if (is_place_of(attempt->path, name) && (reason == PATH_DANGLING || reason == PATH_LOOP || reason == PATH_DENIED))
        return 0.92;
    if (keeps_back(process, attempt, name))
        return 0.88;
    if ((reason == PATH_DANGLING || reason == PATH_LOOP) &&
        (listed_in_variable(process, attempt) || holds_modules(attempt->path)))
        return 0.8;
    if (reason != PATH_OK && told_to_search(process, attempt))
        return 0.75;
    return 0;
}

static const struct attempt *best_for(const struct process *process, const char *name, const struct output_line *line,
                                      double *sure)
{
    const struct attempt *best = NULL;
    struct episode *episode, *next;

    *sure = 0;
    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = 0; i < episode->count; i++) {
        const struct attempt *attempt = episode->attempts[i];
        double one = attempt->n < line->n ? weight(process, attempt, name) : 0;

        if (one > 0 && words_path(line->text, attempt->path)) /* perl: of Foo.pm and Foo.pmc */
            one += 0.01;

        if (one > *sure) {
            *sure = one;
            best = attempt;
        }
    }
    return best;
}

bool judge_unfound(struct process *process)
{
    if (!process_gave_up(process))
        return false;
    for (size_t i = process->line_count; i-- > 0 && process->line_count - i <= LINES_READ;) {
        const struct output_line *line = &process->lines[i];
        CLEANUP_FREE char *name = line->n >= process->exec_n && !words_warn(line->text) ? name_in(line->text) : NULL;
        const struct attempt *attempt;
        struct suspect *suspect;
        double sure;

        if (!name)
            continue;
        attempt = best_for(process_owner(process), name, line, &sure);
        suspect = attempt ? judge_open_blame(process, attempt) : NULL;
        if (!suspect)
            return false; /* the last of such words counts */
        suspect->sure = sure;
        suspect->last_act = true;
        free(suspect->cause->words);
        suspect->cause->words = xstrdup(line->text);
        cause_evidence(suspect->cause, line->n);
        return true;
    }
    return false;
}

/* What is listed to know about processors and processes, by Java's machine too. */
static bool of_the_machine(const char *path)
{
    return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0 || strstr(path, "/hsperfdata_");
}

void judge_looked_in(struct process *process)
{
    CLEANUP_FREE char *name = NULL;
    struct episode *episode, *next;

    for (size_t i = process->line_count; i-- > 0 && process->line_count - i <= LINES_READ && !name;)
        name = name_in(process->lines[i].text);
    if (!name)
        return;
    for (size_t i = 0; i < process->listed.n; i++)
        if (!of_the_machine(process->listed.v[i]))
            strings_add(&process->looked_in, xstrdup(process->listed.v[i]));
    HASH_ITER(hh, process->episodes, episode, next)
    for (size_t i = 0; i < episode->count && process->looked_in.n < LISTED_KEPT; i++)
        if (holds_modules(episode->attempts[i]->path))
            strings_addf(&process->looked_in, "%s, which is not there", episode->attempts[i]->path);
}
