/* Extension modules of CPython: what their file names say (PEP 3149), and what it says of them.
 *
 * Python looks for "name.cpython-311-x86_64-linux-gnu.so", "name.abi3.so" and "name.so" only: of a module that stands
 * there for another version it says that there is none. */
#include "module.h"

#include <stdlib.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/runtime.h>

enum { DIRECTORIES_MOST = 64 };

char *module_python_abi(const struct process *process)
{
    char *abi = process->exe ? runtime_python(process->exe) : NULL;

    for (size_t i = 0; i < process->act_count && !abi; i++)
        if (!process->acts[i].error)
            abi = runtime_python(process->acts[i].path);
    return abi;
}

/* "cpython-311" -> "3.11" */
static char *version_of(const char *abi)
{
    return xasprintf("%c.%.*s", abi[8], (int)strspn(abi + 9, "0123456789"), abi + 9);
}

static void add_directory(struct strings *list, const char *base, const char *path)
{
    char *joined;

    if (!path || !*path || list->n >= DIRECTORIES_MOST || (path[0] != '/' && !base))
        return;
    joined = path_join(path[0] == '/' ? "/" : base, path);
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->v[i], joined) == 0) {
            free(joined);
            return;
        }
    strings_add(list, joined);
}

/* The directory of the script, or the working directory (python3(1)); what was started is argv's first word that is no
 * option. */
static void add_script(const struct process *process, struct strings *ret)
{
    add_directory(ret, process->cwd, ".");
    for (size_t i = 1; i < process->argv.n; i++) {
        const char *word = process->argv.v[i];
        CLEANUP_FREE char *path = word[0] != '-' ? path_join(process->cwd ? process->cwd : "/", word) : NULL;
        CLEANUP_FREE char *directory = path ? path_dir(path) : NULL;

        if (strcmp(word, "-c") == 0 || strcmp(word, "-m") == 0)
            return;
        if (path) {
            add_directory(ret, NULL, path); /* a directory with a __main__.py is one of its own */
            add_directory(ret, NULL, directory);
            return;
        }
    }
}

static void add_list(const char *list, const char *cwd, struct strings *ret)
{
    for (const char *p = list; p && *p;) {
        size_t size = strcspn(p, ":");
        CLEANUP_FREE char *one = xstrndup(p, size);

        add_directory(ret, cwd, one);
        p += size + (p[size] != '\0');
    }
}

static void add_below(struct strings *ret, const char *prefix, const char *version)
{
    static const char *const kinds[] = {"site-packages", "dist-packages", "lib-dynload"};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        CLEANUP_FREE char *path = xasprintf("%s/lib/python%s/%s", prefix, version, kinds[i]);

        add_directory(ret, NULL, path);
    }
}

/* The prefix of an installation or virtual environment is two levels above its program, by which it was called. */
static void add_prefix(struct strings *ret, const char *program, const char *version)
{
    CLEANUP_FREE char *bin = program && program[0] == '/' ? path_dir(program) : NULL;
    CLEANUP_FREE char *prefix = bin ? path_dir(bin) : NULL;

    if (prefix)
        add_below(ret, strcmp(prefix, "/") == 0 ? "" : prefix, version);
}

/* `File "/x/y.py", line 1`: a traceback names where it came by. */
static void add_traceback(const struct process *process, struct strings *ret)
{
    for (size_t i = 0; i < process->line_count; i++) {
        const char *at = strstr(process->lines[i].text, "File \"/");
        size_t size = at ? strcspn(at + 6, "\"") : 0;
        CLEANUP_FREE char *path = xstrndup(at ? at + 6 : "/", at ? size : 1);

        for (int up = 0; up < 4; up++) {
            char *directory = path_dir(path);

            free(path);
            path = directory;
            if (strcmp(path, "/") == 0)
                break;
            add_directory(ret, NULL, path);
        }
    }
}

static void search_path(const struct process *process, const char *abi, struct strings *ret)
{
    CLEANUP_FREE char *version = version_of(abi);
    const char *home = process_env(process, "HOME"), *environment = process_env(process, "VIRTUAL_ENV");
    CLEANUP_FREE char *own = home ? xasprintf("%s/.local", home) : NULL;

    add_script(process, ret);
    add_list(process_env(process, "PYTHONPATH"), process->cwd, ret);
    add_traceback(process, ret);
    add_prefix(ret, process->exe, version);
    add_prefix(ret, process->argv.n ? process->argv.v[0] : NULL, version);
    if (environment)
        add_below(ret, environment, version);
    if (own)
        add_below(ret, own, version);
    add_below(ret, "/usr/local", version);
    add_directory(ret, NULL, "/usr/lib/python3/dist-packages");
}

