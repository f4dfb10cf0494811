/* The cache of ELF objects, and the questions that are put to one. */
#include "elffile.h"

#include "alloc.h"
#include "elfimage.h"
#include "path.h"

#include <errno.h>
#include <string.h>

enum { CACHE_LIMIT = 4096 };

/* The one table of this room: files are the same for all who ask, and are asked for again and again. */
static struct elf_entry *cache;

static void entry_free(struct elf_entry *entry)
{
    free(entry->strings);
    free(entry->interp);
    free(entry->why);
    free(entry->machine_name);
    free(entry->needed);
    free(entry->filters);
    free(entry->versym);
    free(entry->index.buckets);
    free(entry->index.next);
    free(entry->index.hashes);
    free(entry->elf.needs);
    free(entry->elf.defs);
    free(entry->elf.symbols);
    free(entry->elf.references);
    if (entry->kept)
        entry->release(entry->kept);
    free(entry);
}

void *elffile_kept(const struct elffile *elf)
{
    return ((const struct elf_entry *)elf)->kept;
}

void elffile_keep(const struct elffile *elf, void *kept, void (*release)(void *kept))
{
    struct elf_entry *entry = (struct elf_entry *)elf;

    if (entry->kept)
        entry->release(entry->kept);
    entry->kept = kept;
    entry->release = release;
}

static void forget_unused(void)
{
    struct elf_entry *entry, *tmp;

    HASH_ITER(hh, cache, entry, tmp)
    {
        HASH_DEL(cache, entry);
        entry->cached = false;
        if (!entry->users)
            entry_free(entry);
    }
}

void elffile_forget_all(void)
{
    forget_unused();
}

static struct elf_key key_of(const struct stat *st)
{
    struct elf_key key;

    memset(&key, 0, sizeof key); /* padding counts in the hash */
    key.dev = st->st_dev;
    key.ino = st->st_ino;
    key.size = (uint64_t)st->st_size;
    key.mtime = st->st_mtim.tv_sec;
    key.mtime_ns = st->st_mtim.tv_nsec;
    key.ctime = st->st_ctim.tv_sec;
    key.ctime_ns = st->st_ctim.tv_nsec;
    return key;
}

static struct elf_entry *find_cached(const struct stat *st)
{
    struct elf_key key = key_of(st);
    struct elf_entry *entry;

    HASH_FIND(hh, cache, &key, sizeof key, entry);
    if (entry)
        entry->users++;
    return entry;
}

static struct elf_entry *entry_new(void)
{
    struct elf_entry *entry = xcalloc(1, sizeof *entry);

    entry->users = 1;
    return entry;
}

static const struct elffile *unreadable(int error)
{
    struct elf_entry *entry = entry_new();

    entry->elf.state = ELFFILE_UNREADABLE;
    entry->elf.error = error;
    return &entry->elf;
}

static const struct elffile *not_regular(const struct stat *st)
{
    struct elf_entry *entry = entry_new();

    entry->elf.state = ELFFILE_NOT_REGULAR;
    entry->elf.st = *st;
    return &entry->elf;
}

const struct elffile *elffile_get(const char *root, const char *path)
{
    struct stat st;
    int error = path_stat(root, path, &st);

    if (error)
        return unreadable(-error);
    if (!S_ISREG(st.st_mode))
        return not_regular(&st);

    struct elf_entry *entry = find_cached(&st);
    if (entry)
        return &entry->elf;

    CLEANUP_CLOSE int fd = path_open(root, path);
    return fd < 0 ? unreadable(-fd) : elffile_get_fd(fd);
}

