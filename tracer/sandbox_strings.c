/* What patchelf takes from a file's names, given back.
 *
 * The linker keeps a name only once where another string ends like it: a function "lib" may be the end of the run path
 * "$ORIGIN/../lib" (binutils' merging of tails). patchelf(1) writes "X" over a run path that it replaces (modifyRPath,
 * "zero out the previous rpath"), and over that name with it. Where the new one is longer it stands behind all others,
 * and the bytes of the old one can be put back. */
#include "sandbox.h"

#include <probes/alloc.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { SECTIONS_MOST = 65536, ENTRIES_MOST = 65536, RUN_PATHS_MOST = 2, RUN_PATH_MOST = 65536 };

struct run_paths {
    off_t table; /* where the dynamic string table is in the file */
    uint64_t size;
    uint64_t at[RUN_PATHS_MOST]; /* in it */
    size_t count;
};

static bool read_all(int fd, void *to, size_t size, off_t at)
{
    return pread(fd, to, size, at) == (ssize_t)size;
}

/* The section headers, malloced; patchelf needs them, too. NULL: there are none that can be read. */
static Elf64_Shdr *read_sections(int fd, size_t *count)
{
    Elf64_Ehdr header;
    Elf64_Shdr *sections;

    if (!read_all(fd, &header, sizeof header, 0) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_shentsize != sizeof *sections || !header.e_shnum)
        return NULL;
    *count = header.e_shnum;
    sections = xcalloc(*count, sizeof *sections);
    if (read_all(fd, sections, *count * sizeof *sections, (off_t)header.e_shoff))
        return sections;
    free(sections);
    return NULL;
}

static void take_entries(int fd, const Elf64_Shdr *dynamic, struct run_paths *ret)
{
    for (size_t i = 0; i < ENTRIES_MOST && (i + 1) * sizeof(Elf64_Dyn) <= dynamic->sh_size; i++) {
        Elf64_Dyn entry;

        if (!read_all(fd, &entry, sizeof entry, (off_t)(dynamic->sh_offset + i * sizeof entry)) ||
            entry.d_tag == DT_NULL)
            return;
        if ((entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH) && ret->count < RUN_PATHS_MOST)
            ret->at[ret->count++] = entry.d_un.d_val;
    }
}

static bool find_run_paths(int fd, struct run_paths *ret)
{
    size_t count = 0;
    CLEANUP_FREE Elf64_Shdr *sections = read_sections(fd, &count);

    *ret = (struct run_paths){0};
    for (size_t i = 0; i < count; i++)
        if (sections[i].sh_type == SHT_DYNAMIC && sections[i].sh_link < count) {
            ret->table = (off_t)sections[sections[i].sh_link].sh_offset;
            ret->size = sections[sections[i].sh_link].sh_size;
            take_entries(fd, &sections[i], ret);
            return true;
        }
    return false;
}

/* The string at AT of the table, malloced, or NULL; *N its length. */
static char *string_at(int fd, const struct run_paths *paths, uint64_t at, size_t *n)
{
    uint64_t most = at < paths->size ? paths->size - at : 0;
    char *text = xcalloc(1, RUN_PATH_MOST + 1);
    ssize_t got = most ? pread(fd, text, most < RUN_PATH_MOST ? most : RUN_PATH_MOST, paths->table + (off_t)at) : -1;

    if (got > 0)
        return *n = strlen(text), text;
    free(text);
    return NULL;
}

size_t sandbox_longest_run_path(const struct sandbox_file *file)
{
    CLEANUP_CLOSE int fd = path_open(file->root, file->path);
    struct run_paths paths;
    size_t longest = 0;

    for (size_t i = 0; fd >= 0 && (i || find_run_paths(fd, &paths)) && i < paths.count; i++) {
        size_t n = 0;
        CLEANUP_FREE char *text = string_at(fd, &paths, paths.at[i], &n);

        longest = text && n > longest ? n : longest;
    }
    return longest;
}

int sandbox_give_back_strings(const struct sandbox_file *file, const char *path, struct err *err)
{
    CLEANUP_CLOSE int from = path_open(file->root, file->path);
    CLEANUP_CLOSE int to = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct run_paths old, new;

    if (from < 0 || to < 0 || !find_run_paths(from, &old) || !find_run_paths(to, &new))
        return err_set(err, "what patchelf made of %s%s cannot be read", file->root, file->path);
    for (size_t i = 0; i < old.count; i++) {
        size_t n = 0, now = 0;
        CLEANUP_FREE char *text = string_at(from, &old, old.at[i], &n);
        CLEANUP_FREE char *crossed = string_at(to, &new, old.at[i], &now);

        if (text && crossed && n && now == n && strspn(crossed, "X") == n &&
            pwrite(to, text, n, new.table + (off_t)old.at[i]) != (ssize_t)n)
            return err_errno(err, errno, "the copy of %s%s cannot be written", file->root, file->path);
    }
    return 0;
}
