/* Loading a program in the mind: _dl_map_object_deps() of elf/dl-deps.c and dl_main() of elf/rtld.c; for musl
 * load_deps() and load_preload() of ldso/dynlink.c. */
#include "load.h"

#include "alloc.h"
#include "loader.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { MAX_OBJECTS = 10000 };

struct object_more *more_of(const struct load *load, const struct object *object)
{
    return load->priv->more[object->index];
}

const char *load_env(const struct load *load, const char *name)
{
    const char *value = NULL;
    size_t n = strlen(name);

    for (char **e = load->priv->env; e && *e; e++) /* the last one counts, as in process_envvars() */
        if (!strncmp(*e, name, n) && (*e)[n] == '=')
            value = *e + n + 1;
    return value;
}

struct fault *fault_add(struct load *load, enum fault_kind kind, const struct object *subject, size_t batch)
{
    struct fault **slot = array_add(&load->faults, &load->fault_count, &load->priv->fault_capacity, sizeof *slot);

    *slot = xcalloc(1, sizeof **slot);
    (*slot)->kind = kind;
    (*slot)->subject = subject;
    (*slot)->batch = batch;
    (*slot)->search = (struct search){.found = -1, .fault = -1};
    return *slot;
}

static void add_name(const struct load *load, const struct object *object, const char *name)
{
    struct object_more *more = more_of(load, object);
    char **slot;

    for (size_t i = 0; i < more->name_count; i++)
        if (!strcmp(more->names[i], name))
            return;
    slot = array_add(&more->names, &more->name_count, &more->name_capacity, sizeof *slot);
    *slot = xstrdup(name);
}

/* The place in load->objects. ELF's reference passes to the object. */
static void place_object(struct load *load, struct object *object)
{
    struct load_private *priv = load->priv;
    struct object **slot = array_add(&load->objects, &load->object_count, &priv->object_capacity, sizeof *slot);
    struct object_more **more = array_add(&priv->more, &priv->more_count, &priv->more_capacity, sizeof *more);

    object->index = load->object_count - 1;
    *slot = object;
    *more = xcalloc(1, sizeof **more);
    (*more)->dev = object->elf->st.st_dev;
    (*more)->ino = object->elf->st.st_ino;
}

static struct object *new_object(const char *path, const struct elffile *elf, enum object_why why)
{
    struct object *object = xcalloc(1, sizeof *object);

    object->path = xstrdup(path);
    object->elf = elf;
    object->why = why;
    object->search = (struct search){.found = -1, .fault = -1};
    return object;
}

/* The loader is in memory from the start, but in the list only from where something needs it on. */
static struct object *place_interp(struct load *load, const char *asked_as)
{
    struct object *interp = load->priv->interp;

    if (!load->priv->interp_placed) {
        load->priv->interp_placed = true;
        interp->asked_as = asked_as;
        place_object(load, interp);
    }
    return interp;
}

static bool is_interp(const struct load *load, const char *name)
{
    const struct object *interp = load->priv->interp;

    if (load->family == LOADER_MUSL)
        return musl_is_own_name(name) || !strcmp(name, interp->path);
    return !strcmp(name, interp->path) || (interp->elf->soname && !strcmp(name, interp->elf->soname));
}

static bool answers_to(const struct load *load, const struct object *object, const char *name)
{
    const struct object_more *more = more_of(load, object);

    if (more->removed)
        return false;
    for (size_t i = 0; i < more->name_count; i++)
        if (!strcmp(more->names[i], name))
            return true;
    return load->family == LOADER_GLIBC && object->elf->soname && !strcmp(object->elf->soname, name);
}

struct object *loaded_by_name(const struct load *load, const char *name, unsigned space)
{
    if (load->priv->interp && is_interp(load, name)) /* the one of all namespaces */
        return load->priv->interp;
    for (size_t i = 0; i < load->object_count; i++)
        if (load->objects[i]->space == space && answers_to(load, load->objects[i], name))
            return load->objects[i];
    return NULL;
}

static struct object *loaded_by_file(const struct load *load, const struct elffile *elf, unsigned space)
{
    for (size_t i = 1; i < load->object_count; i++) {
        const struct object_more *more = load->priv->more[i];

        if (!more->removed && load->objects[i] != load->priv->interp && load->objects[i]->space == space &&
            more->ino == elf->st.st_ino && more->dev == elf->st.st_dev)
            return load->objects[i];
    }
    return NULL;
}

