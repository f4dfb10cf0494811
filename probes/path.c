/* The walk of path_resolution(7), in user space and inside a root, so that a failure can be pinned on one component.
 *
 * The kernel answers a failing path with one errno; here every component is looked at with lstat(2) in the order in
 * which the kernel would, and each pending piece of text remembers the link that it came from. That is what tells a
 * dangling link from a name that is simply not there. */
#include "path.h"

#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MAX_LINKS = 40, MAX_PENDING = MAX_LINKS + 2 };

/* Text that is still to be walked. The original path is the bottom, each link met puts its text on top. */
struct pending {
    char *text;
    size_t at;
    long link; /* index into link_paths, -1 for the path that was asked for */
};

struct walker {
    const char *root;
    const struct cred *cred;
    struct path_walk *walk;
    struct pending pending[MAX_PENDING];
    size_t depth;
    char *link_paths[MAX_LINKS + 1];
    char *link_texts[MAX_LINKS + 1];
    char *here; /* resolved so far, "" for the root itself */
    bool slash; /* some text ended in one: what it names must be a directory */
    struct stat st;
};

const char *path_reason_text(enum path_reason reason)
{
    static const char *const texts[] = {
        [PATH_OK] = "there",
        [PATH_ABSENT] = "not there",
        [PATH_DANGLING] = "dangling link",
        [PATH_LOOP] = "a loop of links",
        [PATH_NOT_DIRECTORY] = "a component is not a directory",
        [PATH_DENIED] = "permission denied",
        [PATH_TOO_LONG] = "name too long",
        [PATH_FAILED] = "cannot be looked at",
        [PATH_UNKNOWN] = "not known",
    };

    return (size_t)reason < sizeof texts / sizeof *texts ? texts[reason] : "unknown";
}

bool path_nowhere(const char *root)
{
    return root && strcmp(root, PATH_NOWHERE) == 0;
}

static char *in_root(const char *root, const char *path)
{
    return xasprintf("%s%s", root && strcmp(root, "/") != 0 ? root : "", *path ? path : "/");
}

static void finish(struct walker *w, enum path_reason reason, int error, const char *at)
{
    struct path_walk *walk = w->walk;

    walk->reason = reason;
    walk->error = error;
    walk->at = xstrdup_or_null(at);
    walk->nearest = xstrdup(*w->here ? w->here : "/");
}

static enum path_reason reason_of(int error)
{
    switch (error) {
    case ENOENT:
        return PATH_ABSENT;
    case ELOOP:
        return PATH_LOOP;
    case ENOTDIR:
        return PATH_NOT_DIRECTORY;
    case EACCES:
    case EPERM:
        return PATH_DENIED;
    case ENAMETOOLONG:
        return PATH_TOO_LONG;
    default:
        return PATH_FAILED;
    }
}

static void push(struct walker *w, char *text, long link)
{
    w->pending[w->depth++] = (struct pending){.text = text, .link = link};
}

/* Takes the next component off the pending text: false where nothing is left. *LINK is where it came from. */
static bool next_component(struct walker *w, char *name, size_t size, long *link)
{
    while (w->depth) {
        struct pending *top = &w->pending[w->depth - 1];
        const char *s = top->text + top->at;
        size_t length;

        s += strspn(s, "/");
        length = strcspn(s, "/");
        if (!length) {
            w->slash |= top->text[top->at] == '/';
            free(top->text);
            w->depth--;
            continue;
        }
        snprintf(name, size, "%.*s", (int)(length < size ? length : size - 1), s);
        w->slash = false;
        top->at = (size_t)(s - top->text) + length;
        *link = top->link;
        return true;
    }
    return false;
}

/* Whether anything but the last component is still to come: a trailing slash asks for a directory too. */
static bool more_is_pending(const struct walker *w)
{
    for (size_t i = w->depth; i-- > 0;)
        if (w->pending[i].text[w->pending[i].at])
            return true;
    return false;
}

static void up(struct walker *w)
{
    char *slash = strrchr(w->here, '/');

    if (slash)
        *slash = '\0';
}

/* The first link that was met twice is where the loop begins; a chain that is only too long begins at its start. */
static void finish_loop(struct walker *w)
{
    size_t count = w->walk->link_count, first = 0, second = count;

    for (size_t i = 0; i < count && second == count; i++)
        for (size_t k = i + 1; k < count; k++)
            if (!strcmp(w->link_paths[i], w->link_paths[k])) {
                first = i;
                second = k;
                break;
            }
    finish(w, PATH_LOOP, ELOOP, w->link_paths[first]);
    w->walk->target = xstrdup_or_null(w->link_texts[first]);
    for (size_t i = second; i < count; i++) /* the rounds after the first say nothing new */
        free(w->walk->links[i]);
    w->walk->link_count = second;
    for (size_t i = second; i < count; i++) {
        free(w->link_paths[i]);
        free(w->link_texts[i]);
    }
}

/* /proc/PID/exe, cwd, root and fd/N are no text: the kernel jumps (proc(5)). Where the text leads nowhere but the
 * kernel finds something, the kernel is right. */
