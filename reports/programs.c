/* Which releases the programs are that a report is about, from the files that say so: nothing is run. Of a program file
 * what it carries itself (node, Go's build information); of VS Code and of an extension the description beside it. */
#include "json_line.h"
#include "model.h"
#include "report.h"
#include "surroundings.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/runtime.h>

#include <string.h>
#include <unistd.h>

enum {
    PROGRAMS_MOST = 16,
    UP_MOST = 12,               /* directories above a path */
    DESCRIPTION_MOST = 1 << 20, /* bytes of a JSON file */
    WORD_MOST = 120,            /* of a name or version that it gives */
    SIZE_MOST = 512 << 20,      /* of a program that is searched through */
};

struct finder {
    struct surroundings *to;
    const char *root;
    const struct process *process;
};

static bool known(const struct finder *finder, const char *path)
{
    for (size_t i = 0; i < finder->to->program_count; i++)
        if (strcmp(finder->to->programs[i].path, path) == 0)
            return true;
    return finder->to->program_count >= PROGRAMS_MOST;
}

static struct program_seen *add(const struct finder *finder, char *name_taken, char *version_taken, const char *path)
{
    struct program_seen *program =
        array_add(&finder->to->programs, &finder->to->program_count, &finder->to->program_cap, sizeof *program);

    *program = (struct program_seen){.name = name_taken, .version = version_taken, .path = xstrdup(path)};
    return program;
}

/* --- what a file says of itself --- */

/* Debian's node is a small program before a library; the loader said which one it took. */
static const char *node_library(const struct process *process)
{
    for (size_t i = 0; i < process->act_count; i++)
        if (process->acts[i].error == 0 && strncmp(process->acts[i].name, "libnode.so", 10) == 0)
            return process->acts[i].path;
    return NULL;
}

static void find_node(const struct finder *finder, const char *path)
{
    const char *library = node_library(finder->process);
    char *version = runtime_node_version(finder->root, path);

    if (!version && library)
        version = runtime_node_version(finder->root, path = library);
    if (version && !known(finder, path))
        add(finder, xstrdup("node"), version, path);
    else
        free(version);
}

/* cmd/go and its like have no version of their own: they are of the release that built them. */
static bool find_go(const struct finder *finder, const char *path)
{
    char *built = runtime_go(finder->root, path), *package = NULL, *version = NULL;

    if (!built)
        return false;
    runtime_go_main(finder->root, path, &package, &version);
    if (package && strncmp(package, "cmd/", 4) == 0 && !version)
        version = xstrdup(built);
    if (!package)
        package = xstrdup(path_base(path));
    add(finder, package, version, path)->built = built;
    return true;
}

static void find_in_program(const struct finder *finder, const char *path)
{
    struct stat st;

    if (known(finder, path) || path_stat(finder->root, path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > SIZE_MOST)
        return;
    if (!find_go(finder, path))
        find_node(finder, path);
}

/* --- what is written beside it --- */

/* The JSON object in the file PATH, parsed in *TEXT, which the caller frees with LINE. */
static bool read_description(const struct finder *finder, const char *path, char **text, struct json_line *line)
{
    CLEANUP_CLOSE int fd = path_open(finder->root, path);
    struct err err;
    ssize_t n = -1;
    struct stat st;

    *text = NULL;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > DESCRIPTION_MOST)
        return false;
    *text = xmalloc((size_t)st.st_size + 1);
    n = read(fd, *text, (size_t)st.st_size);
    if (n <= 0)
        return false;
    (*text)[n] = '\0';
    return json_line_parse(line, *text, (size_t)n, &err) >= 0;
}

/* A short word of plain letters, as names and versions are; NULL for anything else. */
static const char *word_of(const struct json_line *line, const char *key)
{
    const char *word = json_line_string(line, key);

    if (!word || !*word || strlen(word) > WORD_MOST)
        return NULL;
    for (const char *c = word; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            return NULL;
    return word;
}

/* product.json of VS Code and what is made of it: Electron's resources/app, or the folder of a server. */
static bool find_product(const struct finder *finder, const char *directory)
{
    static const char *const places[] = {"product.json", "resources/app/product.json"};
    bool found = false;

    for (size_t i = 0; i < sizeof places / sizeof *places && !found; i++) {
        CLEANUP_FREE char *path = path_join(directory, places[i]);
        CLEANUP_FREE char *text = NULL;
        struct json_line line = {0};

        if (read_description(finder, path, &text, &line) && word_of(&line, "version") &&
            word_of(&line, "applicationName")) {
            const char *name = word_of(&line, "nameLong");

            found = true;
            if (!known(finder, path))
                add(finder, xstrdup(name ? name : word_of(&line, "applicationName")),
                    xstrdup(word_of(&line, "version")), path)
                    ->commit = xstrdup_or_null(word_of(&line, "commit"));
        }
        json_line_deinit(&line);
    }
    return found;
}

/* An extension's package.json: "…/extensions/golang.go-0.41.4/package.json". Other packages are the user's own affair.
 */
static void find_extension(const struct finder *finder, const char *directory)
{
    CLEANUP_FREE char *above = path_dir(directory), *path = path_join(directory, "package.json");
    CLEANUP_FREE char *text = NULL;
    struct json_line line = {0};

    if (strcmp(path_base(above), "extensions") == 0 && !known(finder, path) &&
        read_description(finder, path, &text, &line) && word_of(&line, "publisher") && word_of(&line, "name") &&
        word_of(&line, "version"))
        add(finder, xasprintf("%s.%s", word_of(&line, "publisher"), word_of(&line, "name")),
            xstrdup(word_of(&line, "version")), path);
    json_line_deinit(&line);
}

static void find_beside(const struct finder *finder, const char *path)
{
    char *at = path_dir(path);

    for (int up = 0; up < UP_MOST && strcmp(at, "/") != 0; up++) {
        char *above;

        find_extension(finder, at);
        if (find_product(finder, at))
            break;
        above = path_dir(at);
        free(at);
        at = above;
    }
    free(at);
}

/* Paths that a cause names; system directories hold no product's description. */
static void find_at(const struct finder *finder, const char *path, bool program)
{
    static const char *const systems[] = {"/lib/", "/lib64/", "/usr/lib/x86_64-linux-gnu/", "/bin/", "/usr/bin/"};
    bool ours = true;

    if (!path || *path != '/')
        return;
    if (program)
        find_in_program(finder, path);
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++)
        ours &= strncmp(path, systems[i], strlen(systems[i])) != 0;
    if (ours)
        find_beside(finder, path);
}

/* The process, that of each cause, and what led to it; a script that a runtime runs is an argument. */
void programs_find(struct surroundings *surroundings, const struct report *report, const struct process *process)
{
    struct finder finder = {surroundings, process->root ? process->root : "", process};

    find_at(&finder, process->exe, true);
    for (size_t i = 0; i < report->cause_count && i < PROGRAMS_MOST; i++) {
        const struct cause *cause = report->causes[i];

        find_at(&finder, cause->exe, true);
        for (size_t k = 0; k < cause->chain.n; k++)
            find_at(&finder, cause->chain.v[k], true);
        find_at(&finder, cause->subject, false);
        for (size_t k = 1; k < cause->argv.n && k < 8; k++)
            find_at(&finder, cause->argv.v[k], false);
    }
}
