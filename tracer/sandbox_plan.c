/* What is to be copied of the BUILDs themselves. */
#include "repro_run.h"
#include "sandbox.h"

#include <probes/alloc.h>
#include <reports/stub.h>
#include <reports/variant.h>

#include <elf.h>
#include <errno.h>
#include <fts.h>
#include <string.h>

enum { SCRIPT_MOST = 1 << 16, INTERPRETER_MOST = 4096 };

struct sandbox_file *sandbox_file_add(struct sandbox *sandbox, enum sandbox_what what, const char *root,
                                      const char *path, char *to_taken)
{
    struct sandbox_file *file = array_add(&sandbox->files, &sandbox->count, &sandbox->cap, sizeof *sandbox->files);

    *file = (struct sandbox_file){.what = what, .root = root, .path = xstrdup(path), .to = to_taken, .mode = 0644};
    return file;
}

const struct sandbox_file *sandbox_program(const struct sandbox *sandbox)
{
    for (size_t i = 0; i < sandbox->count; i++)
        if (sandbox->files[i].what == SANDBOX_PROGRAM)
            return &sandbox->files[i];
    return NULL;
}

void sandbox_deinit(struct sandbox *sandbox)
{
    for (size_t i = 0; i < sandbox->count; i++) {
        free(sandbox->files[i].path);
        free(sandbox->files[i].to);
        free(sandbox->files[i].link);
        free(sandbox->files[i].run_path);
        strings_deinit(&sandbox->files[i].replaced);
        free(sandbox->files[i].first_line);
        for (size_t k = 0; k < sandbox->files[i].name_count; k++) {
            free(sandbox->files[i].names[k].was);
            free(sandbox->files[i].names[k].now);
        }
        free(sandbox->files[i].names);
    }
    free(sandbox->files);
    free(sandbox->dir);
    free(sandbox->patchelf);
    scratch_remove(&sandbox->packages);
    scratch_remove(&sandbox->unpacked);
    libcroot_deinit(&sandbox->libc);
    strings_deinit(&sandbox->trees);
    strings_deinit(&sandbox->notes);
}

static enum sandbox_what what_is(const struct elffile *elf)
{
    unsigned class, data, machine;

    if (elf->state != ELFFILE_OK || (elf->type != ET_EXEC && elf->type != ET_DYN))
        return SANDBOX_OTHER;
    stub_native(&class, &data, &machine);
    if (elf->class != class || elf->data != data || elf->machine != machine)
        return SANDBOX_FOREIGN;
    if (variant_family(elf) == FAMILY_MUSL)
        return SANDBOX_MUSL;
    if (variant_family(elf) == FAMILY_OTHER)
        return SANDBOX_FOREIGN;
    if (elf->interp)
        return SANDBOX_PROGRAM;
    /* a static program that can stand anywhere has a dynamic section, too (-static-pie) */
    return !elf->dynamic || elf->type == ET_EXEC || (elf->dt_flags_1 & DF_1_PIE) ? SANDBOX_STATIC : SANDBOX_LIBRARY;
}

static enum sandbox_what what_at(const char *root, const char *path)
{
    const struct elffile *elf = elffile_get(root, path);
    enum sandbox_what what = what_is(elf);

    elffile_put(elf);
    return what;
}

static bool is_script(const char *root, const char *path)
{
    const struct elffile *elf = elffile_get(root, path);
    bool script = strncmp(elf->starts, "#!", 2) == 0;

    elffile_put(elf);
    return script;
}

/* A VS Code server whose start script can patch its own node. */
static bool is_server_script(const struct sandbox_file *file)
{
    CLEANUP_FREE char *text = NULL;
    CLEANUP_CLOSE int fd = -1;
    ssize_t size;

    if (file->what != SANDBOX_OTHER || !(file->mode & 0100))
        return false;
    fd = path_open(file->root, file->path);
    text = xmalloc(SCRIPT_MOST);
    size = fd >= 0 ? read(fd, text, SCRIPT_MOST) : -1;
    return size > 2 && strncmp(text, "#!", 2) == 0 &&
           memmem(text, (size_t)size, "VSCODE_SERVER_CUSTOM_GLIBC_LINKER", strlen("VSCODE_SERVER_CUSTOM_GLIBC_LINKER"));
}

/* A directory that goes into the copy whole. */
struct tree {
    const char *root, *path; /* without links */
    const char *to;          /* inside DIR */
    bool data;               /* nothing in it is to be treated */
};

static bool is_within(const char *path, const char *directory)
{
    size_t n = strlen(directory);

    return strncmp(path, directory, n) == 0 && (path[n] == '/' || !path[n]);
}

/* A script that names a program of TREE in its first line names the copy's in the copy: the kernel takes the path as it
 * is (execve(2)). */
