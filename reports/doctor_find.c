/* Where the programs concerned are: on PATH, on that of a login shell, in the places where their installers put them,
 * and among the processes that run. A program is taken for what its file says that it is, not for its name. */
#include "doctor_parts.h"

#include "programs.h"

#include <probes/alloc.h>
#include <probes/login.h>
#include <probes/packages.h>
#include <probes/path.h>
#include <probes/proc.h>

#include <dirent.h>
#include <glob.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { PROGRAMS_MOST = 24, PLACES_MOST = 64, UP_MOST = 4, PROCESSES_MOST = 100000 };

/* What the programs are called; VS Code and its relatives by the names of their commands. */
static const char *const editors[] = {"code",     "code-insiders",   "code-oss",       "codium",
                                      "vscodium", "codium-insiders", "code-server",    "code-tunnel",
                                      "cursor",   "windsurf",        "code-server-oss"};
static const struct {
    const char *name;
    enum program_kind kind;
} tools[] = {{"node", PROGRAM_NODE},   {"nodejs", PROGRAM_NODE}, {"go", PROGRAM_GO},
             {"gopls", PROGRAM_GOPLS}, {"dlv", PROGRAM_DELVE},   {"dlv-dap", PROGRAM_DELVE}};

/* Where installers put them: Go's own archive, distributions, version managers, npm. "~" is the home directory. */
static const char *const tool_places[] = {"/usr/local/go/bin",
                                          "/usr/lib/go*/bin",
                                          "/usr/local/bin",
                                          "/usr/bin",
                                          "/snap/go/current/bin",
                                          "/snap/node/current/bin",
                                          "~/go/bin",
                                          "~/sdk/go*/bin",
                                          "~/.local/bin",
                                          "~/.nvm/versions/node/*/bin",
                                          "~/.local/share/mise/installs/*/*/bin",
                                          "~/.asdf/installs/*/*/bin",
                                          "~/.volta/tools/image/node/*/bin",
                                          "~/.local/share/fnm/node-versions/*/installation/bin",
                                          "/usr/local/n/versions/node/*/bin"};
/* The folder that has a product.json in it, or in resources/app. */
static const char *const product_places[] = {"/usr/share/code*",
                                             "/usr/lib/code*",
                                             "/usr/share/codium*",
                                             "/usr/share/vscodium*",
                                             "/opt/visual-studio-code*",
                                             "/opt/vscodium*",
                                             "/opt/VSCode*",
                                             "/snap/code*/current/usr/share/code*",
                                             "/var/lib/flatpak/app/com.*code*/current/active/files/extra/*",
                                             "/var/lib/flatpak/app/com.*code*/current/active/files/share/*",
                                             "/usr/lib/code-server*/lib/vscode",
                                             "~/.local/lib/code-server*/lib/vscode",
                                             "/usr/lib/node_modules/code-server/lib/vscode",
                                             "/usr/local/lib/node_modules/code-server/lib/vscode",
                                             "~/.nvm/versions/node/*/lib/node_modules/code-server/lib/vscode",
                                             "~/.npm-global/lib/node_modules/code-server/lib/vscode",
                                             "~/.*-server*/bin/*",
                                             "~/.*-server*/cli/servers/*/server",
                                             "~/.vscode-remote/bin/*",
                                             "/vscode/*/bin/*/*"};

bool doctor_is_concerned(const char *name)
{
    for (size_t i = 0; i < sizeof editors / sizeof *editors; i++)
        if (strcmp(editors[i], name) == 0)
            return true;
    return false;
}

const struct program_found *doctor_program(const struct doctor *doctor, enum program_kind kind)
{
    for (size_t i = 0; i < doctor->program_count; i++)
        if (doctor->programs[i].kind == kind)
            return &doctor->programs[i];
    return NULL;
}

static bool is_known(const struct doctor *doctor, const char *path, const char *directory)
{
    for (size_t i = 0; i < doctor->program_count; i++) {
        const struct program_found *program = &doctor->programs[i];

        if (directory ? program->directory && strcmp(program->directory, directory) == 0
                      : path && program->path && strcmp(program->path, path) == 0)
            return true;
    }
    return doctor->program_count >= PROGRAMS_MOST;
}

