/* The symbols that an image in memory exports: DT_GNU_HASH or DT_HASH, versions, and the functions of ld.so that can be
 * found though they are not exported. gABI chapter 5; elf/dl-lookup.c of glibc for how a loader reads the same tables.
 */
#include "memimage.h"

#include "alloc.h"

#include <elf.h>
#include <string.h>

enum {
    CHAIN_CHUNK = 32,      /* words of a chain of DT_GNU_HASH read at once */
    MAX_CHAIN = 1 << 14,   /* steps along one chain */
    MAX_BUCKETS = 1 << 26, /* beyond this the table is damaged */
    MAX_VERSIONS = 4096,
    MAX_NAME = 4096,
    MAX_GLOBAL = 16384, /* bytes of _rtld_global_ro that are looked through; 2.28 to 2.44 have below 1024 */
    MAX_FDES = 1 << 24,
};

struct wanted {
    const char *name, *version;
    size_t length; /* of NAME with its NUL */
    uint64_t symtab, strtab, versym;
    struct memimage_symbol best;
    bool found;
    bool undefined; /* those with an address are wanted, and no others */
};

static int read_u32(const struct memimage *image, uint64_t addr, uint32_t *ret)
{
    return mem_read(&image->mem, addr, ret, sizeof *ret);
}

static int read_symbol(const struct memimage *image, uint64_t addr, uint32_t *name, uint16_t *section,
                       struct memimage_symbol *ret)
{
    uint8_t info, other;

    if (image->mem.word_size == 8) {
        Elf64_Sym s;

        if (mem_read(&image->mem, addr, &s, sizeof s))
            return -1;
        *ret = (struct memimage_symbol){.addr = s.st_value, .size = s.st_size};
        *name = s.st_name;
        *section = s.st_shndx;
        info = s.st_info;
        other = s.st_other;
    } else {
        Elf32_Sym s;

        if (mem_read(&image->mem, addr, &s, sizeof s))
            return -1;
        *ret = (struct memimage_symbol){.addr = s.st_value, .size = s.st_size};
        *name = s.st_name;
        *section = s.st_shndx;
        info = s.st_info;
        other = s.st_other;
    }
    ret->type = ELF64_ST_TYPE(info);
    ret->bind = ELF64_ST_BIND(info);
    ret->visibility = ELF64_ST_VISIBILITY(other);
    ret->ifunc = ret->type == STT_GNU_IFUNC;
    ret->absolute = *section == SHN_ABS;
    if (!ret->absolute && ret->type != STT_TLS)
        ret->addr += image->bias;
    if (image->mem.word_size == 4)
        ret->addr = (uint32_t)ret->addr;
    return 0;
}

static bool has_name(const struct memimage *image, const struct wanted *wanted, uint32_t offset)
{
    char name[MAX_NAME];

    return mem_read(&image->mem, wanted->strtab + offset, name, wanted->length) == 0 &&
           memcmp(name, wanted->name, wanted->length) == 0;
}

/* Symbol INDEX has the right hash. True where the search is over. */
static bool consider(const struct memimage *image, struct wanted *wanted, uint32_t index)
{
    uint64_t each = image->mem.word_size == 8 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    struct memimage_symbol symbol;
    uint16_t section, version = 1;
    uint32_t name;

    if (read_symbol(image, wanted->symtab + index * each, &name, &section, &symbol) || symbol.bind == STB_LOCAL ||
        (section == SHN_UNDEF) != wanted->undefined || !has_name(image, wanted, name))
        return false;
    if (wanted->versym && mem_read(&image->mem, wanted->versym + (uint64_t)index * 2, &version, sizeof version))
        return false;
    symbol.index = index;
    symbol.hidden = version & 0x8000;
    symbol.version = version & 0x7fff;
    if (wanted->version) {
        CLEANUP_FREE char *is = symbol.version > 1 ? memimage_version(image, symbol.version) : NULL;

        if (!is || strcmp(is, wanted->version) != 0)
            return false;
    }
    if (!wanted->found)
        wanted->best = symbol;
    wanted->found = true;
    if (!wanted->version && symbol.hidden)
        return false;
    wanted->best = symbol;
    return true;
}

static uint32_t gnu_hash(const char *name)
{
    uint32_t h = 5381;

    for (const uint8_t *p = (const uint8_t *)name; *p; p++)
        h = h * 33 + *p;
    return h;
}

static uint32_t sysv_hash(const char *name)
{
    uint32_t h = 0;

    for (const uint8_t *p = (const uint8_t *)name; *p; p++) {
        h = (h << 4) + *p;
        h ^= (h & 0xf0000000) >> 24;
        h &= 0x0fffffff;
    }
    return h;
}

static void search_gnu(const struct memimage *image, uint64_t table, struct wanted *wanted)
{
    uint32_t head[4], hash = gnu_hash(wanted->name), symbol, chain[CHAIN_CHUNK];
    uint64_t buckets, chains;

    if (mem_read(&image->mem, table, head, sizeof head) || !head[0] || head[0] > MAX_BUCKETS || head[2] > MAX_BUCKETS)
        return;
    buckets = table + sizeof head + (uint64_t)head[2] * image->mem.word_size;
    chains = buckets + (uint64_t)head[0] * 4;
    if (read_u32(image, buckets + (uint64_t)(hash % head[0]) * 4, &symbol) || symbol < head[1] || !symbol)
        return;
    for (unsigned steps = 0; steps < MAX_CHAIN;) {
        ssize_t got = image->mem.read(image->mem.ctx, chains + (uint64_t)(symbol - head[1]) * 4, chain, sizeof chain);

        if (got < (ssize_t)sizeof *chain)
            return;
        for (ssize_t i = 0; i < got / 4; i++, symbol++, steps++)
            if ((((chain[i] ^ hash) >> 1) == 0 && consider(image, wanted, symbol)) || (chain[i] & 1))
                return;
    }
}