static void name_object(const struct load *load, const struct object *object, const char *asked)
{
    if (load->family == LOADER_MUSL) { /* only what was found by a search has a short name, that of its file */
        if (!strchr(asked, '/'))
            add_name(load, object, path_base(object->path));
        return;
    }
    add_name(load, object, object->path);
    add_name(load, object, asked);
}

struct object *load_one(const struct opening *opening, const char *name, struct object *loader, enum object_why why)
{
    struct load *load = opening->load;
    struct object *object = loaded_by_name(load, name, opening->space);
    const struct object *asker = loader ? loader : load->objects[0];
    struct search search;

    if (object == load->priv->interp && object)
        return place_interp(load, name);
    if (object)
        return object;
    find_library(load, name, asker, 0, why == OBJECT_PRELOAD ? FIND_PRELOAD : 0, &search);
    if (load->object_count >= MAX_OBJECTS) {
        search_deinit(&search);
        return NULL;
    }
    if (search.found < 0) {
        struct fault *fault = fault_add(load, FAULT_NOT_FOUND, asker, opening->batch);

        fault->search = search;
        fault->name = fault->search.name;
        fault->warning = why == OBJECT_PRELOAD;
        return NULL;
    }

    struct candidate *c = &search.places[search.found];
    object = loaded_by_file(load, c->elf, opening->space);
    if (object) {
        name_object(load, object, name);
        search_deinit(&search);
        return object;
    }
    object = new_object(c->path, c->elf, why);
    object->batch = opening->batch;
    object->space = opening->space;
    object->origin = c->origin;
    object->loader = why == OBJECT_PRELOAD ? NULL : loader;
    c->elf = NULL; /* its reference is the object's now */
    object->search = search;
    object->asked_as = object->search.name;
    place_object(load, object);
    name_object(load, object, name);
    return object;
}

struct object *load_known(const struct opening *opening, const char *name, const struct object *loader)
{
    struct object *object = loaded_by_name(opening->load, name, opening->space);
    struct search search;

    if (object || !opening->load->priv->interp)
        return object;
    find_library(opening->load, name, loader ? loader : opening->load->objects[0], 0, 0, &search);
    if (search.found >= 0)
        object = loaded_by_file(opening->load, search.places[search.found].elf, opening->space);
    search_deinit(&search);
    return object;
}

static void add_dep(const struct load *load, const struct object *object, struct object *dep)
{
    struct object_more *more = more_of(load, object);
    struct object **slot = array_add(&more->deps, &more->dep_count, &more->dep_capacity, sizeof *slot);

    *slot = dep;
}

/* What the OBJECT, a filter, stands before: that is asked first. */
static void load_filtees(const struct opening *opening, struct object *object)
{
    struct load *load = opening->load;

    for (size_t i = 0; load->family == LOADER_GLIBC && i < object->elf->filter_count; i++) {
        const struct elf_filter *filter = &object->elf->filters[i];
        CLEANUP_FREE char *expanded = strchr(filter->name, '$') ? dirs_expand(load, object, filter->name) : NULL;
        const char *name = expanded ? expanded : filter->name;
        struct object_more *more;
        struct object *filtee, **slot;
        struct search search;

        if (filter->optional && !loaded_by_name(load, name, opening->space)) {
            bool found;

            find_library(load, name, object, 0, 0, &search);
            found = search.found >= 0;
            search_deinit(&search);
            if (!found)
                continue;
        }
        filtee = *name ? load_one(opening, name, object, OBJECT_NEEDED) : NULL;
        if (!filtee || filtee == object)
            continue;
        add_dep(load, object, filtee);
        more = more_of(load, object);
        slot = array_add(&more->filtees, &more->filtee_count, &more->filtee_capacity, sizeof *slot);
        *slot = filtee;
    }
}

void load_dependencies(const struct opening *opening, size_t first)
{
    struct load *load = opening->load;

    for (size_t i = first; i < load->object_count; i++) {
        struct object *object = load->objects[i];

        if (object->why == OBJECT_INTERP)
            continue;
        for (size_t k = 0; k < object->elf->needed_count; k++) {
            const char *name = object->elf->needed[k];
            CLEANUP_FREE char *expanded =
                strchr(name, '$') && load->family == LOADER_GLIBC ? dirs_expand(load, object, name) : NULL;
            struct object *dep;

            if (!*name)
                continue;
            dep = load_one(opening, expanded ? expanded : name, object, OBJECT_NEEDED);
            if (dep)
                add_dep(load, object, dep);
        }
        load_filtees(opening, object);
    }
}

