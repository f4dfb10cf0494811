/* One ELF object: what it is, what it needs and what it offers, judged field by field as a loader would.
 *
 * Works on stripped files (program headers and PT_DYNAMIC, never section headers), of every class, byte order and
 * machine. The file is hostile: every offset, count, chain and string is bounded. Opening one twice is cheap
 * (a cache keyed by device, inode, size and mtime), objects in it are shared and never change. */
#ifndef GLIBCTRACE_PROBES_ELFFILE_H
#define GLIBCTRACE_PROBES_ELFFILE_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum elf_state {
    ELFFILE_OK,
    ELFFILE_EMPTY,       /* 0 bytes */
    ELFFILE_SHORT,       /* shorter than an ELF header, or the program headers are cut off */
    ELFFILE_NOT_ELF,     /* another magic: see .starts */
    ELFFILE_TRUNCATED,   /* a PT_LOAD segment or the dynamic section reaches past the end of the file */
    ELFFILE_MALFORMED,   /* header fields that no loader takes: see .why */
    ELFFILE_NOT_REGULAR, /* a directory, device, … */
    ELFFILE_UNREADABLE,  /* open or read failed: see .error */
};

struct elf_version { /* one entry of .gnu.version_r or .gnu.version_d */
    const char *name;
    const char *file; /* needs: the soname that must define it; definitions: NULL */
    uint32_t hash;
    uint16_t index; /* as in .gnu.version */
    bool weak;      /* VER_FLG_WEAK */
    bool base;      /* VER_FLG_BASE: the name of the file itself */
};

struct elf_symbol {
    const char *name;
    const char *version; /* NULL: none (index 0 or 1, or no .gnu.version) */
    const char *file;    /* undefined ones: the soname that the version need names, or NULL */
    uint64_t value;
    uint64_t size;
    uint8_t type, bind, visibility; /* STT_, STB_, STV_ */
    bool defined;
    bool hidden;   /* VERSYM_HIDDEN: not the default version */
    bool absolute; /* SHN_ABS */
    bool by_data;  /* undefined: some relocation other than JUMP_SLOT refers to it, so it is bound at load time */
    bool by_copy;  /* a COPY relocation: room in this program for an object that a library must define */
    bool by_call;  /* undefined: a JUMP_SLOT refers to it, bound at the first call unless BIND_NOW */
    bool by_self;  /* defined, and yet looked up: a relocation refers to it, and another object's may come first */
};

/* One relocation that names a symbol; those without one (relative, most IRELATIVE) are no references. */
struct elf_reference {
    uint64_t place;  /* r_offset: a virtual address of the object */
    uint32_t symbol; /* index in .symbols */
    uint16_t type;   /* R_… of the machine; the 16 lowest bits */
    bool plt;        /* of DT_JMPREL, which may be bound lazily */
};

struct elf_filter {
    const char *name;
    bool optional; /* DT_AUXILIARY: it is done without */
};

