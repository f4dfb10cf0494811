/* The folder that a bundle was unpacked into, copied under the same rules as one is unpacked: whoever made it may have
 * put links and pipes there. */
#include "bundle.h"

#include "unpack.h"

#include <probes/alloc.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 32 };

struct copy {
    struct unpack unpack;
    const char *folder;
};

static int copy_directory(struct copy *copy, int at, const char *name, int depth, struct err *err);

static int copy_bytes(struct copy *copy, const struct unpack_item *item, int from, struct err *err)
{
    CLEANUP_FREE char *buffer = xmalloc(1 << 16);
    CLEANUP_CLOSE int to = unpack_file(&copy->unpack, item, err);
    ssize_t got;

    if (to < 0)
        return -1;
    while ((got = read(from, buffer, 1 << 16)) > 0)
        if (unpack_write(&copy->unpack, item, to, buffer, (size_t)got, err) < 0)
            return -1;
    return got < 0 ? err_errno(err, errno, "%s: %s cannot be read", copy->folder, item->name) : 0;
}

static int copy_link(struct copy *copy, struct unpack_item *item, int at, const char *last, struct err *err)
{
    char link[4096];
    ssize_t length = readlinkat(at, last, link, sizeof link - 1);

    if (length < 0)
        return err_errno(err, errno, "%s: %s cannot be read", copy->folder, item->name);
    link[length] = '\0';
    item->link = link;
    return unpack_check(&copy->unpack, item, err) < 0 ? -1 : unpack_other(&copy->unpack, item, err);
}

/* LAST, which lies in the directory AT, as NAME. */
static int copy_one(struct copy *copy, int at, const char *last, const char *name, int depth, struct err *err)
{
    struct unpack_item item = {.name = name, .kind = UNPACK_OTHER};
    CLEANUP_CLOSE int fd = -1;
    struct stat st;

    if (fstatat(at, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, errno, "%s: %s cannot be read", copy->folder, name);
    if (S_ISLNK(st.st_mode)) {
        item.kind = UNPACK_LINK;
        return copy_link(copy, &item, at, last, err);
    }
    if (S_ISREG(st.st_mode))
        item.kind = UNPACK_FILE;
    else if (S_ISDIR(st.st_mode))
        item.kind = UNPACK_DIRECTORY;
    item.executable = st.st_mode & S_IXUSR;
    item.size = S_ISREG(st.st_mode) && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    if (unpack_check(&copy->unpack, &item, err) < 0)
        return -1;
    fd = openat(at, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (S_ISDIR(st.st_mode) ? O_DIRECTORY : 0));
    if (fd < 0)
        return err_errno(err, errno, "%s: %s cannot be read", copy->folder, name);
    if (S_ISREG(st.st_mode))
        return copy_bytes(copy, &item, fd, err);
    return unpack_other(&copy->unpack, &item, err) < 0 ? -1 : copy_directory(copy, fd, name, depth + 1, err);
}

static int copy_directory(struct copy *copy, int at, const char *name, int depth, struct err *err)
{
    int own = fcntl(at, F_DUPFD_CLOEXEC, 0), result = 0;
    DIR *entries = own < 0 ? NULL : fdopendir(own);
    struct dirent *entry;

    if (!entries) {
        if (own >= 0)
            close(own);
        return err_errno(err, errno, "%s: %s cannot be read", copy->folder, name);
    }
    if (depth > DEPTH_MAX)
        result = err_set(err, "%s: %s lies too deep", copy->folder, name);
    while (result >= 0 && (entry = readdir(entries))) {
        CLEANUP_FREE char *below = xasprintf("%s/%s", name, entry->d_name);

        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = copy_one(copy, at, entry->d_name, below, depth, err);
    }
    closedir(entries);
    return result;
}

int bundle_copy(const char *folder, const char *directory, const char *top, struct err *err)
{
    struct copy copy = {.folder = folder};
    const struct unpack_item item = {.name = top, .kind = UNPACK_DIRECTORY};
    CLEANUP_CLOSE int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result;

    if (at < 0)
        return err_errno(err, errno, "%s", folder);
    result = unpack_init(&copy.unpack, folder, directory, NULL, err);
    if (result >= 0)
        result = unpack_check(&copy.unpack, &item, err);
    if (result >= 0)
        result = unpack_other(&copy.unpack, &item, err);
    if (result >= 0)
        result = copy_directory(&copy, at, top, 0, err);
    unpack_deinit(&copy.unpack);
    return result;
}