static void preload_names(struct load *load, const char *text, const char *separators)
{
    for (const char *s = text + strspn(text, separators); *s; s += strspn(s, separators)) {
        size_t n = strcspn(s, separators);
        CLEANUP_FREE char *name = xstrndup(s, n);

        s += n;
        if (load->priv->secure && strchr(name, '/')) /* dso_name_valid_for_suid() of elf/rtld.c */
            continue;
        load_one(&(struct opening){.load = load}, name, NULL, OBJECT_PRELOAD);
    }
}

/* /etc/ld.so.preload is glibc's alone; a '#' begins a comment there. */
static void preload_file(struct load *load)
{
    CLEANUP_CLOSE int fd = path_open(load->priv->root, "/etc/ld.so.preload");
    char text[65536];
    ssize_t n;

    if (fd < 0 || (n = read(fd, text, sizeof text - 1)) <= 0)
        return;
    text[n] = '\0';
    for (char *hash = strchr(text, '#'); hash; hash = strchr(hash, '#'))
        while (*hash && *hash != '\n')
            *hash++ = ' ';
    preload_names(load, text, ": \t\n");
}

/* LD_AUDIT's objects live in namespaces of their own: of them only a missing one shows, as a warning. */
static void check_audit(struct load *load)
{
    const char *text = load->priv->secure ? NULL : load_env(load, "LD_AUDIT");

    for (const char *s = text; s && *(s += strspn(s, ":"));) {
        CLEANUP_FREE char *name = xstrndup(s, strcspn(s, ":"));
        struct search search;

        s += strlen(name);
        find_library(load, name, load->objects[0], 0, 0, &search);
        if (search.found >= 0) {
            search_deinit(&search);
            continue;
        }
        struct fault *fault = fault_add(load, FAULT_NOT_FOUND, load->objects[0], 0);
        fault->search = search;
        fault->name = fault->search.name;
        fault->warning = true;
    }
}

static void load_preloads(struct load *load)
{
    const char *env = load_env(load, "LD_PRELOAD");

    if (load->family == LOADER_MUSL) {
        if (env && !load->priv->secure)
            preload_names(load, env, ": \t\n\v\f\r");
        return;
    }
    check_audit(load);
    if (env)
        preload_names(load, env, " :");
    preload_file(load);
}

/* PT_INTERP: the kernel opens it, and says ENOENT of the program where it is not there (execve(2)). */
static bool load_interp(struct load *load)
{
    struct load_private *priv = load->priv;
    struct place place = {.path = priv->loader ? priv->loader : load->objects[0]->elf->interp, .origin = ORIGIN_DIRECT};
    struct search search = {.name = xstrdup(place.path), .found = -1, .fault = -1};
    int error;
    bool usable;

    place_try(load, &place, &search, &error);
    load->interp = xstrdup(search.places[0].path);
    usable = search.found == 0;
    if (usable) {
        traits_read(load_root_of(load, search.places[0].walk.final), search.places[0].elf, search.places[0].walk.final,
                    &priv->traits);
        search.places[0].elf = NULL;
        load->family = priv->traits.family;
        priv->interp =
            new_object(load->interp, elffile_get(load_root_of(load, load->interp), load->interp), OBJECT_INTERP);
        search_deinit(&search);
        return true;
    }
    load->family = strstr(load->interp, "ld-musl") ? LOADER_MUSL : LOADER_GLIBC;
    struct fault *fault = fault_add(load, FAULT_INTERP, load->objects[0], 0);
    search_settle(&search);
    fault->search = search;
    fault->name = fault->search.name;
    return false;
}

static void prepare_lists(struct load *load)
{
    struct load_private *priv = load->priv;
    const char *env = priv->secure ? NULL : load_env(load, "LD_LIBRARY_PATH");

    if (load->family != LOADER_GLIBC)
        return;
    if (env && *env)
        dirs_fill(load, &priv->env_list, env, ":;", NULL);
    dirs_defaults(load, &priv->default_list);
    priv->cache = ldcache_read(priv->root);
}

bool always_now(const struct load *load)
{
    const char *env = load->family == LOADER_GLIBC ? load_env(load, "LD_BIND_NOW") : NULL;

    return env && *env;
}

