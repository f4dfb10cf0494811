#include "nodeaddon.h"

#include "alloc.h"
#include "path.h"

#include <ctype.h>
#include <elf.h>
#include <string.h>
#include <unistd.h>

enum {
    VERSION_MOST = 999, /* they are given one by one: 137 in 2025 */
    SEGMENTS_MOST = 64,
    TAGS_MOST = 4096,
    RELOCATIONS_MOST = 1 << 20,
    NAME_MOST = 4096,
};

/* ---- the file's words, by address ---- */

struct addon {
    int fd;
    Elf64_Phdr segments[SEGMENTS_MOST];
    size_t segment_count;
    uint64_t *places; /* words that the loader fills in with an address, in ascending order */
    size_t count, cap;
};

static bool read_at(const struct addon *addon, uint64_t address, void *to, size_t n)
{
    for (size_t i = 0; i < addon->segment_count; i++) {
        const Elf64_Phdr *at = &addon->segments[i];

        if (at->p_type == PT_LOAD && address >= at->p_vaddr && at->p_filesz >= n &&
            address - at->p_vaddr <= at->p_filesz - n)
            return pread(addon->fd, to, n, (off_t)(at->p_offset + (address - at->p_vaddr))) == (ssize_t)n;
    }
    return false;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static bool is_filled(const struct addon *addon, uint64_t place)
{
    return addon->count && bsearch(&place, addon->places, addon->count, sizeof place, by_value) != NULL;
}

static void add_place(struct addon *addon, uint64_t place)
{
    uint64_t *slot;

    if (addon->count < RELOCATIONS_MOST) {
        slot = array_add(&addon->places, &addon->count, &addon->cap, sizeof *slot);
        *slot = place;
    }
}

static void add_rela(struct addon *addon, uint64_t table, uint64_t size)
{
    for (uint64_t at = 0; at + sizeof(Elf64_Rela) <= size && at / sizeof(Elf64_Rela) < RELOCATIONS_MOST;) {
        Elf64_Rela chunk[256];
        uint64_t n = (size - at) / sizeof *chunk;

        n = n < 256 ? n : 256;
        if (!read_at(addon, table + at, chunk, n * sizeof *chunk))
            return;
        for (uint64_t i = 0; i < n; i++)
            add_place(addon, chunk[i].r_offset);
        at += n * sizeof *chunk;
    }
}

/* An even word is a place; an odd one has a bit for each of the 63 words behind the last (generic ABI, SHT_RELR). */
static void add_relr(struct addon *addon, uint64_t table, uint64_t size)
{
    uint64_t next = 0, word;

    for (uint64_t at = 0; at + sizeof word <= size && addon->count < RELOCATIONS_MOST; at += sizeof word) {
        if (!read_at(addon, table + at, &word, sizeof word))
            return;
        if (!(word & 1)) {
            add_place(addon, word);
            next = word + sizeof word;
            continue;
        }
        for (unsigned bit = 1; bit < 64; bit++)
            if (word >> bit & 1)
                add_place(addon, next + (bit - 1) * sizeof word);
        next += 63 * sizeof word;
    }
}

/* False where it is no 64-bit file of this machine's byte order. */
static bool read_places(struct addon *addon)
{
    uint64_t rela = 0, rela_size = 0, relr = 0, relr_size = 0, at = 0, end = 0;
    Elf64_Ehdr header;
    Elf64_Dyn tag;

    if (pread(addon->fd, &header, sizeof header, 0) != (ssize_t)sizeof header || header.e_phnum > SEGMENTS_MOST ||
        header.e_phentsize != sizeof(Elf64_Phdr) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB)
        return false;
    addon->segment_count = header.e_phnum;
    if (pread(addon->fd, addon->segments, header.e_phnum * sizeof *addon->segments, (off_t)header.e_phoff) !=
        (ssize_t)(header.e_phnum * sizeof *addon->segments))
        return false;
    for (size_t i = 0; i < addon->segment_count; i++)
        if (addon->segments[i].p_type == PT_DYNAMIC) {
            at = addon->segments[i].p_vaddr;
            end = addon->segments[i].p_memsz / sizeof tag;
        }
    for (uint64_t i = 0; i < end && i < TAGS_MOST && read_at(addon, at + i * sizeof tag, &tag, sizeof tag) && tag.d_tag;
         i++) {
        rela = tag.d_tag == DT_RELA ? tag.d_un.d_val : rela;
        rela_size = tag.d_tag == DT_RELASZ ? tag.d_un.d_val : rela_size;
        relr = tag.d_tag == DT_RELR ? tag.d_un.d_val : relr;
        relr_size = tag.d_tag == DT_RELRSZ ? tag.d_un.d_val : relr_size;
    }
    add_rela(addon, rela, rela_size);
    add_relr(addon, relr, relr_size);
    if (addon->count)
        qsort(addon->places, addon->count, sizeof *addon->places, by_value);
    return true;
}

/* ---- struct node_module ---- */

struct node_module {
    int32_t version;
    uint32_t flags;
    uint64_t handle, file, initialize, initialize_context, name, data, link;
};

/* A word as it stands in the file may be without what RELA adds to it: only the version is taken, all else has to be
 * there or not. */
static unsigned version_at(const struct addon *addon, uint64_t address)
{
    struct node_module module;
    uint64_t handle = address + offsetof(struct node_module, handle),
             link = address + offsetof(struct node_module, link);

    if (!is_filled(addon, address + offsetof(struct node_module, name)) ||
        !(is_filled(addon, address + offsetof(struct node_module, initialize)) ||
          is_filled(addon, address + offsetof(struct node_module, initialize_context))) ||
        is_filled(addon, address) || is_filled(addon, handle) || is_filled(addon, link) ||
        !read_at(addon, address, &module, sizeof module))
        return 0;
    return module.version > 0 && module.version <= VERSION_MOST && module.flags < 16 && !module.handle && !module.link
               ? (unsigned)module.version
               : 0;
}

/* Its initializer hands one to node_module_register(). All that are found have to say the same. */
static unsigned registered_version(const char *root, const char *path)
{
    CLEANUP_CLOSE int fd = path_open(root, path);
    struct addon addon = {.fd = fd};
    unsigned found = 0;
    bool same = fd >= 0 && read_places(&addon);

    for (size_t i = 0; same && i < addon.count; i++) {
        uint64_t file = offsetof(struct node_module, file);
        unsigned version = addon.places[i] >= file ? version_at(&addon, addon.places[i] - file) : 0;

        same = !version || !found || version == found;
        found = version ? version : found;
    }
    free(addon.places);
    return same ? found : 0;
}

static unsigned number_behind(const char *name, const char *prefix)
{
    size_t n = strlen(prefix), digits;

    if (strncmp(name, prefix, n) != 0)
        return 0;
    digits = strspn(name + n, "0123456789");
    return digits && digits <= 3 && !name[n + digits] ? (unsigned)atoi(name + n) : 0;
}

unsigned nodeaddon_built_for(const char *root, const char *path, const struct elffile *elf)
{
    unsigned found = 0;
    bool registers = false;

    for (size_t i = 0; i < elf->symbol_count; i++) {
        const struct elf_symbol *symbol = &elf->symbols[i];
        unsigned version = symbol->defined ? number_behind(symbol->name, "node_register_module_v") : 0;

        if (strcmp(symbol->name, symbol->defined ? "napi_register_module_v1" : "napi_module_register") == 0 ||
            (version && found && version != found)) /* it has one for each */
            return 0;
        found = version ? version : found;
        registers |= !symbol->defined && strcmp(symbol->name, "node_module_register") == 0;
    }
    return found || !registers ? found : registered_version(root, path);
}

/* ---- node ---- */

/* `"node_module_version": 115`, in JSON or as JavaScript writes it. */
static unsigned version_in(const char *text, size_t size)
{
    static const char name[] = "node_module_version";

    for (const char *at = text, *end = text + size; (at = memmem(at, (size_t)(end - at), name, sizeof name - 1));) {
        unsigned version = 0, digits = 0;

        at += sizeof name - 1;
        while (at < end && (*at == '"' || *at == '\'' || *at == ':' || *at == ' '))
            at++;
        for (; at < end && isdigit((unsigned char)*at) && digits < 4; at++, digits++)
            version = version * 10 + (unsigned)(*at - '0');
        if (version && version <= VERSION_MOST && at < end && !isdigit((unsigned char)*at))
            return version;
    }
    return 0;
}

unsigned nodeaddon_taken_by(const char *root, const char *path)
{
    enum { CHUNK = 1 << 20, OVERLAP = 64 };
    CLEANUP_CLOSE int fd = path_open(root, path);
    CLEANUP_FREE char *chunk = xmalloc(CHUNK);
    unsigned version = 0;
    ssize_t n;

    for (off_t at = 0; fd >= 0 && !version && (n = pread(fd, chunk, CHUNK, at)) > 0; at += n - OVERLAP) {
        version = version_in(chunk, (size_t)n);
        if (n < CHUNK)
            break;
    }
    return version;
}
