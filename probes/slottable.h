/* For slots.c: the tables of one object in memory that its references are in, read whole and bounded. */
#ifndef GLIBCTRACE_PROBES_SLOTTABLE_H
#define GLIBCTRACE_PROBES_SLOTTABLE_H

#include "memimage.h"

enum reference_kind {
    REFERENCE_CALL, /* JUMP_SLOT */
    REFERENCE_SLOT, /* GLOB_DAT: the slot is the symbol's address */
    REFERENCE_WORD, /* the same, plus an addend, anywhere in the object's data */
    REFERENCE_COPY,
    REFERENCE_TLS,
    REFERENCE_OTHER, /* binds nothing, or says no more than another one */
};

struct reference {
    uint64_t slot_addr;
    int64_t addend;
    uint32_t symbol, plt; /* PLT: its number in DT_JMPREL, or its offset there (i386), as the PLT pushes it */
    enum reference_kind kind;
};

struct slottable_symbol {
    const char *name;
    const char *version; /* or NULL */
    uint64_t addr;       /* of its own definition, 0 where it has none */
    uint8_t type, bind, visibility;
};

struct slottable {
    struct reference *references;
    size_t count;
    uint32_t symbol_count; /* as far as references go */
    bool whole;            /* all of it could be read */
    uint8_t *symbols, *versyms;
    char *strings, **versions; /* VERSIONS: names by number */
    size_t symbols_size, versyms_size, strings_size, version_count;
    const struct memimage *image;
};

/* IMAGE must live as long. */
void slottable_read(const struct memimage *image, struct slottable *ret);
void slottable_deinit(struct slottable *table);
/* Symbol INDEX: 0, or -1 where it cannot be read. */
int slottable_symbol(const struct slottable *table, uint32_t index, struct slottable_symbol *ret);

#endif
