/* A library that the loader did not find may be on the system all the same, in a directory that it does not search. */
#include "search.h"

#include "alloc.h"
#include "offer.h"

#include <dirent.h>
#include <string.h>

enum { MAX_ENTRIES = 30000, MAX_DEPTH = 6, MAX_QUEUE = 8000, CROWD = 24, CLAIM_COST = 20 };

struct place_to_go {
    char *path;      /* inside the root */
    unsigned depth;  /* below where it began; MAX_DEPTH: its subdirectories are not entered */
    bool neighbours; /* the directory above a program's: its other children count only if they are no installation of
                        their own */
    char *branch;    /* that child, of the directories below it; or NULL */
};

struct hunt {
    const char *root, *name;
    const char *const *near; /* the program first */
    size_t near_count;
    const struct elffile *model;
    bool (*does)(void *ctx, const struct elffile *elf); /* or NULL */
    void *ctx;
    struct place_to_go *queue;
    size_t count, capacity;
    size_t entries;
    char *found;
};

/* Directories that strangers share: whatever is below them belongs to somebody else. */
static bool shared_by_all(const char *path)
{
    static const char *const names[] = {"/",     "/usr", "/tmp", "/var/tmp", "/home",
                                        "/root", "/var", "/mnt", "/media",   "/srv"};
    CLEANUP_FREE char *above = path_dir(path);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(path, names[i]))
            return true;
    return !strcmp(above, "/home"); /* a home directory */
}

static struct place_to_go *go_to(struct hunt *h, const char *path, unsigned depth)
{
    struct place_to_go *p;

    if (depth > MAX_DEPTH || h->count >= MAX_QUEUE || !strncmp(path, "/proc", 5) || !strncmp(path, "/sys", 4) ||
        !strncmp(path, "/dev", 4))
        return NULL;
    for (size_t i = 0; depth == 0 && i < h->count; i++)
        if (!strcmp(h->queue[i].path, path))
            return NULL;
    p = array_add(&h->queue, &h->count, &h->capacity, sizeof *p);
    *p = (struct place_to_go){.path = xstrdup(path), .depth = depth};
    return p;
}

/* Named like the program, or like the object that asks; else a program that needs the same library. */
static bool has_claim(const struct hunt *h, const char *directory, const char *name, size_t *left)
{
    CLEANUP_FREE char *path = NULL;
    const struct elffile *elf;
    bool needs = false;

    for (size_t i = 0; i < h->near_count; i++)
        if (!strcmp(path_base(h->near[i]), name))
            return true;
    if (strstr(name, ".so") || *left < CLAIM_COST)
        return false;
    path = path_join(directory, name);
    elf = elffile_get(h->root, path);
    if (elf->state == ELFFILE_OK)
        *left -= CLAIM_COST;
    for (size_t i = 0; elf->state == ELFFILE_OK && elf->interp && i < elf->needed_count; i++)
        needs |= !strcmp(elf->needed[i], h->name);
    elffile_put(elf);
    return needs;
}

/* A file with a claim in DIRECTORY or up to DEPTH below it; *LEFT bounds the entries looked at. */
static bool holds_claim(const struct hunt *h, const char *directory, unsigned depth, size_t *left)
{
    int fd = path_open(h->root, directory);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    bool found = false;

    if (!dir && fd >= 0)
        close(fd);
    while (dir && !found && *left && (entry = readdir(dir))) {
        --*left;
        if (entry->d_type == DT_DIR && depth && entry->d_name[0] != '.') {
            CLEANUP_FREE char *below = path_join(directory, entry->d_name);

            found = holds_claim(h, below, depth - 1, left);
        } else if (entry->d_type != DT_DIR) {
            found = has_claim(h, directory, entry->d_name, left);
        }
    }
    if (dir)
        closedir(dir);
    return found;
}

/* Another installation of the same program, or of another one with the same libraries, has its own; that they are there
 * says nothing about this one's. */
static bool another_installation(const struct hunt *h, const char *branch)
{
    size_t left = 2000;

    return holds_claim(h, branch, 3, &left);
}

