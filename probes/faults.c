/* What is wrong with objects that were found: versions (elf/dl-version.c) and symbols (elf/dl-lookup.c) that nobody
 * defines. Going through the references also tells what they bind for good: unique symbols, and what keeps what. */
#include "alloc.h"
#include "elfimage.h"
#include "loader.h"

#include <elf.h>
#include <string.h>

enum { MAX_FAULTS = 10000 };

/* The undefined symbols of SUBJECT that carry VERSION of FILE. */
static void list_symbols(struct fault *fault, const struct elf_version *need)
{
    const struct elffile *elf = fault->subject->elf;

    for (size_t i = 0; i < elf->symbol_count; i++) {
        const struct elf_symbol *s = &elf->symbols[i];

        if ((s->defined && !s->by_copy) || !s->version || strcmp(s->version, need->name) != 0 ||
            (s->file && strcmp(s->file, need->file) != 0))
            continue;
        fault->symbols = xreallocarray(fault->symbols, fault->symbol_count + 1, sizeof *fault->symbols);
        fault->symbols[fault->symbol_count++] = s->name;
    }
}

/* match_symbol(): the hash and the name, base definitions included. */
static void check_need(struct load *load, const struct object *object, const struct elf_version *need, size_t batch)
{
    const struct object *provider = loaded_by_name(load, need->file, object->space);
    struct fault *fault;

    /* A file that is not loaded is a fault of its own; what it would define cannot be known. */
    if (!provider || elffile_defines_version(provider->elf, need->name))
        return;
    fault = fault_add(load, FAULT_VERSION, object, batch);
    fault->name = need->name;
    fault->provider = provider;
    fault->weak = need->weak;
    fault->warning = need->weak || !provider->elf->def_count;
    list_symbols(fault, need);
}

void check_versions(struct load *load, size_t first, size_t batch)
{
    if (load->family != LOADER_GLIBC)
        return;
    for (size_t i = first; i < load->object_count; i++) {
        const struct object *object = load->objects[i];

        for (size_t k = 0; k < object->elf->need_count; k++)
            check_need(load, object, &object->elf->needs[k], batch);
    }
}

static bool covered_by_version_fault(const struct load *load, const struct object *object, const struct elf_symbol *s,
                                     size_t batch)
{
    for (size_t i = load->fault_count; s->version && i-- > 0;) {
        const struct fault *f = load->faults[i];

        if (f->kind == FAULT_VERSION && f->batch == batch && f->subject == object && !f->warning &&
            !strcmp(f->name, s->version))
            return true;
    }
    return false;
}

struct checking {
    struct load *load;
    size_t batch;
    bool incomplete; /* a library was not found: what it defines cannot be known */
    bool uniques;    /* some object defines unique symbols: even references to one's own must be looked at */
};

static struct fault *symbol_fault(const struct checking *c, const struct object *object, const struct elf_symbol *s,
                                  bool lazy)
{
    struct fault *fault;

    if (c->load->fault_count >= MAX_FAULTS)
        return NULL;
    fault = fault_add(c->load, FAULT_SYMBOL, object, c->batch);
    fault->name = s->name;
    fault->version = s->version;
    fault->provider = s->version && s->file ? loaded_by_name(c->load, s->file, object->space) : NULL;
    fault->lazy = lazy;
    return fault;
}

/* The library that the version of S is of, a demand of OBJECT's; of what is copied into the program, too, which is
 * defined there. NULL: it asks for none. */
static const char *library_of(const struct object *object, const struct elf_symbol *s)
{
    if (!s->version || (s->defined && !s->by_copy))
        return NULL;
    for (size_t i = 0; !s->file && i < object->elf->need_count; i++)
        if (strcmp(object->elf->needs[i].name, s->version) == 0)
            return object->elf->needs[i].file;
    return s->file;
}

/* Where the library that a version names has none at all, check_match() takes the symbol, or (as in 2.36) ends the
 * program with a failed assertion. */
static bool aborts(const struct load *load, const struct object *object, const struct object *found,
                   const struct elf_symbol *s)
{
    const char *library = load->priv->traits.version_assert ? library_of(object, s) : NULL;

    return library && !found->elf->has_versym && loaded_by_name(load, library, object->space) == found;
}