static bool is_magic_link(const char *real, struct stat *st)
{
    struct statfs fs;
    CLEANUP_FREE char *parent = path_dir(real);

    return !statfs(parent, &fs) && fs.f_type == PROC_SUPER_MAGIC && !stat(real, st);
}

static bool follow_link(struct walker *w, const char *path, const char *real)
{
    struct path_walk *walk = w->walk;
    char text[PATH_MAX];
    ssize_t length = readlink(real, text, sizeof text - 1);
    size_t n = walk->link_count;

    if (length < 0) {
        finish(w, reason_of(errno), errno, path);
        return false;
    }
    text[length] = '\0';
    if (n >= MAX_LINKS || w->depth >= MAX_PENDING - 1) {
        finish_loop(w);
        return false;
    }
    w->link_paths[n] = xstrdup(path);
    w->link_texts[n] = xstrdup(text);
    walk->links = xreallocarray(walk->links, n + 1, sizeof *walk->links);
    walk->links[n] = xasprintf("%s -> %s", path, text);
    walk->link_count = n + 1;
    if (text[0] == '/')
        w->here[0] = '\0';
    push(w, xstrdup(text), (long)n);
    return true;
}

static void finish_absent(struct walker *w, const char *path, long link)
{
    if (link < 0) {
        finish(w, PATH_ABSENT, ENOENT, path);
        return;
    }
    const struct pending *top = w->depth ? &w->pending[w->depth - 1] : NULL;
    const char *rest = top && top->link == link ? top->text + top->at : "";

    finish(w, PATH_DANGLING, ENOENT, w->link_paths[link]);
    w->walk->target = xasprintf("%s%s", path, rest); /* all that the link's text says, not only up to the gap */
}

static bool must_be_directory(struct walker *w)
{
    if (S_ISDIR(w->st.st_mode))
        return true;
    CLEANUP_FREE char *at = xstrdup(w->here);

    up(w);
    finish(w, PATH_NOT_DIRECTORY, ENOTDIR, at);
    return false;
}

static bool may_enter(struct walker *w)
{
    if (!must_be_directory(w))
        return false;
    if (!w->cred || path_permits(&w->st, w->cred, X_OK))
        return true;
    finish(w, PATH_DENIED, EACCES, *w->here ? w->here : "/");
    return false;
}

static bool back_to_parent(struct walker *w)
{
    up(w);
    CLEANUP_FREE char *real = in_root(w->root, w->here);

    if (!lstat(real, &w->st))
        return true;
    finish(w, reason_of(errno), errno, w->here);
    return false;
}

/* One component: true to go on. */
static bool step(struct walker *w, const char *name, long link)
{
    if (!may_enter(w))
        return false;
    if (!strcmp(name, "."))
        return true;
    if (!strcmp(name, ".."))
        return back_to_parent(w);

    CLEANUP_FREE char *path = xasprintf("%s/%s", w->here, name);
    CLEANUP_FREE char *real = in_root(w->root, path);
    struct stat st;

    if (strlen(name) > NAME_MAX || lstat(real, &st) != 0) {
        int error = strlen(name) > NAME_MAX ? ENAMETOOLONG : errno;

        if (error == ENOENT)
            finish_absent(w, path, link);
        else /* EACCES is about the directory, the rest about the name */
            finish(w, reason_of(error), error, error == EACCES && *w->here ? w->here : path);
        return false;
    }
    if (S_ISLNK(st.st_mode) && !(!more_is_pending(w) && is_magic_link(real, &st))) {
        struct stat parent = w->st;

        if (!follow_link(w, path, real))
            return false;
        w->st = parent;
        if (!*w->here) { /* an absolute target starts again at the root */
            CLEANUP_FREE char *top = in_root(w->root, "");
            return !lstat(top, &w->st) || (finish(w, reason_of(errno), errno, "/"), false);
        }
        return true;
    }
    free(w->here);
    w->here = steal_pointer(&path);
    w->st = st;
    return true;
}

static void walk_all(struct walker *w)
{
    char name[NAME_MAX + 2];
    long link;

    while (next_component(w, name, sizeof name, &link))
        if (!step(w, name, link))
            return;
    if (w->slash && !must_be_directory(w))
        return;
    w->walk->reason = PATH_OK;
    w->walk->st = w->st;
    w->walk->final = xstrdup(*w->here ? w->here : "/");
    CLEANUP_FREE char *parent = path_dir(w->walk->final);
    w->walk->nearest = S_ISDIR(w->st.st_mode) ? xstrdup(w->walk->final) : steal_pointer(&parent);
}

