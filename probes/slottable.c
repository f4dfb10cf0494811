#include "slottable.h"

#include "alloc.h"

#include <elf.h>
#include <string.h>

enum {
    CHUNK = 1 << 18,
    MAX_TABLE = 1 << 28, /* bytes of one table */
    MAX_REFERENCES = 1 << 22,
    MAX_VERSIONS = 4096,
};

/* What can be read of SIZE bytes at ADDR, with a NUL behind; memory is only asked for where there are bytes. */
static uint8_t *read_all(const struct mem *mem, uint64_t addr, uint64_t size, size_t *ret)
{
    size_t have = 0;
    uint8_t *bytes = NULL;

    if (size > MAX_TABLE)
        size = MAX_TABLE;
    while (have < size) {
        size_t n = size - have < CHUNK ? size - have : CHUNK;
        ssize_t got;

        bytes = xrealloc(bytes, have + n + 1);
        got = mem->read(mem->ctx, addr + have, bytes + have, n);
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    if (bytes)
        bytes[have] = 0;
    *ret = have;
    return bytes;
}

static enum reference_kind kind_x86_64(uint32_t type)
{
    switch (type) {
    case R_X86_64_JUMP_SLOT:
        return REFERENCE_CALL;
    case R_X86_64_GLOB_DAT:
        return REFERENCE_SLOT;
    case R_X86_64_64:
        return REFERENCE_WORD;
    case R_X86_64_COPY:
        return REFERENCE_COPY;
    case R_X86_64_DTPMOD64:
    case R_X86_64_TPOFF64:
    case R_X86_64_TLSDESC:
        return REFERENCE_TLS;
    default:
        return REFERENCE_OTHER;
    }
}

static enum reference_kind kind_i386(uint32_t type)
{
    switch (type) {
    case R_386_JMP_SLOT:
        return REFERENCE_CALL;
    case R_386_GLOB_DAT:
        return REFERENCE_SLOT;
    case R_386_32:
        return REFERENCE_WORD;
    case R_386_COPY:
        return REFERENCE_COPY;
    case R_386_TLS_DTPMOD32:
    case R_386_TLS_TPOFF:
    case R_386_TLS_TPOFF32:
    case R_386_TLS_DESC:
        return REFERENCE_TLS;
    default:
        return REFERENCE_OTHER;
    }
}

struct raw {
    uint64_t offset, info;
    int64_t addend;
};

static struct raw raw_relocation(const uint8_t *p, bool wide, bool addend)
{
    struct raw raw = {0};

    if (wide) {
        memcpy(&raw.offset, p, 8);
        memcpy(&raw.info, p + 8, 8);
        if (addend)
            memcpy(&raw.addend, p + 16, 8);
    } else {
        uint32_t word[3] = {0};

        memcpy(word, p, addend ? 12 : 8);
        raw.offset = word[0];
        raw.info = word[1];
        raw.addend = (int32_t)word[2];
    }
    return raw;
}

static void take(struct slottable *table, size_t *capacity, const struct raw *raw, uint32_t plt)
{
    bool wide = table->image->mem.word_size == 8;
    uint32_t symbol = (uint32_t)(wide ? ELF64_R_SYM(raw->info) : ELF32_R_SYM(raw->info));
    uint32_t type = (uint32_t)(wide ? ELF64_R_TYPE(raw->info) : ELF32_R_TYPE(raw->info));
    enum reference_kind kind = wide ? kind_x86_64(type) : kind_i386(type);
    struct reference *reference;

    if (!symbol || kind == REFERENCE_OTHER)
        return;
    if (table->count == MAX_REFERENCES) {
        table->whole = false;
        return;
    }
    reference = array_add(&table->references, &table->count, capacity, sizeof *reference);
    *reference = (struct reference){
        .slot_addr = table->image->bias + raw->offset,
        .addend = raw->addend,
        .symbol = symbol,
        .plt = plt,
        .kind = kind,
    };
    if (!wide)
        reference->slot_addr = (uint32_t)reference->slot_addr;
    if (symbol >= table->symbol_count && symbol < MAX_REFERENCES)
        table->symbol_count = symbol + 1;
}

/* One table of relocations; SKIP of them at its beginning are relative. */
static void read_relocations(struct slottable *table, uint64_t tag, uint64_t size_tag, bool addend, uint64_t skip,
                             size_t *capacity)
{
    bool wide = table->image->mem.word_size == 8;
    size_t each = (size_t)(wide ? 8 : 4) * (addend ? 3 : 2), got, i = 0;
    uint64_t size, addr = memimage_pointer(table->image, tag);

    if (!addr || !memimage_tag(table->image, size_tag, &size))
        return;
    if (skip > size / each)
        skip = size / each;

    CLEANUP_FREE uint8_t *bytes = read_all(&table->image->mem, addr + skip * each, size - skip * each, &got);
    if (got != size - skip * each)
        table->whole = false;
    for (; (i + 1) * each <= got; i++) {
        struct raw raw = raw_relocation(bytes + i * each, wide, addend);

        take(table, capacity, &raw, (uint32_t)(wide ? i : i * each));
    }
}

static void read_references(struct slottable *table)
{
    const struct memimage *image = table->image;
    uint64_t relative = 0, kind = image->mem.word_size == 8 ? DT_RELA : DT_REL;
    size_t capacity = 0;

    memimage_tag(image, DT_RELACOUNT, &relative);
    read_relocations(table, DT_RELA, DT_RELASZ, true, relative, &capacity);
    relative = 0;
    memimage_tag(image, DT_RELCOUNT, &relative);
    read_relocations(table, DT_REL, DT_RELSZ, false, relative, &capacity);
    memimage_tag(image, DT_PLTREL, &kind);
    read_relocations(table, DT_JMPREL, DT_PLTRELSZ, kind == DT_RELA, 0, &capacity);
}

static void name_version(struct slottable *table, unsigned index, uint32_t offset)
{
    index &= 0x7fff;
    if (index < 2 || offset >= table->strings_size)
        return;
    if (index >= table->version_count) {
        table->versions = xreallocarray(table->versions, index + 1, sizeof *table->versions);
        for (size_t i = table->version_count; i <= index; i++)
            table->versions[i] = NULL;
        table->version_count = index + 1;
    }
    table->versions[index] = table->strings + offset;
}

/* .gnu.version_r and .gnu.version_d (LSB core, "Symbol Versioning"); the same in both classes. */
static void read_needs(struct slottable *table)
{
    const struct mem *mem = &table->image->mem;
    uint64_t at = memimage_pointer(table->image, DT_VERNEED), left = 0;
    unsigned seen = 0;

    memimage_tag(table->image, DT_VERNEEDNUM, &left);
    for (; at && left && seen < MAX_VERSIONS; left--) {
        Elf64_Verneed file;
        Elf64_Vernaux aux;

        if (mem_read(mem, at, &file, sizeof file))
            return;

        uint64_t aux_at = at + file.vn_aux;
        for (unsigned n = file.vn_cnt; n && seen < MAX_VERSIONS; n--, seen++) {
            if (mem_read(mem, aux_at, &aux, sizeof aux))
                return;
            name_version(table, aux.vna_other, aux.vna_name);
            if (!aux.vna_next)
                break;
            aux_at += aux.vna_next;
        }
        seen++;
        if (!file.vn_next)
            return;
        at += file.vn_next;
    }
}

static void read_definitions(struct slottable *table)
{
    const struct mem *mem = &table->image->mem;
    uint64_t at = memimage_pointer(table->image, DT_VERDEF), left = 0;

    memimage_tag(table->image, DT_VERDEFNUM, &left);
    for (unsigned seen = 0; at && left && seen < MAX_VERSIONS; left--, seen++) {
        Elf64_Verdef def;
        uint32_t name;

        if (mem_read(mem, at, &def, sizeof def) || mem_read(mem, at + def.vd_aux, &name, sizeof name))
            return;
        if (!(def.vd_flags & VER_FLG_BASE))
            name_version(table, def.vd_ndx, name);
        if (!def.vd_next)
            return;
        at += def.vd_next;
    }
}

void slottable_read(const struct memimage *image, struct slottable *ret)
{
    size_t each = image->mem.word_size == 8 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    uint64_t strings = memimage_pointer(image, DT_STRTAB), symbols = memimage_pointer(image, DT_SYMTAB);
    uint64_t versyms = memimage_pointer(image, DT_VERSYM), size = 0;

    *ret = (struct slottable){.image = image, .whole = true};
    read_references(ret);
    if (!ret->count)
        return;
    memimage_tag(image, DT_STRSZ, &size);
    if (strings)
        ret->strings = (char *)read_all(&image->mem, strings, size, &ret->strings_size);
    if (symbols)
        ret->symbols = read_all(&image->mem, symbols, ret->symbol_count * (uint64_t)each, &ret->symbols_size);
    if (versyms)
        ret->versyms = read_all(&image->mem, versyms, ret->symbol_count * 2ul, &ret->versyms_size);
    if (ret->symbols_size / each < ret->symbol_count || ret->strings_size < size)
        ret->whole = false;
    read_needs(ret);
    read_definitions(ret);
}

void slottable_deinit(struct slottable *table)
{
    free(table->references);
    free(table->symbols);
    free(table->versyms);
    free(table->strings);
    free(table->versions);
    *table = (struct slottable){0};
}

int slottable_symbol(const struct slottable *table, uint32_t index, struct slottable_symbol *ret)
{
    bool wide = table->image->mem.word_size == 8;
    size_t each = wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    uint16_t section, version = 1;
    uint32_t name;
    uint64_t value;
    uint8_t info, other;

    if ((index + (uint64_t)1) * each > table->symbols_size)
        return -1;
    if (wide) {
        Elf64_Sym s;

        memcpy(&s, table->symbols + index * each, each);
        name = s.st_name, value = s.st_value, section = s.st_shndx, info = s.st_info, other = s.st_other;
    } else {
        Elf32_Sym s;

        memcpy(&s, table->symbols + index * each, each);
        name = s.st_name, value = s.st_value, section = s.st_shndx, info = s.st_info, other = s.st_other;
    }
    if (name >= table->strings_size)
        return -1;
    if ((index + (uint64_t)1) * 2 <= table->versyms_size)
        memcpy(&version, table->versyms + index * (size_t)2, 2);
    version &= 0x7fff;
    *ret = (struct slottable_symbol){
        .name = table->strings + name,
        .version = version < table->version_count ? table->versions[version] : NULL,
        .addr = section != SHN_UNDEF ? table->image->bias + value : 0,
        .type = ELF64_ST_TYPE(info),
        .bind = ELF64_ST_BIND(info),
        .visibility = ELF64_ST_VISIBILITY(other),
    };
    return 0;
}
