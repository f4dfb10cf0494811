#include "programs.h"

#include "json_line.h"
#include "model.h"
#include "report.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/runtime.h>

#include <string.h>
#include <unistd.h>

enum {
    PROGRAMS_MOST = 16,         /* of one report */
    FILES_MOST = 256,           /* that are remembered */
    UP_MOST = 12,               /* directories above a path */
    WORDS_MOST = 8,             /* of a command */
    DESCRIPTION_MOST = 1 << 20, /* bytes of a JSON file */
    WORD_MOST = 120,            /* of a name or version that it gives */
    SIZE_MOST = 512 << 20,      /* of a program that is searched through */
};

/* A file that was searched through; said.name is NULL where it is none of these programs. */
struct searched {
    dev_t dev;
    ino_t ino;
    struct timespec changed;
    struct program_seen said; /* without a path */
};

struct programs {
    struct searched *files;
    size_t count, cap;
};

struct finder {
    struct programs *programs;
    const struct process *process;
    const char *root;
    struct program_list *to;
};

static void seen_deinit(struct program_seen *seen)
{
    free(seen->name);
    free(seen->version);
    free(seen->built);
    free(seen->commit);
    free(seen->path);
}

void program_list_deinit(struct program_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        seen_deinit(&list->v[i]);
    free(list->v);
    *list = (struct program_list){0};
}

static bool has(const struct program_list *list, const char *path)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->v[i].path, path) == 0)
            return true;
    return list->n >= PROGRAMS_MOST;
}

/* A copy of SEEN, found at PATH. */
static void add(struct program_list *list, const struct program_seen *seen, const char *path)
{
    if (has(list, path))
        return;
    *(struct program_seen *)array_add(&list->v, &list->n, &list->cap, sizeof *list->v) =
        (struct program_seen){.name = xstrdup(seen->name),
                              .version = xstrdup_or_null(seen->version),
                              .built = xstrdup_or_null(seen->built),
                              .commit = xstrdup_or_null(seen->commit),
                              .path = xstrdup(path)};
}

void program_list_join(struct program_list *to, const struct program_list *from)
{
    for (size_t i = 0; i < from->n; i++)
        add(to, &from->v[i], from->v[i].path);
}

struct programs *programs_create(void)
{
    return xcalloc(1, sizeof(struct programs));
}

void programs_destroy(struct programs *programs)
{
    for (size_t i = 0; i < programs->count; i++)
        seen_deinit(&programs->files[i].said);
    free(programs->files);
    free(programs);
}

/* --- what a file says of itself --- */

/* cmd/go and its like have no version of their own: they are of the release that built them. */
static void search_through(const char *root, const char *path, struct program_seen *ret)
{
    *ret = (struct program_seen){.built = runtime_go(root, path)};
    if (ret->built) {
        runtime_go_main(root, path, &ret->name, &ret->version);
        if (ret->name && strncmp(ret->name, "cmd/", 4) == 0 && !ret->version)
            ret->version = xstrdup(ret->built);
        if (!ret->name)
            ret->name = xstrdup(path_base(path));
        return;
    }
    ret->version = runtime_node_version(root, path);
    ret->name = ret->version ? xstrdup("node") : NULL;
}

static bool same_file(const struct searched *file, const struct stat *st)
{
    return file->dev == st->st_dev && file->ino == st->st_ino && file->changed.tv_sec == st->st_mtim.tv_sec &&
           file->changed.tv_nsec == st->st_mtim.tv_nsec;
}

/* Whether the program at PATH is one of those; the first time it is searched through. */
static bool find_in_program(const struct finder *finder, const char *path)
{
    struct programs *programs = finder->programs;
    struct searched *file = NULL;
    struct stat st;

    if (path_stat(finder->root, path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > SIZE_MOST)
        return false;
    for (size_t i = 0; i < programs->count && !file; i++)
        if (same_file(&programs->files[i], &st))
            file = &programs->files[i];
    if (!file && programs->count >= FILES_MOST)
        return false;
    if (!file) {
        file = array_add(&programs->files, &programs->count, &programs->cap, sizeof *file);
        *file = (struct searched){.dev = st.st_dev, .ino = st.st_ino, .changed = st.st_mtim};
        search_through(finder->root, path, &file->said);
    }
    if (file->said.name)
        add(finder->to, &file->said, path);
    return file->said.name != NULL;
}

/* Debian's node is a small program before a library; the loader said which one it took. */
static void find_in_library(const struct finder *finder)
{
    const struct process *process = finder->process;

    for (size_t i = 0; i < process->act_count; i++)
        if (process->acts[i].error == 0 && strncmp(process->acts[i].name, "libnode.so", 10) == 0 &&
            find_in_program(finder, process->acts[i].path))
            return;
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

/* Adds what the description at PATH, parsed as LINE, says: NAME, and its version. */
static void add_described(const struct finder *finder, const struct json_line *line, const char *name, const char *path)
{
    const struct program_seen seen = {
        .name = (char *)name, .version = (char *)word_of(line, "version"), .commit = (char *)word_of(line, "commit")};

    add(finder->to, &seen, path);
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
            add_described(finder, &line, name ? name : word_of(&line, "applicationName"), path);
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

    if (strcmp(path_base(above), "extensions") == 0 && read_description(finder, path, &text, &line) &&
        word_of(&line, "publisher") && word_of(&line, "name") && word_of(&line, "version")) {
        CLEANUP_FREE char *name = xasprintf("%s.%s", word_of(&line, "publisher"), word_of(&line, "name"));

        add_described(finder, &line, name, path);
    }
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

/* System directories hold no product's description. */
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

/* What was executed on the way to the process, it itself, what it was told to do (a script that a runtime runs is an
 * argument), and what it lacked something for. */
void programs_find(struct programs *programs, const struct process *process, struct program_list *ret)
{
    const struct finder finder = {programs, process, process->root ? process->root : "", ret};

    find_at(&finder, process->exe, true);
    find_in_library(&finder);
    for (size_t i = 0; i < process->ancestry.n; i++)
        find_at(&finder, process->ancestry.v[i], true);
    for (size_t i = 1; i < process->argv.n && i < WORDS_MOST; i++)
        find_at(&finder, process->argv.v[i], false);
    for (size_t i = 0; i < process->suspect_count; i++) {
        const struct cause *cause = process->suspects[i].cause;

        find_at(&finder, cause->subject, true);
        for (size_t k = 0; k < cause->chain.n; k++)
            find_at(&finder, cause->chain.v[k], false);
    }
}

/* --- asked for one by one --- */

bool program_of_file(const char *root, const char *path, struct program_seen *ret)
{
    struct stat st;

    *ret = (struct program_seen){0};
    if (path_stat(root, path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > SIZE_MOST)
        return false;
    search_through(root, path, ret);
    if (ret->name)
        ret->path = xstrdup(path);
    else
        seen_deinit(ret);
    return ret->name != NULL;
}

bool program_of_product(const char *root, const char *directory, struct program_seen *ret)
{
    struct program_list list = {0};
    const struct finder finder = {.root = root, .to = &list};
    bool found = find_product(&finder, directory) && list.n;

    *ret = (struct program_seen){0};
    if (found) {
        *ret = list.v[0];
        list.v[0] = (struct program_seen){0};
    }
    program_list_deinit(&list);
    return found;
}

void program_seen_deinit(struct program_seen *seen)
{
    seen_deinit(seen);
    *seen = (struct program_seen){0};
}