/* … of which the loader has warned before. */
static void abort_fault(const struct checking *c, const struct object *object, const struct elf_symbol *s, bool lazy)
{
    for (size_t i = 0; i < c->load->fault_count; i++) {
        struct fault *f = c->load->faults[i];

        if (f->kind != FAULT_VERSION || f->batch != c->batch || f->subject != object ||
            strcmp(f->name, s->version) != 0)
            continue;
        f->lazy = lazy && (f->lazy || f->warning);
        f->warning = false;
        f->asserts = true;
        return;
    }
    symbol_fault(c, object, s, lazy);
}

/* The library that the version of S is of, where it is not among those that are loaded: _dl_check_map_versions() of
 * elf/dl-version.c asserts that it is, whoever else has the symbol. */
static const char *unloaded(const struct checking *c, const struct object *object, const struct elf_symbol *s)
{
    const char *library = c->load->priv->traits.needed_assert && !c->incomplete ? library_of(object, s) : NULL;

    return library && !loaded_by_name(c->load, library, object->space) ? library : NULL;
}

static bool is_checked(const struct checking *c, const struct elf_symbol *s)
{
    if (!*s->name || s->bind == STB_LOCAL)
        return false;
    return s->by_data || s->by_call || s->by_copy || (s->by_self && (c->uniques || c->batch > 0));
}

static void check_symbol(const struct checking *c, struct object *object, const struct elf_symbol *s, uint32_t hash,
                         bool want_lazy)
{
    const struct object_more *more = more_of(c->load, object);
    const char *library = unloaded(c, object, s);
    bool lazy = !s->by_data && !s->by_copy && !s->by_self && !more->now && !library;
    struct question q = {.load = c->load,
                         .query = {.name = s->name, .hash = hash, .version = s->version},
                         .class = s->by_copy                 ? LOOKUP_COPY
                                  : s->by_data || s->by_self ? LOOKUP_DATA
                                                             : LOOKUP_CALL,
                         .reference = s,
                         .when = c->batch};
    const struct object *found;

    if (lazy != want_lazy)
        return;
    found = scope_ask(&q, object);
    if (found && !lazy)
        scope_bound(&q, object, found);
    if (library) {
        struct fault *fault = symbol_fault(c, object, s, false);

        if (fault) {
            fault->asserts = true;
            fault->unloaded = library;
        }
        return;
    }
    if (found && !s->by_self && aborts(c->load, object, found, s)) { /* of a weak reference as well */
        abort_fault(c, object, s, lazy);
        return;
    }
    if (found || s->bind != STB_GLOBAL || s->by_self ||
        (c->incomplete && !(s->file && loaded_by_name(c->load, s->file, object->space))))
        return;
    if (!covered_by_version_fault(c->load, object, s, c->batch))
        symbol_fault(c, object, s, lazy);
}

static void check_object(const struct checking *c, struct object *object, bool want_lazy)
{
    const struct elf_entry *entry = (const struct elf_entry *)object->elf;

    for (size_t i = 0; i < object->elf->symbol_count; i++)
        if (is_checked(c, &object->elf->symbols[i]))
            check_symbol(c, object, &object->elf->symbols[i], entry->index.hashes[i], want_lazy);
}

/* dl_main() relocates from the last object to the first; lazy references come when they are called. */
void check_symbols(struct load *load, size_t first, size_t batch)
{
    struct checking c = {.load = load, .batch = batch};

    for (size_t i = 0; i < load->fault_count; i++)
        c.incomplete |= load->faults[i]->kind == FAULT_NOT_FOUND && !load->faults[i]->warning &&
                        (load->faults[i]->batch == batch || load->faults[i]->batch == 0);
    for (size_t i = 0; i < load->object_count; i++)
        c.uniques |= load->objects[i]->elf->has_unique && load->family == LOADER_GLIBC;
    for (int lazy = 0; lazy < 2; lazy++)
        for (size_t i = load->object_count; i-- > first;)
            if (load->objects[i]->why != OBJECT_INTERP)
                check_object(&c, load->objects[i], lazy);
}
