/* glibc's search for one name: _dl_map_object() and open_path() of elf/dl-load.c, stage by stage. */
#include "loader.h"

#include "alloc.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

struct finding {
    const struct load *load;
    const char *name;
    const struct object *loader; /* who asks; NULL: the program */
    unsigned ignore;
    bool secure; /* __RTLD_SECURE in a secure process */
    struct search *ret;
};

static bool ignored(const struct finding *f, enum search_origin origin)
{
    return f->ignore >> origin & 1;
}

static void learn_status(const struct finding *f, struct search_dir *dir, size_t i, const struct candidate *c)
{
    CLEANUP_FREE char *path = xasprintf("%s%s", dir->path, f->load->priv->traits.subdirs[i]);
    struct path_walk walk;

    if (c->walk.reason == PATH_OK) {
        dir->status[i] = DIR_EXISTS;
        return;
    }
    load_walk(f->load, path, f->load->priv->cred, &walk);
    dir->status[i] = walk.reason == PATH_OK && S_ISDIR(walk.st.st_mode) ? DIR_EXISTS : DIR_MISSING;
    path_walk_deinit(&walk);
}

/* A hwcaps subdirectory that is not there. */
static bool is_no_news(const struct candidate *c)
{
    return c->state == CANDIDATE_ABSENT && c->walk.at && strcmp(c->walk.at, c->path) != 0 &&
           strcmp(path_base(c->walk.at), path_base(c->path)) != 0;
}

/* One directory and its hwcaps subdirectories. *HERE: one of them exists. *ERROR: errno after the last look. */
static enum verdict try_directory(const struct finding *f, struct search_dir *dir, struct place *place, bool *here,
                                  int *error)
{
    const struct loader_traits *traits = &f->load->priv->traits;

    for (size_t i = 0; i < traits->subdir_count; i++) {
        bool last = i + 1 == traits->subdir_count;
        CLEANUP_FREE char *path = xasprintf("%s%s%s", dir->path, traits->subdirs[i], f->name);
        enum verdict verdict;

        if (dir->status[i] == DIR_MISSING && !last)
            continue;
        place->path = path;
        verdict = place_try(f->load, place, f->ret, error);
        if (dir->status[i] == DIR_UNKNOWN)
            learn_status(f, dir, i, &f->ret->places[f->ret->count - 1]);
        *here |= dir->status[i] == DIR_EXISTS;
        if (verdict != VERDICT_PASSED)
            return verdict;
        if (!last && is_no_news(&f->ret->places[f->ret->count - 1]))
            place_drop_last(f->ret);
    }
    return VERDICT_PASSED;
}

static enum verdict try_list(const struct finding *f, struct dir_list *list, enum search_origin origin,
                             const struct object *of)
{
    struct place place = {.origin = origin, .origin_of = of ? of->path : NULL, .must_be_suid = f->secure};

    if (ignored(f, origin))
        return VERDICT_PASSED;
    for (size_t i = 0; i < list->count; i++) {
        bool here = false;
        int error = 0;
        enum verdict verdict;

        place.entry = list->dirs[i]->entry;
        verdict = try_directory(f, list->dirs[i], &place, &here, &error);
        if (verdict != VERDICT_PASSED)
            return verdict;
        if (here && error != ENOENT && error != EACCES) /* open_path(): this list is left, the next one is tried */
            return VERDICT_PASSED;
    }
    return VERDICT_PASSED;
}

static struct dir_list *rpath_list(const struct load *load, const struct object *object)
{
    struct dir_list *list = &more_of(load, object)->rpath;

    /* elf_get_dynamic_info(): DT_RPATH is forgotten where there is a DT_RUNPATH; an empty one is none */
    if (!list->ready && object->elf->rpath && *object->elf->rpath && !object->elf->runpath)
        dirs_fill(load, list, object->elf->rpath, ":", object);
    list->ready = true;
    return list;
}

static struct dir_list *runpath_list(const struct load *load, const struct object *object)
{
    struct dir_list *list = &more_of(load, object)->runpath;

