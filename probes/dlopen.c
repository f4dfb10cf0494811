/* What a running program loads and gives up: _dl_open() of elf/dl-open.c, _dl_close_worker() of elf/dl-close.c;
 * dlopen() of musl's ldso/dynlink.c, where there are no namespaces and dlclose() does nothing. */
#include "alloc.h"
#include "loader.h"

#include <dlfcn.h>
#include <elf.h>

static bool batch_failed(const struct load *load, size_t batch)
{
    for (size_t i = 0; i < load->fault_count; i++)
        if (load->faults[i]->batch == batch && !load->faults[i]->warning && !load->faults[i]->lazy)
            return true;
    return false;
}

/* Where the objects go; false where there is no such namespace, or no more. */
static bool choose_space(struct load *load, const struct load_open *open, unsigned *ret)
{
    unsigned n = 1;

    *ret = LOAD_SPACE_BASE;
    if (open->space == LOAD_SPACE_CALLER || load->family == LOADER_MUSL) {
        *ret = open->caller && load->family != LOADER_MUSL ? open->caller->space : LOAD_SPACE_BASE;
        return true;
    }
    if (open->space == LOAD_SPACE_NEW) {
        while (n < MAX_SPACES && load->priv->spaces[n].global)
            n++;
        *ret = n;
        return n < MAX_SPACES;
    }
    *ret = (unsigned)open->space;
    return open->space >= 0 && open->space < MAX_SPACES && load->priv->spaces[open->space].global;
}

/* In glibc the caller asks for all of it to be bound at once by leaving RTLD_LAZY out; musl binds at once in any case,
 * but with RTLD_LAZY lets what cannot be bound yet be (prepare_lazy()). */
static void set_up(struct load *load, size_t first, const struct object *root, int mode)
{
    for (size_t i = first; i < load->object_count; i++) {
        struct object_more *more = load->priv->more[i];

        if (load->objects[i] == load->priv->interp)
            continue;
        more->now = !(mode & RTLD_LAZY) || load->objects[i]->elf->bind_now || always_now(load);
        more->nodelete |= load->objects[i]->elf->dt_flags_1 & DF_1_NODELETE;
        scope_init(load, load->objects[i], root, mode);
    }
}

static void undo(struct load *load, size_t first, struct object *root, size_t batch, bool new_space)
{
    for (size_t i = first; i < load->object_count; i++)
        if (load->objects[i] != load->priv->interp)
            load->priv->more[i]->removed = batch;
    for (unsigned n = 0; n < MAX_SPACES; n++)
        uniques_forget(load, n);
    if (root)
        more_of(load, root)->list = NULL;
    if (new_space && root)
        load->priv->spaces[root->space].global = NULL;
}

/* A file that has no list of its own yet: all that it needs, too. */
static bool open_first(const struct opening *opening, size_t first, struct object *root, int mode)
{
    struct load *load = opening->load;
    struct space *space = &load->priv->spaces[opening->space];
    struct object_more *more = more_of(load, root);
    bool new_space = !space->global;

    load_dependencies(opening, first);
    more->list = group_new(load);
    group_add(load, more->list, root, opening->batch);
    group_follow(load, more->list, opening->batch);
    if (new_space)
        space->global = more->list;
    set_up(load, first, root, mode);
    check_versions(load, first, opening->batch);
    check_symbols(load, first, opening->batch);
    check_refusals(load, first, opening->batch);
    if (batch_failed(load, opening->batch)) {
        undo(load, first, root, opening->batch, new_space);
        return false;
    }
    scope_opened(load, root, opening->batch);
    return true;
}

static struct object *open_file(const struct opening *opening, const struct load_open *open)
{
    struct load *load = opening->load;
    size_t first = load->object_count;
    struct object *caller = open->caller ? load->objects[open->caller->index] : NULL, *root;

    if (open->mode & RTLD_NOLOAD)
        root = load_known(opening, open->file, caller);
    else
        root = load_one(opening, open->file, caller, OBJECT_DLOPEN);
    if (root && !more_of(load, root)->list && !open_first(opening, first, root, open->mode))
        root = NULL;
    return root;
}

size_t load_dlopen(struct load *load, const struct load_open *open, struct object **ret)
{
    struct opening opening = {.load = load, .batch = ++load->batches};
    struct object *root = NULL;

    /* without a loader nothing can call */
    if (load->priv->interp && choose_space(load, open, &opening.space))
        root = open->file && *open->file ? open_file(&opening, open) : load->objects[0];
    if (root) {
        more_of(load, root)->opened++;
        more_of(load, root)->nodelete |= (open->mode & RTLD_NODELETE) != 0;
        if (open->mode & RTLD_GLOBAL)
            scope_globalize(load, root, opening.batch);
    }
    if (ret)
        *ret = root;
    return opening.batch;
}

struct marking {
    struct load *load;
    bool *used; /* by object->index */
    struct object **queue;
    size_t count;
};

static void mark(struct marking *m, struct object *object)
{
    if (m->used[object->index])
        return;
    m->used[object->index] = true;
    m->queue[m->count++] = object;
}

/* What is held by a handle, by the start or for good, and all that this needs or has bound to. */
static void mark_used(struct marking *m)
{
    struct load *load = m->load;

    for (size_t i = 0; i < load->object_count; i++) {
        const struct object_more *more = load->priv->more[i];

        if (!more->removed && (load->objects[i]->batch == 0 || more->opened || more->nodelete))
            mark(m, load->objects[i]);
    }
    for (size_t i = 0; i < m->count; i++) {
        const struct object_more *more = more_of(load, m->queue[i]);

        for (size_t k = 0; k < more->dep_count; k++)
            mark(m, more->deps[k]);
        for (size_t k = 0; k < more->bound_count; k++)
            mark(m, more->bound[k]);
    }
}

size_t load_dlclose(struct load *load, struct object *object)
{
    struct object_more *more = more_of(load, object);
    size_t batch = ++load->batches;
    struct marking m = {.load = load};

    if (!more->opened || more->removed || --more->opened || load->family == LOADER_MUSL)
        return batch;
    m.used = xcalloc(load->object_count, sizeof *m.used);
    m.queue = xcalloc(load->object_count, sizeof(struct object *));
    mark_used(&m);
    for (size_t i = 0; i < load->object_count; i++)
        if (!m.used[i] && !load->priv->more[i]->removed && load->objects[i] != load->priv->interp)
            load->priv->more[i]->removed = batch;
    for (unsigned n = 0; n < MAX_SPACES; n++) {
        uniques_forget(load, n);
        if (load->priv->spaces[n].global && n > 0) {
            bool any = false;

            for (size_t i = 0; i < load->object_count; i++)
                any |= load->objects[i]->space == n && !load->priv->more[i]->removed;
            if (!any)
                load->priv->spaces[n].global = NULL;
        }
    }
    free(m.used);
    free(m.queue);
    return batch;
}
