/* Symbol lookups, live: glibc's loader looks every name up by _dl_lookup_symbol_x(), whose result is which object's
 * definition it is (elf/dl-lookup.c). It is not exported, but found in _rtld_global_ro (probes/memimage.h). Two stops
 * for each lookup, so only where they are asked for. */
#include "watch.h"

#include "state.h"

#include <probes/alloc.h>
#include <probes/instruction.h>

#include <string.h>
#include <uthash.h>

enum { WORD = 8, STRING_MOST = 4096, NAME_WORD = 1 /* l_name in struct link_map */ };

/* Names of link maps, until the link map changes. */
struct map_name {
    uint64_t addr;
    char *path;
    UT_hash_handle hh;
};

struct lookup {
    char *symbol, *version;
    char *file; /* in which the version should be, or NULL */
    uint64_t from_addr;
    bool told;
};

static void lookup_free(struct lookup *lookup)
{
    free(lookup->symbol);
    free(lookup->version);
    free(lookup->file);
    free(lookup);
}

void lookups_forget(struct watch *watch)
{
    struct map_name *name, *next;

    HASH_ITER(hh, watch->map_names, name, next)
    {
        HASH_DEL(watch->map_names, name);
        free(name->path);
        free(name);
    }
}

/* The program itself has no name. */
static const char *path_of(struct task *task, const struct mem *mem, uint64_t map_addr)
{
    struct watch *watch = task->group->space->watch;
    struct map_name *name;
    uint64_t addr;

    HASH_FIND(hh, watch->map_names, &map_addr, sizeof map_addr, name);
    if (name)
        return name->path;
    if (mem_read_word(mem, map_addr + NAME_WORD * (uint64_t)WORD, &addr) < 0)
        return NULL;
    char *path = addr ? memory_string(mem, addr, STRING_MOST) : NULL;

    if (!path || !*path) {
        free(path);
        path = xstrdup_or_null(watch->exe);
    }
    name = xcalloc(1, sizeof *name);
    name->addr = map_addr;
    name->path = path;
    HASH_ADD(hh, watch->map_names, addr, sizeof name->addr, name);
    return path;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* "libm.so.6 defines fmod@GLIBC_2.2.5" where IMAGE, of the object at PATH, does; or NULL. */
static char *definition_in(const struct memimage *image, const char *path, const char *symbol)
{
    struct memimage_symbol found;

    if (memimage_symbol(image, symbol, NULL, &found) < 0)
        return NULL;
    CLEANUP_FREE char *version = found.version > 1 ? memimage_version(image, found.version) : NULL;

    return xasprintf("%s defines %s%s%s", last_part(path), symbol, version ? "@" : "", version ? version : "");
}

/* What another definition there is: in the file that the reference names, else anywhere. */
static char *instead_of(struct task *task, const struct lookup *lookup)
{
    struct linkmap *linkmap;
    char *other = NULL;

    task->group->space->watch->stale = true;
    linkmap = watch_linkmap(task);
    for (size_t i = 0; linkmap && i < linkmap->count; i++) {
        const struct linkmap_object *object = &linkmap->objects[i];
        const char *path = object->path ? object->path : object->name;
        bool named = lookup->file && strcmp(last_part(path), last_part(lookup->file)) == 0;
        struct memimage image;

        if ((other && !named) || linkmap_image(linkmap, object, &image) < 0)
            continue;
        char *found = definition_in(&image, path, lookup->symbol);

        memimage_deinit(&image);
        if (!found)
            continue;
        free(other);
        other = found;
        if (named)
            break;
    }
    return other;
}

static void tell(struct session *session, struct task *task, const struct mem *mem, struct lookup *lookup,
                 uint64_t to_addr, const char *instead)
{
    struct event event = {.type = EVENT_LOOKUP};

    lookup->told = true;
    event.lookup = (struct event_lookup){
        .symbol = lookup->symbol,
        .version = lookup->version,
        .from = lookup->from_addr ? path_of(task, mem, lookup->from_addr) : NULL,
        .to = to_addr ? path_of(task, mem, to_addr) : NULL,
        .instead = instead,
    };
    session_emit(session, task, &event);
}

static void on_bound(struct session *session, struct task *task, const struct break_hit *hit, void *data)
{
    struct lookup *lookup = data;

    if (hit && session->recording && !lookup->told)
        tell(session, task, hit->mem, lookup, watch_result(hit), NULL);
    lookup_free(lookup);
}

/* _dl_lookup_symbol_x (const char *name, struct link_map *from, const Sym **, struct r_scope_elem **,
 *                      const struct r_found_version *, …) */
static void on_lookup(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx)
{
    struct lookup *lookup = xcalloc(1, sizeof *lookup);
    const struct break_return ret = {.back = on_bound, .data = lookup, .keep = true};
    uint64_t version = watch_argument(hit, 4), words[3] = {0}; /* name, hash and hidden, filename */

    (void)ctx;
    lookup->symbol = watch_string(hit, watch_argument(hit, 0));
    lookup->from_addr = watch_argument(hit, 1);
    if (version && mem_read(hit->mem, version, words, sizeof words) == 0) {
        lookup->version = watch_string(hit, words[0]);
        lookup->file = watch_string(hit, words[2]);
    }
    if (!lookup->symbol || !breaks_at_return(session, task, hit, &ret))
        lookup_free(lookup);
}

void lookups_failed(struct session *session, struct task *task, const struct break_hit *hit)
{
    for (size_t i = task->awaited_count; i-- > 0;) {
        struct lookup *lookup = task->awaited[i].data;

        if (task->awaited[i].back != on_bound || task->awaited[i].sp_addr < hit->registers->dwarf[REGISTER_SP])
            continue;
        if (!lookup->told) {
            CLEANUP_FREE char *instead = instead_of(task, lookup);

            tell(session, task, hit->mem, lookup, 0, instead);
        }
        return;
    }
}

static const struct break_handler lookup_handler = {on_lookup, NULL};

void lookups_arm(struct session *session, struct task *task, struct image_ref *loader)
{
    const struct watch *watch = task->group->space->watch;
    const struct memimage *image = session->options->lookups ? images_parsed(loader) : NULL;
    struct memimage_hidden hidden;

    if (!image)
        return;
    if (watch->musl ? !watch->told_of_changes
                    : memimage_hidden_early(image, &hidden) < 0 || !hidden.lookup_addr ||
                          !breaks_add(session, task, hidden.lookup_addr, &lookup_handler))
        session_note(session, task,
                     "has a loader whose function for lookups is not found: --bindings tells at the end "
                     "what was bound");
}