static void move_interpreter(struct sandbox *sandbox, const struct tree *tree, struct sandbox_file *file)
{
    char line[INTERPRETER_MOST + 1];
    CLEANUP_CLOSE int fd = path_open(file->root, file->path);
    ssize_t size = fd >= 0 ? read(fd, line, INTERPRETER_MOST) : -1;
    size_t before, n;
    struct path_walk walk;

    if (size < 3 || strncmp(line, "#!", 2) != 0)
        return;
    line[size] = '\0';
    before = 2 + strspn(line + 2, " \t");
    n = strcspn(line + before, " \t\r\n");
    if (line[before] != '/' || !line[before + n])
        return;
    line[before + n] = '\0';
    path_walk(tree->root, "/", line + before, NULL, &walk);
    if (walk.reason == PATH_OK && is_within(walk.final, tree->path)) {
        file->first_line = xasprintf("#!%s/%s%s", sandbox->dir, tree->to, walk.final + strlen(tree->path));
        file->instead = before + n;
        strings_addf(&sandbox->notes, "%s is run by the copy's program: its first line names that one", file->to);
    }
    path_walk_deinit(&walk);
}

/* The text of the link at PATH (inside the root), FULL from here, in the copy of TREE: one that stays in the tree leads
 * to the copy, one that leads out of it to where it led. */
static char *link_text(const struct sandbox *sandbox, const struct tree *tree, const char *path, const char *full)
{
    char text[4096];
    ssize_t size = readlink(full, text, sizeof text - 1);
    struct path_walk walk;
    char *result;

    if (size < 0)
        return NULL;
    text[size] = '\0';
    path_walk(tree->root, "/", path, NULL, &walk);
    if (walk.reason != PATH_OK)
        result = xstrdup(text);
    else if (!is_within(walk.final, tree->path))
        result = xasprintf("%s%s", tree->root, walk.final);
    else if (text[0] == '/')
        result = xasprintf("%s/%s%s", sandbox->dir, tree->to, walk.final + strlen(tree->path));
    else
        result = xstrdup(text);
    path_walk_deinit(&walk);
    return result;
}

/* The copy is its maker's, whatever the original's owner lends to whom runs it. */
static void note_rights(struct sandbox *sandbox, const struct sandbox_file *file, mode_t mode)
{
    if (S_ISREG(mode) && mode & 0111 && mode & (S_ISUID | S_ISGID))
        strings_addf(&sandbox->notes, "%s is set-%s-ID, and the copy is not: it runs with the rights of its caller",
                     file->path, mode & S_ISUID ? "user" : "group");
}

static void add_entry(struct sandbox *sandbox, const struct tree *tree, const FTSENT *entry)
{
    const char *path = entry->fts_path + strlen(tree->root);
    char *to = xasprintf("%s%s", tree->to, path + strlen(tree->path));
    struct sandbox_file *file;
    enum sandbox_what what;

    /* It names the original's directories (iconvconfig(8)); without it the C library reads gconv-modules. */
    if (tree->data && strcmp(entry->fts_name, "gconv-modules.cache") == 0) {
        free(to);
        return;
    }
    if (entry->fts_info == FTS_D)
        what = SANDBOX_DIRECTORY;
    else if (entry->fts_info == FTS_SL || entry->fts_info == FTS_SLNONE)
        what = SANDBOX_LINK;
    else
        what = tree->data ? SANDBOX_OTHER : what_at(tree->root, path);
    file = sandbox_file_add(sandbox, what, tree->root, path, to);
    file->mode = entry->fts_statp->st_mode & 0777;
    if (what == SANDBOX_LINK)
        file->link = link_text(sandbox, tree, path, entry->fts_path);
    if (!tree->data && what == SANDBOX_OTHER && file->mode & 0111)
        move_interpreter(sandbox, tree, file);
    if (!tree->data)
        note_rights(sandbox, file, entry->fts_statp->st_mode);
    if (!tree->data && is_server_script(file))
        sandbox->server = true;
}

