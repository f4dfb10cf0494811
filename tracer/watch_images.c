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
    uint64_t bias; /* from its first byte */
    bool learned;  /* for images_learned() */
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

static struct known_image *known(struct session *session, const uint8_t head[HEAD])
{
    if (!session->images)
        session->images = xcalloc(1, sizeof *session->images);
    for (size_t i = 0; i < session->images->count; i++)
        if (memcmp(session->images->known[i]->head, head, HEAD) == 0)
            return session->images->known[i];
    return NULL;
}

/* NULL where nothing can be kept. */
static struct known_image *learn(struct session *session, const struct memimage *image, const uint8_t head[HEAD])
{
    struct images *images = session->images;

    if (!image->start_addr || images->count == IMAGES_MOST || !is_unique(image, head))
        return NULL;
    struct known_image *fresh = xcalloc(1, sizeof *fresh);

    memcpy(fresh->head, head, HEAD);
    fresh->bias = image->bias - image->start_addr;
    images->known[images->count++] = fresh;
    return fresh;
}

int images_at(struct session *session, const struct mem *mem, uint64_t base_addr, struct image_ref *ret)
{
    uint8_t head[HEAD];

    *ret = (struct image_ref){.mem = mem, .base_addr = base_addr};
    if (mem_read(mem, base_addr, head, sizeof head) < 0)
        return -1;
    ret->known = known(session, head);
    if (ret->known)
        return 0;
    if (!images_parsed(ret))
        return -1;
    if (ret->own.start_addr == base_addr)
        ret->known = learn(session, &ret->own, head);
    return 0;
}

void images_of(struct session *session, const struct memimage *image, struct image_ref *ret)
{
    uint8_t head[HEAD];

    *ret = (struct image_ref){.mem = &image->mem, .base_addr = image->start_addr, .parsed = image};
    if (!image->start_addr || mem_read(&image->mem, image->start_addr, head, sizeof head) < 0)
        return;
    ret->known = known(session, head);
    if (!ret->known)
        ret->known = learn(session, image, head);
}

const struct memimage *images_parsed(struct image_ref *ref)
{
    if (!ref->parsed && !ref->failed) {
        ref->failed = memimage_at(ref->mem, ref->base_addr, &ref->own) < 0;
        ref->parsed = ref->failed ? NULL : &ref->own;
    }
    return ref->parsed;
}

bool images_learned(const struct image_ref *ref)
{
    bool before = ref->known->learned;

    ref->known->learned = true;
    return before;
}

void images_drop(struct image_ref *ref)
{
    if (ref->parsed == &ref->own)
        memimage_deinit(&ref->own);
    *ref = (struct image_ref){0};
}

static uint64_t look_for(const struct memimage *image, const char *name, const char *version)
{
    struct memimage_symbol symbol;

    if (memimage_symbol(image, name, version, &symbol) < 0 || symbol.ifunc || symbol.absolute ||
        !memimage_holds(image, symbol.addr, 0))
        return 0;
    return symbol.addr;
}

uint64_t images_symbol(struct image_ref *ref, const char *name, const char *version)
{
    struct known_image *object = ref->known;
    const char *of = version ? version : "";

    for (size_t i = 0; object && i < object->count; i++)
        if (strcmp(object->symbols[i].name, name) == 0 && strcmp(object->symbols[i].version, of) == 0)
            return object->symbols[i].offset ? ref->base_addr + object->bias + object->symbols[i].offset : 0;
    const struct memimage *image = images_parsed(ref);
    uint64_t addr = image ? look_for(image, name, version) : 0;

    if (image && object && object->count < SYMBOLS_MOST && strlen(name) < NAME_MOST && strlen(of) < NAME_MOST) {
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
