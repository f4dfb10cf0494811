/* The dynamic symbols of an object: what it defines, what it asks for, with which version, and how it asks.
 *
 * How many symbols there are is written nowhere but in the hash tables (gABI: DT_HASH's nchain; DT_GNU_HASH: the end of
 * the last chain), and a GNU hash leaves out undefined ones where nothing is defined; the relocations and the next
 * table's address give the rest. */
#include "elfimage.h"

#include "alloc.h"

#include <string.h>

enum {
    MAX_SYMBOLS = 1 << 22,
    MAX_VERSIONS = 4096,
    VERSION_INDEXES = 0x8000,
    MAX_RELOCATIONS = 1 << 26,
    MAX_REFERENCES = 1 << 22,
    CHUNK = 4096
};

struct reading {
    struct elf_entry *entry;
    const struct elf_image *image;
    const char **names; /* by version index: the version's name, NULL where unknown */
    const char **files; /* by version index: the soname of a need */
    uint8_t *refers;    /* by symbol index: REFERS_… */
    size_t refers_size;
    size_t reference_capacity;
    uint64_t limit;                  /* no symbol table reaches further */
    uint32_t hashed_from, hashed_to; /* the symbols that the hash table offers */
};

enum { REFERS_DATA = 1, REFERS_CALL = 2, REFERS_COPY = 4 };

static void note_version(struct reading *r, const struct elf_version *version)
{
    unsigned index = version->index & 0x7fff;

    if (version->base)
        return;
    r->names[index] = version->name;
    r->files[index] = version->file;
}

/* .gnu.version_r: a list of files, each with a list of versions (LSB core, "Symbol Versioning"). */
static void read_needs(struct reading *r)
{
    const struct elf_image *image = r->image;
    uint64_t at = image->verneed, left = image->verneed_count;
    struct elffile *elf = &r->entry->elf;
    size_t capacity = 0;

    for (; at && left && elf->need_count < MAX_VERSIONS; left--) {
        CLEANUP_FREE uint8_t *file = image_read_address(image, at, sizeof(Elf64_Verneed));
        uint64_t aux_at = file ? at + image_u32(image, file + 8) : 0;

        if (!file)
            return;
        for (unsigned n = image_u16(image, file + 2); n && elf->need_count < MAX_VERSIONS; n--) {
            CLEANUP_FREE uint8_t *aux = image_read_address(image, aux_at, sizeof(Elf64_Vernaux));

            if (!aux)
                return;
            struct elf_version *need = array_add(&elf->needs, &elf->need_count, &capacity, sizeof *need);
            need->hash = image_u32(image, aux);
            need->weak = image_u16(image, aux + 4) & VER_FLG_WEAK;
            need->index = image_u16(image, aux + 6);
            need->name = entry_string(r->entry, image_u32(image, aux + 8));
            need->file = entry_string(r->entry, image_u32(image, file + 4));
            note_version(r, need);
            if (!image_u32(image, aux + 12))
                break;
            aux_at += image_u32(image, aux + 12);
        }
        if (!image_u32(image, file + 12))
            return;
        at += image_u32(image, file + 12);
    }
}

static void read_defs(struct reading *r)
{
    const struct elf_image *image = r->image;
    uint64_t at = image->verdef, left = image->verdef_count;
    struct elffile *elf = &r->entry->elf;
    size_t capacity = 0;

    for (; at && left && elf->def_count < MAX_VERSIONS; left--) {
        CLEANUP_FREE uint8_t *head = image_read_address(image, at, sizeof(Elf64_Verdef));
        CLEANUP_FREE uint8_t *aux =
            head ? image_read_address(image, at + image_u32(image, head + 12), sizeof(Elf64_Verdaux)) : NULL;

        if (!aux)
            return;
        struct elf_version *def = array_add(&elf->defs, &elf->def_count, &capacity, sizeof *def);
        def->base = image_u16(image, head + 2) & VER_FLG_BASE;
        def->weak = image_u16(image, head + 2) & VER_FLG_WEAK;
        def->index = image_u16(image, head + 4);
        def->hash = image_u32(image, head + 8);
        def->name = entry_string(r->entry, image_u32(image, aux));
        note_version(r, def);
        if (!image_u32(image, head + 16))
            return;
        at += image_u32(image, head + 16);
    }
}

