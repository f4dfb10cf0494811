#include "mount.h"

#include "alloc.h"
#include "path.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/statvfs.h>

struct place {
    uint64_t mount; /* the kernel's number of it, 0 where that is not known (before Linux 5.8) */
    unsigned major, minor;
};

static bool place_of(const char *root, const char *path, struct place *ret)
{
    CLEANUP_FREE char *real = xasprintf("%s%s", root, path);
    struct statx stx;

    if (statx(AT_FDCWD, real, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_MNT_ID, &stx) < 0)
        return false;
    *ret = (struct place){.mount = stx.stx_mask & STATX_MNT_ID ? stx.stx_mnt_id : 0,
                          .major = stx.stx_dev_major,
                          .minor = stx.stx_dev_minor};
    return true;
}

/* A bind mount (mount(8)) is on the same file system as its surroundings and has options of its own. */
char *mount_of(const char *root, const char *path)
{
    char *at = xstrdup(path);
    struct place here, above;

    while (strcmp(at, "/") != 0) {
        char *up = path_dir(at);

        if (!place_of(root, at, &here) || !place_of(root, up, &above) || here.mount != above.mount ||
            here.major != above.major || here.minor != above.minor) {
            free(up);
            return at;
        }
        free(at);
        at = up;
    }
    return at;
}

bool mount_forbids_execution(int fd)
{
    struct statvfs vfs;

    return fstatvfs(fd, &vfs) == 0 && vfs.f_flag & ST_NOEXEC;
}
