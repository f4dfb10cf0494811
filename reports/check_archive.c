#include "check_archive.h"

#include "appimage.h"
#include "check_parts.h"
#include "check_walk.h"
#include "report_rename.h"
#include "text.h"

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/path.h>
#include <probes/tree.h>

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

/* ---- a package's own libraries, which will be where the loader looks ---- */

static void add_directory(struct strings *list, const char *directory)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->v[i], directory) == 0)
            return;
    strings_add(list, xstrdup(directory));
}

/* An absolute run path leads to where the package will have been put. */
static void add_run_path(struct strings *list, const char *top, const char *run_path)
{
    for (; run_path && *run_path; run_path += *run_path == ':') {
        size_t length = strcspn(run_path, ":");
        CLEANUP_FREE char *one = xstrndup(run_path, length), *there = xasprintf("%s%s", top, one);
        struct stat st;

        if (*one == '/' && path_stat("", there, &st) == 0 && S_ISDIR(st.st_mode))
            add_directory(list, there);
        run_path += length;
    }
}

/* Those of the directories that loaders search by themselves that are there below TOP, and what they have for one
 * machine ("/usr/lib/x86_64-linux-gnu"). */
static void add_own(struct strings *list, const char *top)
{
    static const char *const searched[] = {"/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"};

    for (size_t i = 0; i < sizeof searched / sizeof *searched; i++) {
        CLEANUP_FREE char *path = xasprintf("%s%s", top, searched[i]);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

        if (!dir)
            continue;
        for (const struct dirent *entry; (entry = readdir(dir));)
            if (strstr(entry->d_name, "-linux-")) {
                CLEANUP_FREE char *below = path_join(path, entry->d_name);

                add_directory(list, below);
            }
        add_directory(list, path);
        closedir(dir);
    }
}

/* "LD_LIBRARY_PATH=…" for what is unpacked at TOP, malloced. The directories that stand for the loader's own come after
 * those of run paths; to find by them is what an installed package would, too. */
static char *library_path(const char *top)
{
    struct strings run_paths = {0}, own = {0};
    struct text text = {0};
    struct tree tree;

    if (tree_read("", top, true, &tree, NULL) < 0)
        return NULL;
    for (size_t i = 0; i < tree.count; i++) {
        const struct elffile *elf = tree.files[i].elf ? elffile_get("", tree.files[i].path) : NULL;

        if (elf && elf->state == ELFFILE_OK) {
            add_run_path(&run_paths, top, elf->rpath);
            add_run_path(&run_paths, top, elf->runpath);
        }
        if (elf)
            elffile_put(elf);
    }
    add_own(&own, top);
    for (size_t i = 0; i < run_paths.n; i++)
        text_addf(&text, "%s%s", text.n ? ":" : "LD_LIBRARY_PATH=", run_paths.v[i]);
    for (size_t i = 0; i < own.n; i++)
        text_addf(&text, "%s%s", text.n ? ":" : "LD_LIBRARY_PATH=", own.v[i]);
    strings_deinit(&run_paths);
    strings_deinit(&own);
    tree_deinit(&tree);
    return text.v;
}

/* ---- an archive as a directory ---- */

/* REQUEST's environment with the variable in the place of one of the same name. */
static void set_environment(struct check_inside *inside, const char *const *env)
{
    size_t count = 0, kept = 0;

    if (!inside->variable)
        return;
    while (env && env[count])
        count++;
    inside->env = xcalloc(count + 2, sizeof *inside->env);
    for (size_t i = 0; i < count; i++)
        if (strncmp(env[i], "LD_LIBRARY_PATH=", 16) != 0)
            inside->env[kept++] = env[i];
    inside->env[kept] = inside->variable;
    inside->request.env = inside->env;
}

/* It lies on this system, wherever it is to be loaded. */
static void set_guests(struct check_inside *inside, const char *root)
{
    inside->paths[0] = inside->unpacked.directory;
    if (*root) {
        inside->guests = (struct load_guests){.from = "", .paths = inside->paths, .count = 1, .only = true};
        inside->request.guests = &inside->guests;
    }
    guest_enter(&inside->guest, inside->unpacked.directory, &inside->request);
}

int check_inside_open(const struct check_request *request, const char *file, enum archive_kind kind,
                      struct check_inside *ret, struct err *err)
{
    CLEANUP_CLOSE int fd = path_open(request->root, file);

    *ret = (struct check_inside){.request = *request};
    ret->request.copied = true;
    if (fd < 0)
        return err_errno(err, -fd, "%s%s", request->root, file);
    if (archives_open(fd, file, kind, &ret->unpacked, err) < 0)
        return -1;
    ret->file = xstrdup(file);
    if (ret->unpacked.package) {
        ret->variable = library_path(ret->unpacked.directory);
        ret->request.installed = ret->unpacked.directory;
    } else if (kind == ARCHIVE_APPIMAGE) {
        ret->variable = appimage_library_path(ret->unpacked.directory);
    }
    set_environment(ret, request->env);
    set_guests(ret, request->root);
    return 0;
}

void check_inside_close(struct check_inside *inside)
{
    guest_deinit(&inside->guest);
    archives_close(&inside->unpacked);
    free(inside->file);
    free(inside->variable);
    free(inside->env);
}

void check_inside_rename(const struct check_inside *inside, size_t first, struct report *report)
{
    archives_tell(&inside->unpacked, inside->file, report);
    if (inside->variable && !inside->unpacked.package)
        strings_addf(&report->unseen, "what AppRun does beside setting %s, which was taken into account",
                     inside->variable);
    report_rename(report, first, inside->unpacked.directory, inside->unpacked.package ? "/" : "", inside->file);
}

/* The runtime, which stands alone: a program as any other, that opens the library it mounts by (AppImageKit's
 * runtime.c; newer ones are static, and have it in them). */
static void check_runtime(const struct check_request *request, const char *file, struct report *report)
{
    static const char fuse[] = "libfuse.so.2";
    CLEANUP_CLOSE int fd = path_open(request->root, file);
    struct check_request alone = *request;
    struct guest guest;

    alone.brief = true;
    guest_enter(&guest, file, &alone);
    check_file(&alone, file, report);
    if (fd >= 0 && appimage_names(fd, appimage_offset(fd), fuse))
        check_put_named(report, &alone, file, fuse, "mounting what is in it");
    guest_deinit(&guest);
}

static int put_unread(const struct check_inside *inside, struct report *report)
{
    CLEANUP_FREE char *verdict = xasprintf("not looked into: %s", inside->unpacked.unread);

    check_put_row(report, inside->file, "AppImage's image", NULL, TABLE_PLAIN, verdict);
    strings_addf(&report->unseen,
                 "what is in %s: with --appimage-extract it unpacks itself, and that directory can be checked",
                 path_base(inside->file));
    return 0;
}

int check_archive(const struct check_request *request, const char *file, enum archive_kind kind, struct report *report,
                  struct err *err)
{
    size_t first = report->cause_count;
    struct check_inside inside;
    int result;

    if (check_inside_open(request, file, kind, &inside, err) < 0)
        return -1;
    if (kind == ARCHIVE_APPIMAGE)
        check_runtime(request, file, report);
    if (inside.unpacked.unread)
        result = put_unread(&inside, report);
    else
        result = check_tree(&inside.request, inside.unpacked.directory, true, report, err);
    check_inside_rename(&inside, first, report);
    check_inside_close(&inside);
    return result;
}
