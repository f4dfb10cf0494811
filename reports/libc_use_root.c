/* Which C library the programs of a system get, or those in a directory of one. */
#include "libc_use.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/libc_memory.h>
#include <probes/path.h>

/* ---- loaders ---- */

/* Where PT_INTERPs of the processor supplements and distributions point. */
static const char *const loader_directories[] = {"/lib",     "/lib64",     "/lib32",     "/libx32",
                                                 "/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/libx32"};

static bool loader_name(const char *name)
{
    return ((strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld-musl-", 8) == 0) && strstr(name, ".so.")) ||
           strcmp(name, "ld.so.1") == 0 || strcmp(name, "ld64.so.1") == 0 || strcmp(name, "ld64.so.2") == 0;
}

static bool listed(const char *root, const struct strings *list, const char *path)
{
    for (size_t i = 0; i < list->n; i++)
        if (path_same_file(root, list->v[i], path))
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void loaders_in(const char *root, const char *directory, struct strings *ret)
{
    int fd = path_open(root, directory);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct strings here = {0};

    if (!dir && fd >= 0)
        close(fd);
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        if (loader_name(entry->d_name))
            strings_add(&here, path_join(directory, entry->d_name));
    if (dir)
        closedir(dir);
    if (here.n)
        qsort(here.v, here.n, sizeof *here.v, by_name);
    for (size_t i = 0; i < here.n; i++) {
        struct stat st;

        if (path_stat(root, here.v[i], &st) == 0 && S_ISREG(st.st_mode) && !listed(root, ret, here.v[i]))
            strings_add(ret, xstrdup(here.v[i]));
    }
    strings_deinit(&here);
}

void libc_loaders(const char *root, struct strings *ret)
{
    for (size_t i = 0; i < sizeof loader_directories / sizeof *loader_directories; i++)
        loaders_in(root, loader_directories[i], ret);
}

/* ---- a system ---- */

/* Programs that every system has, so that what they get is the system's own. */
static const char *const usual[] = {"/bin/sh", "/usr/bin/env", "/bin/ls", "/sbin/init", "/bin/busybox"};

/* The first of them that has a loader. */
static const char *usual_program(const char *root)
{
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        const struct elffile *elf = elffile_get_head(root, usual[i]);
        bool good = elf->state == ELFFILE_OK && elf->interp;

        elffile_put(elf);
        if (good)
            return usual[i];
    }
    return NULL;
}

static bool seen(const char *root, const struct libc_uses *uses, size_t first, const char *loader)
{
    for (size_t i = first; i < uses->n; i++)
        if (uses->v[i].loader && path_same_file(root, uses->v[i].loader, loader))
            return true;
    return false;
}

static void tell_of(struct libc_use *use, const struct libc_where *where, bool system, char *taken)
{
    free(use->of);
    use->of = taken;
    use->to_be = false;
    use->system = system;
    if (!use->root)
        use->root = xstrdup(where->root);
}

/* A second witness: the C library that this very process runs on. */
static void compare_own(struct libc_use *use)
{
    struct libc_memory own;

    libc_memory_read(getpid(), "", &own);
    if (own.libc.says.release && own.libc.path && use->libc.path && use->libc.version &&
        path_same_file("", own.libc.path, use->libc.path) && own.libc.file == LIBC_FILE_SAME &&
        strcmp(own.libc.says.release, use->libc.version) == 0) {
        CLEANUP_FREE char *from = xstrdup(use->libc.from);

        libc_use_known(use, use->how, 99, "%s, and in the memory of this process", from);
    }
    libc_memory_deinit(&own);
}

static void of_shell(const struct libc_where *where, const char *name, const char *program, struct libc_uses *uses)
{
    struct libc_use *use;
    struct err unused;

    if (libc_use_file(where, program, uses, &unused) < 0)
        return;
    use = &uses->v[uses->n - 1];
    tell_of(use, where, true, xstrdup(name));
    if (use->libc.from) {
        CLEANUP_FREE char *from = xstrdup(use->libc.from);

        libc_use_known(use, use->how, use->sure, "%s, for %s", from, program);
    }
    if (!where->root[0])
        compare_own(use);
}

/* A directory of one machine's libraries: x86_64-linux-gnu. */
static bool multiarch(const char *name)
{
    return strstr(name, "-linux-") != NULL;
}

/* A libc.so.6 where it is looked for, though there is no loader that would; malloced, or NULL. */
static char *libc_alone(const char *root)
{
    char *found = NULL;

    for (size_t i = 0; i < sizeof loader_directories / sizeof *loader_directories && !found; i++) {
        int fd = path_open(root, loader_directories[i]);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

        if (!dir && fd >= 0)
            close(fd);
        for (const struct dirent *entry; dir && !found && (entry = readdir(dir));) {
            CLEANUP_FREE char *below = path_join(loader_directories[i], entry->d_name);
            CLEANUP_FREE char *path = multiarch(entry->d_name) ? path_join(below, "libc.so.6") : xstrdup(below);
            struct stat st;

            if (strcmp(path_base(path), "libc.so.6") == 0 && path_stat(root, path, &st) == 0 && S_ISREG(st.st_mode))
                found = steal_pointer(&path);
        }
        if (dir)
            closedir(dir);
    }
    return found;
}

/* False: it is none that can be read. */
static bool of_libc_alone(const struct libc_where *where, const char *name, const char *libc, struct libc_uses *uses)
{
    struct libc_use *use;
    struct err unused;

    if (libc_use_file(where, libc, uses, &unused) < 0)
        return false;
    use = &uses->v[uses->n - 1];
    tell_of(use, where, true, xstrdup(name));
    libc_use_known(use, use->how, use->sure < 80 ? use->sure : 80,
                   "the file %s; no loader stands where programs look for theirs: as it is, only static ones can run",
                   libc);
    return true;
}

void libc_use_root(const struct libc_where *where, const char *name, struct libc_uses *uses)
{
    CLEANUP_FREE char *libc = NULL;
    const char *program = usual_program(where->root);
    struct strings loaders = {0};
    size_t first = uses->n;
    struct libc_use *use;

    if (program)
        of_shell(where, name, program, uses);
    libc_loaders(where->root, &loaders);
    for (size_t i = 0; i < loaders.n; i++) {
        if (seen(where->root, uses, first, loaders.v[i]))
            continue;
        use = libc_uses_add(uses);
        if (libc_use_loader(where, loaders.v[i], use))
            tell_of(use, where, uses->n - first == 1,
                    uses->n - first == 1 ? xstrdup(name) : xasprintf("programs for %s", loaders.v[i]));
        else
            uses->n--;
    }
    libc = loaders.n ? NULL : libc_alone(where->root);
    strings_deinit(&loaders);
    if (libc && uses->n - first <= 1 && (uses->n == first || !uses->v[first].libc.path) &&
        of_libc_alone(where, name, libc, uses)) {
        libc_uses_keep_last(uses, first);
        return;
    }
    if (uses->n != first)
        return;
    use = libc_uses_add(uses);
    use->libc.family = xstrdup("none");
    libc_use_known(use, "no loader", 80, "no loader stands where programs look for theirs: only static ones can run");
    tell_of(use, where, true, xstrdup(name));
}

/* The usr of a merged system has all that a root has; what it is part of has it as the same file. */
static bool part_of_above(const char *directory)
{
    CLEANUP_FREE char *above = xasprintf("%s/..", directory);
    struct strings own = {0};
    bool part = false;

    libc_loaders(directory, &own);
    for (size_t i = 0; i < own.n && !part; i++) {
        struct stat inner, outer;

        part = path_stat(directory, own.v[i], &inner) == 0 && path_stat(above, own.v[i], &outer) == 0 &&
               inner.st_ino == outer.st_ino && inner.st_dev == outer.st_dev;
    }
    strings_deinit(&own);
    return part;
}

bool libc_is_root(const char *directory)
{
    static const char *const marks[] = {"/etc/os-release", "/usr/lib/os-release", "/bin/sh"};
    struct strings loaders = {0};
    struct stat st;
    bool is;

    libc_loaders(directory, &loaders);
    is = loaders.n != 0;
    strings_deinit(&loaders);
    for (size_t i = 0; !is && i < sizeof marks / sizeof *marks; i++)
        is = path_stat(directory, marks[i], &st) == 0;
    return is && !part_of_above(directory);
}

/* ---- a directory ---- */

enum { ENTRIES_MOST = 500000, DEPTH_MOST = 40 };

struct walk {
    const struct libc_where *where;
    struct libc_uses *uses;
    size_t first, left;
};

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool alike(const struct libc_use *a, const struct libc_use *b)
{
    return same_text(a->libc.family, b->libc.family) && same_text(a->libc.version, b->libc.version) &&
           same_text(a->libc.path, b->libc.path) && same_text(a->how, b->how) &&
           (strcmp(a->libc.family, "none") == 0 || same_text(a->libc.from, b->libc.from)) &&
           same_text(a->loader, b->loader) && same_text(a->machine, b->machine) && !a->cause == !b->cause;
}

/* Of all that are alike: the newest that one of them asks for. */
static void gather_wants(struct libc_use *use, char *wants)
{
    if (wants && (!use->wants || strverscmp(wants, use->wants) > 0)) {
        free(use->wants);
        use->wants = wants;
    } else {
        free(wants);
    }
}

/* The last of USES goes to those that are like it. */
static void gather(const struct walk *walk)
{
    struct libc_uses last = {0};

    for (size_t i = walk->first; i + 1 < walk->uses->n; i++)
        if (alike(&walk->uses->v[i], &walk->uses->v[walk->uses->n - 1])) {
            walk->uses->v[i].programs++;
            gather_wants(&walk->uses->v[i], steal_pointer(&walk->uses->v[walk->uses->n - 1].wants));
            *libc_uses_add(&last) = walk->uses->v[--walk->uses->n];
            libc_uses_deinit(&last);
            return;
        }
    walk->uses->v[walk->uses->n - 1].programs = 1;
}

/* Such a file has been looked at before. */
static bool counted(struct walk *walk, const char *path)
{
    const struct elffile *elf = elffile_get(walk->where->root, path);
    CLEANUP_FREE char *kind = libc_use_kind(walk->where, elf);
    bool found = false;

    for (size_t i = walk->first; kind && !found && i < walk->uses->n; i++)
        if (walk->uses->v[i].kind && strcmp(walk->uses->v[i].kind, kind) == 0) {
            walk->uses->v[i].programs++;
            gather_wants(&walk->uses->v[i], libc_use_wants(elf));
            found = true;
        }
    elffile_put(elf);
    return found;
}

static bool is_elf(const char *root, const char *path)
{
    CLEANUP_CLOSE int fd = path_open(root, path);
    char magic[4];

    return fd >= 0 && read(fd, magic, sizeof magic) == sizeof magic && memcmp(magic, "\177ELF", 4) == 0;
}

static void walk_directory(struct walk *walk, const char *directory, unsigned depth);

static void walk_entry(struct walk *walk, char *path, unsigned char type, unsigned depth)
{
    struct err unused;
    struct stat st;

    if (type == DT_UNKNOWN && path_stat(walk->where->root, path, &st) == 0)
        type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_UNKNOWN;
    if (type == DT_DIR && depth)
        walk_directory(walk, path, depth - 1);
    if (type == DT_REG && is_elf(walk->where->root, path) && !counted(walk, path) &&
        libc_use_file(walk->where, path, walk->uses, &unused) == 0)
        gather(walk);
}

/* By name, so that two runs tell the same. Links are not followed. */
static void walk_directory(struct walk *walk, const char *directory, unsigned depth)
{
    int fd = path_open(walk->where->root, directory);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct strings names = {0}; /* the type before the name */

    if (!dir && fd >= 0)
        close(fd);
    for (const struct dirent *entry; dir && walk->left && (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            walk->left--;
            strings_addf(&names, "%s%c", entry->d_name, 'a' + entry->d_type);
        }
    if (dir)
        closedir(dir);
    if (names.n)
        qsort(names.v, names.n, sizeof *names.v, by_name);
    for (size_t i = 0; i < names.n; i++) {
        size_t n = strlen(names.v[i]) - 1;
        unsigned char type = (unsigned char)(names.v[i][n] - 'a');

        names.v[i][n] = '\0';
        CLEANUP_FREE char *path = path_join(directory, names.v[i]);

        walk_entry(walk, path, type, depth);
    }
    strings_deinit(&names);
}

int libc_use_tree(const struct libc_where *where, const char *directory, struct libc_uses *uses, struct err *err)
{
    struct walk walk = {.where = where, .uses = uses, .first = uses->n, .left = ENTRIES_MOST};
    CLEANUP_CLOSE int fd = path_open(where->root, directory);

    if (fd < 0)
        return err_errno(err, -fd, "%s", directory);
    walk_directory(&walk, directory, DEPTH_MOST);
    if (uses->n == walk.first)
        return err_set(err, "%s is no root of a system, and no ELF file is in or below it", directory);
    return 0;
}