void path_walk(const char *root, const char *cwd, const char *path, const struct cred *cred, struct path_walk *ret)
{
    struct walker w = {.root = root, .cred = cred, .walk = ret, .here = xcalloc(1, PATH_MAX)};
    CLEANUP_FREE char *top = in_root(root, "");

    *ret = (struct path_walk){0};
    if (!*path) {
        finish(&w, PATH_ABSENT, ENOENT, "");
    } else if (path_nowhere(root)) {
        finish(&w, PATH_UNKNOWN, ENODATA, path);
    } else if (strlen(path) >= PATH_MAX) {
        finish(&w, PATH_TOO_LONG, ENAMETOOLONG, path);
    } else if (stat(top, &w.st) != 0) {
        finish(&w, reason_of(errno), errno, "/");
    } else {
        push(&w, xstrdup(path), -1);
        if (path[0] != '/' && cwd)
            push(&w, xstrdup(cwd), -1);
        walk_all(&w);
    }
    while (w.depth)
        free(w.pending[--w.depth].text);
    for (size_t i = 0; i < ret->link_count; i++) {
        free(w.link_paths[i]);
        free(w.link_texts[i]);
    }
    free(w.here);
}

void path_walk_deinit(struct path_walk *walk)
{
    free(walk->at);
    free(walk->target);
    free(walk->final);
    free(walk->nearest);
    for (size_t i = 0; i < walk->link_count; i++)
        free(walk->links[i]);
    free(walk->links);
    *walk = (struct path_walk){0};
}

static bool own_root(const char *root)
{
    return !root || !*root || !strcmp(root, "/");
}

/* openat2(2) is Linux 5.6 and may be forbidden by a container's filter; the walk then does its work. */
static int open_beneath(const char *root, const char *path, int flags)
{
    CLEANUP_CLOSE int dir = -1;

    if (own_root(root)) {
        int fd = open(path, flags | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
    }
    dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;

    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT};
    long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);

    if (fd >= 0)
        return (int)fd;
    if (errno != ENOSYS && errno != EPERM)
        return -errno;

    struct path_walk walk;
    path_walk(root, "/", path, NULL, &walk);
    int result = -walk.error;
    if (walk.reason == PATH_OK) {
        CLEANUP_FREE char *real = in_root(root, walk.final);

        result = open(real, flags | O_CLOEXEC | O_NOFOLLOW);
        if (result < 0)
            result = -errno;
    }
    path_walk_deinit(&walk);
    return result;
}

int path_stat(const char *root, const char *path, struct stat *ret)
{
    if (path_nowhere(root))
        return -ENODATA;
    if (own_root(root))
        return stat(path, ret) ? -errno : 0;

    CLEANUP_CLOSE int fd = open_beneath(root, path, O_PATH);

    if (fd < 0)
        return fd;
    return fstat(fd, ret) ? -errno : 0;
}

bool path_same_file(const char *root, const char *one, const char *other)
{
    struct stat a, b;

    return path_stat(root, one, &a) == 0 && path_stat(root, other, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

int path_open(const char *root, const char *path)
{
    struct stat st;
    int error = path_stat(root, path, &st);

    if (error)
        return error;
    /* Opening a device can do things (rewind a tape, arm a watchdog), so its type is asked for first. */
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) || S_ISSOCK(st.st_mode))
        return -ENXIO;
    return open_beneath(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

bool path_permits(const struct stat *st, const struct cred *cred, int mode)
{
    mode_t bits = st->st_mode;
    bool member = st->st_gid == cred->gid;

    if (cred->override) /* capabilities(7): CAP_DAC_OVERRIDE */
        return !(mode & X_OK) || S_ISDIR(bits) || (bits & 0111);
    for (size_t i = 0; i < cred->group_count && !member; i++)
        member = cred->groups[i] == st->st_gid;
    if (st->st_uid == cred->uid)
        bits >>= 6;
    else if (member)
        bits >>= 3;
    return (bits & (mode_t)mode & 7) == ((mode_t)mode & 7);
}

char *path_tidy(const char *root, const char *path)
{
    char *tidy = xmalloc(strlen(path) + 2), *end = tidy;

    for (const char *p = path; *p; p += strcspn(p, "/")) {
        size_t n;

        p += strspn(p, "/");
        n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            while (end > tidy && *--end != '/')
                ;
        } else if (n && !(n == 1 && p[0] == '.')) {
            *end++ = '/';
            memcpy(end, p, n);
            end += n;
        }
    }
    *end = '\0';
    if (path_nowhere(root) && !strstr(path, "..") && path[0] == '/' && end > tidy)
        return tidy; /* no link can be between the same components */
    if (path[0] != '/' || end == tidy || strcmp(path, tidy) == 0 || !path_same_file(root, path, tidy)) {
        free(tidy);
        return xstrdup(path);
    }
    return tidy;
}

char *path_list_next(const char **list)
{
    const char *at = *list, *end = at ? strchrnul(at, ':') : NULL;

    *list = end && *end ? end + 1 : NULL;
    return at ? xstrndup(at, (size_t)(end - at)) : NULL;
}

char *path_program(const char *list, const char *name)
{
    for (const char *at = list; at; at = *at ? at + 1 : NULL) {
        size_t n = strcspn(at, ":");
        CLEANUP_FREE char *file = xasprintf("%.*s%s%s", (int)n, at, n ? "/" : "", name);
        struct stat st;

        if (access(file, X_OK) == 0 && stat(file, &st) == 0 && S_ISREG(st.st_mode))
            return steal_pointer(&file);
        at += n;
    }
    return NULL;
}
