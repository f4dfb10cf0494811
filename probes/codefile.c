/* The one user of libelf. */
#include "codefile.h"

#include "alloc.h"
#include "codedwarf.h"
#include "codename.h"

#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>
#include <zlib.h>

enum { SYMBOLS_MOST = 20000000 /* of one table */ };

struct symbol {
    uint64_t addr, size;
    uint32_t name; /* offset in strings */
};

struct part { /* a file: the code's own, or the one with its debug information */
    int fd;
    void *bytes; /* where it is in memory */
    Elf *elf;
    bool has_symtab, has_dwarf;
};

struct codefile {
    struct part own, debug;
    struct codedwarf *dwarf;
    bool indexed; /* symbols */
    struct symbol *symbols;
    size_t symbol_count;
    const char *strings;
    size_t strings_size;
};

/* --- files --- */

static bool part_init(struct part *part)
{
    GElf_Ehdr header;

    if (!part->elf || elf_kind(part->elf) != ELF_K_ELF || !gelf_getehdr(part->elf, &header) ||
        header.e_machine != EM_X86_64 || header.e_ident[EI_CLASS] != ELFCLASS64)
        return false;
    for (Elf_Scn *section = elf_nextscn(part->elf, NULL); section; section = elf_nextscn(part->elf, section)) {
        GElf_Shdr shdr;
        const char *name = gelf_getshdr(section, &shdr) ? elf_strptr(part->elf, header.e_shstrndx, shdr.sh_name) : NULL;

        if (!name || shdr.sh_type == SHT_NOBITS)
            continue;
        part->has_symtab |= shdr.sh_type == SHT_SYMTAB;
        part->has_dwarf |= strcmp(name, ".debug_info") == 0 || strcmp(name, ".zdebug_info") == 0;
    }
    return true;
}

static void part_deinit(struct part *part)
{
    if (part->elf)
        elf_end(part->elf);
    if (part->fd >= 0)
        close(part->fd);
    free(part->bytes);
    *part = (struct part){.fd = -1};
}

static struct codefile *create(int fd, void *bytes, size_t size)
{
    struct codefile *file = xcalloc(1, sizeof *file);

    elf_version(EV_CURRENT);
    file->own = (struct part){.fd = fd, .bytes = bytes};
    file->debug.fd = -1;
    /* ELF_C_READ, not …_MMAP: see codefile.h. */
    file->own.elf = bytes ? elf_memory(bytes, size) : elf_begin(fd, ELF_C_READ, NULL);
    if (part_init(&file->own))
        return file;
    codefile_close(file);
    return NULL;
}

struct codefile *codefile_open(int fd)
{
    return create(fd, NULL, 0);
}

struct codefile *codefile_image(void *bytes, size_t size)
{
    return create(-1, bytes, size);
}

void codefile_close(struct codefile *file)
{
    if (!file)
        return;
    codedwarf_destroy(file->dwarf);
    part_deinit(&file->debug);
    part_deinit(&file->own);
    free(file->symbols);
    free(file);
}

static size_t build_id(Elf *elf, const uint8_t **ret)
{
    const void *bytes = NULL;
    ssize_t n = dwelf_elf_gnu_build_id(elf, &bytes);

    *ret = bytes;
    return n > 0 ? (size_t)n : 0;
}

size_t codefile_build_id(const struct codefile *file, const uint8_t **ret)
{
    return build_id(file->own.elf, ret);
}

bool codefile_complete(const struct codefile *file)
{
    return (file->own.has_symtab && file->own.has_dwarf) || file->debug.elf;
}

char *codefile_debuglink(const struct codefile *file, uint32_t *crc)
{
    GElf_Word value = 0;
    const char *name = dwelf_elf_gnu_debuglink(file->own.elf, &value);

    *crc = value;
    return xstrdup_or_null(name);
}

