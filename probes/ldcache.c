/* /etc/ld.so.cache: elf/dl-cache.c and sysdeps/generic/dl-cache.h of glibc.
 *
 * Two formats, of which the older ("ld.so-1.7.0") may stand before the newer ("glibc-ld.so.cache1.1") in one file. The
 * newer has 24-byte entries sorted by name, strings relative to its own header, and an extension that names the
 * subdirectories of glibc-hwcaps. Only one path comes out of it; when that cannot be opened the search goes on behind
 * the cache. */
#include "loader.h"

#include "alloc.h"

#include <elf.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OLD_MAGIC "ld.so-1.7.0"
#define NEW_MAGIC "glibc-ld.so.cache1.1"

enum {
    OLD_HEADER = 16,
    OLD_ENTRY = 12,
    NEW_HEADER = 48,
    NEW_ENTRY = 24,
    MAX_CACHE = 64 << 20,
    MAX_HWCAPS = 256,
    FLAG_ELF = 1,
    FLAG_ELF_LIBC6 = 3,
};
#define EXTENSION_MAGIC 0xeaa42174u
#define HWCAP_EXTENSION (1u << 30) /* of the upper half; the 10 bits below hold an ISA level */
#define HWCAP_LEVEL_MASK 0x3ffu

struct ldcache {
    uint8_t *bytes;
    size_t size;
    size_t base; /* strings are relative to it */
    size_t entries;
    size_t entry_size;
    uint32_t count;
    const char *hwcaps[MAX_HWCAPS]; /* by index in the entries */
    uint32_t hwcap_count;
};

/* The cache is written in its own machine's order; a big-endian root read here is told by its impossible counts. */
static uint32_t word(const struct ldcache *cache, size_t at)
{
    uint32_t v;

    memcpy(&v, cache->bytes + at, sizeof v);
    return v;
}

static const char *cache_string(const struct ldcache *cache, uint32_t offset)
{
    return offset < cache->size - cache->base ? (const char *)cache->bytes + cache->base + offset : NULL;
}

static void read_extension(struct ldcache *cache)
{
    size_t at = word(cache, cache->base + 32); /* header: magic 20, count, string size, flags, this */
    uint32_t sections;

    at += at ? cache->base : 0;
    if (!at || at > cache->size || cache->size - at < 8 || word(cache, at) != EXTENSION_MAGIC)
        return;
    sections = word(cache, at + 4);
    for (uint32_t i = 0; i < sections && cache->size - at - 8 >= ((size_t)i + 1) * 16; i++) {
        size_t section = at + 8 + (size_t)i * 16;
        size_t offset = cache->base + word(cache, section + 8), size = word(cache, section + 12);

        if (word(cache, section) != 1) /* cache_extension_tag_glibc_hwcaps */
            continue;
        if (offset > cache->size || size > cache->size - offset)
            return;
        for (size_t k = 0; k < size / 4 && k < MAX_HWCAPS; k++)
            cache->hwcaps[cache->hwcap_count++] = cache_string(cache, word(cache, offset + k * 4));
        return;
    }
}

static bool parse_new(struct ldcache *cache, size_t base)
{
    if (base > cache->size || cache->size - base < NEW_HEADER ||
        memcmp(cache->bytes + base, NEW_MAGIC, sizeof NEW_MAGIC - 1) != 0)
        return false;
    cache->base = base;
    cache->entries = base + NEW_HEADER;
    cache->entry_size = NEW_ENTRY;
    cache->count = word(cache, base + 20);
    if (cache->count > (cache->size - cache->entries) / NEW_ENTRY)
        return false;
    read_extension(cache);
    return true;
}

static bool parse(struct ldcache *cache)
{
    size_t strings;

    if (parse_new(cache, 0))
        return true;
    if (cache->size < OLD_HEADER || memcmp(cache->bytes, OLD_MAGIC, sizeof OLD_MAGIC - 1) != 0)
        return false;
    cache->count = word(cache, 12);
    if (cache->count > (cache->size - OLD_HEADER) / OLD_ENTRY)
        return false;
    strings = OLD_HEADER + (size_t)cache->count * OLD_ENTRY;
    if (parse_new(cache, (strings + 7) & ~(size_t)7))
        return true;
    cache->count = word(cache, 12);
    cache->entries = OLD_HEADER;
    cache->entry_size = OLD_ENTRY;
    cache->base = strings;
    return true;
}

static bool read_whole(struct ldcache *cache, int fd)
{
    struct stat st;
    size_t done = 0;

    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > MAX_CACHE)
        return false;
    cache->size = (size_t)st.st_size;
    cache->bytes = xmalloc(cache->size + 1);
    while (done < cache->size) {
        ssize_t got = read(fd, cache->bytes + done, cache->size - done);

        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    cache->bytes[cache->size] = '\0'; /* ends whatever string runs to the end */
    return true;
}

struct ldcache *ldcache_read(const char *root)
{
    CLEANUP_CLOSE int fd = path_open(root, "/etc/ld.so.cache");
    struct ldcache *cache;

