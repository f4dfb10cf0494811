/* A library that the loader did not find may be on the system all the same, in a directory that it does not search. */
#include "search.h"

#include "alloc.h"

#include <dirent.h>
#include <string.h>

enum { MAX_ENTRIES = 30000, MAX_DEPTH = 6, MAX_QUEUE = 8000 };

struct place_to_go {
    char *path; /* inside the root */
    unsigned depth;
};

struct hunt {
    const char *root, *name;
    const struct elffile *model;
    struct place_to_go *queue;
    size_t count, capacity;
    size_t entries;
    char *found;
};

static void go_to(struct hunt *h, const char *path, unsigned depth)
{
    struct place_to_go *p;

    if (depth > MAX_DEPTH || h->count >= MAX_QUEUE || !strncmp(path, "/proc", 5) || !strncmp(path, "/sys", 4) ||
        !strncmp(path, "/dev", 4))
        return;
    for (size_t i = 0; depth == 0 && i < h->count; i++)
        if (!strcmp(h->queue[i].path, path))
            return;
    p = array_add(&h->queue, &h->count, &h->capacity, sizeof *p);
    *p = (struct place_to_go){.path = xstrdup(path), .depth = depth};
}

static bool fits(const struct hunt *h, const char *path)
{
    const struct elffile *elf = elffile_get(h->root, path);
    bool fit =
        elf->state == ELFFILE_OK && (!h->model || (elf->class == h->model->class && elf->machine == h->model->machine));

    elffile_put(elf);
    return fit;
}

/* Links to directories are not followed: whatever is behind them is reached by its own name. */
static void look_into(struct hunt *h, const char *path, unsigned depth)
{
    int fd = path_open(h->root, path);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while (!h->found && (entry = readdir(dir)) && h->entries++ < MAX_ENTRIES) {
        CLEANUP_FREE char *inside = NULL;
        bool wanted = !strcmp(entry->d_name, h->name);

        if (!wanted && (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
                        !strcmp(entry->d_name, ".git")))
            continue;
        inside = path_join(path, entry->d_name);
        if (wanted && fits(h, inside))
            h->found = steal_pointer(&inside);
        else if (entry->d_type == DT_DIR)
            go_to(h, inside, depth + 1);
    }
    closedir(dir);
}

/* The directory of NEAR and the one above it (bin/prog and lib/libx.so are neighbours). */
static void start_near(struct hunt *h, const char *near)
{
    CLEANUP_FREE char *directory = path_dir(near);
    CLEANUP_FREE char *above = path_dir(directory);

    if (near[0] != '/')
        return;
    go_to(h, directory, 0);
    if (strcmp(above, "/") != 0 && strcmp(above, "/usr") != 0) /* those hold everything */
        go_to(h, above, 0);
}

char *search_elsewhere(const char *root, const char *name, const struct elffile *model, const char *const *near,
                       size_t near_count, const char *cwd)
{
    static const char *const usual[] = {"/usr/local", "/opt", "/usr/lib", "/lib"};
    struct hunt h = {.root = root, .name = path_base(name), .model = model};

    for (size_t i = 0; i < near_count; i++)
        start_near(&h, near[i]);
    if (cwd && cwd[0] == '/' && cwd[1])
        go_to(&h, cwd, 0);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        go_to(&h, usual[i], 0);
    for (size_t i = 0; *h.name && i < h.count && !h.found && h.entries < MAX_ENTRIES; i++) {
        CLEANUP_FREE char *path = xstrdup(h.queue[i].path); /* the queue moves as it grows */

        look_into(&h, path, h.queue[i].depth);
    }
    for (size_t i = 0; i < h.count; i++)
        free(h.queue[i].path);
    free(h.queue);
    return h.found;
}