static struct program_found *add(struct doctor *doctor, enum program_kind kind, struct program_seen *seen,
                                 const char *path, const char *way)
{
    struct program_found *program =
        array_add(&doctor->programs, &doctor->program_count, &doctor->program_cap, sizeof *program);

    program->kind = kind;
    program->name = xstrdup(seen->name);
    program->version = xstrdup_or_null(seen->version);
    program->built = xstrdup_or_null(seen->built);
    program->path = xstrdup_or_null(path);
    program->way = xstrdup(way);
    return program;
}

/* Distributions build Go programs from folders, which leaves no version in them: their database has it. */
static void ask_package(struct program_found *program)
{
    struct package package;

    if (program->version || !program->path || !packages_owner("", program->path, &package))
        return;
    program->version = xstrdup_or_null(package.version);
    package_deinit(&package);
}

static bool is_kind(const struct program_seen *seen, enum program_kind kind)
{
    static const char *const ends[PROGRAM_KINDS] = {
        [PROGRAM_GO] = "cmd/go", [PROGRAM_GOPLS] = "/gopls", [PROGRAM_DELVE] = "/cmd/dlv"};
    size_t name = strlen(seen->name), end = ends[kind] ? strlen(ends[kind]) : 0;

    if (kind == PROGRAM_NODE)
        return strcmp(seen->name, "node") == 0;
    return end && (name == end || (name > end && kind != PROGRAM_GO)) &&
           strcmp(seen->name + name - end, ends[kind]) == 0;
}

static bool needs_libnode(const struct elffile *elf)
{
    for (size_t i = 0; i < elf->needed_count; i++)
        if (strncmp(elf->needed[i], "libnode.so", 10) == 0)
            return true;
    return false;
}

/* Debian's node is a small program before a library, without which it says nothing of itself. */
static bool node_of_library(const char *path, struct program_seen *ret)
{
    const struct elffile *elf = elffile_get("", path);
    const struct load_request request = {.root = "", .program = path, .cwd = "/"};
    struct load *load = NULL;
    bool needs = needs_libnode(elf), found = false;

    *ret = (struct program_seen){0};
    if (needs && load_create(&request, &load, NULL) < 0)
        load = NULL;
    for (size_t i = 0; load && i < load->object_count && !found; i++)
        if (strncmp(path_base(load->objects[i]->path), "libnode.so", 10) == 0)
            found = program_of_file("", load->objects[i]->path, ret);
    if (load)
        load_destroy(load);
    elffile_put(elf);
    if (needs && !found)
        *ret = (struct program_seen){.name = xstrdup("node"), .path = xstrdup(path)};
    return needs;
}

/* A file that the kernel or the loader refuses, where the program is looked for: it says nothing of itself, and is the
 * one that a shell would take. A script only starts another. What a shell takes FIRST may be any program at all. */
static bool of_no_program(const char *path, enum program_kind kind, bool first, struct program_seen *ret)
{
    static const char *const names[PROGRAM_KINDS] = {[PROGRAM_NODE] = "node",
                                                     [PROGRAM_GO] = "cmd/go",
                                                     [PROGRAM_GOPLS] = "golang.org/x/tools/gopls",
                                                     [PROGRAM_DELVE] = "github.com/go-delve/delve/cmd/dlv"};
    const struct elffile *elf = elffile_get("", path);
    bool broken = elf->state == ELFFILE_EMPTY || elf->state == ELFFILE_TRUNCATED || elf->state == ELFFILE_MALFORMED;
    bool script = elf->state == ELFFILE_NOT_ELF && strncmp(elf->starts, "#!", 2) == 0;

    first &= elf->state == ELFFILE_OK;
    elffile_put(elf);
    if (broken || script || first)
        *ret = (struct program_seen){.name = xstrdup(names[kind]), .path = xstrdup(path)};
    return broken || script || first;
}

static bool is_script(const char *path)
{
    const struct elffile *elf = elffile_get("", path);
    bool script = elf->state == ELFFILE_NOT_ELF;

    elffile_put(elf);
    return script;
}

