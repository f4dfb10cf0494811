#include "unpack.h"

#include "utf8.h"

#include <probes/alloc.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <uthash.h>

enum { NAME_BYTES = 4096, DEPTH = 64 };

struct unpack_name {
    char *name;
    UT_hash_handle hh;
};

static int refused(const struct unpack *unpack, const char *name, const char *why, struct err *err)
{
    CLEANUP_FREE char *cut = xstrndup(name, 200), *plain = utf8_plain(cut);

    return err_set(err, "%s: \"%s\" is refused: %s", unpack->file, plain, why);
}

int unpack_init(struct unpack *unpack, const char *file, const char *directory, const struct bundle_limits *limits,
                struct err *err)
{
    *unpack = (struct unpack){.file = file, .limits = limits ? *limits : (struct bundle_limits){0}};
    if (!unpack->limits.files)
        unpack->limits.files = UNPACK_FILES;
    if (!unpack->limits.bytes)
        unpack->limits.bytes = UINT64_C(4) << 30;
    unpack->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return unpack->directory < 0 ? err_errno(err, errno, "%s cannot be unpacked into", directory) : 0;
}

void unpack_deinit(struct unpack *unpack)
{
    struct unpack_name *name, *next;

    HASH_ITER(hh, unpack->names, name, next)
    {
        HASH_DEL(unpack->names, name);
        free(name->name);
        free(name);
    }
    free(unpack->top);
    if (unpack->directory >= 0)
        close(unpack->directory);
}

/* NAME without "./" before and "/" behind it, malloced. */
static char *trimmed(const char *name)
{
    size_t length;

    while (strncmp(name, "./", 2) == 0)
        name += 2;
    length = strlen(name);
    while (length && name[length - 1] == '/')
        length--;
    return xstrndup(name, length);
}

/* NULL, or why a trimmed NAME names nothing that we would write. */
static const char *name_fault(const char *name)
{
    size_t depth = 0;

    if (!*name)
        return "it has no name";
    if (strlen(name) > NAME_BYTES)
        return "its name is too long";
    for (const char *part = name;; depth++) {
        size_t length = strcspn(part, "/");

        if (!length)
            return part == name ? "its name is absolute" : "its name has an empty part";
        if ((length == 1 || length == 2) && strspn(part, ".") >= length)
            return "its name has a \".\" or \"..\" in it";
        if (!part[length])
            return depth < DEPTH ? NULL : "it lies too deep";
        part += length + 1;
    }
}

/* A link may stay in its own directory or go further down. With ".." in it, two links together could lead out where
 * each alone does not. */
static const char *link_fault(const char *link)
{
    if (!*link || strlen(link) > NAME_BYTES)
        return "its link text has no good length";
    if (*link == '/')
        return "it is a link to an absolute path";
    for (const char *part = link; part; part = strchr(part, '/')) {
        part += strspn(part, "/");
        if (strncmp(part, "..", 2) == 0 && (!part[2] || part[2] == '/'))
            return "it is a link with \"..\" in it";
    }
    return NULL;
}

static int remember(struct unpack *unpack, char *name_taken, struct err *err)
{
    struct unpack_name *name;

    HASH_FIND_STR(unpack->names, name_taken, name);
    if (name) {
        int result = refused(unpack, name_taken, "it is there twice", err);

        free(name_taken);
        return result;
    }
    name = xcalloc(1, sizeof *name);
    name->name = name_taken;
    HASH_ADD_KEYPTR(hh, unpack->names, name->name, strlen(name->name), name);
    return 0;
}

int unpack_check(struct unpack *unpack, const struct unpack_item *item, struct err *err)
{
    CLEANUP_FREE char *name = trimmed(item->name);
    const char *why = strcmp(item->name, "./") == 0 ? NULL : name_fault(name);
    size_t top = strcspn(name, "/");

    if (!why && item->kind == UNPACK_OTHER)
        why = "it is neither file, directory nor symbolic link";
    if (!why && item->kind == UNPACK_LINK)
        why = link_fault(item->link);
    if (!why && unpack->top && *name && (strlen(unpack->top) != top || strncmp(unpack->top, name, top) != 0))
        why = "it lies outside the bundle's one folder";
    if (!why && !unpack->top && *name && item->kind != UNPACK_DIRECTORY && !name[top])
        why = "a bundle begins with its folder";
    if (!why && ++unpack->files > unpack->limits.files)
        why = "there are too many entries";
    if (!why && item->size > unpack->limits.bytes - unpack->bytes)
        why = "the bundle is too large unpacked";
    if (why)
        return refused(unpack, item->name, why, err);
    if (!*name) /* "./", the directory itself */
        return 0;
    if (!unpack->top)
        unpack->top = xstrndup(name, top);
    return remember(unpack, steal_pointer(&name), err);
}

/* Whether the link NAME, which says LINK, leads out of the archive, by the letter. Where links on the way make a
 * difference, it may lead out all the same: nothing is ever written through one, and readers look where it leads. */
static bool leads_out(const char *name, const char *link)
{
    size_t depth = 0;

    if (*link == '/' || !*link || strlen(link) > NAME_BYTES)
        return true;
    for (; (name = strchr(name, '/')); name++)
        depth++;
    for (const char *part = link; *part; part += strcspn(part, "/")) {
        part += strspn(part, "/");
        if (strncmp(part, "..", 2) == 0 && (!part[2] || part[2] == '/')) {
            if (!depth)
                return true;
            depth--;
        } else if (*part) {
            depth++;
        }
    }
    return false;
}