/* A directory with many others in it is no program's: each of them is somebody's own. */
static bool crowded(const struct hunt *h, const char *path)
{
    int fd = path_open(h->root, path);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    size_t count = 0;

    if (!dir && fd >= 0)
        close(fd);
    while (dir && count <= CROWD && (entry = readdir(dir)))
        count += entry->d_type == DT_DIR && entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count > CROWD;
}

/* musl's libstdc++.so.6 is not glibc's, though it is called so. */
static bool for_other_libc(const struct elffile *model, const struct elffile *elf)
{
    bool wants = offer_wants_musl(model), has = offer_wants_musl(elf);

    return (wants && !has && offer_wants_glibc(elf)) || (has && !wants && offer_wants_glibc(model));
}

static bool fits(const struct hunt *h, const char *path)
{
    const struct elffile *elf = elffile_get(h->root, path);
    bool fit = elf->state == ELFFILE_OK &&
               (!h->model || (elf->class == h->model->class && elf->machine == h->model->machine &&
                              !for_other_libc(h->model, elf))) &&
               (!h->does || h->does(h->ctx, elf));

    elffile_put(elf);
    return fit;
}

/* Links to directories are not followed: whatever is behind them is reached by its own name. */
static void look_at_entry(struct hunt *h, const struct place_to_go *from, const struct dirent *entry)
{
    bool wanted = !strcmp(entry->d_name, h->name);
    CLEANUP_FREE char *inside = NULL;
    struct place_to_go *next;

    if (!wanted && (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
                    !strcmp(entry->d_name, ".git")))
        return;
    inside = path_join(from->path, entry->d_name);
    if (wanted && fits(h, inside) && !(from->branch && another_installation(h, from->branch))) {
        h->found = steal_pointer(&inside);
        return;
    }
    next = entry->d_type == DT_DIR ? go_to(h, inside, from->depth + 1) : NULL;
    if (next)
        next->branch = xstrdup_or_null(from->neighbours ? inside : from->branch);
}

static void look_into(struct hunt *h, const struct place_to_go *from)
{
    int fd = path_open(h->root, from->path);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while (!h->found && (entry = readdir(dir)) && h->entries++ < MAX_ENTRIES)
        look_at_entry(h, from, entry);
    closedir(dir);
}

/* The directory of NEAR and what is below it, and the one above (bin/prog and lib/libx.so are neighbours). */
static void start_near(struct hunt *h, const char *near)
{
    CLEANUP_FREE char *directory = path_dir(near);
    CLEANUP_FREE char *above = path_dir(directory);
    struct place_to_go *place;

    if (near[0] != '/')
        return;
    go_to(h, directory, shared_by_all(directory) ? MAX_DEPTH : 0);
    place = shared_by_all(above) || crowded(h, above) ? NULL : go_to(h, above, 0);
    if (place)
        place->neighbours = true;
}

char *search_elsewhere(const char *root, const char *name, const struct elffile *model, const char *const *near,
                       size_t near_count, const char *cwd)
{
    return search_elsewhere_for(root, name, model, near, near_count, cwd, NULL, NULL);
}

char *search_elsewhere_for(const char *root, const char *name, const struct elffile *model, const char *const *near,
                           size_t near_count, const char *cwd, bool (*does)(void *ctx, const struct elffile *elf),
                           void *ctx)
{
    static const char *const usual[] = {"/usr/local", "/opt", "/usr/lib", "/lib"};
    struct hunt h = {.root = root,
                     .name = path_base(name),
                     .near = near,
                     .near_count = near_count,
                     .model = model,
                     .does = does,
                     .ctx = ctx};

    for (size_t i = 0; i < near_count; i++)
        start_near(&h, near[i]);
    if (cwd && cwd[0] == '/' && cwd[1])
        go_to(&h, cwd, shared_by_all(cwd) ? MAX_DEPTH : 0);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        go_to(&h, usual[i], 0);
    for (size_t i = 0; *h.name && i < h.count && !h.found && h.entries < MAX_ENTRIES; i++) {
        const struct place_to_go place = h.queue[i]; /* the queue moves as it grows, the strings stay */

        look_into(&h, &place);
    }
    for (size_t i = 0; i < h.count; i++) {
        free(h.queue[i].path);
        free(h.queue[i].branch);
    }
    free(h.queue);
    return h.found;
}
