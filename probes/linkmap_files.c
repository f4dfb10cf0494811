/* The objects of a process that keeps no link map (static programs, also those with a dlopen of their own): each mapped
 * file that begins with an ELF header in memory, and has code. */
#include "linkmap.h"

#include "alloc.h"
#include "maps.h"
#include "proc.h"

#include <elf.h>
#include <string.h>

enum { MAX_FILES = 4096 };

static void add(const struct linkmap *linkmap, const struct mapping *mapping, const struct memimage *image,
                struct linkmap_object *object)
{
    const struct auxv *auxv = &linkmap->auxv;

    *object = (struct linkmap_object){
        .name = xstrdup(mapping->name),
        .base_addr = image->bias,
        .dynamic_addr = image->dynamic_addr,
        .extent_known = true,
        .start_addr = image->start_addr,
        .end_addr = image->end_addr,
    };
    if (auxv->phdr >= image->start_addr && auxv->phdr < image->end_addr)
        object->kind = LINKMAP_PROGRAM;
    else if (mapping->start == auxv->vdso)
        object->kind = LINKMAP_VDSO;
    if (object->kind == LINKMAP_VDSO)
        object->path = memimage_soname(image);
    else if (object->kind == LINKMAP_PROGRAM && linkmap->process.exe)
        object->path = xstrdup(linkmap->process.exe);
    else
        object->path = proc_inside_root(linkmap->process.pid, xstrdup(mapping->name));
}

/* A file that was mapped to be looked at lies there with its header too, but nothing of it can be executed. */
static bool has_code(const struct mapping *mappings, size_t count, size_t first, const struct memimage *image)
{
    for (size_t i = first; i < count && mappings[i].start < image->end_addr; i++)
        if (mappings[i].permissions[2] == 'x' && strcmp(mappings[i].name, mappings[first].name) == 0)
            return true;
    return false;
}

struct linkmap_object *linkmap_files(const struct linkmap *linkmap, size_t *count)
{
    size_t mapping_count, capacity = 0;
    struct mapping *mappings = mappings_read(linkmap->process.pid, &mapping_count);
    struct linkmap_object *objects = NULL;
    struct memimage image;

    *count = 0;
    for (size_t i = 0; i < mapping_count && *count < MAX_FILES; i++) {
        const struct mapping *m = &mappings[i];

        if (m->offset != 0 || m->permissions[0] != 'r' || (m->name[0] != '/' && m->start != linkmap->auxv.vdso) ||
            memimage_at(linkmap->process.mem, m->start, &image) < 0)
            continue;
        if (has_code(mappings, mapping_count, i, &image))
            add(linkmap, m, &image, array_add(&objects, count, &capacity, sizeof *objects));
        memimage_deinit(&image);
    }
    mappings_free(mappings, mapping_count);
    return objects;
}
