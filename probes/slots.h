/* Bindings after the fact: which definition each symbol reference of a process is bound to, read from the slots that
 * its relocations have filled in. No thread has to stand, no file is opened, and stripped loaders are no obstacle.
 *
 * A slot holds an address; the object whose segments hold that address has the definition. Where the slot cannot tell
 * that by itself, the exported symbols of the namespace's objects in load order do: what an IFUNC's resolver chose may
 * lie elsewhere (the vDSO), a thread-local variable is an offset, a COPY relocation's slot is the copy, and a word in
 * writable data may have been changed since. A function slot that still leads into the object's own procedure linkage
 * table is not bound yet.
 *
 * x86-64 and i386. Relative relocations bind nothing and are passed over, as are references to local and hidden
 * symbols, which no loader looks up. */
#ifndef GLIBCTRACE_PROBES_SLOTS_H
#define GLIBCTRACE_PROBES_SLOTS_H

#include "linkmap.h"

enum slot_state {
    SLOT_BOUND,   /* to .to */
    SLOT_LAZY,    /* not bound yet: it will be at its first use */
    SLOT_NONE,    /* a weak reference that nobody satisfies: the slot is empty */
    SLOT_UNKNOWN, /* it leads to no object that is known: a program has put something of its own there */
};

/* One reference of an object; several slots that are bound alike are one. Valid during the call only. */
struct slot {
    enum slot_state state;
    const char *symbol;
    const char *version; /* NULL: the reference has none */
    const struct linkmap_object *from, *to;
    uint64_t slot_addr, value; /* of the first such slot */
};

struct slot_sink {
    void (*take)(void *ctx, const struct slot *slot);
    void *ctx;
};

struct slots_result {
    size_t slots;                      /* that a symbol was looked up for */
    size_t bound, lazy, none, unknown; /* of the references that were told */
    size_t unread;                     /* objects whose tables could not be read (whole) */
};

/* Tells SINK all references of LINKMAP's objects (only those that came with the last update where FRESH), in load
 * order. */
void slots_read(struct linkmap *linkmap, bool fresh, const struct slot_sink *sink, struct slots_result *ret);

#endif
