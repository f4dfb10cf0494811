/* Where an image lies and what its headers say. elf(5), gABI chapter 5, getauxval(3). */
#include "memimage.h"

#include "alloc.h"

#include <elf.h>
#include <string.h>

enum {
    MAX_SEGMENTS = 256,
    MAX_TAGS = 4096,
    TAG_CHUNK = 64,
    MAX_STRING = 4095,
    MAX_NOTES = 1 << 16,
};

/* --- pages ----------------------------------------------------------------------------------------------------------
 */

enum { PAGE = 4096, PAGES = 256 };

/* Directly mapped: page A is kept in entry A / PAGE % PAGES. The tables of a library are within a megabyte. */
struct memimage_pages {
    struct mem under;
    struct {
        uint64_t addr;
        size_t size;    /* bytes of it that are there; 0: unused */
        uint8_t *bytes; /* PAGE of them, or NULL */
    } entries[PAGES];
};

static ssize_t read_through(void *ctx, uint64_t addr, void *buf, size_t n)
{
    struct memimage_pages *pages = ctx;
    uint64_t page = addr & ~(uint64_t)(PAGE - 1), offset = addr % PAGE;
    size_t i = addr / PAGE % PAGES;

    if (n >= PAGE)
        return pages->under.read(pages->under.ctx, addr, buf, n);
    if (pages->entries[i].addr != page || pages->entries[i].size <= offset) {
        if (!pages->entries[i].bytes)
            pages->entries[i].bytes = xmalloc(PAGE);

        ssize_t got = pages->under.read(pages->under.ctx, page, pages->entries[i].bytes, PAGE);
        pages->entries[i].addr = page;
        pages->entries[i].size = got > 0 ? (size_t)got : 0;
    }
    if (pages->entries[i].size <= offset) /* the page does not begin where the memory does */
        return pages->under.read(pages->under.ctx, addr, buf, n);
    if (n > pages->entries[i].size - offset)
        n = pages->entries[i].size - offset;
    memcpy(buf, pages->entries[i].bytes + offset, n);
    return (ssize_t)n;
}

static void begin(struct memimage *image, const struct mem *mem)
{
    *image = (struct memimage){.pages = xcalloc(1, sizeof *image->pages)};
    image->pages->under = *mem;
    image->mem = (struct mem){read_through, image->pages, mem->word_size};
}

static void pages_destroy(struct memimage_pages *pages)
{
    for (size_t i = 0; pages && i < PAGES; i++)
        free(pages->entries[i].bytes);
    free(pages);
}

/* --- headers --------------------------------------------------------------------------------------------------------
 */

static uint32_t u32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t word(const struct mem *mem, const uint8_t *p)
{
    uint64_t v;

    if (mem->word_size == 4)
        return u32(p);
    memcpy(&v, p, sizeof v);
    return v;
}

static void read_segment(const struct mem *mem, const uint8_t *p, struct memimage_segment *ret)
{
    bool wide = mem->word_size == 8;

    ret->type = u32(p);
    ret->flags = u32(p + (wide ? 4 : 24));
    ret->offset = word(mem, p + (wide ? 8 : 4));
    ret->vaddr = word(mem, p + (wide ? 16 : 8));
    ret->file_size = word(mem, p + (wide ? 32 : 16));
    ret->memory_size = word(mem, p + (wide ? 40 : 20));
}

static int read_segments(struct memimage *image, uint64_t addr, size_t count)
{
    size_t each = image->mem.word_size == 8 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    CLEANUP_FREE uint8_t *bytes = NULL;

    if (!count || count > MAX_SEGMENTS)
        return -1;
    bytes = xmalloc(count * each);
    if (mem_read(&image->mem, addr, bytes, count * each))
        return -1;
    image->segments = xcalloc(count, sizeof *image->segments);
    image->segment_count = count;
    for (size_t i = 0; i < count; i++)
        read_segment(&image->mem, bytes + i * each, &image->segments[i]);
    return 0;
}

static const struct memimage_segment *segment_of(const struct memimage *image, uint32_t type)
{
    for (size_t i = 0; i < image->segment_count; i++)
        if (image->segments[i].type == type)
            return &image->segments[i];
    return NULL;
}