static void search_sysv(const struct memimage *image, uint64_t table, struct wanted *wanted)
{
    uint32_t head[2], hash = sysv_hash(wanted->name), symbol;

    if (mem_read(&image->mem, table, head, sizeof head) || !head[0] || head[0] > MAX_BUCKETS ||
        read_u32(image, table + 8 + (uint64_t)(hash % head[0]) * 4, &symbol))
        return;
    for (unsigned steps = 0; symbol && symbol < head[1] && steps < MAX_CHAIN; steps++)
        if (consider(image, wanted, symbol) || read_u32(image, table + 8 + ((uint64_t)head[0] + symbol) * 4, &symbol))
            return;
}

static int search(const struct memimage *image, struct wanted *wanted)
{
    uint64_t gnu = memimage_pointer(image, DT_GNU_HASH), sysv = memimage_pointer(image, DT_HASH);

    wanted->length = strlen(wanted->name) + 1;
    wanted->symtab = memimage_pointer(image, DT_SYMTAB);
    wanted->strtab = memimage_pointer(image, DT_STRTAB);
    wanted->versym = memimage_pointer(image, DT_VERSYM);
    if (!wanted->symtab || !wanted->strtab || wanted->length > MAX_NAME)
        return -1;
    if (gnu)
        search_gnu(image, gnu, wanted);
    else if (sysv)
        search_sysv(image, sysv, wanted);
    return wanted->found ? 0 : -1;
}

int memimage_symbol(const struct memimage *image, const char *name, const char *version, struct memimage_symbol *ret)
{
    struct wanted wanted = {.name = name, .version = version};
    int result = search(image, &wanted);

    *ret = wanted.best;
    return result;
}

uint64_t memimage_stand_in(const struct memimage *image, const char *name)
{
    struct wanted wanted = {.name = name, .undefined = true};

    return search(image, &wanted) == 0 && wanted.best.addr != image->bias ? wanted.best.addr : 0;
}

char *memimage_version(const struct memimage *image, unsigned index)
{
    uint64_t at = memimage_pointer(image, DT_VERDEF), left;

    if (!at || !memimage_tag(image, DT_VERDEFNUM, &left) || left > MAX_VERSIONS)
        return NULL;
    for (; left; left--) {
        Elf64_Verdef def; /* the same in both classes */
        uint32_t name;

        if (mem_read(&image->mem, at, &def, sizeof def))
            return NULL;
        if ((def.vd_ndx & 0x7fff) == index)
            return read_u32(image, at + def.vd_aux, &name) ? NULL : memimage_string(image, name);
        if (!def.vd_next)
            return NULL;
        at += def.vd_next;
    }
    return NULL;
}

static const struct memimage_segment *frame_header(const struct memimage *image)
{
    for (size_t i = 0; i < image->segment_count; i++)
        if (image->segments[i].type == PT_GNU_EH_FRAME)
            return &image->segments[i];
    return NULL;
}

/* Only the encoding that every linker writes is taken: the count as udata4, the table as sdata4 relative to the
 * header. */
bool memimage_begins_function(const struct memimage *image, uint64_t addr)
{
    enum { UDATA4 = 0x03, SDATA4 = 0x0b, DATAREL = 0x30, ABSENT = 0xff };
    const struct memimage_segment *s = frame_header(image);
    uint64_t header = s ? image->bias + s->vaddr : 0;
    uint8_t head[12];
    uint32_t count, low = 0;

    if (!header || mem_read(&image->mem, header, head, sizeof head) || head[0] != 1 || head[1] == ABSENT ||
        (head[1] & 0x0f) % 8 != 3 || head[2] != UDATA4 || head[3] != (DATAREL | SDATA4))
        return false;
    memcpy(&count, head + 8, sizeof count);
    if (count > MAX_FDES || sizeof head + (uint64_t)count * 8 > s->memory_size)
        return false;
    while (low < count) {
        uint32_t middle = low + (count - low) / 2;
        int32_t entry[2];

        if (mem_read(&image->mem, header + sizeof head + (uint64_t)middle * 8, entry, sizeof entry))
            return false;

        uint64_t begin = header + (uint64_t)(int64_t)entry[0];
        if (image->mem.word_size == 4)
            begin = (uint32_t)begin;
        if (begin == addr)
            return true;
        if (begin < addr)
            low = middle + 1;
        else
            count = middle;
    }
    return false;
}

static uint64_t believed(const struct memimage *image, uint64_t addr)
{
    return memimage_begins_function(image, addr) ? addr : 0;
}

int memimage_hidden(const struct memimage *image, struct memimage_hidden *ret)
{
    struct memimage_symbol global, anchor;
    uint64_t size, word;
    unsigned step = image->mem.word_size;

    *ret = (struct memimage_hidden){0};
    if (memimage_symbol(image, "_rtld_global_ro", NULL, &global) || memimage_symbol(image, "_dl_mcount", NULL, &anchor))
        return -1;
    size = global.size < MAX_GLOBAL ? global.size : MAX_GLOBAL;
    for (uint64_t at = 0; at + 4 * (uint64_t)step <= size; at += step) {
        uint64_t next[3];

        if (mem_read_word(&image->mem, global.addr + at, &word))
            return -1;
        if (word != anchor.addr)
            continue;
        for (unsigned i = 0; i < 3; i++)
            if (mem_read_word(&image->mem, global.addr + at + (uint64_t)(i + 1) * step, &next[i]))
                return -1;
        ret->lookup_addr = believed(image, next[0]);
        ret->open_addr = believed(image, next[1]);
        ret->close_addr = believed(image, next[2]);
        return 0;
    }
    return -1;
}
