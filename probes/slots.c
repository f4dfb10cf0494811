#include "slots.h"

#include "alloc.h"
#include "slottable.h"

#include <elf.h>
#include <string.h>

enum {
    PAGE = 4096,
    MAX_SEARCHES = 1 << 18, /* of one name in one object; gdb with 60 objects takes a few thousand */
};

/* Where an object lies, sorted by address. */
struct extent {
    uint64_t start, end;
    size_t object;
};

struct reading {
    struct linkmap *linkmap;
    const struct slot_sink *sink;
    struct slots_result *result;
    struct memimage *images; /* by object; empty where it cannot be read */
    struct extent *extents;
    size_t extent_count;
    uint64_t page_addr; /* the slots lie close together: one page is kept */
    uint8_t page[PAGE];
    bool page_known;
    unsigned searches;
};

/* What was told last of a symbol: 0 nothing, else the state and the object. */
struct told {
    uint32_t object;
    uint8_t state;
};

static int by_start(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;

    return (x->start > y->start) - (x->start < y->start);
}

static void read_images(struct reading *r)
{
    struct linkmap *linkmap = r->linkmap;

    r->images = xcalloc(linkmap->count + 1, sizeof *r->images);
    r->extents = xcalloc(linkmap->count + 1, sizeof *r->extents);
    for (size_t i = 0; i < linkmap->count; i++) {
        struct memimage *image = &r->images[i];

        if (linkmap_image(linkmap, &linkmap->objects[i], image) < 0 || !image->end_addr)
            continue;
        /* In another namespace the loader is the same one again. */
        if (linkmap->objects[i].space == 0 || linkmap->objects[i].kind != LINKMAP_LOADER)
            r->extents[r->extent_count++] = (struct extent){image->start_addr, image->end_addr, i};
    }
    qsort(r->extents, r->extent_count, sizeof *r->extents, by_start);
}

static const struct linkmap_object *holder_of(const struct reading *r, uint64_t addr)
{
    size_t low = 0, high = r->extent_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (addr < r->extents[middle].start)
            high = middle;
        else if (addr >= r->extents[middle].end)
            low = middle + 1;
        else
            return &r->linkmap->objects[r->extents[middle].object];
    }
    return NULL;
}

static int read_slot(struct reading *r, uint64_t addr, uint64_t *ret)
{
    unsigned size = r->linkmap->process.mem->word_size;
    uint64_t page = addr & ~(uint64_t)(PAGE - 1);

    if (addr % PAGE > PAGE - size)
        return mem_read_word(r->linkmap->process.mem, addr, ret);
    if (!r->page_known || r->page_addr != page) {
        r->page_known = mem_read(r->linkmap->process.mem, page, r->page, PAGE) == 0;
        r->page_addr = page;
        if (!r->page_known)
            return -1;
    }
    *ret = 0;
    memcpy(ret, r->page + addr % PAGE, size);
    return 0;
}

/* "push $number; jmp" as every linker's lazy procedure linkage table has it for slot NUMBER, behind an endbr where
 * branches are tracked (System V ABI, AMD64 supplement 5.2). */
static bool pushes(const struct memimage *image, uint64_t addr, uint32_t number)
{
    uint8_t bytes[11] = {0}, *p = bytes;
    uint32_t pushed;

    if (mem_read(&image->mem, addr, bytes, sizeof bytes))
        return false;
    if (memcmp(p, "\xf3\x0f\x1e", 3) == 0)
        p += 4;
    memcpy(&pushed, p + 1, sizeof pushed);
    return p[0] == 0x68 && pushed == number && (p[5] == 0xe9 || p[5] == 0xf2 || p > bytes);
}

/* A function slot that leads into its own object is lazy unless the object has the definition itself. */
static bool is_lazy(const struct reading *r, const struct linkmap_object *from, const struct reference *reference,
                    const struct slottable_symbol *symbol, uint64_t value)
{
    return reference->kind == REFERENCE_CALL && holder_of(r, value) == from && value != symbol->addr &&
           (!symbol->addr || pushes(&r->images[from - r->linkmap->objects], value, reference->plt));
}

