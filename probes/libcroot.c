#include "libcroot.h"

#include "alloc.h"

#include <dirent.h>
#include <fnmatch.h>
#include <string.h>

enum { ENTRIES_MOST = 100000 };

static bool fits(const struct elffile *elf, const struct elffile *model)
{
    return elf->state == ELFFILE_OK && elf->class == model->class && elf->data == model->data &&
           elf->machine == model->machine;
}

static bool has_glibc_version(const struct elffile *elf)
{
    for (size_t i = 0; i < elf->def_count; i++)
        if (strncmp(elf->defs[i].name, "GLIBC_", 6) == 0)
            return true;
    return false;
}

/* Whether FILE in ROOT is one of glibc's that MODEL could use. */
static bool is_glibc(const char *root, const char *file, const struct elffile *model)
{
    const struct elffile *elf = elffile_get(root, file);
    bool is = fits(elf, model) && has_glibc_version(elf);

    elffile_put(elf);
    return is;
}

static DIR *open_directory(const char *root, const char *path)
{
    int fd = path_open(root, path);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;

    if (fd >= 0 && !directory)
        close(fd);
    return directory;
}

/* libc.so.6 in DIRECTORY or in one right below it ("/usr/lib/x86_64-linux-gnu"), or NULL. */
static char *libc_near(const char *root, const char *directory, const struct elffile *model)
{
    CLEANUP_FREE char *here = path_join(directory, "libc.so.6");
    DIR *list;
    char *found = NULL;

    if (is_glibc(root, here, model))
        return steal_pointer(&here);
    list = open_directory(root, directory);
    for (size_t n = 0; list && !found && n < ENTRIES_MOST; n++) {
        const struct dirent *entry = readdir(list);
        CLEANUP_FREE char *path = NULL;

        if (!entry)
            break;
        if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
            continue;
        path = xasprintf("%s/%s/libc.so.6", strcmp(directory, "/") == 0 ? "" : directory, entry->d_name);
        if (is_glibc(root, path, model))
            found = steal_pointer(&path);
    }
    if (list)
        closedir(list);
    return found;
}

static char *find_libc(const char *root, const struct elffile *model)
{
    static const char *const places[] = {"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/"};
    char *found = NULL;

    for (size_t i = 0; !found && i < sizeof places / sizeof *places; i++)
        found = libc_near(root, places[i], model);
    return found;
}

/* The C library says itself which loader it belongs to: it is a program, too. */
static void find_loader(const struct elffile *model, struct libcroot *libc)
{
    const struct elffile *elf = elffile_get(libc->root, libc->libc);
    const char *asked = elf->interp ? elf->interp : model->interp;
    CLEANUP_FREE char *beside = NULL;

    if (asked) {
        libc->name = xstrdup(path_base(asked));
        beside = path_join(libc->directory, libc->name);
        if (is_glibc(libc->root, beside, model))
            libc->loader = steal_pointer(&beside);
        else if (is_glibc(libc->root, asked, model))
            libc->loader = xstrdup(asked);
    }
    elffile_put(elf);
}

static char *directory_at(const char *root, char *path)
{
    struct stat st;

    if (path_stat(root, path, &st) == 0 && S_ISDIR(st.st_mode))
        return path;
    free(path);
    return NULL;
}

int libcroot_find(const char *root, const struct elffile *model, struct libcroot *ret, struct err *err)
{
    struct load_request request = {.cwd = "/"};

    *ret = (struct libcroot){.root = xstrdup(root), .libc = find_libc(root, model)};
    if (!ret->libc)
        return err_set(err, "no glibc for %s is in %s (libc.so.6 in its lib directories was looked for)",
                       elffile_machine_name(model), *root ? root : "/");
    ret->directory = path_dir(ret->libc);
    find_loader(model, ret);
    if (!ret->loader)
        return err_set(err, "%s%s is there, but the loader that belongs to it is not", root, ret->libc);
    ret->gconv = directory_at(root, path_join(ret->directory, "gconv"));
    if (!ret->gconv)
        ret->gconv = directory_at(root, xasprintf("/usr%s/gconv", ret->directory));
    ret->locale = directory_at(root, xstrdup("/usr/lib/locale"));
    request.root = root;
    request.loader = ret->loader;
    request.program = ret->libc;
    return load_create(&request, &ret->found, err);
}

void libcroot_deinit(struct libcroot *libc)
{
    if (libc->found)
        load_destroy(libc->found);
    free(libc->root);
    free(libc->libc);
    free(libc->loader);
    free(libc->name);
    free(libc->directory);
    free(libc->gconv);
    free(libc->locale);
}

char *libcroot_library(const struct libcroot *libc, const char *name)
{
    CLEANUP_FREE char *beside = path_join(libc->directory, name);
    struct search search = {0};
    const struct elffile *elf;
    char *found = NULL;

    load_search(libc->found, name, NULL, 0, &search);
    if (search.found >= 0)
        found = xstrdup(search.places[search.found].path);
    search_deinit(&search);
    if (found)
        return found;
    /* unpacked packages have no ld.so.cache, and a directory of files is none of the loader's */
    elf = elffile_get(libc->root, beside);
    if (fits(elf, libc->found->objects[0]->elf))
        found = steal_pointer(&beside);
    elffile_put(elf);
    return found;
}

bool libcroot_is_own(const char *name)
{
    static const char *const patterns[] = {
        "ld-linux*.so.*",      "ld64.so.*",          "ld.so.1",         "libc.so.6",         "libm.so.6",
        "libmvec.so.1",        "libpthread.so.0",    "libdl.so.2",      "librt.so.1",        "libresolv.so.2",
        "libutil.so.1",        "libanl.so.1",        "libnsl.so.1",     "libcidn.so.1",      "libBrokenLocale.so.1",
        "libnss_compat.so.2",  "libnss_db.so.2",     "libnss_dns.so.2", "libnss_files.so.2", "libnss_nis.so.2",
        "libnss_nisplus.so.2", "libnss_hesiod.so.2", "libSegFault.so",  "libthread_db.so.1", "libc_malloc_debug.so.0",
    };

    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    return false;
}

void libcroot_own(const struct libcroot *libc, void (*each)(void *ctx, const char *name), void *ctx)
{
    DIR *list = open_directory(libc->root, libc->directory);

    for (size_t n = 0; list && n < ENTRIES_MOST; n++) {
        const struct dirent *entry = readdir(list);
        CLEANUP_FREE char *path = NULL;

        if (!entry)
            break;
        if (!libcroot_is_own(entry->d_name) || strcmp(entry->d_name, libc->name) == 0)
            continue;
        path = path_join(libc->directory, entry->d_name);
        if (is_glibc(libc->root, path, libc->found->objects[0]->elf))
            each(ctx, entry->d_name);
    }
    if (list)
        closedir(list);
}
