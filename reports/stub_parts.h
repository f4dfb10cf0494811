/* The inside of the stub writer, for its files: stub.c (layout), stub_bytes.c (numbers and names),
 * stub_versions.c (.gnu.version and its two tables), stub_demands.c (what else an object may want), stub_calls.c
 * (programs that only make system calls). */
#ifndef GLIBCTRACE_REPORTS_STUB_PARTS_H
#define GLIBCTRACE_REPORTS_STUB_PARTS_H

#include "scenario.h"
#include "stub_machine.h"

struct part { /* a place in the file */
    uint64_t at;
    uint64_t size;
};

struct version { /* one line of .gnu.version_d or .gnu.version_r */
    const char *file;
    const char *name;
    uint16_t index;
    uint32_t at; /* of the name, in .dynstr */
};

struct stub {
    const struct mini_object *object;
    const struct stub_machine *machine;
    const char *rpath, *runpath;
    bool wide, big; /* 64-bit; most significant byte first */
    unsigned char *bytes;
    size_t size, cap;
    unsigned char *strings; /* .dynstr */
    size_t string_size, string_cap;
    struct version *versions;
    size_t version_count, version_cap;
    struct part headers, interp, code, property, symbols, dynstr, hash, versym, verdef, verneed, relocs, words, dynamic;
    uint32_t soname_at;
    uint64_t data_shift; /* address = offset + this, in the second segment */
};

/* Appends SIZE bytes (NULL: zeros). */
void stub_put(struct stub *stub, const void *data, size_t size);
/* Appends VALUE in the file's byte order; word: an address, offset or Elf_Xword, as wide as the class. */
void stub_put_number(struct stub *stub, uint64_t value, unsigned width);
void stub_put16(struct stub *stub, uint64_t value);
void stub_put32(struct stub *stub, uint64_t value);
void stub_put_word(struct stub *stub, uint64_t value);
void stub_align(struct stub *stub, size_t to);
struct part stub_part_begin(struct stub *stub, size_t alignment);
void stub_part_end(struct stub *stub, struct part *part);
/* The offset of STRING in .dynstr, to which it is added. The empty one is at 0, once stub_names_begin() was called. */
uint32_t stub_name_at(struct stub *stub, const char *string);
void stub_names_begin(struct stub *stub);
/* The hash of the System V ABI, chapter 5; version names are hashed with it too. */
uint32_t stub_name_hash(const char *name);

/* Both append a header. ENTRY: the address at which a program begins. A segment's address is PART's place + SHIFT. */
void stub_put_ehdr(struct stub *stub, unsigned type, uint64_t entry, unsigned headers);
void stub_put_phdr(struct stub *stub, uint32_t type, uint32_t flags, struct part part, uint64_t shift,
                   uint64_t align_to);

/* stub_demands.c: what an object wants beside libraries and symbols. */
/* Fails where we do not know how to write what OBJECT wants. */
int stub_check_demands(const struct mini_object *object, struct err *err);
/* Adds what OBJECT asks of the loader. */
void stub_ask_loader(struct mini_object *object, const struct stub_machine *machine);
/* Relocations in all: one for each undefined symbol, one more for thread-local storage at a fixed place. */
size_t stub_reloc_count(const struct stub *stub);
/* .note.gnu.property, where the object is for a processor of some level. */
void stub_put_property(struct stub *stub);
void stub_put_tls_header(struct stub *stub);
/* A program that opens a library: what it needs for that (the caller's), its code with the name, and, when all has its
 * place, the addresses in it. */
struct mini_object *stub_opener(const struct mini_object *object);
void stub_put_opener(struct stub *stub);
void stub_fit_opener(struct stub *stub);

/* Numbers the versions that the object defines and needs: definitions first. */
void stub_versions_collect(struct stub *stub);
size_t stub_version_definitions(const struct stub *stub);
/* Files of which versions are needed. */
size_t stub_version_files(const struct stub *stub);
/* .gnu.version, .gnu.version_d, .gnu.version_r; each only where there is something to put. */
void stub_put_versym(struct stub *stub);
void stub_put_verdefs(struct stub *stub);
void stub_put_verneeds(struct stub *stub);

#endif
