/* The walk. link.h of both C libraries; elf/dl-debug.c and include/link.h of glibc, ldso/dynlink.c of musl. */
#include "linkmap.h"

#include "alloc.h"

#include <elf.h>
#include <string.h>

enum {
    MAX_OBJECTS = 8192, /* chromium has 109 */
    MAX_SPACES = 64,    /* glibc's DL_NNS is 16 */
    MAX_GLOBAL = 1 << 16,
    STATE_CONSISTENT = 0, /* RT_CONSISTENT */
};

/* Words of struct r_debug, and of the part of struct link_map that is public. */
enum { DEBUG_VERSION, DEBUG_MAP, DEBUG_BRK, DEBUG_STATE, DEBUG_LDBASE, DEBUG_NEXT, DEBUG_WORDS };
enum { MAP_ADDR, MAP_NAME, MAP_LD, MAP_NEXT, MAP_PREV, MAP_WORDS };

struct node {
    uint64_t addr, words[MAP_WORDS];
    unsigned space;
};

struct walk {
    struct node *nodes;
    size_t count, capacity;
    uint64_t first[MAX_SPACES]; /* r_map of each namespace */
    unsigned spaces;
    bool consistent, damaged;
};

static int read_words(const struct mem *mem, uint64_t addr, uint64_t *words, size_t count)
{
    uint32_t narrow[DEBUG_WORDS];

    if (mem->word_size == 8)
        return mem_read(mem, addr, words, count * 8);
    if (mem_read(mem, addr, narrow, count * 4))
        return -1;
    for (size_t i = 0; i < count; i++)
        words[i] = narrow[i];
    return 0;
}

static void add_space(struct walk *walk, const uint64_t words[])
{
    if ((uint32_t)words[DEBUG_STATE] != STATE_CONSISTENT)
        walk->consistent = false;
    if (walk->spaces < MAX_SPACES)
        walk->first[walk->spaces++] = words[DEBUG_MAP];
}

/* Up to glibc 2.34 a namespace's r_debug is in its place in _rtld_global, and nothing points at it; but each holds the
 * same r_brk, behind a version of 1 and its r_map (_dl_debug_initialize()). */
static void scan_spaces(const struct linkmap *linkmap, struct walk *walk)
{
    size_t size = linkmap->global_size < MAX_GLOBAL ? linkmap->global_size : MAX_GLOBAL;
    unsigned each = linkmap->process.mem->word_size;
    CLEANUP_FREE uint8_t *bytes = size ? xmalloc(size) : NULL;
    uint64_t words[DEBUG_NEXT];

    if (!size || mem_read(linkmap->process.mem, linkmap->global_addr, bytes, size))
        return;
    for (size_t at = 0; at + (size_t)DEBUG_NEXT * each <= size; at += each) {
        memset(words, 0, sizeof words);
        for (unsigned i = 0; i < DEBUG_NEXT; i++)
            memcpy(&words[i], bytes + at + (size_t)i * each, each);
        if (words[DEBUG_BRK] == linkmap->brk_addr && (uint32_t)words[DEBUG_VERSION] == 1 &&
            words[DEBUG_MAP] != walk->first[0])
            add_space(walk, words);
    }
}

static int find_spaces(struct linkmap *linkmap, struct walk *walk)
{
    const struct mem *mem = linkmap->process.mem;
    uint64_t words[DEBUG_WORDS], at = linkmap->debug_addr;

    if (read_words(mem, at, words, DEBUG_NEXT))
        return -1;
    linkmap->brk_addr = words[DEBUG_BRK];
    add_space(walk, words);
    if ((uint32_t)words[DEBUG_VERSION] == 1 && linkmap->global_size && linkmap->brk_addr)
        scan_spaces(linkmap, walk);
    for (unsigned i = 1; (uint32_t)words[DEBUG_VERSION] >= 2 && i < MAX_SPACES; i++) {
        if (mem_read_word(mem, at + (uint64_t)DEBUG_NEXT * mem->word_size, &at) || !at)
            break;
        if (read_words(mem, at, words, DEBUG_NEXT)) {
            walk->damaged = true;
            break;
        }
        add_space(walk, words);
    }
    return 0;
}

/* Each entry points back at the one before it; where that is not so the list is a ring, or is being changed. */
static void walk_space(const struct linkmap *linkmap, unsigned space, struct walk *walk)
{
    uint64_t before = 0;

    for (uint64_t at = walk->first[space]; at;) {
        struct node node = {.addr = at, .space = space};

        if (walk->count == MAX_OBJECTS || read_words(linkmap->process.mem, at, node.words, MAP_WORDS) ||
            node.words[MAP_PREV] != before) {
            walk->damaged = true;
            return;
        }
        *(struct node *)array_add(&walk->nodes, &walk->count, &walk->capacity, sizeof node) = node;
        before = at;
        at = node.words[MAP_NEXT];
    }
}

