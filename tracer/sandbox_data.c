/* Data that a program of another root takes from absolute paths is no part of the copy: what is not on this system
 * either will be missed. The paths are constants of the program and its libraries; which of them it opens is not known.
 */
#include "sandbox.h"

#include <probes/alloc.h>

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { SEGMENT_MOST = 64 << 20, PATH_LEAST = 6, PATH_MOST = 255, NOTES_MOST = 12 };

static void look_at(struct sandbox *sandbox, const struct sandbox_file *file, const char *path, size_t *told)
{
    struct stat st;

    if (path_stat(file->root, path, &st) < 0 || path_stat("", path, &st) != -ENOENT || (*told)++ >= NOTES_MOST)
        return;
    strings_addf(&sandbox->notes, "%s names %s, which is in %s, and not on this system", file->to, path, file->root);
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

static void scan(struct sandbox *sandbox, const struct sandbox_file *file, const char *bytes, size_t size, size_t *told)
{
    for (size_t at = 0; at < size;) {
        size_t n = strnlen(bytes + at, size - at);

        if (at + n < size && is_path(bytes + at, n))
            look_at(sandbox, file, bytes + at, told);
        at += n + 1;
    }
}

static void scan_file(struct sandbox *sandbox, const struct sandbox_file *file, size_t *told)
{
    const struct elffile *elf = elffile_get(file->root, file->path);
    size_t size = elf->constant_size < SEGMENT_MOST ? elf->constant_size : SEGMENT_MOST;
    CLEANUP_FREE char *bytes = size ? xmalloc(size) : NULL;
    CLEANUP_CLOSE int fd = size ? path_open(file->root, file->path) : -1;
    ssize_t got = fd >= 0 ? pread(fd, bytes, size, (off_t)elf->constant_offset) : -1;

    if (got > 0)
        scan(sandbox, file, bytes, (size_t)got, told);
    elffile_put(elf);
}

void sandbox_data(struct sandbox *sandbox)
{
    size_t told = 0;

    for (size_t i = 0; i < sandbox->count; i++)
        if (sandbox->files[i].what <= SANDBOX_NEEDED && *sandbox->files[i].root)
            scan_file(sandbox, &sandbox->files[i], &told);
    if (told > NOTES_MOST)
        strings_addf(&sandbox->notes, "%zu more files are named that are not on this system", told - NOTES_MOST);
}