/* The next word in single quotes; *AT is moved behind it. malloced, or NULL. */
static char *next_quoted(const char **at)
{
    const char *open = strchr(*at, '\''), *close = open ? strchr(open + 1, '\'') : NULL;

    if (!close || close - open > 256)
        return NULL;
    *at = close + 1;
    return xstrndup(open + 1, (size_t)(close - open - 1));
}

/* "No module named 'a.b'"; "cannot import name 'b' from 'a' (/x/a/__init__.py)", with more words between. */
static char *module_missed(const char *line)
{
    const char *none = strstr(line, "No module named '"), *name = strstr(line, "cannot import name '");
    const char *at = none ? none : name;
    CLEANUP_FREE char *first = at ? next_quoted(&at) : NULL, *package = NULL;

    if (none || !first)
        return steal_pointer(&first);
    package = strstr(at, " from ") ? next_quoted(&at) : NULL;
    return package ? xasprintf("%s.%s", package, first) : NULL;
}

/* "pkg.sub.name": the file is NAME in pkg/sub of one of the directories. */
static char *find_other(const struct process *process, const struct strings *directories, const char *dotted,
                        const char *abi)
{
    CLEANUP_FREE char *way = xstrdup(dotted);
    char *name = strrchr(way, '.'), *found = NULL;

    if (strchr(dotted, '/'))
        return NULL;
    if (name)
        *name++ = '\0';
    for (char *p = way; name && *p; p++)
        if (*p == '.')
            *p = '/';
    for (size_t i = 0; i < directories->n && !found; i++) {
        CLEANUP_FREE char *directory = name ? path_join(directories->v[i], way) : xstrdup(directories->v[i]);

        found = runtime_python_other(process->root, directory, name ? name : way, abi);
    }
    return found;
}

static bool missing_module(const struct process *process, const char *line, const char *abi,
                           struct module_mismatch *ret)
{
    CLEANUP_FREE char *name = module_missed(line);
    struct strings directories = {0};

    if (!name)
        return false;
    search_path(process, abi, &directories);
    ret->object = find_other(process, &directories, name, abi);
    strings_deinit(&directories);
    if (!ret->object)
        return false;
    ret->built = runtime_python_tag(path_base(ret->object));
    ret->sure = 0.9;
    return true;
}

static bool defines_prefix(const struct process *process, const char *path, const char *prefix)
{
    const struct elffile *elf = elffile_get(process->root, path);
    bool found = false;

    for (size_t i = 0; i < elf->symbol_count; i++)
        found |= elf->symbols[i].defined && elf->symbols[i].name &&
                 strncmp(elf->symbols[i].name, prefix, strlen(prefix)) == 0;
    elffile_put(elf);
    return found;
}

/* What was opened last is what it is about. */
static bool opened_module(const struct process *process, const struct output_line *line, struct module_mismatch *ret)
{
    const struct load_act *act = module_opened(process, ".so", line->n);

    if (!act)
        return false;
    if (strstr(line->text, "does not define module export function")) {
        /* Python 2 called it "initname" (C API, "Initializing C modules"). */
        if (defines_prefix(process, act->path, "PyInit_") || !defines_prefix(process, act->path, "init"))
            return false;
        ret->built = xstrdup("Python 2");
        ret->sure = 0.9;
    } else if (strstr(line->text, "compiled for") &&
               (strcasestr(line->text, "mismatch") || strstr(line->text, "incompatible") ||
                strstr(line->text, "running"))) {
        ret->built = runtime_python_tag(path_base(act->path));
        ret->sure = 0.93;
    } else {
        return false;
    }
    ret->object = xstrdup(act->path);
    return true;
}

bool module_python(const struct process *process, const struct output_line *line, struct module_mismatch *ret)
{
    CLEANUP_FREE char *abi = module_python_abi(process);

    if (!abi || (!missing_module(process, line->text, abi, ret) && !opened_module(process, line, ret)))
        return false;
    ret->wanted = steal_pointer(&abi);
    ret->helps = "install the build of it for this Python, or run it with the Python that it was built for";
    ret->command = "python3 -m pip install --force-reinstall PACKAGE";
    return true;
}