/* The end of the chain that holds the last hashed symbol. */
static uint32_t gnu_hash_end(const struct elf_image *image, uint64_t chains, uint32_t first, uint32_t last)
{
    uint64_t at = chains + (uint64_t)(last - first) * 4;

    while (last < MAX_SYMBOLS) {
        uint64_t n = image_available(image, at);
        CLEANUP_FREE uint8_t *bytes = image_read_address(image, at, n < CHUNK ? n / 4 * 4 : CHUNK);

        if (!bytes || n < 4)
            return last;
        for (uint64_t i = 0; i + 4 <= n && i < CHUNK; i += 4, last++)
            if (image_u32(image, bytes + i) & 1)
                return last + 1;
        at += CHUNK;
    }
    return last;
}

static void count_by_gnu_hash(struct reading *r)
{
    const struct elf_image *image = r->image;
    CLEANUP_FREE uint8_t *head = image_read_address(image, image->gnu_hash, 16);
    uint32_t buckets = head ? image_u32(image, head) : 0, first = head ? image_u32(image, head + 4) : 0, last = 0;
    uint64_t bloom = head ? (uint64_t)image_u32(image, head + 8) * (image->wide ? 8 : 4) : 0;
    uint64_t at = image->gnu_hash + 16 + bloom;
    CLEANUP_FREE uint8_t *table = buckets <= MAX_SYMBOLS ? image_read_address(image, at, (uint64_t)buckets * 4) : NULL;

    for (uint32_t i = 0; table && i < buckets; i++) {
        uint32_t symbol = image_u32(image, table + (size_t)i * 4);

        if (symbol > last)
            last = symbol;
    }
    if (last < first || !last) /* nothing is offered */
        return;
    r->hashed_from = first;
    r->hashed_to = gnu_hash_end(image, at + (uint64_t)buckets * 4, first, last);
}

static void count_by_hash(struct reading *r)
{
    CLEANUP_FREE uint8_t *head = image_read_address(r->image, r->image->dynamic[DT_HASH], 8);

    if (!head)
        return;
    r->hashed_from = 1;
    r->hashed_to = image_u32(r->image, head + 4);
}

static bool is_jump_slot(unsigned machine, unsigned type, bool in_plt)
{
    switch (machine) {
    case EM_X86_64:
        return type == R_X86_64_JUMP_SLOT;
    case EM_386:
        return type == R_386_JMP_SLOT;
    case EM_AARCH64:
        return type == R_AARCH64_JUMP_SLOT;
    case EM_ARM:
        return type == R_ARM_JUMP_SLOT;
    case EM_RISCV:
        return type == R_RISCV_JUMP_SLOT;
    default:
        return in_plt;
    }
}

static bool is_copy(unsigned machine, unsigned type)
{
    switch (machine) {
    case EM_X86_64:
        return type == R_X86_64_COPY;
    case EM_386:
        return type == R_386_COPY;
    case EM_AARCH64:
        return type == R_AARCH64_COPY;
    case EM_ARM:
        return type == R_ARM_COPY;
    case EM_RISCV:
        return type == R_RISCV_COPY;
    default:
        return false;
    }
}

static void keep_reference(struct reading *r, uint64_t place, uint64_t symbol, unsigned type, bool in_plt)
{
    struct elffile *elf = &r->entry->elf;
    struct elf_reference *reference;

    if (elf->reference_count == MAX_REFERENCES)
        return;
    reference = array_add(&elf->references, &elf->reference_count, &r->reference_capacity, sizeof *reference);
    reference->place = place;
    reference->symbol = (uint32_t)symbol - 1;
    reference->type = (uint16_t)type;
    reference->plt = in_plt;
}

static void note_reference(struct reading *r, uint64_t place, uint64_t info, bool in_plt)
{
    uint64_t symbol = r->image->wide ? info >> 32 : info >> 8;
    unsigned type = (unsigned)(r->image->wide ? info & 0xffffffff : info & 0xff);

    if (!symbol || symbol >= r->limit)
        return;
    keep_reference(r, place, symbol, type, in_plt);
    if (symbol >= r->refers_size) {
        size_t size = symbol * 2 < 256 ? 256 : symbol * 2;

        r->refers = xrealloc(r->refers, size);
        memset(r->refers + r->refers_size, 0, size - r->refers_size);
        r->refers_size = size;
    }
    r->refers[symbol] |= is_jump_slot(r->entry->elf.machine, type, in_plt) ? REFERS_CALL
                         : is_copy(r->entry->elf.machine, type)            ? REFERS_COPY
                                                                           : REFERS_DATA;
}

