#include "mount.h"

#include "alloc.h"
#include "path.h"

#include <string.h>
#include <sys/statvfs.h>

char *mount_of(const char *root, const char *path)
{
    char *at = xstrdup(path);
    struct stat here, above;

    while (strcmp(at, "/") != 0) {
        char *up = path_dir(at);

        if (path_stat(root, at, &here) < 0 || path_stat(root, up, &above) < 0 || here.st_dev != above.st_dev) {
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
