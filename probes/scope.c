/* Versions and symbols: elf/dl-version.c and elf/dl-lookup.c; for musl find_sym() of ldso/dynlink.c, which knows no
 * versions. */
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
    const struct object *provider = loaded_by_name(load, need->file);
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

/* What is asked of the scope for one reference. */
struct question {
    const struct load *load;
    const char *name, *version;
    uint32_t hash;
    const struct object *skip; /* COPY relocations do not look at the program itself */
    const struct elf_symbol *symbol;
};

static const struct object *ask_object(struct question *q, const struct object *object)
{
    if (object == q->skip || more_of(q->load, object)->removed)
        return NULL;
    if (q->load->family == LOADER_MUSL)
        q->symbol = elf_lookup_unversioned(object->elf, q->name, q->hash);
    else
        q->symbol = elf_lookup_hashed(object->elf, q->name, q->hash, q->version);
    return q->symbol ? object : NULL;
}

static const struct object *ask_group(struct question *q, const struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        if (ask_object(q, group->objects[i]))
            return group->objects[i];
    return NULL;
}

static bool is_member(const struct group *group, const struct object *object)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->objects[i] == object)
            return true;
    return false;
}

/* l_scope: itself where DF_SYMBOLIC, the global scope, then the groups of the dlopens that brought it. */
static const struct object *ask_scope(struct question *q, const struct object *object)
{
    const struct load_private *priv = q->load->priv;
    const struct object *found = NULL;

    if (object->elf->symbolic && q->load->family == LOADER_GLIBC && ask_object(q, object))
        return object;
    for (size_t i = 0; i < priv->group_count && !found; i++)
        if (i == 0 || (object->batch > 0 && is_member(&priv->groups[i], object)))
            found = ask_group(q, &priv->groups[i]);
    return found;
}

const struct object *load_lookup(const struct load *load, const struct object *object, const char *name,
                                 const char *version, const struct elf_symbol **symbol)
{
    struct question q = {.load = load, .name = name, .version = version, .hash = elf_hash_of(name)};
    const struct object *found = ask_scope(&q, object ? object : load->objects[0]);

    if (symbol)
        *symbol = found ? q.symbol : NULL;
    return found;
}

/* A program that takes the address of a function has a PLT entry for it that others bind their data to. */
static bool canonical_in_program(const struct load *load, const char *name)
{
    const struct elffile *elf = load->objects[0]->elf;

    if (elf->type != ET_EXEC)
        return false;
    for (size_t i = 0; i < elf->symbol_count; i++)
        if (!elf->symbols[i].defined && elf->symbols[i].value && !strcmp(elf->symbols[i].name, name))
            return true;
    return false;
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
    bool now;        /* every reference is bound at once */
    bool incomplete; /* a library was not found: what it defines cannot be known */
};

static void symbol_fault(const struct checking *c, const struct object *object, const struct elf_symbol *s, bool lazy)
{
    struct fault *fault;

    if (c->load->fault_count >= MAX_FAULTS)
        return;
    fault = fault_add(c->load, FAULT_SYMBOL, object, c->batch);
    fault->name = s->name;
    fault->version = s->version;
    fault->provider = s->version && s->file ? loaded_by_name(c->load, s->file) : NULL;
    fault->lazy = lazy;
}

/* Where the library that a version names has none at all, check_match() takes the symbol, or (as in 2.36) ends the
 * program with a failed assertion. */
static bool aborts(const struct load *load, const struct object *found, const struct elf_symbol *s)
{
    return load->priv->traits.version_assert && s->version && s->file && !found->elf->has_versym &&
           loaded_by_name(load, s->file) == found;
}

static void check_symbol(const struct checking *c, const struct object *object, const struct elf_symbol *s,
                         uint32_t hash, bool want_lazy)
{
    bool lazy = !s->by_data && !s->by_copy && !c->now && !object->elf->bind_now && c->load->family == LOADER_GLIBC;
    struct question q = {.load = c->load, .name = s->name, .version = s->version, .hash = hash};
    const struct object *found;

    if (lazy != want_lazy || s->bind != STB_GLOBAL || !*s->name)
        return;
    if (c->incomplete && !(s->file && loaded_by_name(c->load, s->file)))
        return;
    if (s->by_copy)
        q.skip = object;
    found = ask_scope(&q, object);
    if ((found && !aborts(c->load, found, s)) || (s->by_data && canonical_in_program(c->load, s->name)) ||
        covered_by_version_fault(c->load, object, s, c->batch))
        return;
    symbol_fault(c, object, s, lazy);
}

static void check_object(const struct checking *c, const struct object *object, bool want_lazy)
{
    const struct elf_entry *entry = (const struct elf_entry *)object->elf;

    for (size_t i = 0; i < object->elf->symbol_count; i++) {
        const struct elf_symbol *s = &object->elf->symbols[i];

        if (s->by_data || s->by_call || s->by_copy)
            check_symbol(c, object, s, entry->index.hashes[i], want_lazy);
    }
}

/* dl_main() relocates from the last object to the first; lazy references come when they are called. */
void check_symbols(struct load *load, size_t first, size_t batch, bool now)
{
    struct checking c = {.load = load, .batch = batch, .now = now};

    for (size_t i = 0; i < load->fault_count; i++)
        c.incomplete |= load->faults[i]->kind == FAULT_NOT_FOUND && !load->faults[i]->warning &&
                        (load->faults[i]->batch == batch || load->faults[i]->batch == 0);
    for (int lazy = 0; lazy < 2; lazy++)
        for (size_t i = load->object_count; i-- > first;)
            if (load->objects[i]->why != OBJECT_INTERP)
                check_object(&c, load->objects[i], lazy);
}
