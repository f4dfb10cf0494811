/* Which libraries go along, and the run paths that find them. */
#include "sandbox.h"

#include <probes/alloc.h>
#include <reports/stub.h>

#include <string.h>
#include <sys/utsname.h>

static bool is_below(const char *path, const char *tree)
{
    size_t n = strlen(tree);

    return strncmp(path, tree, n) == 0 && (path[n] == '/' || !path[n]);
}

/* The BUILD that PATH (inside the root) is in, once its links are followed, or NULL; *INSIDE what of it comes after. */
static const char *tree_of(const struct sandbox *sandbox, const char *path, char **inside)
{
    const char *found = NULL;
    struct path_walk walk;

    path_walk(sandbox->root, "/", path, NULL, &walk);
    for (size_t i = 0; walk.reason == PATH_OK && !found && i < sandbox->trees.n; i++)
        if (is_below(walk.final, sandbox->trees.v[i])) {
            found = sandbox->trees.v[i];
            if (inside)
                *inside = xstrdup(walk.final + strlen(found));
        }
    path_walk_deinit(&walk);
    return found;
}

static bool is_planned(const struct sandbox *sandbox, const char *to)
{
    for (size_t i = 0; i < sandbox->count; i++)
        if (strcmp(sandbox->files[i].to, to) == 0)
            return true;
    return false;
}

/* ---- libraries ---- */

/* The library NAME, which this system's (the root's) loader finds at PATH, or does not (NULL): that of the C library's
 * root goes before, since the two are made for each other. What is found nowhere is told by the check of the copy. */
static void need(struct sandbox *sandbox, const char *name, const char *path)
{
    CLEANUP_FREE char *to = xasprintf("lib/%s", name), *theirs = NULL;

    if (strchr(name, '/') || libcroot_is_own(name) || is_planned(sandbox, to))
        return;
    theirs = libcroot_library(&sandbox->libc, name);
    if (theirs)
        sandbox_file_add(sandbox, SANDBOX_NEEDED, sandbox->libc.root, theirs, steal_pointer(&to))->mode = 0755;
    else if (path)
        sandbox_file_add(sandbox, SANDBOX_NEEDED, sandbox->root, path, steal_pointer(&to))->mode = 0755;
}

/* Without the environment of this moment: what is found by LD_LIBRARY_PATH alone is not found by the copy. */
static struct load *load_of(const struct sandbox_file *file, const struct elffile *elf)
{
    const struct load_request request = {
        .root = file->root,
        .loader = elf->interp ? NULL : stub_loader(elf->class, elf->data, elf->machine),
        .program = file->path,
        .cwd = "/",
    };
    struct load *load = NULL;

    return load_create(&request, &load, NULL) < 0 ? NULL : load;
}

static void needs_of_load(struct sandbox *sandbox, const struct load *load)
{
    for (size_t i = 1; i < load->object_count; i++) {
        const struct object *object = load->objects[i];

        if (object->why == OBJECT_NEEDED && object->asked_as && !tree_of(sandbox, object->path, NULL))
            need(sandbox, object->asked_as, object->path);
    }
    for (size_t i = 0; i < load->fault_count; i++)
        if (load->faults[i]->kind == FAULT_NOT_FOUND)
            need(sandbox, load->faults[i]->name, NULL);
}

static const struct object *found_as(const struct load *load, const char *name)
{
    for (size_t i = 1; load && i < load->object_count; i++)
        if (load->objects[i]->asked_as && strcmp(load->objects[i]->asked_as, name) == 0)
            return load->objects[i];
    return NULL;
}

/* ---- run paths ---- */

static void append(char **list, const char *entry)
{
    char *longer = *list ? xasprintf("%s:%s", *list, entry) : xstrdup(entry);

    free(*list);
    *list = longer;
}

