/* What elffile.c, elfparse.c and elfsym.c share: the bytes of one file, and the object that is made of them.
 *
 * Not for other files. Bytes are read with pread(2) range by range and never mapped: a file that shrinks while it is
 * looked at must not end us with SIGBUS. Every range is checked against the file's size before memory is asked for. */
#ifndef GLIBCTRACE_PROBES_ELFIMAGE_H
#define GLIBCTRACE_PROBES_ELFIMAGE_H

#include "elffile.h"

#include <elf.h>
#include <uthash.h>

struct elf_key {
    uint64_t dev, ino, size;
    int64_t mtime, mtime_ns, ctime, ctime_ns;
};

/* The names that the hash table offers, by GNU hash: bucket -> first symbol + 1, next[symbol] -> the following. */
struct elf_index {
    uint32_t *buckets, *next, *hashes;
    size_t mask;
};

struct elf_entry {
    struct elffile elf; /* first: the public pointer is this entry */
    struct elf_key key;
    unsigned users;
    bool cached;
    UT_hash_handle hh;

    char *strings; /* DT_STRTAB, with a NUL more than the file has */
    size_t strings_size;
    char *interp, *why, *machine_name;
    const char **needed;
    struct elf_filter *filters;
    uint16_t *versym; /* one for each of elf.symbols, or NULL */
    struct elf_index index;
    bool padded; /* e_ident has something behind the ABI version */
    void *kept;  /* elffile_keep() */
    void (*release)(void *kept);
};

struct elf_segment {
    uint64_t offset, vaddr, file_size, align;
    uint32_t type, flags;
};

struct elf_image {
    int fd;
    uint64_t size;
    bool wide; /* ELFCLASS64 */
    bool swap; /* other byte order than ours */
    struct elf_segment *segments;
    size_t segment_count;
    uint64_t dynamic[DT_NUM]; /* values of the tags below DT_NUM, 0 where absent */
    bool has[DT_NUM];
    uint64_t gnu_hash, versym, verneed, verdef, relacount; /* OS-specific tags, 0 where absent */
    uint64_t verneed_count, verdef_count;
};

/* N bytes at OFFSET of the file, malloced, or NULL where the file does not hold them. */
uint8_t *image_read(const struct elf_image *image, uint64_t offset, uint64_t n);
/* The same by virtual address, through the PT_LOAD that holds it. */
uint8_t *image_read_address(const struct elf_image *image, uint64_t addr, uint64_t n);
/* How many bytes of the file stand at ADDR, up to the end of its segment and of those that go on
 * where it ends. */
uint64_t image_available(const struct elf_image *image, uint64_t addr);

uint16_t image_u16(const struct elf_image *image, const uint8_t *p);
uint32_t image_u32(const struct elf_image *image, const uint8_t *p);
uint64_t image_u64(const struct elf_image *image, const uint8_t *p);
/* A word of the file's own class. */
uint64_t image_word(const struct elf_image *image, const uint8_t *p);

/* The string at OFFSET of DT_STRTAB, "" where there is none. */
const char *entry_string(const struct elf_entry *entry, uint64_t offset);
/* Fills ENTRY->elf from the file; unless WHOLE only what the headers say. */
void elf_parse(struct elf_entry *entry, int fd, bool whole);
/* Versions, symbols and the references to them; elf_parse() calls it. */
void elf_parse_symbols(struct elf_entry *entry, const struct elf_image *image);

/* For callers that look one name up in many objects. */
struct elf_query {
    const char *name;
    uint32_t hash;       /* elf_hash_of(NAME) */
    const char *version; /* NULL: the reference has none */
    bool exact;          /* dlvsym(3): a symbol without a version does not do */
    bool newest;         /* dlsym(3): without a version, the default one and not the oldest */
    bool plt_too;        /* an undefined symbol with a value will do: the PLT entry that stands for a function */
};
/* By glibc's rules, as elffile_lookup(). */
const struct elf_symbol *elf_lookup_query(const struct elffile *elf, const struct elf_query *query);
/* musl's rule: any definition that is not hidden by its version. */
const struct elf_symbol *elf_lookup_unversioned(const struct elffile *elf, const struct elf_query *query);
uint32_t elf_hash_of(const char *name); /* DT_GNU_HASH's function */

#endif