const struct elffile *elffile_get_fd(int fd)
{
    struct stat st;
    struct elf_entry *entry;

    if (fstat(fd, &st))
        return unreadable(errno);
    if (!S_ISREG(st.st_mode))
        return not_regular(&st);
    entry = find_cached(&st);
    if (entry)
        return &entry->elf;
    if (HASH_COUNT(cache) >= CACHE_LIMIT)
        forget_unused();
    entry = entry_new();
    entry->elf.st = st;
    entry->elf.file_size = (uint64_t)st.st_size;
    entry->key = key_of(&st);
    elf_parse(entry, fd, true);
    if (entry->elf.state != ELFFILE_UNREADABLE) {
        entry->cached = true;
        HASH_ADD(hh, cache, key, sizeof entry->key, entry);
    }
    return &entry->elf;
}

const struct elffile *elffile_get_head(const char *root, const char *path)
{
    CLEANUP_CLOSE int fd = path_open(root, path);
    struct elf_entry *entry;
    struct stat st;

    if (fd < 0 || fstat(fd, &st))
        return unreadable(fd < 0 ? -fd : errno);
    if (!S_ISREG(st.st_mode))
        return not_regular(&st);
    entry = entry_new();
    entry->elf.st = st;
    entry->elf.file_size = (uint64_t)st.st_size;
    elf_parse(entry, fd, false);
    return &entry->elf;
}

void elffile_put(const struct elffile *elf)
{
    struct elf_entry *entry = (struct elf_entry *)(uintptr_t)elf;

    if (entry && !--entry->users && !entry->cached)
        entry_free(entry);
}

static bool defines_any(const struct elffile *elf)
{
    for (size_t i = 0; i < elf->symbol_count; i++)
        if (elf->symbols[i].defined)
            return true;
    return false;
}

bool elffile_is_library(const struct elffile *elf)
{
    return elf->state == ELFFILE_OK && elf->type == ET_DYN && elf->dynamic && !elf->interp &&
           !(elf->dt_flags_1 & DF_1_PIE) && (elf->soname || elf->needed_count || !elf->entry || defines_any(elf));
}

const char *elffile_machine_known(unsigned class, unsigned machine, unsigned data)
{
    static const struct {
        unsigned machine;
        const char *narrow, *wide;
    } names[] = {
        {EM_X86_64, "x32", "x86_64"},
        {EM_386, "i386", "i386"},
        {EM_AARCH64, "aarch64", "aarch64"},
        {EM_ARM, "arm", "arm"},
        {EM_RISCV, "riscv32", "riscv64"},
        {EM_PPC64, "ppc64", "ppc64"},
        {EM_PPC, "ppc", "ppc"},
        {EM_S390, "s390", "s390x"},
        {EM_MIPS, "mips", "mips64"},
        {EM_LOONGARCH, "loongarch32", "loongarch64"},
        {EM_SPARC, "sparc", "sparc"},
        {EM_SPARCV9, "sparc64", "sparc64"},
        {EM_IA_64, "ia64", "ia64"},
        {EM_ALPHA, "alpha", "alpha"},
        {EM_68K, "m68k", "m68k"},
        {EM_PARISC, "hppa", "hppa"},
        {EM_SH, "sh4", "sh4"},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].machine == machine) {
            if (machine == EM_PPC64 && data == ELFDATA2LSB)
                return "ppc64le";
            return class == ELFCLASS32 ? names[i].narrow : names[i].wide;
        }
    return NULL;
}

const char *elffile_machine_name(const struct elffile *elf)
{
    const char *known = elffile_machine_known(elf->class, elf->machine, elf->data);
    struct elf_entry *entry = (struct elf_entry *)(uintptr_t)elf;

    if (known)
        return known;
    if (!entry->machine_name)
        entry->machine_name = xasprintf("machine %u", elf->machine);
    return entry->machine_name;
}

uint32_t elf_hash_of(const char *name)
{
    uint32_t h = 5381;

    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        h = h * 33 + *p;
    return h;
}

