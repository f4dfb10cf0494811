/* What a failure needs, and what it does not. */
#include "repro_trim.h"

#include "repro_plan.h"

#include <probes/alloc.h>

#include <string.h>

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

bool trim_answers_to(const struct mini_object *object, const char *asked)
{
    const char *base = path_base(asked);

    return same(object->name, base) || same(object->soname, base);
}

bool trim_asks_for(const struct mini_object *object, const char *name)
{
    for (size_t i = 0; i < object->needed.n; i++)
        if (same(path_base(object->needed.v[i]), name))
            return true;
    return false;
}

bool trim_anyone_asks_for(const struct scenario *scenario, const char *name)
{
    for (size_t i = 0; i < scenario->object_count; i++)
        if (trim_asks_for(scenario->objects[i], name))
            return true;
    return false;
}

const char *trim_file_name(const struct scenario *scenario, const struct mini_object *object)
{
    if (object->soname && !trim_anyone_asks_for(scenario, object->name) &&
        trim_anyone_asks_for(scenario, object->soname) && repro_name_fits(object->soname))
        return object->soname;
    return object->name;
}

bool trim_is_musl_itself(const struct scenario *scenario, const struct mini_object *object)
{
    static const char *const names[] = {"libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."};
    const char *interp = scenario->objects[0]->interp;

    if (!interp || strncmp(path_base(interp), "ld-musl", 7) != 0)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(object->name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static bool defines_version(const struct mini_object *object, const char *version)
{
    for (size_t i = 0; i < object->def_count; i++)
        if (same(object->defs[i].name, version))
            return true;
    return false;
}

bool trim_defines(const struct mini_object *object, const struct mini_symbol *symbol)
{
    for (size_t i = 0; i < object->defined_count; i++)
        if (same(object->defined[i].name, symbol->name) &&
            (!symbol->version || same(object->defined[i].version, symbol->version)))
            return true;
    return false;
}

/* Whether the failing run loads OBJECT: it is there, in a place that is searched, and no other copy comes first. */
static bool is_loaded(const struct scenario *scenario, const struct mini_object *object)
{
    if (object->absent || object->directory == 2 || object->defect != MINI_SOUND)
        return false;
    for (size_t i = 0; object->directory == 0 && i < scenario->object_count; i++) {
        const struct mini_object *other = scenario->objects[i];

        if (other->directory == 1 && !other->absent &&
            same(trim_file_name(scenario, other), trim_file_name(scenario, object)))
            return false;
    }
    return true;
}

/* The object that the failing run has under the name FILE, or NULL. */
static const struct mini_object *loaded_as(const struct scenario *scenario, const char *file)
{
    for (size_t i = 0; file && i < scenario->object_count; i++)
        if (trim_answers_to(scenario->objects[i], file) && is_loaded(scenario, scenario->objects[i]))
            return scenario->objects[i];
    return NULL;
}

/* Whether it is PROVIDER that is mended, or the one who asks, or both at once by something new: only then is what
 * PROVIDER lacks the matter of this reproduction. Other missing versions are other causes. */
static bool is_mended(const struct scenario *scenario, const struct mini_object *provider)
{
    size_t at = scenario->mend_object;

    return at == 0 || at >= scenario->object_count ||
           same(trim_file_name(scenario, scenario->objects[at]), trim_file_name(scenario, provider));
}

static bool version_fails(const struct scenario *scenario, const char *file, const char *version)
{
    const struct mini_object *provider = loaded_as(scenario, file);

    return provider && !defines_version(provider, version) && is_mended(scenario, provider);
}

/* The soname of whom SYMBOL, undefined in OBJECT, is asked, or NULL. */
static const char *asked_of(const struct mini_object *object, const struct mini_symbol *symbol)
{
    if (symbol->file || !symbol->version)
        return symbol->file;
    for (size_t i = 0; i < object->need_count; i++)
        if (same(object->needs[i].name, symbol->version))
            return object->needs[i].file;
    return NULL;
}

static bool symbol_fails(const struct scenario *scenario, const struct mini_object *object,
                         const struct mini_symbol *symbol)
{
    const char *file = asked_of(object, symbol);
    const struct mini_object *provider = loaded_as(scenario, file);

    if (file && symbol->version)
        return provider && !trim_defines(provider, symbol) &&
               (defines_version(provider, symbol->version) || version_fails(scenario, file, symbol->version));
    for (size_t i = 0; i < scenario->object_count; i++)
        if (is_loaded(scenario, scenario->objects[i]) && trim_defines(scenario->objects[i], symbol))
            return false;
    return true;
}

/* The name by which the stub asks for what the file at hand asked for as ASKED: a path becomes one in the reproduction
 * (the scripts' working directory is root/ or mended/). */
static char *asked_as(const struct scenario *scenario, const struct mini_object *target, const char *asked)
{
    if (!strchr(asked, '/'))
        return xstrdup(trim_file_name(scenario, target));
    return xasprintf("lib/%s", path_base(asked));
}

static void trim_needs(const struct scenario *scenario, const struct mini_object *object, struct mini_object *ret)
{
    for (size_t i = 0; i < object->needed.n; i++) {
        const struct mini_object *target = NULL;
        CLEANUP_FREE char *name = NULL;

        for (size_t j = 0; j < scenario->object_count && !target; j++)
            if (trim_answers_to(scenario->objects[j], object->needed.v[i]))
                target = scenario->objects[j];
        if (!target || target == object)
            continue;
        name = asked_as(scenario, target, object->needed.v[i]);
        mini_object_need(ret, name);
    }
    for (size_t i = 0; i < object->need_count; i++)
        if (version_fails(scenario, object->needs[i].file, object->needs[i].name))
            mini_object_need_version(ret, object->needs[i].file, object->needs[i].name);
    for (size_t i = 0; i < object->undefined_count; i++) {
        const struct mini_symbol *symbol = &object->undefined[i];
        const char *file = asked_of(object, symbol);

        if (symbol_fails(scenario, object, symbol))
            mini_object_undefined(ret, symbol->name, file ? symbol->version : NULL, symbol->version ? file : NULL);
    }
}

struct mini_object *trim_object(const struct scenario *scenario, const struct mini_object *object)
{
    struct mini_object *ret = mini_object_copy_bare(object);

    free(ret->name);
    ret->name = xstrdup(trim_file_name(scenario, object));
    ret->absent = false;
    ret->versioned = object->versioned || object->def_count;
    trim_needs(scenario, object, ret);
    for (size_t i = 0; i < object->def_count; i++)
        mini_object_define_version(ret, object->defs[i].name);
    for (size_t i = 0; i < object->defined_count; i++)
        mini_object_define(ret, object->defined[i].name, object->defined[i].version);
    return ret;
}
