/* Packages that were downloaded already become a root, and an archive that is a BUILD a directory: they are unpacked,
 * without any of their scripts, into scratch directories, which go when the copy is made. */
#include "sandbox.h"

#include <probes/alloc.h>
#include <reports/archives.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int unpack_one(const char *package, const char *directory, struct err *err)
{
    CLEANUP_CLOSE int fd = path_open("", package);

    return fd < 0 ? err_errno(err, -fd, "%s", package) : archives_install(fd, package, directory, err);
}

int sandbox_unpack(struct sandbox *sandbox, const struct strings *packages, struct err *err)
{
    if (scratch_make(&sandbox->packages, err) < 0)
        return -1;
    for (size_t i = 0; i < packages->n; i++) {
        CLEANUP_FREE char *whole = realpath(packages->v[i], NULL);

        if (!whole)
            return err_errno(err, errno, "%s", packages->v[i]);
        if (unpack_one(whole, sandbox->packages.path, err) < 0)
            return -1;
    }
    return 0;
}

/* What the directory of an archive is called in the copy: its name without its ending, as with "x.tar.gz". */
static char *name_of(const char *archive)
{
    const char *base = path_base(archive), *end = strstr(base, ".tar."), *dot = strrchr(base, '.');

    if (!end || end == base)
        end = dot && dot != base ? dot : base + strlen(base);
    return xstrndup(base, (size_t)(end - base));
}

static int unpack_build(struct sandbox *sandbox, const char *build, char **ret, struct err *err)
{
    CLEANUP_FREE char *name = name_of(build), *directory = NULL;

    if (*sandbox->root)
        return err_set(err, "%s is an archive: unpack it below %s, or leave out --root", build, sandbox->root);
    if (!sandbox->unpacked.path && scratch_make(&sandbox->unpacked, err) < 0)
        return -1;
    directory = path_join(sandbox->unpacked.path, name);
    if (mkdir(directory, 0755) < 0)
        return errno == EEXIST ? err_set(err, "%s: another BUILD has that name already", build)
                               : err_errno(err, errno, "%s cannot be unpacked", build);
    if (unpack_one(build, directory, err) < 0)
        return -1;
    *ret = steal_pointer(&directory);
    return 0;
}

int sandbox_add_build(struct sandbox *sandbox, const char *build, struct err *err)
{
    CLEANUP_FREE char *directory = NULL;
    int kind = archives_at(sandbox->root, build);

    if (kind >= 0 && kind != ARCHIVE_NOT && unpack_build(sandbox, build, &directory, err) < 0)
        return -1;
    return sandbox_add(sandbox, directory ? directory : build, err);
}

char *sandbox_find_tool(const char *name)
{
    const char *path = getenv("PATH");

    return path_program(path ? path : "/usr/bin:/bin", name);
}