enum wanted { WANTED_ANY, WANTED_IFUNC, WANTED_TLS, WANTED_ADDRESS };

/* Whether OBJECT exports SYMBOL as wanted; an object without versions answers to all of them (check_match() of
 * elf/dl-lookup.c). */
static bool exports(struct reading *r, const struct linkmap_object *object, const struct slottable_symbol *symbol,
                    enum wanted wanted, uint64_t addr)
{
    const struct memimage *image = &r->images[object - r->linkmap->objects];
    struct memimage_symbol found;
    const char *version = memimage_pointer(image, DT_VERDEF) ? symbol->version : NULL;

    if (r->searches++ >= MAX_SEARCHES)
        return false;
    if (memimage_symbol(image, symbol->name, version, &found) < 0)
        return wanted == WANTED_ANY && memimage_stand_in(image, symbol->name) != 0;
    switch (wanted) {
    case WANTED_IFUNC:
        return found.ifunc;
    case WANTED_TLS:
        return found.type == STT_TLS;
    case WANTED_ADDRESS:
        return found.addr == addr;
    case WANTED_ANY:
        return found.type != STT_TLS;
    }
    return false;
}

/* The first object of FROM's namespace that exports SYMBOL; SKIP is passed over. */
static const struct linkmap_object *definer(struct reading *r, const struct linkmap_object *from,
                                            const struct slottable_symbol *symbol, enum wanted wanted, uint64_t addr,
                                            const struct linkmap_object *skip)
{
    for (size_t i = 0; i < r->linkmap->count; i++) {
        const struct linkmap_object *object = &r->linkmap->objects[i];

        if (object != skip && object->space == from->space && object->kind != LINKMAP_VDSO && r->images[i].tag_count &&
            exports(r, object, symbol, wanted, addr))
            return object;
    }
    return NULL;
}

/* Where VALUE leads; *STATE says how sure that is. */
static const struct linkmap_object *bound_to(struct reading *r, const struct linkmap_object *from,
                                             const struct slottable_symbol *symbol, uint64_t value,
                                             enum slot_state *state)
{
    const struct linkmap_object *to = holder_of(r, value);

    *state = SLOT_BOUND;
    if (to && to->kind != LINKMAP_VDSO)
        return to;
    if (!to) /* the end of an object (_end) lies behind it; an absolute symbol lies nowhere */
        to = definer(r, from, symbol, WANTED_ADDRESS, value, NULL);
    else
        to = NULL;
    if (!to)
        to = definer(r, from, symbol, WANTED_IFUNC, 0, NULL);
    if (!to)
        *state = value ? SLOT_UNKNOWN : SLOT_NONE;
    return to;
}

/* A word in data that stays writable may have been given another value by the program since (a table of functions, a
 * variable that begins as a pointer): it is believed only where the address is that of the symbol. */
static bool is_original(struct reading *r, const struct linkmap_object *from, const struct reference *reference,
                        const struct slottable_symbol *symbol, const struct slot *slot)
{
    const struct memimage *own = &r->images[from - r->linkmap->objects], *other;

    if (reference->kind != REFERENCE_WORD)
        return true;
    for (size_t i = 0; i < own->segment_count; i++)
        if (own->segments[i].type == PT_GNU_RELRO &&
            reference->slot_addr - own->bias - own->segments[i].vaddr < own->segments[i].memory_size)
            return true;
    if (!slot->to)
        return false;
    other = &r->images[slot->to - r->linkmap->objects];
    return exports(r, slot->to, symbol, WANTED_ADDRESS, slot->value) || exports(r, slot->to, symbol, WANTED_IFUNC, 0) ||
           memimage_stand_in(other, symbol->name) == slot->value;
}

static void resolve_by_name(struct reading *r, const struct linkmap_object *from, enum wanted wanted,
                            const struct slottable_symbol *symbol, const struct linkmap_object *skip, struct slot *slot)
{
    slot->to = definer(r, from, symbol, wanted, 0, skip);
    if (slot->to)
        slot->state = SLOT_BOUND;
    else
        slot->state = symbol->bind == STB_WEAK ? SLOT_NONE : SLOT_UNKNOWN;
}

