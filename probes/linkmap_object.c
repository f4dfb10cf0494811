/* One object of a link map: its path, its image, what it needs and what it is called. */
#include "linkmap.h"

#include "alloc.h"
#include "maps.h"
#include "proc.h"

#include <elf.h>
#include <string.h>

enum { MAX_NEEDED = 1024 };

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The file that is mapped at ADDR, inside the process's root, or NULL. A file that is gone from its directory keeps its
 * name (proc_pid_maps(5) adds " (deleted)"). */
static char *mapped_path(const struct linkmap *linkmap, uint64_t addr)
{
    static const char deleted[] = " (deleted)";
    struct mapping mapping;
    size_t n;

    if (maps_find(linkmap->process.pid, addr, &mapping) < 0)
        return NULL;
    n = strlen(mapping.name);
    if (n > strlen(deleted) && strcmp(mapping.name + n - strlen(deleted), deleted) == 0)
        mapping.name[n - strlen(deleted)] = '\0';
    if (mapping.name[0] == '/')
        return proc_inside_root(linkmap->process.pid, mapping.name);
    free(mapping.name);
    return NULL;
}

static char *own_soname(const struct linkmap *linkmap, const struct linkmap_object *object)
{
    struct memimage image;
    char *soname;

    if (linkmap_image(linkmap, object, &image) < 0)
        return NULL;
    soname = memimage_soname(&image);
    memimage_deinit(&image);
    return soname;
}

void linkmap_name(const struct linkmap *linkmap, struct linkmap_object *object)
{
    if (object->kind == LINKMAP_VDSO)
        object->path = *object->name ? xstrdup(object->name) : own_soname(linkmap, object);
    else if (object->kind == LINKMAP_PROGRAM && linkmap->process.exe && !linkmap->command)
        object->path = xstrdup(linkmap->process.exe);
    else if (object->name[0] == '/')
        object->path = xstrdup(object->name);
    else
        object->path = mapped_path(linkmap, object->dynamic_addr);
}

void linkmap_object_deinit(struct linkmap_object *object)
{
    for (size_t i = 0; i < object->needed_count; i++)
        free(object->needed[i]);
    free(object->needed);
    free(object->name);
    free(object->path);
    free(object->soname);
    *object = (struct linkmap_object){0};
}

/* A program at a fixed address that ld.so was told to run: neither its bias nor the auxiliary vector says where its
 * header is, but it is the first mapping of its file. */
static int image_by_mappings(const struct linkmap *linkmap, const struct linkmap_object *object, struct memimage *ret)
{
    size_t count, of_dynamic;
    struct mapping *mappings = mappings_read(linkmap->process.pid, &count);
    int result = -1;

    for (of_dynamic = 0; of_dynamic < count; of_dynamic++)
        if (object->dynamic_addr >= mappings[of_dynamic].start && object->dynamic_addr < mappings[of_dynamic].end)
            break;
    for (size_t i = 0; of_dynamic < count && i <= of_dynamic; i++)
        if (mappings[i].offset == 0 && *mappings[i].name && strcmp(mappings[i].name, mappings[of_dynamic].name) == 0) {
            result = memimage_at(linkmap->process.mem, mappings[i].start, ret);
            break;
        }
    mappings_free(mappings, count);
    if (result == 0 && (ret->bias != object->base_addr || ret->dynamic_addr != object->dynamic_addr)) {
        memimage_deinit(ret);
        return -1;
    }
    return result;
}

int linkmap_image(const struct linkmap *linkmap, const struct linkmap_object *object, struct memimage *ret)
{
    const struct mem *mem = linkmap->process.mem;

    if (object->kind == LINKMAP_PROGRAM && !linkmap->command &&
        memimage_of_headers(mem, linkmap->auxv.phdr, linkmap->auxv.phnum, ret) == 0)
        return 0;
    if (!object->map_addr)
        return memimage_at(mem, object->start_addr, ret);
    if (!object->base_addr && image_by_mappings(linkmap, object, ret) == 0)
        return 0;
    return memimage_of_map(mem, object->base_addr, object->dynamic_addr, ret);
}

static void read_extent(const struct linkmap *linkmap, struct linkmap_object *object)
{
    struct memimage image;

    object->extent_known = true;
    if (linkmap_image(linkmap, object, &image) < 0)
        return;
    object->start_addr = image.start_addr;
    object->end_addr = image.end_addr;
    memimage_deinit(&image);
}

struct linkmap_object *linkmap_at(struct linkmap *linkmap, uint64_t addr)
{
    for (size_t i = 0; i < linkmap->count; i++) {
        struct linkmap_object *object = &linkmap->objects[i];

        if (!object->extent_known)
            read_extent(linkmap, object);
        if (addr >= object->start_addr && addr < object->end_addr)
            return object;
    }
    return NULL;
}

void linkmap_read_needs(const struct linkmap *linkmap, struct linkmap_object *object)
{
    struct memimage image;
    size_t capacity = 0;

    if (object->needs_known)
        return;
    object->needs_known = true;
    if (linkmap_image(linkmap, object, &image) < 0)
        return;
    object->soname = memimage_soname(&image);
    for (size_t i = 0; i < image.tag_count && object->needed_count < MAX_NEEDED; i++) {
        char *name = image.tags[i].tag == DT_NEEDED ? memimage_string(&image, image.tags[i].value) : NULL;

        if (name)
            *(char **)array_add(&object->needed, &object->needed_count, &capacity, sizeof name) = name;
    }
    memimage_deinit(&image);
}

/* _dl_name_match_p() and the soname that _dl_map_object() compares besides (elf/dl-load.c). */
bool linkmap_answers(const struct linkmap *linkmap, struct linkmap_object *object, const char *name)
{
    if (strcmp(object->name, name) == 0 || (object->path && strcmp(object->path, name) == 0))
        return true;
    if (strchr(name, '/'))
        return false;
    linkmap_read_needs(linkmap, object);
    return (object->path && strcmp(last_part(object->path), name) == 0) || strcmp(last_part(object->name), name) == 0 ||
           (object->soname && strcmp(object->soname, name) == 0);
}

const struct linkmap_object *linkmap_needed_by(struct linkmap *linkmap, struct linkmap_object *object)
{
    for (size_t i = 0; i < linkmap->count; i++) {
        struct linkmap_object *asks = &linkmap->objects[i];

        if (asks == object || asks->space != object->space)
            continue;
        linkmap_read_needs(linkmap, asks);
        for (size_t n = 0; n < asks->needed_count; n++)
            if (linkmap_answers(linkmap, object, asks->needed[n]))
                return asks;
    }
    return NULL;
}