/* The ELF header at ADDR: its word size becomes the image's. *HEADERS and *COUNT: where its program headers are. */
static int read_header(struct memimage *image, uint64_t addr, uint64_t *headers, size_t *count)
{
    static const uint16_t one = 1;
    uint8_t h[sizeof(Elf64_Ehdr)], order = *(const uint8_t *)&one == 1 ? ELFDATA2LSB : ELFDATA2MSB;
    bool wide;

    if (mem_read(&image->mem, addr, h, sizeof(Elf32_Ehdr)) || memcmp(h, ELFMAG, SELFMAG) != 0 || h[EI_DATA] != order)
        return -1;
    wide = h[EI_CLASS] == ELFCLASS64;
    if (!wide && h[EI_CLASS] != ELFCLASS32)
        return -1;
    if (wide && mem_read(&image->mem, addr, h, sizeof h))
        return -1;
    image->class = h[EI_CLASS];
    image->mem.word_size = wide ? 8 : 4;
    image->type = u32(h + 16) & 0xffff;
    image->machine = u32(h + 16) >> 16;
    *headers = addr + word(&image->mem, h + (wide ? 32 : 28));
    *count = u32(h + (wide ? 56 : 44)) & 0xffff;
    return 0;
}

/* The segment that begins with the file's first byte is the one that the ELF header is in. */
static const struct memimage_segment *first_load(const struct memimage *image)
{
    for (size_t i = 0; i < image->segment_count; i++)
        if (image->segments[i].type == PT_LOAD && image->segments[i].offset == 0)
            return &image->segments[i];
    return NULL;
}

static void find_extent(struct memimage *image)
{
    uint64_t start = UINT64_MAX, end = 0;

    for (size_t i = 0; i < image->segment_count; i++) {
        const struct memimage_segment *s = &image->segments[i];

        if (s->type != PT_LOAD || !s->memory_size || s->vaddr + s->memory_size < s->vaddr)
            continue;
        if (s->vaddr < start)
            start = s->vaddr;
        if (s->vaddr + s->memory_size > end)
            end = s->vaddr + s->memory_size;
    }
    if (start >= end)
        return;
    image->start_addr = image->bias + start;
    image->end_addr = image->bias + end;
}

static void read_tags(struct memimage *image)
{
    size_t each = 2 * (size_t)image->mem.word_size, cap = 0;
    uint8_t bytes[TAG_CHUNK * sizeof(Elf64_Dyn)];
    uint64_t at = image->dynamic_addr;

    while (at && image->tag_count < MAX_TAGS) {
        ssize_t got = image->mem.read(image->mem.ctx, at, bytes, TAG_CHUNK * each);
        size_t whole = got < 0 ? 0 : (size_t)got / each;

        if (!whole && mem_read(&image->mem, at, bytes, each) == 0) /* an entry across two pages */
            whole = 1;
        if (!whole)
            return;
        for (size_t i = 0; i < whole; i++) {
            struct memimage_tag tag = {word(&image->mem, bytes + i * each),
                                       word(&image->mem, bytes + i * each + image->mem.word_size)};

            if (tag.tag == DT_NULL)
                return;
            *(struct memimage_tag *)array_add(&image->tags, &image->tag_count, &cap, sizeof tag) = tag;
        }
        at += whole * each;
    }
}

static void settle(struct memimage *image)
{
    const struct memimage_segment *dynamic = segment_of(image, PT_DYNAMIC);

    find_extent(image);
    if (dynamic && !image->dynamic_addr)
        image->dynamic_addr = image->bias + dynamic->vaddr;
    read_tags(image);
}

int memimage_at(const struct mem *mem, uint64_t base_addr, struct memimage *ret)
{
    uint64_t headers;
    size_t count;

    begin(ret, mem);
    if (read_header(ret, base_addr, &headers, &count) || read_segments(ret, headers, count) || !first_load(ret)) {
        memimage_deinit(ret);
        return -1;
    }
    ret->bias = base_addr - first_load(ret)->vaddr;
    settle(ret);
    return 0;
}

/* PT_PHDR is where the headers themselves are; an old static program has none and its ELF header right before them. */
int memimage_of_headers(const struct mem *mem, uint64_t addr, size_t count, struct memimage *ret)
{
    const struct memimage_segment *self, *load;
    uint64_t header, headers;
    size_t header_count;

    begin(ret, mem);
    if (read_segments(ret, addr, count)) {
        memimage_deinit(ret);
        return -1;
    }
    self = segment_of(ret, PT_PHDR);
    load = first_load(ret);
    header = addr - (mem->word_size == 8 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr));
    if (self && load)
        header = addr - self->vaddr + load->vaddr;
    if (self)
        ret->bias = addr - self->vaddr;
    if (load && read_header(ret, header, &headers, &header_count) == 0 && headers == addr)
        ret->bias = header - load->vaddr;
    settle(ret);
    return 0;
}

