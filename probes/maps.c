#include "maps.h"

#include "alloc.h"
#include "path.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_READ = 200000 };

static int compare(const void *a, const void *b)
{
    ino_t x = *(const ino_t *)a, y = *(const ino_t *)b;

    return (x > y) - (x < y);
}

void maps_read(pid_t pid, struct maps *ret)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/maps", (int)pid);
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    CLEANUP_FREE char *line = NULL;
    size_t size = 0, cap = 0;
    unsigned long inode;

    *ret = (struct maps){0};
    if (!file)
        return;
    for (int i = 0; i < LINES_READ && getline(&line, &size, file) > 0; i++) {
        if (sscanf(line, "%*s %*s %*s %*s %lu", &inode) != 1 || inode == 0)
            continue;
        if (ret->count && ret->inodes[ret->count - 1] == inode)
            continue;
        *(ino_t *)array_add(&ret->inodes, &ret->count, &cap, sizeof(ino_t)) = inode;
    }
    if (ret->count)
        qsort(ret->inodes, ret->count, sizeof *ret->inodes, compare);
    ret->known = ret->count > 0; /* a process without an address space has an empty file */
}

/* One line: 0 with RET but its name filled in and where the name begins, or -1. */
static int parse(const char *line, struct mapping *ret, int *name)
{
    unsigned long inode;

    *ret = (struct mapping){0};
    *name = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %lu %n", &ret->start, &ret->end, ret->permissions,
               &ret->offset, &inode, name) < 5 ||
        !*name)
        return -1;
    ret->inode = inode;
    return 0;
}

int maps_find(pid_t pid, uint64_t addr, struct mapping *ret)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/maps", (int)pid);
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    CLEANUP_FREE char *line = NULL;
    size_t size = 0;
    int at;

    for (int i = 0; file && i < LINES_READ && getline(&line, &size, file) > 0; i++) {
        if (parse(line, ret, &at) || addr < ret->start || addr >= ret->end)
            continue;
        ret->name = xstrndup(line + at, strcspn(line + at, "\n"));
        return 0;
    }
    return -1;
}

struct mapping *mappings_read(pid_t pid, size_t *count)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/maps", (int)pid);
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    CLEANUP_FREE char *line = NULL;
    struct mapping *mappings = NULL, mapping;
    size_t size = 0, cap = 0;
    int at;

    *count = 0;
    for (int i = 0; file && i < LINES_READ && getline(&line, &size, file) > 0; i++) {
        if (parse(line, &mapping, &at))
            continue;
        mapping.name = xstrndup(line + at, strcspn(line + at, "\n"));
        *(struct mapping *)array_add(&mappings, count, &cap, sizeof mapping) = mapping;
    }
    return mappings;
}

void mappings_free(struct mapping *mappings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(mappings[i].name);
    free(mappings);
}

void maps_deinit(struct maps *maps)
{
    free(maps->inodes);
    *maps = (struct maps){0};
}

int maps_has(const struct maps *maps, const char *root, const char *path)
{
    struct stat st;

    if (!maps->known || path_stat(root, path, &st) < 0)
        return -1;
    return bsearch(&st.st_ino, maps->inodes, maps->count, sizeof *maps->inodes, compare) != NULL;
}