static bool crc_is(int fd, uint32_t want)
{
    CLEANUP_FREE unsigned char *buffer = xmalloc(65536);
    uLong crc = crc32(0, NULL, 0);
    off_t at = 0;
    ssize_t n;

    while ((n = pread(fd, buffer, 65536, at)) > 0) {
        crc = crc32(crc, buffer, (uInt)n);
        at += n;
    }
    return n == 0 && (uint32_t)crc == want;
}

static bool belongs(const struct codefile *file, const struct part *debug)
{
    const uint8_t *id, *other;
    size_t n = build_id(file->own.elf, &id);
    uint32_t crc;

    if (n)
        return build_id(debug->elf, &other) == n && memcmp(id, other, n) == 0;
    CLEANUP_FREE char *name = codefile_debuglink(file, &crc);

    return name && crc_is(debug->fd, crc);
}

int codefile_add_debug(struct codefile *file, int fd)
{
    struct part debug = {.fd = fd, .elf = elf_begin(fd, ELF_C_READ, NULL)};

    if (file->debug.elf || file->indexed || !part_init(&debug) || !belongs(file, &debug)) {
        part_deinit(&debug);
        return -1;
    }
    file->debug = debug;
    if (file->dwarf && debug.has_dwarf)
        codedwarf_add(file->dwarf, debug.elf);
    return 0;
}

bool codefile_section(const struct codefile *file, const char *name, uint64_t *addr, uint64_t *size)
{
    Elf *elf = file->own.elf;
    size_t names;

    if (elf_getshdrstrndx(elf, &names))
        return false;
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section; section = elf_nextscn(elf, section)) {
        GElf_Shdr shdr;
        const char *its = gelf_getshdr(section, &shdr) ? elf_strptr(elf, names, shdr.sh_name) : NULL;

        if (!its || strcmp(its, name) || !(shdr.sh_flags & SHF_ALLOC))
            continue;
        *addr = shdr.sh_addr;
        *size = shdr.sh_size;
        return true;
    }
    return false;
}

static struct codedwarf *dwarf_of(struct codefile *file)
{
    struct Elf *with_info = file->own.has_dwarf ? file->own.elf : file->debug.has_dwarf ? file->debug.elf : NULL;

    if (!file->dwarf)
        file->dwarf = codedwarf_create(file->own.elf, with_info);
    return file->dwarf;
}

enum unwind_step codefile_unwind(struct codefile *file, uint64_t addr, uint64_t bias, const struct mem *mem,
                                 struct unwind *unwind)
{
    return codedwarf_unwind(dwarf_of(file), addr, bias, mem, unwind);
}

/* --- names by symbol tables --- */

static int compare_symbols(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;

    return x->addr != y->addr ? (x->addr > y->addr) - (x->addr < y->addr) : (x->size > y->size) - (x->size < y->size);
}