/* The text of the link ITEM, which is called NAME, malloced. In a package an absolute one leads to below the directory
 * it is unpacked into, whose way up is known: on it are directories alone (parent_of()). */
static char *link_text(const struct unpack *unpack, const struct unpack_item *item, const char *name)
{
    const char *rest = item->link + strspn(item->link, "/");
    size_t depth = 0;
    char *text;

    if (!unpack->package || rest == item->link)
        return xstrdup(item->link);
    for (; (name = strchr(name, '/')); name++)
        depth++;
    text = xmalloc(3 * depth + strlen(rest) + 1);
    for (size_t i = 0; i < depth; i++)
        memcpy(text + 3 * i, "../", 3);
    strcpy(text + 3 * depth, rest);
    return text;
}

int unpack_check_foreign(struct unpack *unpack, const struct unpack_item *item, struct err *err)
{
    CLEANUP_FREE char *name = trimmed(item->name);
    CLEANUP_FREE char *link = item->kind == UNPACK_LINK ? link_text(unpack, item, name) : NULL;
    const char *why = *name && strcmp(name, ".") != 0 ? name_fault(name) : NULL;
    struct unpack_name *known;

    if (!*name || strcmp(name, ".") == 0) /* the directory itself */
        return 0;
    if (!why && ++unpack->files > unpack->limits.files)
        why = "there are too many entries";
    if (!why && item->size > unpack->limits.bytes - unpack->bytes)
        why = "the archive is too large unpacked";
    if (why)
        return refused(unpack, item->name, why, err);
    if ((item->kind == UNPACK_OTHER && !item->hard) || (link && leads_out(name, link)))
        return 0;
    HASH_FIND_STR(unpack->names, name, known);
    if (known && item->kind == UNPACK_DIRECTORY)
        return 0;
    return remember(unpack, steal_pointer(&name), err) < 0 ? -1 : 1;
}

/* The descriptor of the directory that NAME's last part lies in, made where it is not there; *LAST is that part, within
 * NAME. Every step is taken with O_NOFOLLOW. */
static int parent_of(struct unpack *unpack, const char *name, const char **last, struct err *err)
{
    int at = fcntl(unpack->directory, F_DUPFD_CLOEXEC, 0);

    for (const char *slash; at >= 0 && (slash = strchr(name, '/')); name = slash + 1) {
        CLEANUP_FREE char *part = xstrndup(name, (size_t)(slash - name));
        int next;

        if (mkdirat(at, part, 0755) < 0 && errno != EEXIST) {
            close(at);
            return err_errno(err, errno, "%s cannot be unpacked: %s", unpack->file, part);
        }
        next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(at);
        at = next;
    }
    if (at < 0)
        return err_errno(err, errno, "%s cannot be unpacked: a directory of it cannot be entered", unpack->file);
    *last = name;
    return at;
}

/* LAST in AT becomes another name of the entry ITEM.hard, which was unpacked before; one that nobody wanted is not
 * there.
 */
static int hard_link(struct unpack *unpack, const struct unpack_item *item, int at, const char *last)
{
    CLEANUP_FREE char *name = trimmed(item->hard);
    CLEANUP_CLOSE int from = -1;
    const char *base;

    if (name_fault(name))
        return 0;
    from = parent_of(unpack, name, &base, NULL);
    return from < 0 || (linkat(from, base, at, last, 0) < 0 && errno != ENOENT) ? -1 : 0;
}

int unpack_other(struct unpack *unpack, const struct unpack_item *item, struct err *err)
{
    CLEANUP_FREE char *name = trimmed(item->name);
    CLEANUP_CLOSE int at = -1;
    const char *last;
    int result;

    if (!*name)
        return 0;
    at = parent_of(unpack, name, &last, err);
    if (at < 0)
        return -1;
    if (unpack->over && (item->kind == UNPACK_LINK || item->hard))
        unlinkat(at, last, 0);
    if (item->kind == UNPACK_LINK) {
        CLEANUP_FREE char *link = link_text(unpack, item, name);

        result = symlinkat(link, at, last);
    } else if (item->hard)
        result = hard_link(unpack, item, at, last);
    else
        result = mkdirat(at, last, 0755);
    if (result < 0 && item->kind == UNPACK_DIRECTORY && errno == EEXIST) { /* made on the way to an earlier entry */
        struct stat st;

        result = fstatat(at, last, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) ? 0 : -1;
        errno = EEXIST;
    }
    return result < 0 ? err_errno(err, errno, "%s cannot be unpacked: %s", unpack->file, name) : 0;
}

int unpack_file(struct unpack *unpack, const struct unpack_item *item, struct err *err)
{
    CLEANUP_FREE char *name = trimmed(item->name);
    const char *last;
    CLEANUP_CLOSE int at = parent_of(unpack, name, &last, err);
    int fd;

    if (at < 0)
        return -1;
    if (unpack->over)
        unlinkat(at, last, 0);
    fd = openat(at, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, item->executable ? 0755 : 0644);
    return fd < 0 ? err_errno(err, errno, "%s cannot be unpacked: %s", unpack->file, name) : fd;
}

int unpack_write(struct unpack *unpack, const struct unpack_item *item, int fd, const char *data, size_t size,
                 struct err *err)
{
    if (size > unpack->limits.bytes - unpack->bytes)
        return refused(unpack, item->name, "the bundle is too large unpacked", err);
    unpack->bytes += size;
    while (size) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_errno(err, n < 0 ? errno : EIO, "%s cannot be unpacked", unpack->file);
        data += n;
        size -= (size_t)n;
    }
    return 0;
}
