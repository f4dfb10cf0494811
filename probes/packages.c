#include "packages_parts.h"

#include "alloc.h"
#include "path.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

enum { MOST_ENTRIES = 20000 };
#define RPM "/usr/bin/rpm"

static bool is_there(const char *root, const char *path)
{
    struct stat st;

    return path_stat(root, path, &st) == 0;
}

/* rpm last: its program may be installed on any system, and makes an empty database then. */
enum package_system packages_system(const char *root)
{
    if (is_there(root, "/var/lib/dpkg/status"))
        return PACKAGES_DPKG;
    if (is_there(root, "/lib/apk/db/installed") || is_there(root, "/usr/lib/apk/db/installed"))
        return PACKAGES_APK;
    if (is_there(root, "/var/lib/pacman/local"))
        return PACKAGES_PACMAN;
    if (is_there(root, "/usr/lib/sysimage/rpm") || is_there(root, "/var/lib/rpm"))
        return PACKAGES_RPM;
    return PACKAGES_NONE;
}

const char *packages_system_name(enum package_system system)
{
    static const char *const names[] = {[PACKAGES_NONE] = "no package system",
                                        [PACKAGES_DPKG] = "dpkg",
                                        [PACKAGES_RPM] = "rpm",
                                        [PACKAGES_APK] = "apk",
                                        [PACKAGES_PACMAN] = "pacman"};

    return names[system];
}

/* ---- what the systems' files share ---- */

/* Without the first slash and a "usr/" that a merged system may leave out. */
static const char *bare(const char *path, size_t *size)
{
    if (*size && *path == '/')
        path++, --*size;
    if (*size > 4 && memcmp(path, "usr/", 4) == 0)
        path += 4, *size -= 4;
    return path;
}

/* Libraries stand in lib, lib64, lib/x86_64-linux-gnu and the like, not in a program's own directory. */
static bool in_directory_of(bool library, const char *path, size_t size)
{
    if (!library)
        return (size > 4 && memcmp(path, "bin/", 4) == 0 && !memchr(path + 4, '/', size - 4)) ||
               (size > 5 && memcmp(path, "sbin/", 5) == 0 && !memchr(path + 5, '/', size - 5)) ||
               (size > 6 && memcmp(path, "games/", 6) == 0 && !memchr(path + 6, '/', size - 6));
    if (size < 4 || memcmp(path, "lib", 3) != 0)
        return false;
    for (size_t i = 3, slashes = 0; i < size; i++) {
        slashes += path[i] == '/';
        if (slashes == 2)
            return memmem(path, i, "-linux-", 7) && !memchr(path + i + 1, '/', size - i - 1);
    }
    return true;
}

/* A directory that is for another machine: Debian's triplets and the lib32 of others. */
static bool for_machine(const char *machine, const char *path, size_t size)
{
    static const char *const triplets[] = {"x86_64", "i386", "i686", "aarch64", "arm", "riscv64", "x32"};

    if (!machine)
        return true;
    for (size_t i = 0; i < sizeof triplets / sizeof *triplets; i++) {
        CLEANUP_FREE char *part = xasprintf("/%s-linux-", triplets[i]);

        if (memmem(path, size, part, strlen(part)))
            return strcmp(machine, strcmp(triplets[i], "i686") == 0 ? "i386" : triplets[i]) == 0;
    }
    if (size > 6 && (memcmp(path, "lib32/", 6) == 0))
        return strcmp(machine, "i386") == 0;
    if (size > 7 && memcmp(path, "libx32/", 7) == 0)
        return strcmp(machine, "x32") == 0;
    return true;
}

bool wish_matches(const struct package_wish *wish, const char *file, size_t size)
{
    const char *path = bare(file, &size);
    size_t n;

    if (wish->path) {
        const char *wanted;

        n = strlen(wish->path);
        wanted = bare(wish->path, &n);
        return n == size && memcmp(path, wanted, n) == 0;
    }
    n = strlen(wish->name);
    return size > n && path[size - n - 1] == '/' && memcmp(path + size - n, wish->name, n) == 0 &&
           in_directory_of(wish->library, path, size) && for_machine(wish->machine, path, size);
}

void directory_each(const char *root, const char *directory, bool (*each)(void *ctx, const char *name, int fd),
                    void *ctx)
{
    int fd = path_open(root, directory);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    bool more = true;

    if (!dir && fd >= 0)
        close(fd);
    for (size_t n = 0; dir && more && n < MOST_ENTRIES && (entry = readdir(dir)); n++) {
        struct stat st;
        int file;

        if (entry->d_name[0] == '.')
            continue;
        file = openat(dirfd(dir), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (file < 0)
            continue;
        if (fstat(file, &st) < 0 || !S_ISREG(st.st_mode))
            close(file);
        else
            more = each(ctx, entry->d_name, file);
    }
    if (dir)
        closedir(dir);
}

/* ---- the way in ---- */

static bool find_installed(const struct package_wish *wish, struct package *ret)
{
    switch (packages_system(wish->root)) {
    case PACKAGES_DPKG:
        return dpkg_find(wish, ret);
    case PACKAGES_APK:
        return apk_find(wish, ret);
    case PACKAGES_PACMAN:
        return pacman_find(wish, ret);
    case PACKAGES_RPM:
        return !*wish->root && rpm_find(wish, RPM, ret);
    case PACKAGES_NONE:
        break;
    }
    return false;
}

static bool find_available(const struct package_wish *wish, struct package *ret)
{
    switch (packages_system(wish->root)) {
    case PACKAGES_DPKG:
        return apt_find(wish, ret);
    case PACKAGES_APK:
        return apk_find_available(wish, ret);
    case PACKAGES_PACMAN:
        return pacman_find_available(wish, ret);
    default:
        return false;
    }
}

static bool find(const struct package_wish *wish, struct package *ret)
{
    *ret = (struct package){0};
    return find_installed(wish, ret) || find_available(wish, ret);
}

bool packages_owner(const char *root, const char *path, struct package *ret)
{
    const struct package_wish wish = {.root = root, .path = path};

    *ret = (struct package){0};
    return path[0] == '/' && find_installed(&wish, ret);
}

bool packages_with_file(const char *root, const char *path, struct package *ret)
{
    const struct package_wish wish = {.root = root, .path = path};

    *ret = (struct package){0};
    return path[0] == '/' && find(&wish, ret);
}

bool packages_with_library(const char *root, const char *soname, const char *machine, struct package *ret)
{
    const struct package_wish wish = {.root = root, .name = soname, .library = true, .machine = machine};

    *ret = (struct package){0};
    return *soname && !strchr(soname, '/') && find(&wish, ret);
}

bool packages_with_command(const char *root, const char *name, struct package *ret)
{
    const struct package_wish wish = {.root = root, .name = name};

    *ret = (struct package){0};
    return *name && !strchr(name, '/') && find(&wish, ret);
}

bool packages_named(const char *root, const char *name, struct package *ret)
{
    *ret = (struct package){0};
    switch (packages_system(root)) {
    case PACKAGES_DPKG:
        return apt_named(root, &name, 1, "amd64", ret);
    case PACKAGES_APK:
        return apk_named(root, name, ret);
    default:
        return false;
    }
}

void package_deinit(struct package *package)
{
    free(package->name);
    free(package->version);
    free(package->file);
    *package = (struct package){0};
}