/* Everything that is there at the start makes the program's namespace, and stays. */
static void scope_startup(struct load *load)
{
    struct space *base = &load->priv->spaces[LOAD_SPACE_BASE];

    base->global = group_new(load);
    more_of(load, load->objects[0])->list = base->global;
    for (size_t i = 0; i < load->object_count; i++) {
        struct object_more *more = load->priv->more[i];

        group_add(load, base->global, load->objects[i], 0);
        more->global = true;
        more->nodelete = true;
        /* musl binds at once */
        more->now = load->family != LOADER_GLIBC || load->objects[i]->elf->bind_now || always_now(load);
        scope_init(load, load->objects[i], NULL, 0);
    }
}

static void load_startup(struct load *load)
{
    prepare_lists(load);
    load_preloads(load);
    load_dependencies(&(struct opening){.load = load}, 0);
    if (load->family == LOADER_MUSL)
        place_interp(load, load->interp);
    scope_startup(load);
    check_versions(load, 0, 0);
    check_symbols(load, 0, 0);
    check_refusals(load, 0, 0);
}

static struct cred *copy_cred(const struct cred *cred)
{
    struct cred *copy = cred ? xmemdup(cred, sizeof *cred) : NULL;

    if (copy)
        copy->groups = xmemdup(cred->groups, cred->group_count * sizeof *cred->groups);
    return copy;
}

static struct load_private *private_new(const struct load_request *request)
{
    struct load_private *priv = xcalloc(1, sizeof *priv);
    size_t n = 0;

    priv->root = xstrdup(request->root ? request->root : "");
    priv->program = xstrdup(request->program);
    priv->loader = xstrdup_or_null(request->loader);
    priv->cwd = xstrdup(request->cwd ? request->cwd : "/");
    while (request->env && request->env[n])
        n++;
    priv->env = xcalloc(n + 1, sizeof *priv->env);
    for (size_t i = 0; i < n; i++)
        priv->env[i] = xstrdup(request->env[i]);
    priv->secure = request->secure;
    priv->cred = copy_cred(request->cred);
    priv->absent = xstrdup_or_null(request->absent);
    priv->placed = xstrdup_or_null(request->placed);
    priv->content = xstrdup_or_null(request->content);
    priv->guests = request->guests;
    return priv;
}

int load_create(const struct load_request *request, struct load **ret, struct err *err)
{
    struct load *load;
    struct object *program;

    *ret = NULL;
    if (!request->program || request->program[0] != '/')
        return err_set(err, "the program to load must be an absolute path, not '%s'",
                       request->program ? request->program : "");
    load = xcalloc(1, sizeof *load);
    load->priv = private_new(request);
    load->family = LOADER_NONE;
    program =
        new_object(request->program, elffile_get(load_root_of(load, request->program), request->program), OBJECT_MAIN);
    place_object(load, program);
    *ret = load;
    if (program->elf->state != ELFFILE_OK)
        fault_add(load, FAULT_PROGRAM, program, 0)->name = program->path;
    else if ((program->elf->interp || request->loader) && load_interp(load))
        load_startup(load);
    if (!load->priv->group_count)
        scope_startup(load);
    return 0;
}

const struct object *load_named(const struct load *load, const char *soname)
{
    for (size_t i = 0; soname && i < load->object_count; i++) {
        const struct object *object = load->objects[i];

        if ((object->asked_as && strcmp(object->asked_as, soname) == 0) ||
            (object->elf->soname && strcmp(object->elf->soname, soname) == 0))
            return object;
    }
    return NULL;
}

/* Of several at one place (unloaded and loaded again, or in another namespace) the first that is still there. */
struct object *load_find(const struct load *load, const char *path)
{
    struct object *gone = NULL;
    struct stat st;
    int ways =
        path_stat(load_root_of(load, path), path, &st) == 0 ? 2 : 1; /* by its path, then by the file that is there */

    for (int by_file = 0; by_file < ways; by_file++)
        for (size_t i = 0; i < load->object_count; i++) {
            const struct object_more *more = load->priv->more[i];

            if (by_file ? more->ino != st.st_ino || more->dev != st.st_dev : strcmp(load->objects[i]->path, path) != 0)
                continue;
            if (!more->removed)
                return load->objects[i];
            if (!gone)
                gone = load->objects[i];
        }
    return gone;
}

void load_search(const struct load *load, const char *name, const struct object *object, unsigned ignore,
                 struct search *ret)
{
    if (load->priv->interp)
        find_library(load, name, object ? object : load->objects[0], ignore, 0, ret);
    else
        *ret = (struct search){.name = xstrdup(name), .found = -1, .fault = -1};
}
