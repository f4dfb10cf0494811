/* Symbol resolution: _dl_lookup_symbol_x(), do_lookup_x() and do_lookup_unique() of elf/dl-lookup.c; for musl
 * find_sym() of ldso/dynlink.c, which knows no versions, no unique symbols and no protected ones. */
#include "alloc.h"
#include "elfimage.h"
#include "loader.h"

#include <elf.h>
#include <string.h>

static bool there_in(const struct question *q, const struct object *object)
{
    size_t removed = more_of(q->load, object)->removed;

    return !removed || removed > q->when;
}

bool load_is_there(const struct load *load, const struct object *object)
{
    return !more_of(load, object)->removed;
}

static const struct object *ask_object(struct question *q, const struct object *object)
{
    if ((q->class == LOOKUP_COPY && object->why == OBJECT_MAIN) || !there_in(q, object))
        return NULL;
    if (q->load->family == LOADER_MUSL)
        q->symbol = elf_lookup_unversioned(object->elf, &q->query);
    else
        q->symbol = elf_lookup_query(object->elf, &q->query);
    return q->symbol ? object : NULL;
}

static const struct object *ask_group(struct question *q, const struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->members[i].since <= q->when && ask_object(q, group->members[i].object))
            return group->members[i].object;
    return NULL;
}

static struct unique *unique_find(const struct load *load, unsigned space, const char *name)
{
    struct unique *unique = NULL;

    HASH_FIND_STR(load->priv->spaces[space].uniques, name, unique);
    return unique;
}

/* Whichever was bound first stands for all; a COPY relocation is answered with what it copies from. */
static const struct object *ask_unique(struct question *q, const struct object *found)
{
    const struct unique *unique;

    if (!found || q->symbol->bind != STB_GNU_UNIQUE || q->load->family != LOADER_GLIBC || q->class == LOOKUP_COPY)
        return found;
    unique = unique_find(q->load, found->space, q->symbol->name);
    if (!unique || unique->since > q->when || !there_in(q, unique->object))
        return found;
    q->symbol = unique->symbol;
    return unique->object;
}

static const struct object *ask_parts(struct question *q, const struct object *object)
{
    const struct object_more *more = more_of(q->load, object);

    if (more->symbolic && ask_object(q, object))
        return object;
    for (size_t i = 0; i < more->scope_count; i++) {
        const struct scope_part *part = &more->scope[i];
        const struct object *found;

        if (part->since > q->when || (part->root && !there_in(q, part->root)))
            continue;
        found = ask_group(q, part->group);
        if (found)
            return found;
    }
    return NULL;
}

/* get_lfs64() of newer musl: names with 64 that no header has any more are those without it in the loader. Older ones
 * define them all. */
static const struct object *ask_lfs64(struct question *q)
{
    static const char *const names[] = {
        "aio_cancel", "aio_error", "aio_fsync", "aio_read",      "aio_return",      "aio_suspend", "aio_write",
        "alphasort",  "creat",     "fallocate", "fgetpos",       "fopen",           "freopen",     "fseeko",
        "fsetpos",    "fstat",     "fstatat",   "fstatfs",       "fstatvfs",        "ftello",      "ftruncate",
        "ftw",        "getdents",  "getrlimit", "glob",          "globfree",        "lio_listio",  "lockf",
        "lseek",      "lstat",     "mkostemp",  "mkostemps",     "mkstemp",         "mkstemps",    "mmap",
        "nftw",       "open",      "openat",    "posix_fadvise", "posix_fallocate", "pread",       "preadv",
        "prlimit",    "pwrite",    "pwritev",   "readdir",       "scandir",         "sendfile",    "setrlimit",
        "stat",       "statfs",    "statvfs",   "tmpfile",       "truncate",        "versionsort", "__fxstat",
        "__fxstatat", "__lxstat",  "__xstat",
    };
    size_t n = strlen(q->query.name);
    const char *plain = !strcmp(q->query.name, "readdir64_r") ? "readdir_r" : NULL;

    if (n > 2 && !strcmp(q->query.name + n - 2, "64"))
        for (size_t i = 0; i < sizeof names / sizeof *names && !plain; i++)
            if (strlen(names[i]) == n - 2 && !strncmp(names[i], q->query.name, n - 2))
                plain = names[i];
    if (!plain || !q->load->priv->interp)
        return NULL;
    q->symbol = elf_lookup_unversioned(q->load->priv->interp->elf,
                                       &(struct elf_query){.name = plain, .hash = elf_hash_of(plain)});
    return q->symbol ? q->load->priv->interp : NULL;
}

/* Up to 2.35 a protected variable of a library is looked for a second time without the program's COPY of it. */
static bool only_a_copy(const struct question *q, const struct object *found)
{
    return q->load->priv->traits.protected_copies && q->got && q->reference->type == STT_OBJECT &&
           found->why == OBJECT_MAIN && q->symbol->by_copy;
}

/* A protected symbol is answered by its own object, except that data goes by the PLT entry of a program that has one.
 */
static const struct object *ask_protected(struct question *q, const struct object *object, const struct object *found)
{
    const struct elf_symbol *symbol = q->symbol;
    struct question again = *q;
    const struct object *other = found;

    if (q->class != LOOKUP_CALL) {
        again.class = LOOKUP_CALL;
        again.query.plt_too = false;
        other = ask_unique(&again, ask_parts(&again, object));
        if (other && only_a_copy(&again, other))
            other = object;
    }
    q->symbol = symbol;
    if (!other || other == object)
        return found;
    q->symbol = q->reference;
    return object;
}

