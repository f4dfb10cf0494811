/* Data that a program of another root takes from absolute paths: the paths are constants of the program and its
 * libraries; which of them it opens is not known. Where this system has no such file, or another one, that of the root
 * goes along, and the constant in the copy names it then. No byte can be put in: a path that is shorter has as many
 * slashes as it takes, and where DIR is too long the file is left out, which a note says. The C library's own data is
 * found in the same way, where DIR is short enough. */
#include "sandbox.h"

#include <probes/alloc.h>

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

enum {
    SEGMENT_MOST = 64 << 20,
    PATH_LEAST = 6,
    PATH_MOST = 255,
    NOTES_MOST = 12,
    ALONG_MOST = 256,
    SIZE_MOST = 64 << 20
};

struct scan {
    struct sandbox *sandbox;
    size_t file; /* of the sandbox's: they move as there are more */
    size_t told, along;
};

/* ---- what goes along ---- */

/* What comes with programs and is only read: no state, no configuration. */
static bool is_shipped(const char *path, const struct stat *st)
{
    return (strncmp(path, "/usr/", 5) == 0 || strncmp(path, "/opt/", 5) == 0) && S_ISREG(st->st_mode) &&
           !(st->st_mode & 0111) && st->st_size <= SIZE_MOST;
}

/* A library or an archive of objects is found by other ways. */
static bool is_elf(const char *root, const char *path)
{
    const struct elffile *elf = elffile_get(root, path);
    bool is = elf->state == ELFFILE_OK;

    elffile_put(elf);
    return is;
}

static const struct sandbox_file *planned(const struct sandbox *sandbox, const char *to)
{
    for (size_t i = 0; i < sandbox->count; i++)
        if (strcmp(sandbox->files[i].to, to) == 0)
            return &sandbox->files[i];
    return NULL;
}

/* Where PATH goes inside DIR, so that its whole path is no longer than PATH: by its own name, or by a number. Malloced,
 * or NULL. */
static char *place_for(const struct sandbox *sandbox, const char *root, const char *path)
{
    size_t room = strlen(path), taken = strlen(sandbox->dir) + 1;

    for (unsigned i = 0; i < 1000; i++) {
        CLEANUP_FREE char *to = i ? xasprintf("lib/%u", i) : xasprintf("lib/%s", path_base(path));
        const struct sandbox_file *there = planned(sandbox, to);

        if (taken + strlen(to) > room)
            continue;
        if (!there || (there->root == root && strcmp(there->path, path) == 0))
            return steal_pointer(&to);
    }
    return NULL;
}

/* "/dir///lib/x": as long as WAS. */
static char *as_long(const char *dir, const char *to, const char *was)
{
    size_t slashes = strlen(was) - strlen(dir) - strlen(to);
    CLEANUP_FREE char *between = xmalloc(slashes + 1);

    memset(between, '/', slashes);
    between[slashes] = '\0';
    return xasprintf("%s%s%s", dir, between, to);
}

static void add_name(struct sandbox_file *file, uint64_t at, const char *was, char *now_taken)
{
    struct sandbox_name *name = array_add(&file->names, &file->name_count, &file->name_cap, sizeof *name);

    *name = (struct sandbox_name){.at = at, .was = xstrdup(was), .now = now_taken};
}

/* False where it does not fit. */
static bool take_along(struct scan *scan, const char *path, uint64_t at)
{
    struct sandbox *sandbox = scan->sandbox;
    const char *root = sandbox->files[scan->file].root;
    CLEANUP_FREE char *to = place_for(sandbox, root, path);

    if (!to || scan->along >= ALONG_MOST)
        return false;
    scan->along++;
    add_name(&sandbox->files[scan->file], at, path, as_long(sandbox->dir, to, path));
    if (!planned(sandbox, to))
        sandbox_file_add(sandbox, SANDBOX_DATA, root, path, steal_pointer(&to));
    return true;
}

/* ---- what is named ---- */

static void look_at(struct scan *scan, const char *path, uint64_t at)
{
    const struct sandbox_file *file = &scan->sandbox->files[scan->file];
    struct stat theirs, ours;
    bool absent;

    if (path_stat(file->root, path, &theirs) < 0)
        return;
    absent = path_stat("", path, &ours) == -ENOENT;
    if (!absent && (!S_ISREG(ours.st_mode) || ours.st_size == theirs.st_size))
        return;
    if (is_shipped(path, &theirs) && !is_elf(file->root, path) && take_along(scan, path, at))
        return;
    if (absent && scan->told++ < NOTES_MOST)
        strings_addf(&scan->sandbox->notes, "%s names %s, which is in %s, and not on this system%s", file->to, path,
                     file->root,
                     is_shipped(path, &theirs) ? "; with a shorter path of the copy it would go along" : "");
}

static bool is_path(const char *text, size_t size)
{
    if (size < PATH_LEAST || size > PATH_MOST || text[0] != '/' || !memchr(text + 1, '/', size - 1))
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isgraph((unsigned char)text[i]) || strchr("%*?$:;\"'<>", text[i]))
            return false;
    return true;
}