/* What PATH is, as far as it says so; one that RUNS does load, whatever it seems to lack from here. */
static bool is_tool(const char *path, enum program_kind kind, bool runs, bool first, struct program_seen *ret)
{
    if (program_of_file("", path, ret))
        return true;
    if (kind == PROGRAM_NODE && node_of_library(path, ret)) {
        if (!runs || strcmp(ret->path, path) != 0)
            return true;
        program_seen_deinit(ret);
        return false;
    }
    return !runs && of_no_program(path, kind, first, ret);
}

static const char on_path[] = "on PATH";

/* Whether what is found by WAY is the first of its kind that a shell would come to. */
static bool is_first(const struct doctor *doctor, enum program_kind kind, const char *way)
{
    for (size_t i = 0; i < doctor->program_count; i++)
        if (doctor->programs[i].kind == kind && strcmp(doctor->programs[i].way, on_path) == 0)
            return false;
    return strcmp(way, on_path) == 0;
}

static void take_tool(struct doctor *doctor, const char *path, enum program_kind kind, bool runs, const char *way)
{
    CLEANUP_FREE char *real = realpath(path, NULL);
    struct program_seen seen;
    struct stat st;

    if (!real || stat(real, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111) || is_known(doctor, real, NULL))
        return;
    if (!is_tool(real, kind, runs, is_first(doctor, kind, way), &seen))
        return;
    if (is_kind(&seen, kind)) {
        struct program_found *program = add(doctor, kind, &seen, real, way);

        free(program->name);
        if (strcmp(seen.path, real) != 0)
            program->library = xstrdup(seen.path);
        program->name = xstrdup(kind == PROGRAM_DELVE ? "delve" : kind == PROGRAM_NODE ? "node" : path_base(seen.name));
        program->script = is_script(real);
        program->nameless = strcmp(seen.path, real) == 0 && !seen.version && !seen.built && !program->script;
        ask_package(program);
    }
    program_seen_deinit(&seen);
}

/* The first of PATHS below DIRECTORY that is a file. */
static char *first_file(const char *directory, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *path = names[i] ? path_join(directory, names[i]) : NULL;
        struct stat st;

        if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            return path;
        free(path);
    }
    return NULL;
}

/* A server has its own node beside it, or (code-server) before it; a desktop's program is called as its command. */
static bool take_product(struct doctor *doctor, const char *directory, const char *way)
{
    static const char *const mains[] = {"out/server-main.js", "out/vs/server/node/server.main.js"};
    static const char *const nodes[] = {"node", "../node", "../../lib/node", "../../node"};
    CLEANUP_FREE char *real = realpath(directory, NULL);
    CLEANUP_FREE char *main = real ? first_file(real, mains, 2) : NULL;
    CLEANUP_FREE char *node = main ? first_file(real, nodes, 4) : NULL;
    CLEANUP_FREE char *program = real && !main ? first_file(real, editors, sizeof editors / sizeof *editors) : NULL;
    CLEANUP_FREE char *path = NULL;
    struct program_seen seen;

    if (!real || !program_of_product("", real, &seen))
        return false;
    if (!is_known(doctor, NULL, real)) {
        path = node ? realpath(node, NULL) : program ? realpath(program, NULL) : NULL;
        add(doctor, main ? PROGRAM_SERVER : PROGRAM_DESKTOP, &seen, path, way)->directory = xstrdup(real);
    }
    program_seen_deinit(&seen);
    return true;
}

/* "code" is a script or a link that leads into the folder where all is installed. */
static void take_editor(struct doctor *doctor, const char *path, const char *way)
{
    CLEANUP_FREE char *real = realpath(path, NULL);
    CLEANUP_FREE char *at = real ? path_dir(real) : NULL;

    for (int up = 0; at && up < UP_MOST && strcmp(at, "/") != 0; up++) {
        CLEANUP_FREE char *inside = path_join(at, "lib/vscode");
        char *above;

        if (take_product(doctor, at, way) || take_product(doctor, inside, way))
            return;
        above = path_dir(at);
        free(at);
        at = above;
    }
}

static void take_directory(struct doctor *doctor, const char *directory, const char *way)
{
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        CLEANUP_FREE char *path = path_join(directory, tools[i].name);

        if (access(path, F_OK) == 0)
            take_tool(doctor, path, tools[i].kind, false, way);
    }
    for (size_t i = 0; i < sizeof editors / sizeof *editors; i++) {
        CLEANUP_FREE char *path = path_join(directory, editors[i]);

        if (access(path, F_OK) == 0)
            take_editor(doctor, path, way);
    }
}