    if (!list->ready && object->elf->runpath && *object->elf->runpath)
        dirs_fill(load, list, object->elf->runpath, ":", object);
    list->ready = true;
    return list;
}

/* The DT_RPATH of who asks, of who asked for that one, and so on up; then the program's. */
static enum verdict try_rpaths(const struct finding *f)
{
    const struct object *program = f->load->objects[0];
    bool did_program = false;

    if (f->loader && f->loader->elf->runpath)
        return VERDICT_PASSED;
    /* what dlopen() loads has no loader of its own (__RTLD_CALLMAP) */
    for (const struct object *o = f->loader; o; o = o->why == OBJECT_DLOPEN ? NULL : o->loader) {
        enum verdict verdict = try_list(f, rpath_list(f->load, o), ORIGIN_RPATH, o);

        if (verdict != VERDICT_PASSED)
            return verdict;
        did_program |= o == program;
    }
    return did_program ? VERDICT_PASSED : try_list(f, rpath_list(f->load, program), ORIGIN_RPATH, program);
}

static bool in_system_dir(const struct load *load, const char *path)
{
    const struct loader_traits *traits = &load->priv->traits;

    for (size_t i = 0; i < traits->system_dir_count; i++)
        if (!strncmp(path, traits->system_dirs[i], strlen(traits->system_dirs[i])))
            return true;
    return false;
}

static enum verdict try_cache(const struct finding *f, bool nodeflib)
{
    const struct load_private *priv = f->load->priv;
    const char *path = ldcache_find(priv->cache, f->name, &priv->traits, f->load->objects[0]->elf);
    struct place place = {.path = path, .origin = ORIGIN_CACHE};
    int error;

    if (ignored(f, ORIGIN_CACHE) || f->secure || !path)
        return VERDICT_PASSED;
    if (nodeflib && in_system_dir(f->load, path)) {
        place_refuse(f->load, &place, "in a default directory, and who asks was linked with -z nodefaultlib", f->ret);
        return VERDICT_PASSED;
    }
    return place_try(f->load, &place, f->ret, &error);
}

static void find_by_name(const struct finding *f)
{
    struct load_private *priv = f->load->priv;
    const struct object *asker = f->loader ? f->loader : f->load->objects[0];
    bool nodeflib = asker->elf->nodeflib;

    if (try_rpaths(f) != VERDICT_PASSED)
        return;
    if (try_list(f, &priv->env_list, ORIGIN_LIBRARY_PATH, NULL) != VERDICT_PASSED)
        return;
    if (f->loader && try_list(f, runpath_list(f->load, f->loader), ORIGIN_RUNPATH, f->loader) != VERDICT_PASSED)
        return;
    if (try_cache(f, nodeflib) != VERDICT_PASSED)
        return;
    if (!nodeflib)
        try_list(f, &priv->default_list, ORIGIN_DEFAULT, NULL);
}

static void find_by_path(const struct finding *f)
{
    CLEANUP_FREE char *path = f->loader ? dirs_expand(f->load, f->loader, f->name) : xstrdup(f->name);
    struct place place = {.path = path, .origin = ORIGIN_DIRECT, .must_be_suid = f->secure};
    int error;

    if (path && *path)
        place_try(f->load, &place, f->ret, &error);
}

void find_library(const struct load *load, const char *name, const struct object *loader, unsigned ignore, int mode,
                  struct search *ret)
{
    struct finding f = {.load = load, .name = name, .loader = loader, .ignore = ignore, .ret = ret};

    *ret = (struct search){.name = xstrdup(name), .found = -1, .fault = -1};
    f.secure = (mode & FIND_PRELOAD) && load->priv->secure;
    if (load->priv->traits.family == LOADER_MUSL)
        musl_find_library(load, name, loader, ignore, ret);
    else if (strchr(name, '/'))
        find_by_path(&f);
    else
        find_by_name(&f);
    search_settle(ret);
}
