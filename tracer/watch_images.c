#include "watch.h"

#include "state.h"

#include <probes/alloc.h>

#include <string.h>

enum {
    HEAD = 4096, /* bytes: ELF header, program headers, and mostly the build-id */
    NAME_MOST = 40,
    IMAGES_MOST = 64,
    SYMBOLS_MOST = 256,
};

struct known_symbol {
    char name[NAME_MOST], version[NAME_MOST];
    uint64_t offset; /* from the image's bias, 0: it has none */
};

struct known_image {
    uint8_t head[HEAD];
    struct known_symbol *symbols;
    size_t count, cap;
};

struct images {
    struct known_image *known[IMAGES_MOST];
    size_t count;
};

/* Without a build-id in its first page one object may look like another. */
static bool is_unique(const struct memimage *image, const uint8_t head[HEAD])
{
    uint8_t build_id[64];
    size_t size = memimage_build_id(image, build_id, sizeof build_id);

    return size >= 8 && memmem(head, HEAD, build_id, size);
}

/* What is known of IMAGE, or NULL where nothing can be kept. */
static struct known_image *known(struct session *session, const struct memimage *image)
{
    uint8_t head[HEAD];

    if (!session->images)
        session->images = xcalloc(1, sizeof *session->images);
    struct images *images = session->images;

    if (!image->start_addr || mem_read(&image->mem, image->start_addr, head, sizeof head) < 0)
        return NULL;
    for (size_t i = 0; i < images->count; i++)
        if (memcmp(images->known[i]->head, head, sizeof head) == 0)
            return images->known[i];
    if (images->count == IMAGES_MOST || !is_unique(image, head))
        return NULL;
    struct known_image *fresh = xcalloc(1, sizeof *fresh);

    memcpy(fresh->head, head, sizeof head);
    images->known[images->count++] = fresh;
    return fresh;
}

static uint64_t look_for(const struct memimage *image, const char *name, const char *version)
{
    struct memimage_symbol symbol;

    if (memimage_symbol(image, name, version, &symbol) < 0 || symbol.ifunc || symbol.absolute ||
        !memimage_holds(image, symbol.addr, 0))
        return 0;
    return symbol.addr;
}

uint64_t images_symbol(struct session *session, const struct memimage *image, const char *name, const char *version)
{
    struct known_image *object = known(session, image);
    const char *of = version ? version : "";

    for (size_t i = 0; object && i < object->count; i++)
        if (strcmp(object->symbols[i].name, name) == 0 && strcmp(object->symbols[i].version, of) == 0)
            return object->symbols[i].offset ? image->bias + object->symbols[i].offset : 0;
    uint64_t addr = look_for(image, name, version);

    if (object && object->count < SYMBOLS_MOST && strlen(name) < NAME_MOST && strlen(of) < NAME_MOST) {
        struct known_symbol *symbol = array_add(&object->symbols, &object->count, &object->cap, sizeof *symbol);

        strcpy(symbol->name, name);
        strcpy(symbol->version, of);
        symbol->offset = addr ? addr - image->bias : 0;
    }
    return addr;
}

void images_destroy(struct images *images)
{
    if (!images)
        return;
    for (size_t i = 0; i < images->count; i++) {
        free(images->known[i]->symbols);
        free(images->known[i]);
    }
    free(images);
}