static void take_list(struct doctor *doctor, const char *list, const char *below, const char *way)
{
    CLEANUP_FREE char *copy = xstrdup(list ? list : "");
    char *rest = NULL;

    for (char *one = strtok_r(copy, ":", &rest); one; one = strtok_r(NULL, ":", &rest)) {
        CLEANUP_FREE char *path = path_join(one, below);

        if (*one == '/')
            take_directory(doctor, path, way);
    }
}

/* PATH with what glob(7) takes for a pattern escaped; malloced. */
static char *escaped(const char *path)
{
    char *out = xmalloc(2 * strlen(path) + 1), *to = out;

    for (; *path; path++) {
        if (strchr("*?[]\\{}", *path))
            *to++ = '\\';
        *to++ = *path;
    }
    *to = '\0';
    return out;
}

static void take_places(struct doctor *doctor, const char *const *patterns, size_t count, bool products)
{
    CLEANUP_FREE char *below = escaped(doctor->home ? doctor->home : "");

    for (size_t i = 0; i < count; i++) {
        bool home = patterns[i][0] == '~';
        CLEANUP_FREE char *pattern = home ? xasprintf("%s%s", below, patterns[i] + 1) : xstrdup(patterns[i]);
        glob_t found;

        if ((home && !doctor->home) || glob(pattern, 0, NULL, &found) != 0)
            continue;
        for (size_t k = 0; k < found.gl_pathc && k < PLACES_MOST; k++) {
            if (products)
                take_product(doctor, found.gl_pathv[k], "where it is installed");
            else
                take_directory(doctor, found.gl_pathv[k], "where it is installed");
        }
        globfree(&found);
    }
}

static void take_process(struct doctor *doctor, pid_t pid)
{
    CLEANUP_FREE char *link = xasprintf("/proc/%d/exe", (int)pid);
    CLEANUP_FREE char *way = xasprintf("process %d", (int)pid);
    CLEANUP_FREE char *root = NULL;
    char path[PATH_MAX];
    ssize_t n = readlink(link, path, sizeof path - 1);

    if (n <= 0 || path[0] != '/')
        return;
    path[n] = '\0';
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        if (strcmp(path_base(path), tools[i].name) == 0 && !root && (root = proc_root(pid)) && !*root) {
            take_editor(doctor, path, way); /* the node of a server */
            take_tool(doctor, path, tools[i].kind, true, way);
        }
    if (doctor_is_concerned(path_base(path)) && (root = proc_root(pid)) && !*root)
        take_editor(doctor, path, way);
}

static void take_processes(struct doctor *doctor)
{
    DIR *dir = opendir("/proc");
    int seen = 0;

    if (!dir)
        return;
    for (const struct dirent *entry; seen++ < PROCESSES_MOST && (entry = readdir(dir));)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            take_process(doctor, (pid_t)atoi(entry->d_name));
    closedir(dir);
}

void doctor_find(struct doctor *doctor)
{
    struct login_path login;

    take_list(doctor, doctor_variable(doctor, "PATH"), "", on_path);
    take_list(doctor, doctor_variable(doctor, "GOBIN"), "", "in GOBIN");
    take_list(doctor, doctor_variable(doctor, "GOPATH"), "bin", "in GOPATH");
    take_list(doctor, doctor_variable(doctor, "GOROOT"), "bin", "in GOROOT");
    login_path_read("", doctor->home, &login);
    for (size_t i = 0; i < login.count; i++)
        take_directory(doctor, login.directories[i].path, "on a login shell's PATH");
    login_path_deinit(&login);
    take_places(doctor, product_places, sizeof product_places / sizeof *product_places, true);
    take_places(doctor, tool_places, sizeof tool_places / sizeof *tool_places, false);
    take_processes(doctor);
}

void doctor_forget(struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->program_count; i++) {
        struct program_found *program = &doctor->programs[i];

        free(program->name);
        free(program->version);
        free(program->built);
        free(program->path);
        free(program->directory);
        free(program->library);
        free(program->way);
    }
    free(doctor->programs);
}