int memimage_of_map(const struct mem *mem, uint64_t bias, uint64_t dynamic_addr, struct memimage *ret)
{
    /* A library is linked at 0, so that its header lies at the bias; a program that is not position-independent has the
     * bias 0 and its header elsewhere. */
    if (bias && memimage_at(mem, bias, ret) == 0) {
        if (ret->bias == bias && ret->dynamic_addr == dynamic_addr)
            return 0;
        memimage_deinit(ret);
    }
    begin(ret, mem);
    ret->bias = bias;
    ret->dynamic_addr = dynamic_addr;
    read_tags(ret);
    if (ret->tag_count)
        return 0;
    memimage_deinit(ret);
    return -1;
}

void memimage_deinit(struct memimage *image)
{
    free(image->segments);
    free(image->tags);
    pages_destroy(image->pages);
    *image = (struct memimage){0};
}

bool memimage_tag(const struct memimage *image, uint64_t tag, uint64_t *ret)
{
    for (size_t i = 0; i < image->tag_count; i++)
        if (image->tags[i].tag == tag) {
            *ret = image->tags[i].value;
            return true;
        }
    return false;
}

uint64_t memimage_pointer(const struct memimage *image, uint64_t tag)
{
    uint64_t value;

    if (!memimage_tag(image, tag, &value) || !value)
        return 0;
    if (image->end_addr ? value >= image->start_addr && value < image->end_addr : value >= image->bias)
        return value;
    value += image->bias;
    return image->mem.word_size == 4 ? (uint32_t)value : value;
}

bool memimage_holds(const struct memimage *image, uint64_t addr, uint32_t flags)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct memimage_segment *s = &image->segments[i];

        if (s->type == PT_LOAD && (s->flags & flags) == flags && addr - image->bias >= s->vaddr &&
            addr - image->bias - s->vaddr < s->memory_size)
            return true;
    }
    return false;
}

char *memimage_string(const struct memimage *image, uint64_t offset)
{
    uint64_t size, table = memimage_pointer(image, DT_STRTAB);

    if (!table || (memimage_tag(image, DT_STRSZ, &size) && offset >= size))
        return NULL;
    return mem_read_string(&image->mem, table + offset, MAX_STRING, NULL);
}

char *memimage_soname(const struct memimage *image)
{
    uint64_t offset;

    return memimage_tag(image, DT_SONAME, &offset) ? memimage_string(image, offset) : NULL;
}

char *memimage_interp(const struct memimage *image)
{
    const struct memimage_segment *s = segment_of(image, PT_INTERP);

    return s ? mem_read_string(&image->mem, image->bias + s->vaddr, MAX_STRING, NULL) : NULL;
}

/* One PT_NOTE: name size, size, type, name, content, each padded to 4 bytes (a build-id never needs 8). */
static size_t build_id_in(const uint8_t *p, uint64_t left, uint8_t *ret, size_t size)
{
    while (left >= 12) {
        uint64_t name = ((uint64_t)u32(p) + 3) / 4 * 4, content = u32(p + 4), whole = 12 + name + (content + 3) / 4 * 4;

        if (12 + name + content > left)
            return 0;
        if (u32(p + 8) == NT_GNU_BUILD_ID && u32(p) == 4 && memcmp(p + 12, "GNU", 4) == 0) {
            size_t n = content < size ? (size_t)content : size;

            memcpy(ret, p + 12 + name, n);
            return n;
        }
        if (whole > left)
            return 0;
        p += whole;
        left -= whole;
    }
    return 0;
}

size_t memimage_build_id(const struct memimage *image, uint8_t *ret, size_t size)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct memimage_segment *s = &image->segments[i];
        size_t found;

        if (s->type != PT_NOTE || s->memory_size > MAX_NOTES)
            continue;

        CLEANUP_FREE uint8_t *bytes = xmalloc(s->memory_size + 1);
        if (mem_read(&image->mem, image->bias + s->vaddr, bytes, s->memory_size))
            continue;
        found = build_id_in(bytes, s->memory_size, ret, size);
        if (found)
            return found;
    }
    return 0;
}