static void read_relocations(struct reading *r, uint64_t at, uint64_t size, bool addend, bool in_plt)
{
    const struct elf_image *image = r->image;
    uint64_t word = image->wide ? 8 : 4, each = word * (addend ? 3 : 2), available = image_available(image, at);

    if (size > available)
        size = available;
    if (size / each > MAX_RELOCATIONS)
        return;
    while (size >= each) {
        uint64_t n = size / each < CHUNK ? size / each : CHUNK;
        CLEANUP_FREE uint8_t *bytes = image_read_address(image, at, n * each);

        if (!bytes)
            return;
        for (uint64_t i = 0; i < n; i++)
            note_reference(r, image_word(image, bytes + i * each), image_word(image, bytes + i * each + word), in_plt);
        at += n * each;
        size -= n * each;
    }
}

static void read_references(struct reading *r)
{
    const struct elf_image *image = r->image;
    uint64_t each = image->wide ? sizeof(Elf64_Rela) : sizeof(Elf32_Rela);
    /* the first RELACOUNT entries are relative ones, without a symbol (often nearly all of them) */
    uint64_t skip = image->relacount < MAX_RELOCATIONS ? image->relacount * each : 0;

    if (skip > image->dynamic[DT_RELASZ])
        skip = 0;
    if (image->has[DT_RELA])
        read_relocations(r, image->dynamic[DT_RELA] + skip, image->dynamic[DT_RELASZ] - skip, true, false);
    if (image->has[DT_REL])
        read_relocations(r, image->dynamic[DT_REL], image->dynamic[DT_RELSZ], false, false);
    if (image->has[DT_JMPREL])
        read_relocations(r, image->dynamic[DT_JMPREL], image->dynamic[DT_PLTRELSZ],
                         image->dynamic[DT_PLTREL] == DT_RELA, true);
}

/* The table ends where the next one begins, at the latest. */
static uint64_t count_by_neighbour(const struct elf_image *image, uint64_t each)
{
    const uint64_t starts[] = {image->dynamic[DT_STRTAB],
                               image->dynamic[DT_HASH],
                               image->dynamic[DT_RELA],
                               image->dynamic[DT_REL],
                               image->dynamic[DT_JMPREL],
                               image->gnu_hash,
                               image->versym,
                               image->verneed,
                               image->verdef};
    uint64_t symtab = image->dynamic[DT_SYMTAB], best = image_available(image, symtab);

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (starts[i] > symtab && starts[i] - symtab < best)
            best = starts[i] - symtab;
    return best / each;
}

/* The references reach at least as far as the undefined symbols that matter; beyond the hash table only those count,
 * since a patched file may have anything between two tables. */
static size_t count_symbols(struct reading *r, uint64_t each)
{
    uint64_t count, neighbour;

    if (r->image->gnu_hash)
        count_by_gnu_hash(r);
    else if (r->image->has[DT_HASH])
        count_by_hash(r);
    neighbour = count_by_neighbour(r->image, each);
    count = r->hashed_to > neighbour ? r->hashed_to : neighbour;
    if (count < r->refers_size)
        for (uint64_t i = r->refers_size; i-- > count;)
            if (r->refers[i]) {
                count = i + 1;
                break;
            }
    return (size_t)(count < r->limit ? count : r->limit);
}

/* RESOLVE_MAP() of elf/dl-reloc.c: the others are found without a look at any scope. */
static bool binds_by_lookup(const struct elf_symbol *s)
{
    return s->bind != STB_LOCAL && s->visibility != STV_HIDDEN && s->visibility != STV_INTERNAL;
}

static void read_symbol(struct reading *r, const uint8_t *p, size_t index, struct elf_symbol *s)
{
    const struct elf_image *image = r->image;
    struct elf_entry *entry = r->entry;
    bool wide = image->wide;
    unsigned info = p[wide ? 4 : 12], section = image_u16(image, p + (wide ? 6 : 14));
    unsigned refers = index < r->refers_size ? r->refers[index] : 0;

    s->name = entry_string(entry, image_u32(image, p));
    s->value = image_word(image, p + (wide ? 8 : 4));
    s->size = image_word(image, p + (wide ? 16 : 8));
    s->type = info & 15;
    s->bind = (uint8_t)(info >> 4);
    s->visibility = p[wide ? 5 : 13] & 3;
    s->defined = section != SHN_UNDEF;
    s->absolute = section == SHN_ABS;
    s->by_data = !s->defined && (refers & REFERS_DATA);
    s->by_copy = refers & REFERS_COPY;
    s->by_call = !s->defined && (refers & REFERS_CALL);
    s->by_self = s->defined && (refers & (REFERS_CALL | REFERS_DATA)) && binds_by_lookup(s);
    entry->elf.has_unique |= s->defined && s->bind == STB_GNU_UNIQUE;
    if (entry->versym) {
        unsigned version = entry->versym[index - 1] & 0x7fff;

        s->hidden = entry->versym[index - 1] & 0x8000;
        s->version = r->names[version];
        s->file = s->defined ? NULL : r->files[version];
    }
}

