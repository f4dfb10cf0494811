/* An ELF image as it lies in a process: what its loader sees, without any file.
 *
 * Program headers, the dynamic section and all that it names (symbols, strings, hash tables, versions) lie in mapped
 * segments, so a stripped, deleted or replaced object can be asked all the same. Everything is read through a struct
 * mem when it is asked for, and is hostile: the process may change it meanwhile. An image is for a few questions in a
 * row, while nothing changes: looking one name up takes a dozen reads within a few pages, and so pages are kept.
 * Whether the pointers in the dynamic section are relocated depends on the C library, the machine and the moment, and
 * is told by where they point. */
#ifndef GLIBCTRACE_PROBES_MEMIMAGE_H
#define GLIBCTRACE_PROBES_MEMIMAGE_H

#include "mem.h"

#include <stdbool.h>

struct memimage_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, file_size, memory_size;
};

struct memimage_tag {
    uint64_t tag, value;
};

struct memimage_pages;

struct memimage {
    /* Reads what the given one reads, a page at a time and each page once, with the image's own word size where its
     * header tells that. */
    struct mem mem;
    struct memimage_pages *pages;
    uint64_t bias;                 /* what is added to its virtual addresses (link_map's l_addr) */
    uint64_t start_addr, end_addr; /* of its PT_LOADs, the last one excluded; both 0 where they are not known */
    unsigned class, machine, type; /* ELFCLASS…, EM_…, ET_…; 0 where its header is not in memory */
    struct memimage_segment *segments;
    size_t segment_count;
    uint64_t dynamic_addr;     /* 0: it has none */
    struct memimage_tag *tags; /* the dynamic section, up to DT_NULL */
    size_t tag_count;
};

/* All three give 0, or -1 where nothing of the kind lies there (RET is then empty). Of the image whose first byte (its
 * ELF header) is at BASE: AT_BASE, AT_SYSINFO_EHDR, a mapping's start. */
int memimage_at(const struct mem *mem, uint64_t base_addr, struct memimage *ret);
/* Of the image that has COUNT program headers at ADDR: AT_PHDR, AT_PHNUM. */
int memimage_of_headers(const struct mem *mem, uint64_t addr, size_t count, struct memimage *ret);
/* Of a struct link_map: l_addr and l_ld. Segments are known only where its header lies at the bias. */
int memimage_of_map(const struct mem *mem, uint64_t bias, uint64_t dynamic_addr, struct memimage *ret);
void memimage_deinit(struct memimage *image);

/* The dynamic section's first entry TAG; false where there is none. */
bool memimage_tag(const struct memimage *image, uint64_t tag, uint64_t *ret);
/* The address that the entry TAG points at, or 0. */
uint64_t memimage_pointer(const struct memimage *image, uint64_t tag);
/* Whether ADDR lies in one of its PT_LOADs (all of them where FLAGS is 0, else those with all of PF_… FLAGS). */
bool memimage_holds(const struct memimage *image, uint64_t addr, uint32_t flags);
/* The string at OFFSET of its DT_STRTAB, at most 4095 bytes, malloced; or NULL. */
char *memimage_string(const struct memimage *image, uint64_t offset);
char *memimage_soname(const struct memimage *image); /* malloced, or NULL */
char *memimage_interp(const struct memimage *image); /* malloced, or NULL */
/* Its GNU build-id: how many bytes of at most SIZE were written, 0 where it has none. */
size_t memimage_build_id(const struct memimage *image, uint8_t *ret, size_t size);

struct memimage_symbol {
    uint64_t addr; /* of what it names; TLS symbols: the offset in the object's block; IFUNC: the resolver's */
    uint64_t size;
    uint8_t type, bind, visibility; /* STT_…, STB_…, STV_… */
    bool ifunc;                     /* STT_GNU_IFUNC: the function itself is what the resolver gives back */
    bool absolute;                  /* SHN_ABS: ADDR has no bias in it */
    bool hidden;                    /* not the default version */
    uint16_t version;               /* as in .gnu.version, without the hidden bit; 1 where there is no such table */
    uint32_t index;                 /* in .dynsym */
};

/* The exported definition of NAME, by its hash tables: the one with VERSION, or the default one (VERSION NULL; the
 * first one where none is default). 0, or -1 where it exports no such thing. */
int memimage_symbol(const struct memimage *image, const char *name, const char *version, struct memimage_symbol *ret);
/* The address that IMAGE itself has given to NAME, which it takes from elsewhere: a program at a fixed address whose
 * code compares function pointers names its own procedure linkage table entry that way (gABI, "Function Addresses" of
 * the processor supplements), and others are bound to it. 0 where there is none. */
uint64_t memimage_stand_in(const struct memimage *image, const char *name);
/* The name of version number INDEX among its definitions, malloced; or NULL. Number 1 is the file itself. */
char *memimage_version(const struct memimage *image, unsigned index);

/* Whether a function begins at ADDR: it has an entry in the binary search table of .eh_frame_hdr (LSB core, "DWARF
 * Extensions"). False as well where there is no such table. */
bool memimage_begins_function(const struct memimage *image, uint64_t addr);

/* Functions of glibc's ld.so that it does not export but keeps in _rtld_global_ro, behind the exported _dl_mcount
 * (sysdeps/generic/ldsodefs.h; found on 2.28 to 2.44). Each is 0 unless a function begins there. */
struct memimage_hidden {
    uint64_t lookup_addr; /* _dl_lookup_symbol_x (name, undef_map, ref, scope, version, type_class, …) */
    uint64_t open_addr;   /* _dl_open (file, mode, caller, namespace, …) */
    uint64_t close_addr;  /* _dl_close (map) */
};
/* IMAGE is ld.so after it has relocated itself. 0, or -1 where it is not glibc's or the anchor is not there (yet). */
int memimage_hidden(const struct memimage *image, struct memimage_hidden *ret);
/* The same right after the execve, when it has not. */
int memimage_hidden_early(const struct memimage *image, struct memimage_hidden *ret);

#endif