static void resolve(struct reading *r, const struct linkmap_object *from, const struct reference *reference,
                    const struct slottable_symbol *symbol, struct slot *slot)
{
    uint64_t value;

    slot->state = SLOT_UNKNOWN;
    if (reference->kind == REFERENCE_COPY) {
        resolve_by_name(r, from, WANTED_ANY, symbol, from, slot);
        return;
    }
    if (reference->kind == REFERENCE_TLS) {
        resolve_by_name(r, from, WANTED_TLS, symbol, NULL, slot);
        return;
    }
    if (read_slot(r, reference->slot_addr, &value))
        return;
    if (reference->kind == REFERENCE_WORD) /* a JUMP_SLOT's addend is for DT_X86_64_PLT, and no part of the value */
        value -= (uint64_t)reference->addend;
    if (r->linkmap->process.mem->word_size == 4)
        value = (uint32_t)value;
    slot->value = value;
    if (!value && symbol->bind == STB_WEAK) {
        slot->state = SLOT_NONE;
    } else if (is_lazy(r, from, reference, symbol, value)) {
        slot->state = SLOT_LAZY;
    } else {
        slot->to = bound_to(r, from, symbol, value, &slot->state);
        if (!is_original(r, from, reference, symbol, slot))
            resolve_by_name(r, from, WANTED_ANY, symbol, NULL, slot);
    }
}

static void tell(struct reading *r, const struct slot *slot, struct told *told)
{
    struct told now = {.object = slot->to ? (uint32_t)(slot->to - r->linkmap->objects) : 0,
                       .state = (uint8_t)(slot->state + 1)};

    if (told->state == now.state && told->object == now.object)
        return;
    *told = now;
    r->result->bound += slot->state == SLOT_BOUND;
    r->result->lazy += slot->state == SLOT_LAZY;
    r->result->none += slot->state == SLOT_NONE;
    r->result->unknown += slot->state == SLOT_UNKNOWN;
    r->sink->take(r->sink->ctx, slot);
}

static void read_object(struct reading *r, size_t index)
{
    const struct linkmap_object *from = &r->linkmap->objects[index];
    struct slottable table;

    slottable_read(&r->images[index], &table);
    CLEANUP_FREE struct told *told = xcalloc(table.symbol_count + (size_t)1, sizeof *told);
    for (size_t i = 0; i < table.count; i++) {
        const struct reference *reference = &table.references[i];
        struct slottable_symbol symbol;
        struct slot slot = {.from = from, .slot_addr = reference->slot_addr};

        if (reference->symbol >= table.symbol_count || slottable_symbol(&table, reference->symbol, &symbol) < 0) {
            table.whole = false;
            continue;
        }
        if (symbol.bind == STB_LOCAL || symbol.visibility == STV_HIDDEN || symbol.visibility == STV_INTERNAL)
            continue;
        r->result->slots++;
        slot.symbol = symbol.name;
        slot.version = symbol.version;
        resolve(r, from, reference, &symbol, &slot);
        tell(r, &slot, &told[reference->symbol]);
    }
    r->result->unread += !table.whole;
    slottable_deinit(&table);
}

static bool known_machine(const struct memimage *image)
{
    return !image->machine || image->machine == EM_X86_64 || image->machine == EM_386;
}

void slots_read(struct linkmap *linkmap, bool fresh, const struct slot_sink *sink, struct slots_result *ret)
{
    struct reading *r = xcalloc(1, sizeof *r);

    *ret = (struct slots_result){0};
    *r = (struct reading){.linkmap = linkmap, .sink = sink, .result = ret};
    read_images(r);
    for (size_t i = 0; i < linkmap->count; i++) {
        const struct linkmap_object *object = &linkmap->objects[i];

        if ((fresh && !object->fresh) || (object->kind == LINKMAP_LOADER && object->space != 0))
            continue;
        if (r->images[i].tag_count && known_machine(&r->images[i]))
            read_object(r, i);
        else if (object->kind != LINKMAP_VDSO && object->map_addr)
            ret->unread++;
    }
    for (size_t i = 0; i < linkmap->count; i++)
        memimage_deinit(&r->images[i]);
    free(r->images);
    free(r->extents);
    free(r);
}
