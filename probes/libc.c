#include "libc.h"

#include "alloc.h"
#include "elffile.h"
#include "path.h"
#include "releases.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { LARGEST = 64 * 1024 * 1024 };

static char *digits_after(const char *p, const char *end)
{
    const char *start = p;

    while (p < end && p - start < 16 && (isdigit((unsigned char)*p) || *p == '.'))
        p++;
    while (p > start && p[-1] == '.') /* the sentence's full stop */
        p--;
    return p > start ? xstrndup(start, (size_t)(p - start)) : NULL;
}

static const char *find(const char *data, size_t size, const char *words)
{
    return memmem(data, size, words, strlen(words));
}

/* libc.so.6 says "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.", ld.so from 2.33 on "ld.so (Debian
 * GLIBC …". */
static void find_glibc(const char *data, size_t size, struct libc_identity *ret)
{
    static const char release[] = "release version ";
    static const char *const beginnings[] = {"GNU C Library (", "ld.so ("};
    const char *end = data + size;

    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings && !ret->release; i++) {
        const char *banner = find(data, size, beginnings[i]), *open, *close, *at;

        if (!banner)
            continue;
        open = banner + strlen(beginnings[i]);
        close = memchr(open, ')', (size_t)(end - open) < 128 ? (size_t)(end - open) : 128);
        at = memmem(banner, (size_t)(end - banner) < 256 ? (size_t)(end - banner) : 256, release, strlen(release));
        if (!close || !at)
            continue;
        ret->family = "glibc";
        ret->build = xstrndup(open, (size_t)(close - open));
        ret->release = digits_after(at + strlen(release), end);
    }
}

/* The release stands alone between NUL bytes, "1.2.5" (ldso/dynlink.c prints it with "Version %s"). */
static void find_musl(const char *data, size_t size, struct libc_identity *ret)
{
    const char *p = data, *end = data + size;

    if (!find(data, size, "musl libc ("))
        return;
    ret->family = "musl";
    while ((p = memmem(p, (size_t)(end - p), "\0001.", 3))) {
        const char *start = ++p;
        size_t n = strnlen(start, (size_t)(end - start));

        if (n >= 5 && n <= 8 && strspn(start, "0123456789.") == n && start[n - 1] != '.' &&
            memchr(start + 2, '.', n - 2)) {
            ret->release = xstrndup(start, n);
            return;
        }
    }
}

void libc_identify_bytes(const char *data, size_t size, struct libc_identity *ret)
{
    find_glibc(data, size, ret);
    if (!ret->release)
        find_musl(data, size, ret);
}

/* Looks through SIZE bytes at OFFSET. Read, not mapped: a file that shrinks meanwhile must not end us with SIGBUS. */
static void identify_range(int fd, uint64_t offset, uint64_t size, struct libc_identity *ret)
{
    CLEANUP_FREE char *data = size && size <= LARGEST ? malloc(size) : NULL;
    ssize_t got = data ? pread(fd, data, size, (off_t)offset) : -1;

    if (got <= 0)
        return;
    libc_identify_bytes(data, (size_t)got, ret);
}

void libc_identify(const char *root, const char *path, struct libc_identity *ret)
{
    CLEANUP_CLOSE int fd = path_open(root, path);
    const struct elffile *elf = elffile_get_head(root, path);

    *ret = (struct libc_identity){.family = "unknown"};
    /* The constants first: they are a sixth of the file, and the words are there. */
    if (fd >= 0)
        identify_range(fd, elf->constant_offset, elf->constant_size, ret);
    if (fd >= 0 && !ret->release && elf->constant_size < elf->file_size)
        identify_range(fd, 0, elf->file_size, ret);
    elffile_put(elf);
}

char *libc_least(const char *const *versions, size_t count)
{
    return xstrdup_or_null(releases_glibc(versions, count));
}

char *libc_least_of_file(const char *root, const char *path)
{
    const struct elffile *elf = elffile_get(root, path);
    CLEANUP_FREE const char **names = xcalloc(elf->def_count + 1, sizeof *names);
    char *least;

    for (size_t i = 0; i < elf->def_count; i++)
        names[i] = elf->defs[i].name;
    least = libc_least(names, elf->def_count);
    elffile_put(elf);
    return least;
}

bool libc_other_builds(const struct libc_identity *one, const struct libc_identity *other)
{
    return one->release && other->release &&
           (strcmp(one->family, other->family) != 0 || strcmp(one->release, other->release) != 0 ||
            (one->build && other->build && strcmp(one->build, other->build) != 0));
}

void libc_identity_deinit(struct libc_identity *identity)
{
    free(identity->release);
    free(identity->build);
    *identity = (struct libc_identity){.family = "unknown"};
}
