/* Who is asked for a symbol, and in which order: search lists and scopes.
 *
 * glibc: _dl_new_object() (elf/dl-object.c) gives every object its namespace's list, then that of the dlopen which
 * brought it (before it with RTLD_DEEPBIND); _dl_map_object_from_fd() puts the object itself first where it is
 * -Bsymbolic; update_scopes() and add_to_global_update() (elf/dl-open.c) add what later dlopens bring. musl: one chain
 * of all global objects, then the object's own dependencies (add_syms() of ldso/dynlink.c). */
#include "alloc.h"
#include "loader.h"

#include <dlfcn.h>

enum { FILTERS_DEEP = 16 };

struct group *group_new(struct load *load)
{
    struct load_private *priv = load->priv;
    struct group **slot = array_add(&priv->groups, &priv->group_count, &priv->group_capacity, sizeof *slot);

    *slot = xcalloc(1, sizeof **slot);
    return *slot;
}

static bool is_member(const struct group *group, const struct object *object)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->members[i].object == object)
            return true;
    return false;
}

static void add_with_filtees(const struct load *load, struct group *group, struct object *object, size_t since,
                             unsigned depth)
{
    const struct object_more *more = more_of(load, object);
    struct group_member *member;

    for (size_t i = 0; i < more->filtee_count && depth < FILTERS_DEEP && !is_member(group, object); i++)
        if (more->filtees[i] != object)
            add_with_filtees(load, group, more->filtees[i], since, depth + 1);
    if (is_member(group, object))
        return;
    member = array_add(&group->members, &group->count, &group->capacity, sizeof *member);
    member->object = object;
    member->since = since;
}

void group_add(const struct load *load, struct group *group, struct object *object, size_t since)
{
    add_with_filtees(load, group, object, since, 0);
}

void group_follow(const struct load *load, struct group *group, size_t since)
{
    for (size_t i = 0; i < group->count; i++) {
        const struct object_more *more = more_of(load, group->members[i].object);

        for (size_t k = 0; k < more->dep_count; k++)
            group_add(load, group, more->deps[k], since);
    }
}

static void add_part(struct object_more *more, struct group *group, const struct object *root, size_t since)
{
    struct scope_part *part = array_add(&more->scope, &more->scope_count, &more->scope_capacity, sizeof *part);

    *part = (struct scope_part){.group = group, .root = root, .since = since};
}

void scope_init(const struct load *load, const struct object *object, const struct object *root, int mode)
{
    struct object_more *more = more_of(load, object);
    struct group *global = load->priv->spaces[object->space].global;
    struct group *own = root ? more_of(load, root)->list : global;
    bool deep = (mode & RTLD_DEEPBIND) && load->family == LOADER_GLIBC && own != global;

    if (more->scope_count)
        return;
    if (deep)
        add_part(more, own, root, object->batch);
    add_part(more, global, NULL, object->batch);
    if (!deep && own != global)
        add_part(more, own, root, object->batch);
    more->symbolic = object->elf->symbolic && load->family == LOADER_GLIBC && !(mode & RTLD_DEEPBIND) &&
                     object->why != OBJECT_MAIN && more->list != global;
}

/* update_scopes(): not those of the start, whose scope never changes. */
void scope_opened(const struct load *load, const struct object *root, size_t since)
{
    struct group *list = more_of(load, root)->list;

    if (load->family != LOADER_GLIBC)
        return;
    for (size_t i = 0; i < list->count; i++) {
        const struct object *object = list->members[i].object;
        struct object_more *more = more_of(load, object);
        bool has = false;

        if (object->batch == 0 || object->batch == since || object == load->priv->interp)
            continue;
        for (size_t k = 0; k < more->scope_count; k++)
            has |= more->scope[k].group == list;
        if (!has)
            add_part(more, list, root, since);
    }
}

void scope_globalize(const struct load *load, const struct object *root, size_t since)
{
    const struct object_more *more = more_of(load, root);
    struct group *global = load->priv->spaces[root->space].global;

    if (more->global || more->list == global)
        return;
    for (size_t i = 0; i < more->list->count; i++) {
        struct object *member = more->list->members[i].object;

        more_of(load, member)->global = true;
        group_add(load, global, member, since);
    }
}

void load_scopes(const struct load *load, const struct object *object,
                 void (*each)(void *ctx, size_t list, const struct object *member), void *ctx)
{
    const struct object_more *more = more_of(load, object);
    size_t list = 0;

    if (more->symbolic)
        each(ctx, list++, object);
    for (size_t i = 0; i < more->scope_count; i++) {
        const struct scope_part *part = &more->scope[i];

        if (part->root && more_of(load, part->root)->removed)
            continue;
        for (size_t k = 0; k < part->group->count; k++)
            if (load_is_there(load, part->group->members[k].object))
                each(ctx, list, part->group->members[k].object);
        list++;
    }
}
