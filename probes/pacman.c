/* Arch's pacman: a directory with a list of files per installed package, and tar archives of such lists for those that
 * could be (`pacman -Fy` fetches them): pacman's lib/libalpm/be_local.c and be_sync.c. */
#include "alloc.h"
#include "packages_parts.h"
#include "path.h"

#include <dirent.h>
#include <string.h>

#define LOCAL "/var/lib/pacman/local"
enum { MOST_PACKAGES = 20000, BLOCK = 512 };

/* "name-1.2-3": the last two parts are the version. False where there are none. */
static bool take_name(const char *entry, size_t n, struct package *ret)
{
    size_t at = n;

    for (int dashes = 0; at > 0 && dashes < 2; at--)
        dashes += entry[at - 1] == '-';
    if (!at)
        return false;
    ret->name = xstrndup(entry, at);
    ret->version = xstrndup(entry + at + 1, n - at - 1);
    return true;
}

static char *match_in(const struct package_wish *wish, struct packed *list)
{
    bool files = false;
    const char *line;
    size_t n;

    while (list && (line = packed_line(list, &n))) {
        if (*line == '%')
            files = strcmp(line, "%FILES%") == 0;
        else if (files && wish_matches(wish, line, n))
            return xasprintf("/%s", line);
    }
    return NULL;
}

bool pacman_find(const struct package_wish *wish, struct package *ret)
{
    int fd = path_open(wish->root, LOCAL);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;

    if (!dir && fd >= 0)
        close(fd);
    for (size_t i = 0; dir && !ret->name && i < MOST_PACKAGES && (entry = readdir(dir)); i++) {
        CLEANUP_FREE char *path = xasprintf(LOCAL "/%s/files", entry->d_name);
        struct packed *list = entry->d_name[0] == '.' ? NULL : packed_open(path_open(wish->root, path), 64 << 20);
        char *file = match_in(wish, list);

        packed_close(list);
        if (file && take_name(entry->d_name, strlen(entry->d_name), ret)) {
            ret->file = file;
            ret->installed = true;
            ret->says = "pacman's database";
        } else {
            free(file);
        }
    }
    if (dir)
        closedir(dir);
    return ret->name != NULL;
}

/* ---- what could be installed ---- */

struct hunt {
    const struct package_wish *wish;
    struct package *ret;
};

static size_t octal(const char *digits, size_t n)
{
    size_t value = 0;

    for (size_t i = 0; i < n && digits[i] >= '0' && digits[i] <= '7'; i++)
        value = value * 8 + (size_t)(digits[i] - '0');
    return value;
}

/* The lines of one archived list of SIZE bytes; malloced match, or NULL. */
static char *match_in_text(const struct package_wish *wish, const char *text)
{
    bool files = false;

    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");

        if (*line == '%')
            files = n == 7 && strncmp(line, "%FILES%", 7) == 0;
        else if (files && wish_matches(wish, line, n))
            return xasprintf("/%.*s", (int)n, line);
        line += n + (line[n] == '\n');
    }
    return NULL;
}

/* tar(5): blocks of 512 bytes, the name at 0, the size in octal digits at 124. */
static bool look(void *ctx, const char *name, int fd)
{
    struct hunt *hunt = ctx;
    size_t length = strlen(name);
    struct packed *archive;
    char header[BLOCK];

    if (length <= 6 || strcmp(name + length - 6, ".files") != 0) {
        close(fd);
        return true;
    }
    archive = packed_open(fd, DATABASE_MOST);
    while (archive && !hunt->ret->name && packed_read(archive, header, BLOCK) == BLOCK && header[0]) {
        size_t size = octal(header + 124, 11), padded = (size + BLOCK - 1) / BLOCK * BLOCK;
        const char *slash = memchr(header, '/', 100);
        CLEANUP_FREE char *text = size < (64u << 20) ? xmalloc(padded + 1) : NULL;
        char *file = NULL;

        if (!text || packed_read(archive, text, padded) != padded)
            break;
        text[size] = '\0';
        if (slash && strncmp(slash, "/files", 7) == 0)
            file = match_in_text(hunt->wish, text);
        if (file && take_name(header, (size_t)(slash - header), hunt->ret)) {
            hunt->ret->file = file;
            hunt->ret->says = "pacman's list of files";
        } else {
            free(file);
        }
    }
    packed_close(archive);
    return !hunt->ret->name;
}

bool pacman_find_available(const struct package_wish *wish, struct package *ret)
{
    struct hunt hunt = {wish, ret};

    directory_each(wish->root, "/var/lib/pacman/sync", look, &hunt);
    return ret->name != NULL;
}
