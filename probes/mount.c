#include "mount.h"

#include "alloc.h"
#include "path.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/statvfs.h>

enum { MOUNTS_MOST = 4096 };

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

/* Octal escapes for blanks and the like (proc(5)), in place. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
            from[3] <= '7') {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* Whether WORD stands in the comma-separated LIST. */
static bool listed(const char *list, const char *word)
{
    size_t size = strlen(word);

    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, word, size) == 0 && (at[size] == ',' || !at[size]))
            return true;
    return false;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static bool parse_mount(char *line, struct mount_seen *ret)
{
    char *words[6] = {0}, *rest = NULL, *type, *super = NULL;

    line[strcspn(line, "\n")] = '\0';
    for (size_t i = 0; i < 6; i++)
        words[i] = strtok_r(i ? NULL : line, " ", &rest);
    if (!words[5])
        return false;
    for (type = strtok_r(NULL, " ", &rest); type && strcmp(type, "-") != 0; type = strtok_r(NULL, " ", &rest))
        ;
    type = type ? strtok_r(NULL, " ", &rest) : NULL;
    if (type && strtok_r(NULL, " ", &rest))
        super = strtok_r(NULL, " ", &rest);
    if (!type)
        return false;
    unescape(words[4]);
    *ret = (struct mount_seen){.point = xstrdup(words[4]), .type = xstrdup(type)};
    ret->options = xasprintf("%s%s", words[5], super && listed(super, "ro") && !listed(words[5], "ro") ? ",ro" : "");
    return true;
}

struct mount_seen *mount_list(pid_t pid, size_t *count)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/mountinfo", (int)pid);
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    CLEANUP_FREE char *line = NULL;
    struct mount_seen *mounts = NULL, one;
    size_t size = 0, cap = 0;

    *count = 0;
    while (file && *count < MOUNTS_MOST && getline(&line, &size, file) > 0)
        if (parse_mount(line, &one))
            *(struct mount_seen *)array_add(&mounts, count, &cap, sizeof *mounts) = one;
    return mounts;
}

void mount_list_free(struct mount_seen *mounts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(mounts[i].point);
        free(mounts[i].type);
        free(mounts[i].options);
    }
    free(mounts);
}

const struct mount_seen *mount_holding(const struct mount_seen *mounts, size_t count, const char *path)
{
    const struct mount_seen *best = NULL;
    size_t deepest = 0;

    for (size_t i = 0; i < count; i++) {
        size_t size = strcmp(mounts[i].point, "/") == 0 ? 0 : strlen(mounts[i].point);

        if (strncmp(mounts[i].point, path, size) != 0 || (path[size] && path[size] != '/') || size < deepest)
            continue;
        best = &mounts[i];
        deepest = size;
    }
    return best;
}
