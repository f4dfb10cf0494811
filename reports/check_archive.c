#include "check_archive.h"

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

static int check_unpacked(const struct check_request *request, const char *directory, enum archive_kind kind,
                          struct report *report, struct err *err)
{
    CLEANUP_FREE char *variable = archives_is_package(kind) ? library_path(directory) : NULL;
    CLEANUP_FREE const char **env = NULL;
    struct check_request inside = *request;
    size_t count = 0, kept = 0;

    while (request->env && request->env[count])
        count++;
    env = xcalloc(count + 2, sizeof *env);
    for (size_t i = 0; i < count; i++)
        if (!variable || strncmp(request->env[i], "LD_LIBRARY_PATH=", 16) != 0)
            env[kept++] = request->env[i];
    if (variable)
        env[kept++] = variable;
    inside.env = env;
    if (archives_is_package(kind))
        inside.installed = directory;
    return check_tree(&inside, directory, true, report, err);
}

int check_archive(const struct check_request *request, const char *file, enum archive_kind kind, struct report *report,
                  struct err *err)
{
    CLEANUP_FREE char *directory = NULL;
    size_t first = report->cause_count, skipped;
    int result;

    if (kind == ARCHIVE_APPIMAGE) {
        check_put_row(report, file, "AppImage", NULL, TABLE_PLAIN,
                      "not looked into: it is a file system behind a program, which is not unpacked here");
        strings_addf(&report->unseen,
                     "what is in %s: with --appimage-extract it unpacks itself, and that directory can be checked",
                     path_base(file));
        return 0;
    }
    if (*request->root)
        return err_set(err, "%s: an archive is checked for this system only; unpack it below the root", file);
    directory = archives_directory(err);
    if (!directory)
        return -1;
    result = archives_unpack(file, kind, directory, &skipped, err);
    if (result == 0)
        result = check_unpacked(request, directory, kind, report, err);
    archives_remove(directory);
    if (result == 0 && skipped)
        strings_addf(&report->unseen, "%zu entr%s of %s that lead%s out of it, or are no files", skipped,
                     skipped == 1 ? "y" : "ies", path_base(file), skipped == 1 ? "s" : "");
    report_rename(report, first, directory, archives_is_package(kind) ? "/" : "", file);
    return result;
}
