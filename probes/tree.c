#include "tree.h"

#include "alloc.h"
#include "path.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A directory that is being read. */
struct level {
    const char *path; /* inside the root */
    int fd;
    unsigned depth;
    bool modes;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in LEVEL, in byte order; malloced, *COUNT of them. */
static char **names_in(const struct level *level, struct tree *tree, size_t *count)
{
    int copy = fcntl(level->fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    char **names = NULL, **place;
    size_t cap = 0;

    *count = 0;
    if (!dir) {
        tree->unread++;
        if (copy >= 0)
            close(copy);
        return NULL;
    }
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (tree->entries >= TREE_ENTRIES) {
            tree->cut = true;
            break;
        }
        tree->entries++;
        place = array_add(&names, count, &cap, sizeof *place);
        *place = xstrdup(entry->d_name);
    }
    closedir(dir);
    if (*count)
        qsort(names, *count, sizeof *names, by_name);
    return names;
}

bool tree_called_library(const char *name)
{
    const char *base = path_base(name), *so = NULL;
    size_t length = strlen(base);

    if (length > 5 && strcmp(base + length - 5, ".node") == 0)
        return true;
    for (const char *at = base; (at = strstr(at, ".so")); at += 3)
        so = at;
    /* any word may stand before a number: what is called libx.so.1 begins so */
    return so && so > base &&
           (!so[3] || (strncmp(base, "lib", 3) == 0 && strspn(so + 3, ".0123456789") == strlen(so + 3)));
}

bool tree_is_linker_script(const char *start)
{
    static const char *const starts[] = {"/*", "INPUT", "GROUP", "OUTPUT_FORMAT"};

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(start, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

/* What other systems and tools have under such names: Mach-O (also of several machines), PE, WebAssembly, archives,
 * LLVM's bitcode, and what is text for somebody to read. */
static bool is_anothers(const char *start, size_t n)
{
    static const struct {
        const char *bytes;
        size_t n;
    } magics[] = {{"\xfe\xed\xfa\xce", 4},
                  {"\xfe\xed\xfa\xcf", 4},
                  {"\xce\xfa\xed\xfe", 4},
                  {"\xcf\xfa\xed\xfe", 4},
                  {"\xca\xfe\xba\xbe", 4},
                  {"MZ", 2},
                  {"\0asm", 4},
                  {"!<arch>", 7},
                  {"!<thin>", 7},
                  {"BC\xc0\xde", 4}};

    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (n >= magics[i].n && memcmp(start, magics[i].bytes, magics[i].n) == 0)
            return true;
    return false;
}

static void look_at_file(const struct level *level, const char *name, const struct stat *st, struct tree *tree)
{
    /* O_NONBLOCK: it may have become a FIFO since */
    CLEANUP_CLOSE int fd = openat(level->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    bool executable = !level->modes || (st->st_mode & 0111);
    struct tree_file *file;
    char start[17] = "";
    bool elf;
    ssize_t n = fd < 0 ? -1 : pread(fd, start, sizeof start - 1, 0); /* no FIFO and no directory has places */

    if (n < 0) {
        tree->unread++;
        return;
    }
    elf = (n >= SELFMAG && memcmp(start, ELFMAG, SELFMAG) == 0) ||
          (tree_called_library(name) && !is_anothers(start, (size_t)n) && !tree_is_linker_script(start));
    if (!elf && !(n >= 2 && executable && memcmp(start, "#!", 2) == 0))
        return;
    if (tree->count >= TREE_FILES) {
        tree->cut = true;
        return;
    }
    file = array_add(&tree->files, &tree->count, &tree->cap, sizeof *file);
    *file = (struct tree_file){path_join(level->path, name), elf, executable};
}

static void read_level(const struct level *level, struct tree *tree)
{
    size_t count;
    char **names = names_in(level, tree, &count);

    for (size_t i = 0; i < count; i++) {
        CLEANUP_FREE char *path = NULL;
        struct stat st;

        if (fstatat(level->fd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
            tree->unread++;
        else if (S_ISREG(st.st_mode))
            look_at_file(level, names[i], &st, tree);
        else if (S_ISDIR(st.st_mode) && level->depth >= TREE_DEPTH)
            tree->cut = true;
        else if (S_ISDIR(st.st_mode)) {
            CLEANUP_CLOSE int fd = openat(level->fd, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            struct level below = {.fd = fd, .depth = level->depth + 1, .modes = level->modes};

            path = path_join(level->path, names[i]);
            below.path = path;
            if (fd < 0)
                tree->unread++;
            else
                read_level(&below, tree);
        }
    }
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

int tree_read(const char *root, const char *directory, bool modes, struct tree *ret, struct err *err)
{
    CLEANUP_CLOSE int fd = path_open(root, directory);
    struct level top = {.path = directory, .fd = fd, .modes = modes};

    *ret = (struct tree){0};
    if (fd < 0)
        return err_errno(err, -fd, "%s%s", root, directory);
    read_level(&top, ret);
    return 0;
}

void tree_deinit(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        free(tree->files[i].path);
    free(tree->files);
}