    if (fd < 0)
        return NULL;
    cache = xcalloc(1, sizeof *cache);
    if (read_whole(cache, fd) && parse(cache))
        return cache;
    ldcache_free(cache);
    return NULL;
}

void ldcache_free(struct ldcache *cache)
{
    if (cache)
        free(cache->bytes);
    free(cache);
}

/* _dl_cache_libcmp(): numbers are compared as numbers, and come before letters. The file is sorted downwards. */
static int compare(const char *p, const char *q)
{
    while (*p) {
        bool p_digit = *p >= '0' && *p <= '9', q_digit = *q >= '0' && *q <= '9';

        if (p_digit && q_digit) {
            unsigned long a = strtoul(p, (char **)(uintptr_t)&p, 10), b = strtoul(q, (char **)(uintptr_t)&q, 10);

            if (a != b)
                return a < b ? -1 : 1;
        } else if (p_digit || q_digit) {
            return p_digit ? 1 : -1;
        } else if (*p != *q) {
            return (unsigned char)*p < (unsigned char)*q ? -1 : 1;
        } else {
            p++;
            q++;
        }
    }
    return *q ? -1 : 0;
}

/* Flags that ldconfig writes for a library of that machine (sysdeps/generic/ldconfig.h); 0: not known. */
static uint32_t wanted_flags(const struct elffile *model)
{
    static const struct {
        unsigned machine, class;
        uint32_t flags;
    } table[] = {
        {EM_X86_64, ELFCLASS64, 0x0303},  {EM_X86_64, ELFCLASS32, 0x0803}, {EM_386, ELFCLASS32, 0x0003},
        {EM_AARCH64, ELFCLASS64, 0x0a03}, {EM_S390, ELFCLASS64, 0x0403},   {EM_PPC64, ELFCLASS64, 0x0503},
        {EM_RISCV, ELFCLASS64, 0x1003},   {EM_68K, ELFCLASS32, 0x0003},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].machine == model->machine && table[i].class == model->class)
            return table[i].flags;
    if (model->machine == EM_ARM)
        return model->flags & EF_ARM_ABI_FLOAT_HARD ? 0x0903 : 0x0b03;
    return 0;
}

static const char *key_of(const struct ldcache *cache, uint32_t i)
{
    return cache_string(cache, word(cache, cache->entries + i * cache->entry_size + 4));
}

/* The first of the entries with that name, or count. */
static uint32_t first_entry(const struct ldcache *cache, const char *name)
{
    uint32_t low = 0, high = cache->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *key = key_of(cache, middle);
        int order = key ? compare(name, key) : -1;

        if (order < 0) /* sorted downwards: a smaller name stands further back */
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* HWCAP_CHECK of elf/dl-cache.c up to 2.36: every hardware bit must be had, and a platform must be ours. */
static bool fits_legacy(uint64_t hwcap, const struct loader_traits *traits)
{
    uint64_t platforms = UINT64_C(0xffff) << 48 & ~(UINT64_C(1) << 63), platform = hwcap & platforms;

    if (!hwcap)
        return true;
    return traits->legacy && !(hwcap & ~platforms & ~traits->hwcap_bits) &&
           (!platform || platform == traits->platform_bit);
}

/* 0: may not be used; 1: best; UINT32_MAX: an entry without a named hwcap. */
static uint32_t priority_of(const struct ldcache *cache, size_t entry, const struct loader_traits *traits)
{
    uint32_t low, high;

    if (cache->entry_size < NEW_ENTRY)
        return UINT32_MAX;
    low = word(cache, entry + 16);
    high = word(cache, entry + 20);
    if ((high & ~HWCAP_LEVEL_MASK) != HWCAP_EXTENSION)
        return fits_legacy((uint64_t)high << 32 | low, traits) ? UINT32_MAX : 0;
    for (size_t i = 0; i < traits->hwcap_count; i++)
        if (low < cache->hwcap_count && cache->hwcaps[low] && !strcmp(cache->hwcaps[low], traits->hwcaps[i]))
            return (uint32_t)i + 1;
    return 0;
}

const char *ldcache_find(const struct ldcache *cache, const char *name, const struct loader_traits *traits,
                         const struct elffile *model)
{
    uint32_t wanted = wanted_flags(model), best_priority = 0;
    const char *best = NULL, *key;

    if (!cache)
        return NULL;
    for (uint32_t i = first_entry(cache, name); i < cache->count; i++) {
        size_t entry = cache->entries + i * cache->entry_size;
        uint32_t flags = word(cache, entry), priority;

        key = key_of(cache, i);
        if (!key || compare(name, key) != 0)
            break;
        if (wanted ? flags != wanted && flags != FLAG_ELF : (flags & 0xff) != FLAG_ELF_LIBC6)
            continue;
        priority = priority_of(cache, entry, traits);
        if (!priority || (best && priority >= best_priority))
            continue;
        best = cache_string(cache, word(cache, entry + 8));
        best_priority = priority;
    }
    return best;
}