/* check_match() of elf/dl-lookup.c says which of several symbols of one name is taken. */
const struct elf_symbol *elf_lookup_query(const struct elffile *elf, const struct elf_query *q)
{
    const struct elf_entry *entry = (const struct elf_entry *)elf;
    const struct elf_symbol *only = NULL;
    unsigned versions = 0;

    if (!entry->index.buckets)
        return NULL;
    for (uint32_t i = entry->index.buckets[q->hash & entry->index.mask]; i; i = entry->index.next[i - 1]) {
        const struct elf_symbol *symbol = &elf->symbols[i - 1];
        unsigned versym = entry->versym ? entry->versym[i - 1] : 1;

        if (entry->index.hashes[i - 1] != q->hash || strcmp(symbol->name, q->name) != 0 ||
            !(symbol->defined || q->plt_too))
            continue;
        if (!entry->versym)
            return symbol;
        if (q->version) {
            if (symbol->version ? !strcmp(symbol->version, q->version) : !q->exact && !(versym & 0x8000))
                return symbol;
        } else if ((versym & 0x7fff) < (q->newest ? 2 : 3)) {
            return symbol;
        } else if (!(versym & 0x8000) && !versions++) {
            only = symbol;
        }
    }
    return versions == 1 ? only : NULL;
}

const struct elf_symbol *elf_lookup_unversioned(const struct elffile *elf, const struct elf_query *q)
{
    const struct elf_entry *entry = (const struct elf_entry *)elf;

    if (!entry->index.buckets)
        return NULL;
    for (uint32_t i = entry->index.buckets[q->hash & entry->index.mask]; i; i = entry->index.next[i - 1]) {
        const struct elf_symbol *symbol = &elf->symbols[i - 1];

        if (entry->index.hashes[i - 1] == q->hash && !symbol->hidden && symbol->type != STT_GNU_IFUNC &&
            (symbol->defined || (q->plt_too && symbol->type != STT_TLS)) && !strcmp(symbol->name, q->name))
            return symbol;
    }
    return NULL;
}

const struct elf_symbol *elffile_lookup(const struct elffile *elf, const char *name, const char *version)
{
    return elf_lookup_query(elf, &(struct elf_query){.name = name, .hash = elf_hash_of(name), .version = version});
}

const struct elf_symbol *elffile_lookup_any(const struct elffile *elf, const char *name)
{
    const struct elf_entry *entry = (const struct elf_entry *)elf;
    uint32_t hash = elf_hash_of(name);

    if (!entry->index.buckets)
        return NULL;
    for (uint32_t i = entry->index.buckets[hash & entry->index.mask]; i; i = entry->index.next[i - 1])
        if (entry->index.hashes[i - 1] == hash && elf->symbols[i - 1].defined &&
            !strcmp(elf->symbols[i - 1].name, name))
            return &elf->symbols[i - 1];
    return NULL;
}

bool elffile_defines_version(const struct elffile *elf, const char *version)
{
    for (size_t i = 0; i < elf->def_count; i++)
        if (!strcmp(elf->defs[i].name, version))
            return true;
    return false;
}

const char *elffile_loader_words(const struct elffile *elf)
{
    switch (elf->state) {
    case ELFFILE_OK:
    case ELFFILE_TRUNCATED: /* mapped without a look, then SIGBUS */
        return NULL;
    case ELFFILE_EMPTY:
        return "file too short";
    case ELFFILE_SHORT: /* open_verify() of elf/dl-load.c: the header, then the program headers */
        return elf->file_size < (elf->class == ELFCLASS32 ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr))
                   ? "file too short"
                   : "cannot read file data";
    case ELFFILE_NOT_ELF: /* the length is looked at first */
        return elf->file_size < sizeof(Elf64_Ehdr) ? "file too short" : "invalid ELF header";
    case ELFFILE_MALFORMED:
        return elf->why;
    case ELFFILE_NOT_REGULAR:
        return "cannot read file data";
    case ELFFILE_UNREADABLE:
        return "cannot open shared object file";
    }
    return NULL;
}