static bool is_node(const struct linkmap_object *object, const struct node *node)
{
    return object->map_addr == node->addr && object->base_addr == node->words[MAP_ADDR] &&
           object->name_addr == node->words[MAP_NAME] && object->dynamic_addr == node->words[MAP_LD] &&
           object->space == node->space;
}

static struct linkmap_object make_object(const struct linkmap *linkmap, const struct node *node, bool first)
{
    struct linkmap_object object = {
        .map_addr = node->addr,
        .base_addr = node->words[MAP_ADDR],
        .name_addr = node->words[MAP_NAME],
        .dynamic_addr = node->words[MAP_LD],
        .space = node->space,
        .fresh = true,
        .name = mem_read_string(linkmap->process.mem, node->words[MAP_NAME], 4096, NULL),
    };

    if (!object.name)
        object.name = xstrdup("");
    if (first && node->space == 0)
        object.kind = LINKMAP_PROGRAM;
    else if (object.dynamic_addr && object.dynamic_addr == linkmap->loader_dynamic_addr)
        object.kind = LINKMAP_LOADER;
    else if (object.base_addr && object.base_addr == linkmap->auxv.vdso)
        object.kind = LINKMAP_VDSO;
    linkmap_name(linkmap, &object);
    return object;
}

static void leave(struct linkmap *linkmap, struct linkmap_object *object)
{
    if (linkmap->gone_count >= MAX_OBJECTS) /* nobody asks for them */
        linkmap_object_deinit(object);
    else
        *(struct linkmap_object *)array_add(&linkmap->gone, &linkmap->gone_count, &linkmap->gone_capacity,
                                            sizeof *object) = *object;
}

/* NODES become the objects; what was known of those that stay is kept. */
static bool settle(struct linkmap *linkmap, const struct walk *walk)
{
    size_t old_count = linkmap->count, count = walk->count, hint = 0;
    struct linkmap_object *old = linkmap->objects, *objects = xcalloc(count + old_count + 1, sizeof *objects);
    CLEANUP_FREE bool *kept = xcalloc(old_count + 1, sizeof *kept);
    bool changed = false;

    for (size_t i = 0; i < walk->count; i++) {
        const struct node *node = &walk->nodes[i];
        size_t k = 0;

        while (k < old_count && !is_node(&old[(hint + k) % old_count], node))
            k++;
        if (k == old_count || kept[(hint + k) % old_count]) {
            objects[i] = make_object(linkmap, node, i == 0);
            changed = true;
            continue;
        }
        hint = (hint + k) % old_count;
        kept[hint] = true;
        objects[i] = old[hint];
        objects[i].fresh = false;
        hint++;
    }
    for (size_t i = 0; i < old_count; i++) {
        if (kept[i])
            continue;
        if (walk->damaged && count < MAX_OBJECTS) { /* it may be where the walk did not come */
            objects[count] = old[i];
            objects[count++].fresh = false;
            continue;
        }
        leave(linkmap, &old[i]);
        changed = true;
    }
    free(old);
    linkmap->objects = objects;
    linkmap->count = count;
    return changed;
}

static void objects_free(struct linkmap_object *objects, size_t count)
{
    for (size_t i = 0; i < count; i++)
        linkmap_object_deinit(&objects[i]);
    free(objects);
}

static bool same_file(const struct linkmap_object *a, const struct linkmap_object *b)
{
    return a->base_addr == b->base_addr && strcmp(a->name, b->name) == 0;
}

static const struct linkmap_object *listed(const struct linkmap_object *objects, size_t count,
                                           const struct linkmap_object *object)
{
    for (size_t i = 0; i < count; i++)
        if (same_file(&objects[i], object))
            return &objects[i];
    return NULL;
}

static bool update_files(struct linkmap *linkmap)
{
    struct linkmap_object *old = linkmap->objects;
    size_t old_count = linkmap->count;
    bool changed = false;

    linkmap->objects = linkmap_files(linkmap, &linkmap->count);
    linkmap->spaces = linkmap->count != 0;
    linkmap->consistent = true;
    for (size_t i = 0; i < linkmap->count; i++) {
        const struct linkmap_object *before = listed(old, old_count, &linkmap->objects[i]);

        linkmap->objects[i].fresh = !before;
        linkmap->objects[i].told = before && before->told;
        changed |= !before;
    }
    for (size_t i = 0; i < old_count; i++)
        if (listed(linkmap->objects, linkmap->count, &old[i])) {
            linkmap_object_deinit(&old[i]);
        } else {
            leave(linkmap, &old[i]);
            changed = true;
        }
    free(old);
    return changed;
}