/* "$ORIGIN/../../lib" for "server/bin/x". */
static char *from_origin(const char *to, const char *target)
{
    char *path = xstrdup("$ORIGIN"), *whole;

    for (const char *slash = strchr(to, '/'); slash; slash = strchr(slash + 1, '/')) {
        char *longer = xasprintf("%s/..", path);

        free(path);
        path = longer;
    }
    whole = xasprintf("%s/%s", path, target);
    free(path);
    return whole;
}

/* An entry of FILE's own run path, as it is to be in the copy; or NULL. */
static char *entry_there(const struct sandbox *sandbox, const struct sandbox_file *file, const char *entry)
{
    CLEANUP_FREE char *inside = NULL, *target = NULL;
    const char *tree;

    if (strncmp(entry, "$ORIGIN", 7) == 0 || strncmp(entry, "${ORIGIN}", 9) == 0)
        return xstrdup(entry);
    tree = entry[0] == '/' ? tree_of(sandbox, entry, &inside) : NULL;
    if (!tree)
        return NULL;
    target = xasprintf("%s%s", path_base(tree), inside);
    return from_origin(file->to, target);
}

static char *run_path_of(const struct sandbox *sandbox, const struct sandbox_file *file, const struct elffile *elf)
{
    CLEANUP_FREE char *old = xstrdup(elf->runpath ? elf->runpath : elf->rpath ? elf->rpath : "");
    CLEANUP_FREE char *lib = from_origin(file->to, "lib");
    char *path = NULL, *rest = old;

    /* what a single file has beside it has gone to lib */
    while (tree_of(sandbox, file->path, NULL) && rest) {
        CLEANUP_FREE char *there = entry_there(sandbox, file, strsep(&rest, ":"));

        if (there)
            append(&path, there);
    }
    append(&path, lib);
    if (elf->interp) { /* $ORIGIN of the program is /proc/self/exe's, and a chroot may have no /proc (_dl_get_origin) */
        CLEANUP_FREE char *whole = xasprintf("%s/lib", sandbox->dir);

        append(&path, whole);
    }
    return path;
}

static bool is_entry(const char *list, const char *entry)
{
    size_t n = strlen(entry);

    for (const char *at = list; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL)
        if (strcspn(at, ":") == n && strncmp(at, entry, n) == 0)
            return true;
    return false;
}

/* from_origin(), without going up and down again: "$ORIGIN/private" for "app/x.so" and "app/private". */
static char *near_origin(const char *to, const char *target)
{
    for (size_t n; (n = strcspn(to, "/")), to[n] == '/' && strncmp(to, target, n) == 0; to += n + 1, target += n + 1) {
        if (!target[n] && !strchr(to + n + 1, '/'))
            return xstrdup("$ORIGIN");
        if (target[n] != '/')
            break;
    }
    return strchr(to, '/') ? from_origin(to, target) : xasprintf("$ORIGIN/%s", target);
}

/* NAME, an absolute path in a list of needed libraries, would be the original's in the copy as well: it gets the name
 * of what is there, which the run path finds. *MORE is added to that, where it is not lib. */
static void need_by_path(struct sandbox *sandbox, size_t index, const char *name, char **more)
{
    struct sandbox_file *file = &sandbox->files[index];
    CLEANUP_FREE char *inside = NULL;
    const char *tree = tree_of(sandbox, name, &inside);
    struct stat st;

    if (path_stat(file->root, name, &st) < 0)
        return;
    strings_add(&file->replaced, xstrdup(name));
    strings_add(&file->replaced, xstrdup(path_base(tree ? inside : name)));
    if (tree) {
        CLEANUP_FREE char *directory = path_dir(inside);
        CLEANUP_FREE char *target = xasprintf("%s%s", path_base(tree), strcmp(directory, "/") == 0 ? "" : directory);
        CLEANUP_FREE char *entry = near_origin(file->to, target);

        if (!is_entry(*more, entry))
            append(more, entry);
    } else {
        need(sandbox, path_base(name), name);
    }
}