struct elffile {
    enum elf_state state;
    const char *why; /* MALFORMED, TRUNCATED: in words */
    int error;       /* UNREADABLE: errno value */
    char starts[17]; /* NOT_ELF: the first bytes, unprintable ones as dots */
    struct stat st;
    unsigned class, data, osabi, abiversion; /* ELFCLASS…, ELFDATA…, … */
    unsigned type, machine, flags;           /* ET_…, EM_…, e_flags */
    uint64_t entry;
    const char *interp;     /* PT_INTERP, or NULL */
    const char *interp_bad; /* … which the kernel refuses, whatever there is: in words; or NULL. ld.so does not ask. */
    bool hollow;            /* no byte of what it would execute is there: debug information alone (objcopy(1)) */
    bool dynamic;           /* has PT_DYNAMIC */
    bool dynamic_fixed; /* … where nothing may be written, though ld.so does (DT_DEBUG of elf/rtld.c, addresses) */
    const char *soname; /* or NULL */
    const char *const *needed;
    size_t needed_count;
    const struct elf_filter *filters; /* DT_FILTER, DT_AUXILIARY: asked before the object itself */
    size_t filter_count;
    const char *rpath, *runpath; /* DT_RPATH, DT_RUNPATH, or NULL (an empty one is "") */
    uint64_t dt_flags, dt_flags_1;
    bool symbolic, bind_now, textrel, nodeflib;
    struct elf_version *needs;
    size_t need_count;
    struct elf_version *defs;
    size_t def_count;
    bool has_versym;
    struct elf_symbol *symbols;
    size_t symbol_count; /* .dynsym but for the first entry; undefined and defined */
    struct elf_reference *references;
    size_t reference_count; /* in the file's order: DT_RELA, DT_REL, DT_JMPREL, each as the loader reads it */
    bool has_unique;        /* defines an STB_GNU_UNIQUE symbol */
    bool execstack;         /* PT_GNU_STACK with PF_X, or (ELFFILE_OK and) no PT_GNU_STACK */
    bool has_gnu_stack;
    uint64_t tls_size, tls_align; /* PT_TLS, 0 where none */
    bool static_tls;              /* DF_STATIC_TLS */
    uint32_t isa_needed;          /* GNU_PROPERTY_X86_ISA_1_NEEDED */
    unsigned abi_os, abi_major, abi_minor, abi_patch;
    bool has_abi_note; /* .note.ABI-tag: needed kernel */
    uint8_t build_id[32];
    size_t build_id_size;
    uint64_t file_size;
    /* In the file: the largest PT_LOAD that can neither be written nor executed, where strings stand; size 0: none. */
    uint64_t constant_offset, constant_size;
};

/* Reads the object at PATH inside ROOT. Always gives an object; .state tells what it is worth (with a bad state only
 * the fields that could be read are set). Release with elffile_put(). */
const struct elffile *elffile_get(const char *root, const char *path);
/* The same for an open descriptor, which is not closed and whose offset may move. */
const struct elffile *elffile_get_fd(int fd);
/* Only what the headers say (class, machine, interpreter, whether it is dynamic at all stays unknown): cheap, and not
 * in the cache. */
const struct elffile *elffile_get_head(const char *root, const char *path);
void elffile_put(const struct elffile *elf);
/* Empties the cache (tests, and before the end so that leak checkers are content). */
void elffile_forget_all(void);

/* What who reads more of the file than is here has found in it, NULL: nothing yet. It is let go by RELEASE with the
 * object, or when another is kept. */
void *elffile_kept(const struct elffile *elf);
void elffile_keep(const struct elffile *elf, void *kept, void (*release)(void *kept));
/* "x86_64", "i386", "aarch64", "arm", "riscv64", … as in contract.md; "x32" for ELFCLASS32 on EM_X86_64;
 * "machine 1234" for unknown ones. The string lives for ever or as long as ELF. */
const char *elffile_machine_name(const struct elffile *elf);
/* The same of a header's numbers (ELFCLASS…, EM_…, ELFDATA…); NULL for an unknown one. ELF above has to be one that
 * elffile_get() gave. */
const char *elffile_machine_known(unsigned class, unsigned machine, unsigned data);
/* The definition that a reference to NAME with VERSION (NULL: unversioned) of FILE (soname the version need names, or
 * NULL) binds to in ELF, by glibc's rules (do_lookup_x, check_match in elf/dl-lookup.c), or NULL. Uses a name index,
 * not a scan. */
const struct elf_symbol *elffile_lookup(const struct elffile *elf, const char *name, const char *version);
/* Any definition of NAME whatever its version, or NULL: for "it defines fmod@GLIBC_2.2.5 instead". */
const struct elf_symbol *elffile_lookup_any(const struct elffile *elf, const char *name);
/* Neither a program with a loader nor a static one at any address, which has a dynamic section too: DF_1_PIE tells
 * (binutils since 2.26), else that it is entered and neither needs, defines nor is called anything. False where the
 * file is not whole. */
bool elffile_is_library(const struct elffile *elf);
bool elffile_defines_version(const struct elffile *elf, const char *version);
/* The words glibc would use for a bad state ("invalid ELF header", "file too short", …), or NULL where it takes the
 * file. */
const char *elffile_loader_words(const struct elffile *elf);

#endif