static int add_tree(struct sandbox *sandbox, const struct tree *tree, struct err *err)
{
    CLEANUP_FREE char *full = xasprintf("%s%s", tree->root, tree->path);
    char *const places[] = {full, NULL};
    FTS *walk = fts_open(places, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry;
    int status = walk ? 0 : err_errno(err, errno, "%s", full);

    while (status == 0 && (errno = 0, entry = fts_read(walk)))
        switch (entry->fts_info) {
        case FTS_D:
        case FTS_F:
        case FTS_SL:
        case FTS_SLNONE:
            add_entry(sandbox, tree, entry);
            break;
        case FTS_DNR:
        case FTS_ERR:
        case FTS_NS:
            status = err_errno(err, entry->fts_errno, "%s", entry->fts_path);
            break;
        default: /* the way back out of a directory; sockets and the like, which are no part of a program */
            break;
        }
    if (walk)
        fts_close(walk);
    return status;
}

int sandbox_add_data(struct sandbox *sandbox, const char *root, const char *path, const char *to, struct err *err)
{
    struct path_walk walk;
    int status = 0;

    path_walk(root, "/", path, NULL, &walk);
    if (walk.reason == PATH_OK) {
        const struct tree tree = {.root = root, .path = walk.final, .to = to, .data = true};

        status = add_tree(sandbox, &tree, err);
    }
    path_walk_deinit(&walk);
    return status;
}

static bool name_is_taken(const struct sandbox *sandbox, const char *to)
{
    if (strcmp(to, "bin") == 0 || strcmp(to, "lib") == 0 || strcmp(to, "run") == 0)
        return true;
    for (size_t i = 0; i < sandbox->count; i++)
        if (strcmp(sandbox->files[i].to, to) == 0)
            return true;
    return false;
}

static int add_file(struct sandbox *sandbox, const char *build, const char *path, const struct path_walk *walk,
                    struct err *err)
{
    enum sandbox_what what = what_at(sandbox->root, path);
    struct sandbox_file *file;
    CLEANUP_FREE char *to = xasprintf("%s/%s", what == SANDBOX_LIBRARY ? "lib" : "bin", path_base(build));

    if (what == SANDBOX_OTHER && is_script(sandbox->root, path))
        return err_set(err, "%s is a script: name the program that runs it, or the directory that it is in", build);
    if (what == SANDBOX_OTHER)
        return err_set(err, "%s is neither a program or library nor a directory", build);
    if (name_is_taken(sandbox, to))
        return err_set(err, "%s: another file is called so already", build);
    file = sandbox_file_add(sandbox, what, sandbox->root, path, steal_pointer(&to));
    file->mode = walk->st.st_mode & 0777;
    note_rights(sandbox, file, walk->st.st_mode);
    return 0;
}

/* Whether DIR is to be in the tree PATH. */
static bool would_be_changed(const struct sandbox *sandbox, const char *path)
{
    CLEANUP_FREE char *full = xasprintf("%s%s", sandbox->root, path), *real = realpath(full, NULL);

    return real && is_within(sandbox->dir, real);
}

int sandbox_add(struct sandbox *sandbox, const char *build, struct err *err)
{
    struct path_walk walk;
    int status;

    path_walk(sandbox->root, "/", build, NULL, &walk);
    if (walk.reason != PATH_OK)
        status = err_errno(err, walk.error, "%s%s", sandbox->root, build);
    else if (!S_ISDIR(walk.st.st_mode))
        status = add_file(sandbox, build, walk.final, &walk, err);
    else if (strcmp(walk.final, "/") == 0)
        status = err_set(err, "a whole system is no BUILD: name the programs (in another root: --root DIR)");
    else if (would_be_changed(sandbox, walk.final))
        status = err_set(err, "%s would be in %s, which is to stay as it is; nothing was made", sandbox->dir, build);
    else if (name_is_taken(sandbox, path_base(walk.final)))
        status = err_set(err, "%s: the copy has something else of that name (bin, lib, run, another BUILD)", build);
    else {
        const struct tree tree = {.root = sandbox->root, .path = walk.final, .to = path_base(walk.final)};

        strings_add(&sandbox->trees, xstrdup(walk.final));
        status = add_tree(sandbox, &tree, err);
    }
    path_walk_deinit(&walk);
    return status;
}

static const char *why_not(enum sandbox_what what)
{
    switch (what) {
    case SANDBOX_STATIC:
        return "is a static program: its C library is in it and cannot be exchanged";
    case SANDBOX_MUSL:
        return "is made for musl: a glibc is of no use to it";
    case SANDBOX_FOREIGN:
        return "is for another machine than this one";
    default:
        return NULL;
    }
}

int sandbox_model(const struct sandbox *sandbox, const struct elffile **ret, struct err *err)
{
    for (unsigned pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < sandbox->count; i++)
            if (sandbox->files[i].what == (pass ? SANDBOX_LIBRARY : SANDBOX_PROGRAM)) {
                *ret = elffile_get(sandbox->files[i].root, sandbox->files[i].path);
                return 0;
            }
    for (size_t i = 0; i < sandbox->count; i++)
        if (why_not(sandbox->files[i].what))
            return err_set(err, "%s%s %s; nothing was made", sandbox->root, sandbox->files[i].path,
                           why_not(sandbox->files[i].what));
    return err_set(err, "there is no program or library in it; nothing was made");
}