/* MORE goes before what else the file at INDEX has. */
static void add_to_run_path(struct sandbox *sandbox, size_t index, const struct elffile *elf, const char *more)
{
    struct sandbox_file *file = &sandbox->files[index];
    CLEANUP_FREE char *own = steal_pointer(&file->run_path);

    if (!own)
        own = file->what == SANDBOX_NEEDED ? xstrdup("$ORIGIN") : run_path_of(sandbox, file, elf);
    file->run_path = more && !is_entry(own, more) ? xasprintf("%s:%s", more, own) : steal_pointer(&own);
}

static void needs_of(struct sandbox *sandbox, size_t index)
{
    struct sandbox_file file = sandbox->files[index];
    CLEANUP_FREE char *more = NULL;
    const struct elffile *elf = elffile_get(file.root, file.path);
    struct load *load = file.what == SANDBOX_NEEDED && file.root == sandbox->libc.root ? NULL : load_of(&file, elf);

    for (size_t i = 0; i < elf->needed_count; i++) {
        const struct object *object = found_as(load, elf->needed[i]);

        if (*elf->needed[i] == '/')
            need_by_path(sandbox, index, elf->needed[i], &more);
        else if (!object || !tree_of(sandbox, object->path, NULL))
            need(sandbox, elf->needed[i], object ? object->path : NULL);
    }
    if (load) {
        needs_of_load(sandbox, load);
        load_destroy(load);
    }
    if (file.what == SANDBOX_NEEDED)
        sandbox->files[index].run_path = elf->runpath || elf->rpath ? xstrdup("$ORIGIN") : NULL;
    else if (elf->interp || elf->runpath || elf->rpath || !sandbox_program(sandbox))
        sandbox->files[index].run_path = run_path_of(sandbox, &file, elf);
    if (sandbox->files[index].replaced.n)
        add_to_run_path(sandbox, index, elf, more);
    elffile_put(elf);
}

/* ---- the C library ---- */

static void add_own(void *ctx, const char *name)
{
    struct sandbox *sandbox = ctx;
    CLEANUP_FREE char *path = path_join(sandbox->libc.directory, name);

    sandbox_file_add(sandbox, SANDBOX_LIBC, sandbox->libc.root, path, xasprintf("lib/%s", name))->mode = 0755;
}

/* glibc's loader ends with "FATAL: kernel too old" (dl_discover_osversion of sysdeps/unix/sysv/linux). */
static int check_kernel(const struct sandbox *sandbox, struct err *err)
{
    const struct elffile *elf = sandbox->libc.found->objects[0]->elf;
    unsigned have[3] = {0}, want[3] = {elf->abi_major, elf->abi_minor, elf->abi_patch};
    struct utsname here;

    if (!elf->has_abi_note || uname(&here) < 0 || sscanf(here.release, "%u.%u.%u", &have[0], &have[1], &have[2]) < 2)
        return 0;
    for (unsigned i = 0; i < 3 && have[i] <= want[i]; i++)
        if (have[i] < want[i])
            return err_set(err, "%s%s wants a kernel of %u.%u.%u or newer, and this one is %s; nothing was made",
                           sandbox->libc.root, sandbox->libc.libc, want[0], want[1], want[2], here.release);
    return 0;
}

int sandbox_needs(struct sandbox *sandbox, struct err *err)
{
    if (check_kernel(sandbox, err) < 0)
        return -1;
    for (size_t i = 0; i < sandbox->count; i++) /* it grows meanwhile */
        if (sandbox->files[i].what <= SANDBOX_NEEDED)
            needs_of(sandbox, i);
    libcroot_own(&sandbox->libc, add_own, sandbox);
    sandbox_file_add(sandbox, SANDBOX_LIBC, sandbox->libc.root, sandbox->libc.loader,
                     xasprintf("lib/%s", sandbox->libc.name))
        ->mode = 0755;
    if (sandbox->libc.gconv && sandbox_add_data(sandbox, sandbox->libc.root, sandbox->libc.gconv, "lib/gconv", err) < 0)
        return -1;
    if (sandbox->libc.locale)
        return sandbox_add_data(sandbox, sandbox->libc.root, sandbox->libc.locale, "lib/locale", err);
    return 0;
}