const struct object *scope_ask(struct question *q, const struct object *object)
{
    bool glibc = q->load->family != LOADER_MUSL;
    const struct object *found;

    q->query.plt_too = glibc ? q->class == LOOKUP_DATA || q->class == LOOKUP_COPY : q->class != LOOKUP_CALL;
    found = ask_unique(q, ask_parts(q, object));
    if (!found && !glibc)
        return ask_lfs64(q);
    if (found && glibc && q->reference && q->reference->visibility == STV_PROTECTED)
        return ask_protected(q, object, found);
    return found;
}

static void remember_unique(const struct question *q, struct object *object, const struct object *found)
{
    struct space *space = &q->load->priv->spaces[found->space];
    struct unique *unique = unique_find(q->load, found->space, q->symbol->name);

    if (unique)
        return;
    unique = xcalloc(1, sizeof *unique);
    unique->name = q->symbol->name;
    unique->object = q->class == LOOKUP_COPY ? object : found;
    unique->symbol = q->class == LOOKUP_COPY && q->reference ? q->reference : q->symbol;
    unique->since = q->when;
    HASH_ADD_KEYPTR(hh, space->uniques, unique->name, strlen(unique->name), unique);
    if (q->class != LOOKUP_COPY && found->batch > 0)
        more_of(q->load, found)->nodelete = true;
}

/* add_dependency() */
static void remember_dependency(const struct question *q, struct object *object, const struct object *found)
{
    struct object_more *more = more_of(q->load, object), *other = more_of(q->load, found);
    struct object **slot;

    if (found->batch == 0 || found == object || found == q->load->priv->interp || other->nodelete)
        return;
    if (object->batch == 0 || more->nodelete) {
        other->nodelete = true;
        return;
    }
    for (size_t i = 0; i < more->dep_count; i++)
        if (more->deps[i] == found)
            return;
    for (size_t i = 0; i < more->bound_count; i++)
        if (more->bound[i] == found)
            return;
    slot = array_add(&more->bound, &more->bound_count, &more->bound_capacity, sizeof *slot);
    *slot = q->load->objects[found->index];
}

void scope_bound(struct question *q, struct object *object, const struct object *found)
{
    if (q->load->family != LOADER_GLIBC)
        return;
    if (q->symbol->bind == STB_GNU_UNIQUE)
        remember_unique(q, object, found);
    remember_dependency(q, object, found);
}

void uniques_forget(struct load *load, unsigned space)
{
    struct unique *unique, *next;

    HASH_ITER(hh, load->priv->spaces[space].uniques, unique, next)
    {
        if (load_is_there(load, unique->object))
            continue;
        HASH_DEL(load->priv->spaces[space].uniques, unique);
        free(unique);
    }
}

void uniques_destroy(struct space *space)
{
    struct unique *unique, *next;

    HASH_ITER(hh, space->uniques, unique, next)
    {
        HASH_DEL(space->uniques, unique);
        free(unique);
    }
}

/* dlsym(handle): the handle's list alone (l_local_scope), by DL_LOOKUP_RETURN_NEWEST. */
static const struct object *ask_handle(struct question *q, const struct object *object)
{
    const struct object_more *more = more_of(q->load, object);
    const struct group *list = more->list ? more->list : q->load->priv->spaces[object->space].global;

    q->query.newest = !q->query.version;
    q->query.exact = q->query.version != NULL;
    q->query.plt_too = true;
    return list ? ask_unique(q, ask_group(q, list)) : NULL;
}

/* The list of the dlopen that brought OBJECT, or of the start. */
static const struct group *list_of(const struct load *load, const struct object *object)
{
    const struct object_more *more = more_of(load, object);

    for (size_t i = 0; i < more->scope_count; i++)
        if (more->scope[i].root && more->scope[i].since == object->batch)
            return more->scope[i].group;
    return load->priv->spaces[object->space].global;
}

/* do_sym() of elf/dl-sym.c */
static const struct object *ask_next(struct question *q, const struct object *object)
{
    const struct group *list = list_of(q->load, object);
    size_t i = 0;

    q->query.newest = !q->query.version;
    q->query.exact = q->query.version != NULL;
    while (list && i < list->count && list->members[i].object != object)
        i++;
    while (list && ++i < list->count)
        if (ask_object(q, list->members[i].object))
            return ask_unique(q, list->members[i].object);
    return NULL;
}

const struct object *load_lookup(const struct load *load, const struct object *object, const char *name,
                                 const char *version, enum lookup_class class, const struct elf_symbol **symbol)
{
    struct question q = {.load = load,
                         .query = {.name = name, .hash = elf_hash_of(name), .version = version},
                         .class = class,
                         .when = load->batches};
    const struct object *asker = object ? object : load->objects[0];
    const struct object *found = class == LOOKUP_DLSYM  ? ask_handle(&q, asker)
                                 : class == LOOKUP_NEXT ? ask_next(&q, asker)
                                                        : scope_ask(&q, asker);

    if (symbol)
        *symbol = found ? q.symbol : NULL;
    return found;
}