static void take_symbols(struct codefile *file, Elf *elf, Elf_Scn *section, const GElf_Shdr *shdr)
{
    Elf_Data *data = elf_getdata(section, NULL), *strings;
    Elf_Scn *names = elf_getscn(elf, shdr->sh_link);
    size_t count = data && shdr->sh_entsize ? data->d_size / shdr->sh_entsize : 0;

    strings = names ? elf_getdata(names, NULL) : NULL;
    if (!strings || !strings->d_buf || !count || count > SYMBOLS_MOST)
        return;
    file->strings = strings->d_buf;
    file->strings_size = strings->d_size;
    file->symbols = xcalloc(count, sizeof *file->symbols);
    for (size_t i = 1; i < count; i++) {
        GElf_Sym symbol;

        if (!gelf_getsym(data, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF || !symbol.st_size ||
            symbol.st_name >= file->strings_size ||
            (GELF_ST_TYPE(symbol.st_info) != STT_FUNC && GELF_ST_TYPE(symbol.st_info) != STT_NOTYPE))
            continue;
        file->symbols[file->symbol_count++] = (struct symbol){symbol.st_value, symbol.st_size, symbol.st_name};
    }
    qsort(file->symbols, file->symbol_count, sizeof *file->symbols, compare_symbols);
}

/* One table: the fullest of those that there are; NULL where there is none. */
static Elf_Scn *symbol_table(const struct codefile *file, Elf **elf, GElf_Shdr *shdr)
{
    const struct part *part = file->own.has_symtab || !file->debug.has_symtab ? &file->own : &file->debug;

    *elf = part->elf;
    for (Elf_Scn *section = elf_nextscn(part->elf, NULL); section; section = elf_nextscn(part->elf, section))
        if (gelf_getshdr(section, shdr) && shdr->sh_type == (part->has_symtab ? SHT_SYMTAB : SHT_DYNSYM))
            return section;
    return NULL;
}

static void index_symbols(struct codefile *file)
{
    GElf_Shdr shdr;
    Elf *elf;
    Elf_Scn *section = symbol_table(file, &elf, &shdr);

    file->indexed = true;
    if (section)
        take_symbols(file, elf, section, &shdr);
}

void codefile_objects(const struct codefile *file, const char *const *names, size_t count, uint64_t *ret)
{
    GElf_Shdr shdr;
    Elf *elf;
    Elf_Scn *section = symbol_table(file, &elf, &shdr);
    Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
    size_t symbols = data && shdr.sh_entsize ? data->d_size / shdr.sh_entsize : 0;

    memset(ret, 0, count * sizeof *ret);
    for (size_t i = 1; i < symbols && i < SYMBOLS_MOST; i++) {
        GElf_Sym symbol;
        const char *name;

        if (!gelf_getsym(data, (int)i, &symbol) || GELF_ST_TYPE(symbol.st_info) != STT_OBJECT ||
            (name = elf_strptr(elf, shdr.sh_link, symbol.st_name)) == NULL)
            continue;
        for (size_t k = 0; k < count; k++)
            if (strcmp(name, names[k]) == 0)
                ret[k] = symbol.st_value;
    }
}

static const char *name_of(const struct codefile *file, const struct symbol *symbol)
{
    const char *name = file->strings + symbol->name;

    return memchr(name, 0, file->strings_size - symbol->name) ? name : "";
}

bool codefile_function(struct codefile *file, const char *name, uint64_t *addr)
{
    if (!file->indexed)
        index_symbols(file);
    for (size_t i = 0; i < file->symbol_count; i++)
        if (strcmp(name_of(file, &file->symbols[i]), name) == 0) {
            *addr = file->symbols[i].addr;
            return true;
        }
    return false;
}

char *codefile_symbol(struct codefile *file, uint64_t addr, uint64_t *start)
{
    const struct symbol *best = NULL;
    size_t low = 0, high;

    if (!file->indexed)
        index_symbols(file);
    for (high = file->symbol_count; low < high;) {
        size_t middle = low + (high - low) / 2;

        if (file->symbols[middle].addr <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    /* The innermost that holds it; of several for one place the plainest name. */
    for (size_t i = low; i-- > 0 && low - i < 64;) {
        const struct symbol *symbol = &file->symbols[i];

        if (best && symbol->addr != best->addr)
            break;
        if (addr - symbol->addr < symbol->size && *name_of(file, symbol) &&
            (!best || codename_plainer(name_of(file, symbol), name_of(file, best))))
            best = symbol;
    }
    if (!best)
        return NULL;
    *start = best->addr;
    return codename_shown(name_of(file, best));
}

size_t codefile_names(struct codefile *file, uint64_t addr, struct frame *frames, size_t limit)
{
    size_t count = codedwarf_names(dwarf_of(file), addr, frames, limit);
    uint64_t start = 0;
    CLEANUP_FREE char *symbol = limit ? codefile_symbol(file, addr, &start) : NULL;

    if (!count && symbol) {
        frames[0] = (struct frame){0};
        count = 1;
    }
    if (count && symbol) {
        char **name = &frames[count - 1].symbol;

        frames[count - 1].into = start;
        /* "__libc_open64" is what the C library's authors call it, "open64" what others do. */
        if (!*name || (**name == '_' && codename_plainer(symbol, *name))) {
            free(*name);
            *name = steal_pointer(&symbol);
        }
    }
    return count;
}