static void scan_bytes(struct scan *scan, const char *bytes, size_t size, uint64_t offset,
                       void (*each)(struct scan *scan, const char *text, uint64_t at))
{
    for (size_t at = 0; at < size;) {
        size_t n = strnlen(bytes + at, size - at);

        if (at + n < size && is_path(bytes + at, n))
            each(scan, bytes + at, offset + at);
        at += n + 1;
    }
}

static void scan_file(struct scan *scan, void (*each)(struct scan *scan, const char *text, uint64_t at))
{
    const struct sandbox_file *file = &scan->sandbox->files[scan->file];
    const struct elffile *elf = elffile_get(file->root, file->path);
    size_t size = elf->constant_size < SEGMENT_MOST ? elf->constant_size : SEGMENT_MOST;
    CLEANUP_FREE char *bytes = size ? xmalloc(size) : NULL;
    CLEANUP_CLOSE int fd = size ? path_open(file->root, file->path) : -1;
    ssize_t got = fd >= 0 ? pread(fd, bytes, size, (off_t)elf->constant_offset) : -1;

    if (got > 0)
        scan_bytes(scan, bytes, (size_t)got, elf->constant_offset, each);
    elffile_put(elf);
}

/* ---- the C library's own ---- */

/* What of TEXT, "/usr/lib/x/gconv/gconv-modules.cache", comes after DIRECTORY, whose last part is LAST ("/gconv"); NULL
 * where it is neither that nor in it. */
static const char *below(const char *root, const char *text, const char *last, const char *directory)
{
    const char *at = directory ? strstr(text, last) : NULL;
    CLEANUP_FREE char *start = NULL;
    struct path_walk theirs, named;
    bool same;

    if (!at || (at[strlen(last)] && at[strlen(last)] != '/'))
        return NULL;
    at += strlen(last);
    start = xstrndup(text, (size_t)(at - text));
    path_walk(root, "/", directory, NULL, &theirs);
    path_walk(root, "/", start, NULL, &named);
    same = theirs.reason == PATH_OK && named.reason == PATH_OK && strcmp(theirs.final, named.final) == 0;
    path_walk_deinit(&theirs);
    path_walk_deinit(&named);
    return same ? at : NULL;
}

/* A short name for lib/locale/locale-archive, so that its path has ROOM bytes at most; malloced, or NULL. */
static char *link_to_archive(struct sandbox *sandbox, size_t room)
{
    for (unsigned i = 0; i < 100; i++) {
        CLEANUP_FREE char *to = xasprintf("lib/%u", i);

        if (strlen(sandbox->dir) + 1 + strlen(to) > room)
            return NULL;
        if (planned(sandbox, to))
            continue;
        sandbox_file_add(sandbox, SANDBOX_LINK, sandbox->libc.root, sandbox->libc.locale, xstrdup(to))->link =
            xstrdup("locale/locale-archive");
        return steal_pointer(&to);
    }
    return NULL;
}

/* TEXT, a constant of the C library at AT: where its conversions or its locales are. */
static void look_at_own(struct scan *scan, const char *text, uint64_t at)
{
    struct sandbox *sandbox = scan->sandbox;
    const char *root = sandbox->libc.root, *conversions = below(root, text, "/gconv", sandbox->libc.gconv),
               *locales = below(root, text, "/locale", sandbox->libc.locale);
    CLEANUP_FREE char *to = conversions ? xasprintf("lib/gconv%s", conversions)
                            : locales   ? xasprintf("lib/locale%s", locales)
                                        : NULL;

    if (to && locales && !conversions && strcmp(locales, "/locale-archive") == 0) {
        if (!planned(sandbox, to))
            return;
        if (strlen(sandbox->dir) + 1 + strlen(to) > strlen(text)) {
            free(to);
            to = link_to_archive(sandbox, strlen(text));
        }
    }
    if (!to || strlen(sandbox->dir) + 1 + strlen(to) > strlen(text))
        return;
    add_name(&sandbox->files[scan->file], at, text, as_long(sandbox->dir, to, text));
    sandbox->own_conversions |= conversions && !*conversions;
}

/* What programs are told by GCONV_PATH and LOCPATH otherwise, which hold for all that they start. */
static void take_own_data(struct scan *scan)
{
    for (scan->file = 0; scan->file < scan->sandbox->count; scan->file++)
        if (strcmp(scan->sandbox->files[scan->file].to, "lib/libc.so.6") == 0) {
            scan_file(scan, look_at_own);
            return;
        }
}

void sandbox_data(struct sandbox *sandbox)
{
    struct scan scan = {.sandbox = sandbox};
    size_t count = sandbox->count;

    for (; scan.file < count; scan.file++)
        if (sandbox->files[scan.file].what <= SANDBOX_NEEDED && *sandbox->files[scan.file].root)
            scan_file(&scan, look_at);
    take_own_data(&scan);
    if (scan.told > NOTES_MOST)
        strings_addf(&sandbox->notes, "%zu more files are named that are not on this system", scan.told - NOTES_MOST);
}

int sandbox_rename(const struct sandbox_file *file, int fd, struct err *err)
{
    for (size_t i = 0; i < file->name_count; i++) {
        const struct sandbox_name *name = &file->names[i];
        size_t size = strlen(name->now);

        if (pwrite(fd, name->now, size, (off_t)name->at) != (ssize_t)size)
            return err_errno(err, errno, "the copy of %s cannot be written", file->path);
    }
    return 0;
}