/* do_lookup_x() and check_match() of elf/dl-lookup.c: what can be a definition at all. An undefined symbol with a value
 * is one for data: the PLT entry that stands for the function wherever its address is taken. */
static bool offered(const struct reading *r, const struct elf_symbol *s, size_t index)
{
    const unsigned types =
        1u << STT_NOTYPE | 1u << STT_OBJECT | 1u << STT_FUNC | 1u << STT_COMMON | 1u << STT_TLS | 1u << STT_GNU_IFUNC;

    return index >= r->hashed_from && index < r->hashed_to && *s->name && (types >> s->type & 1) &&
           (s->value || s->absolute || (s->defined && s->type == STT_TLS)) &&
           (s->bind == STB_GLOBAL || s->bind == STB_WEAK || s->bind == STB_GNU_UNIQUE) && s->visibility != STV_HIDDEN &&
           s->visibility != STV_INTERNAL;
}

static void build_index(struct reading *r)
{
    struct elf_index *index = &r->entry->index;
    struct elffile *elf = &r->entry->elf;
    size_t buckets = 16;

    while (buckets < elf->symbol_count)
        buckets *= 2;
    index->mask = buckets - 1;
    index->buckets = xcalloc(buckets, sizeof *index->buckets);
    index->next = xcalloc(elf->symbol_count, sizeof *index->next);
    index->hashes = xcalloc(elf->symbol_count, sizeof *index->hashes);
    for (size_t i = elf->symbol_count; i-- > 0;) { /* backwards: chains then run in the file's order */
        uint32_t *bucket;

        index->hashes[i] = elf_hash_of(elf->symbols[i].name);
        if (!offered(r, &elf->symbols[i], i + 1))
            continue;
        bucket = &index->buckets[index->hashes[i] & index->mask];
        index->next[i] = *bucket;
        *bucket = (uint32_t)i + 1;
    }
}

/* Those whose symbol is not there name nothing. */
static void trim_references(struct elffile *elf)
{
    size_t kept = 0;

    for (size_t i = 0; i < elf->reference_count; i++)
        if (elf->references[i].symbol < elf->symbol_count)
            elf->references[kept++] = elf->references[i];
    elf->reference_count = kept;
}

static void read_versyms(struct reading *r, size_t count)
{
    uint64_t there = image_available(r->image, r->image->versym) / 2;
    size_t n = there < count ? (size_t)there : count;
    CLEANUP_FREE uint8_t *bytes = image_read_address(r->image, r->image->versym, (uint64_t)n * 2);

    if (!bytes)
        return;
    r->entry->versym = xcalloc(count, sizeof *r->entry->versym);
    for (size_t i = 1; i < count; i++)
        r->entry->versym[i - 1] = i < n ? image_u16(r->image, bytes + i * 2) : VER_NDX_GLOBAL;
}

static void read_symbols(struct reading *r)
{
    const struct elf_image *image = r->image;
    struct elffile *elf = &r->entry->elf;
    uint64_t each = image->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    size_t count = count_symbols(r, each);
    CLEANUP_FREE uint8_t *bytes = count > 1 ? image_read_address(image, image->dynamic[DT_SYMTAB], count * each) : NULL;

    elf->has_versym = image->versym != 0;
    if (!bytes)
        return;
    if (image->versym)
        read_versyms(r, count);
    elf->symbol_count = count - 1;
    elf->symbols = xcalloc(elf->symbol_count, sizeof *elf->symbols);
    for (size_t i = 1; i < count; i++)
        read_symbol(r, bytes + i * each, i, &elf->symbols[i - 1]);
    build_index(r);
}

void elf_parse_symbols(struct elf_entry *entry, const struct elf_image *image)
{
    struct reading r = {.entry = entry, .image = image};

    r.limit = image_available(image, image->dynamic[DT_SYMTAB]) / (image->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym));
    if (r.limit > MAX_SYMBOLS)
        r.limit = MAX_SYMBOLS;
    r.names = xcalloc(VERSION_INDEXES, sizeof *r.names);
    r.files = xcalloc(VERSION_INDEXES, sizeof *r.files);
    read_needs(&r);
    read_defs(&r);
    read_references(&r);
    read_symbols(&r);
    trim_references(&entry->elf);
    free(r.names);
    free(r.files);
    free(r.refers);
}