bool linkmap_update(struct linkmap *linkmap)
{
    struct walk walk = {.consistent = true};
    bool changed = false;

    if (linkmap->source == LINKMAP_OF_FILES)
        return update_files(linkmap);
    if (find_spaces(linkmap, &walk) == 0) {
        linkmap->spaces = 0;
        for (unsigned i = 0; i < walk.spaces; i++) {
            walk_space(linkmap, i, &walk);
            linkmap->spaces += walk.first[i] != 0;
        }
        changed = settle(linkmap, &walk);
        linkmap->consistent = walk.consistent;
        linkmap->damaged = walk.damaged;
    } else {
        linkmap->damaged = true;
        for (size_t i = 0; i < linkmap->count; i++)
            linkmap->objects[i].fresh = false;
    }
    free(walk.nodes);
    return changed;
}

/* The exported r_debug of the loader whose image this is, or 0. */
static uint64_t debug_of(struct linkmap *linkmap, const struct memimage *image)
{
    struct memimage_symbol symbol;
    uint64_t addr;

    if (memimage_symbol(image, "_dl_debug_addr", NULL, &symbol) == 0 &&
        mem_read_word(&image->mem, symbol.addr, &addr) == 0 && addr) {
        linkmap->musl = true;
        return memimage_holds(image, addr, 0) ? addr : addr + image->bias; /* before it has relocated itself */
    }
    if (memimage_symbol(image, "_r_debug", NULL, &symbol) < 0)
        return 0;
    addr = symbol.addr;
    if (memimage_symbol(image, "_rtld_global", NULL, &symbol) == 0) {
        linkmap->global_addr = symbol.addr;
        linkmap->global_size = symbol.size;
    }
    return addr;
}

static bool use_loader(struct linkmap *linkmap, const struct memimage *image)
{
    uint64_t addr = debug_of(linkmap, image);

    if (!addr)
        return false;
    linkmap->source = LINKMAP_OF_LOADER;
    linkmap->debug_addr = addr;
    linkmap->loader_dynamic_addr = image->dynamic_addr;
    return true;
}

/* The loader at AT_BASE; the program itself as the loader (it may have a DT_DEBUG of its own: glibc 2.41); DT_DEBUG of
 * the program. */
static void find_debug(struct linkmap *linkmap)
{
    const struct auxv *auxv = &linkmap->auxv;
    struct memimage image;
    bool found;

    if (auxv->base && memimage_at(linkmap->process.mem, auxv->base, &image) == 0) {
        found = use_loader(linkmap, &image);
        linkmap->loader_dynamic_addr = image.dynamic_addr;
        memimage_deinit(&image);
        if (found)
            return;
    }
    if (memimage_of_headers(linkmap->process.mem, auxv->phdr, auxv->phnum, &image) < 0)
        return;
    if (!auxv->base && use_loader(linkmap, &image))
        linkmap->command = true;
    else if (memimage_tag(&image, DT_DEBUG, &linkmap->debug_addr) && linkmap->debug_addr)
        linkmap->source = LINKMAP_OF_DEBUG;
    memimage_deinit(&image);
}

void linkmap_init(const struct linkmap_process *process, const struct auxv *auxv, struct linkmap *ret)
{
    *ret = (struct linkmap){.process = *process, .auxv = *auxv, .source = LINKMAP_OF_FILES};
    find_debug(ret);
}

void linkmap_forget_gone(struct linkmap *linkmap)
{
    objects_free(linkmap->gone, linkmap->gone_count);
    linkmap->gone = NULL;
    linkmap->gone_count = linkmap->gone_capacity = 0;
}

static struct linkmap_object object_copy(const struct linkmap_object *object)
{
    struct linkmap_object copy = *object;

    copy.name = xstrdup(object->name);
    copy.path = xstrdup_or_null(object->path);
    copy.soname = xstrdup_or_null(object->soname);
    copy.needed = object->needed_count ? xcalloc(object->needed_count, sizeof *copy.needed) : NULL;
    for (size_t i = 0; i < object->needed_count; i++)
        copy.needed[i] = xstrdup(object->needed[i]);
    return copy;
}

void linkmap_copy(const struct linkmap *linkmap, const struct linkmap_process *process, struct linkmap *ret)
{
    *ret = *linkmap;
    ret->process = *process;
    ret->objects = xcalloc(linkmap->count + 1, sizeof *ret->objects);
    for (size_t i = 0; i < linkmap->count; i++)
        ret->objects[i] = object_copy(&linkmap->objects[i]);
    ret->gone = NULL;
    ret->gone_count = ret->gone_capacity = 0;
}

void linkmap_deinit(struct linkmap *linkmap)
{
    objects_free(linkmap->objects, linkmap->count);
    objects_free(linkmap->gone, linkmap->gone_count);
    *linkmap = (struct linkmap){0};
}
