/* A failure in miniature: making, copying and freeing its parts. */
#include "scenario.h"

#include "stub.h"

#include <probes/alloc.h>
#include <string.h>

/* Entries taken from one file at most: a real one has some hundreds of versions, a hostile one millions. */
enum { MOST = 4096 };

/* Equal, where either may be absent. */
static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

struct scenario *scenario_create(enum scenario_way way)
{
    struct scenario *scenario = xcalloc(1, sizeof *scenario);

    scenario->way = way;
    return scenario;
}

struct mini_object *scenario_take(struct scenario *scenario, struct mini_object *object)
{
    struct mini_object **slot =
        array_add(&scenario->objects, &scenario->object_count, &scenario->object_cap, sizeof *scenario->objects);

    *slot = object;
    return object;
}

void scenario_mend_last(struct scenario *scenario)
{
    scenario->mend_object = scenario->object_count - 1;
    scenario->mended = mini_object_copy(scenario->objects[scenario->mend_object]);
}

struct mini_object *scenario_object(struct scenario *scenario, const char *name)
{
    bool first = scenario->object_count == 0;
    struct mini_object *object = scenario_take(scenario, mini_object_create(name));

    object->program = first;
    return object;
}

static struct scenario *opening(const struct cause *cause)
{
    struct scenario *scenario = scenario_create(SCENARIO_OPEN);
    struct mini_object *file;

    scenario_object(scenario, path_base(cause->subject));
    file = scenario_object(scenario, path_base(cause->missing));
    scenario->mend_object = 1;
    if (cause->kind == CAUSE_FILE_MISSING)
        file->absent = true;
    else if (cause->kind == CAUSE_SYMLINK_LOOP)
        file->defect = MINI_LOOP;
    else if (cause->kind == CAUSE_PERMISSION_DENIED)
        file->defect = MINI_NO_PERMISSION;
    else {
        file->defect = MINI_DANGLING; /* the link's own name is not in the cause */
        file->link_text = file->name;
        file->name = xstrdup(same(file->link_text, "link") ? "link-to-it" : "link");
    }
    return scenario;
}

struct scenario *scenario_of_state(enum scenario_state state, const char *subject)
{
    struct scenario *scenario = scenario_create(SCENARIO_STATE);

    scenario->state = state;
    scenario_object(scenario, path_base(subject));
    return scenario;
}

/* "ENOSPC:/var/tmp": of a file system at another place than "/", and no device such as full(4). */
static struct scenario *full_file_system(const struct cause *cause)
{
    const char *mount = strchr(cause->missing, '/');
    struct scenario *scenario;

    if (!mount || !mount[1] || strncmp(mount, "/dev/", 5) == 0)
        return NULL;
    scenario = scenario_of_state(STATE_ROOM, cause->subject);
    scenario->mount = xstrdup(path_base(mount));
    return scenario;
}

static struct scenario *reaching_a_limit(const struct cause *cause)
{
    static const struct {
        const char *name;
        enum scenario_state state;
    } states[] = {{"RLIMIT_NOFILE", STATE_DESCRIPTORS},
                  {"RLIMIT_AS", STATE_ADDRESS_SPACE},
                  {"RLIMIT_DATA", STATE_DATA},
                  {"RLIMIT_FSIZE", STATE_FILE_SIZE},
                  {"RLIMIT_NPROC", STATE_PROCESSES},
                  {"fs.inotify.max_user_watches", STATE_WATCHES},
                  {"fs.inotify.max_user_instances", STATE_INSTANCES}};

    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (same(cause->missing, states[i].name))
            return scenario_of_state(states[i].state, cause->subject);
    return strncmp(cause->missing, "ENOSPC:", 7) == 0 ? full_file_system(cause) : NULL;
}

struct scenario *scenario_of_cause(const struct cause *cause)
{
    struct scenario *scenario;

    if (!cause->subject || !cause->missing)
        return NULL;
    switch (cause->kind) {
    case CAUSE_FILE_MISSING:
    case CAUSE_SYMLINK_LOOP:
    case CAUSE_SYMLINK_DANGLING:
    case CAUSE_PERMISSION_DENIED:
        /* A path, maybe below a home that is hidden; a right or a port is no file. */
        return cause->missing[0] == '/' || strncmp(cause->missing, "$HOME", 5) == 0 ? opening(cause) : NULL;
    case CAUSE_COMMAND_NOT_FOUND:
        scenario = scenario_create(SCENARIO_COMMAND);
        scenario->shell = xstrdup(cause->subject);
        scenario->command = xstrdup(cause->missing);
        return scenario;
    case CAUSE_RESOURCE_LIMIT:
    case CAUSE_WATCH_LIMIT:
        return reaching_a_limit(cause);
    default:
        return NULL;
    }
}

struct redaction {
    char *(*redact)(void *ctx, const char *bytes);
    void *ctx;
};

static void redact_string(const struct redaction *redaction, char **string)
{
    char *replaced = *string ? redaction->redact(redaction->ctx, *string) : NULL;

    free(*string);
    *string = replaced;
}

static void redact_object(const struct redaction *redaction, struct mini_object *object)
{
    redact_string(redaction, &object->name);
    redact_string(redaction, &object->soname);
    redact_string(redaction, &object->interp);
    redact_string(redaction, &object->link_text);
    redact_string(redaction, &object->opens);
    redact_string(redaction, &object->loader_version);
    redact_string(redaction, &object->loader_symbol);
    for (size_t i = 0; i < object->needed.n; i++)
        redact_string(redaction, &object->needed.v[i]);
    for (size_t i = 0; i < object->need_count; i++) {
        redact_string(redaction, &object->needs[i].file);
        redact_string(redaction, &object->needs[i].name);
    }
    for (size_t i = 0; i < object->def_count; i++)
        redact_string(redaction, &object->defs[i].name);
    for (size_t i = 0; i < object->defined_count; i++) {
        redact_string(redaction, &object->defined[i].name);
        redact_string(redaction, &object->defined[i].version);
    }
    for (size_t i = 0; i < object->undefined_count; i++) {
        redact_string(redaction, &object->undefined[i].name);
        redact_string(redaction, &object->undefined[i].version);
        redact_string(redaction, &object->undefined[i].file);
    }
}

void scenario_redact(struct scenario *scenario, char *(*redact)(void *ctx, const char *bytes), void *ctx)
{
    const struct redaction redaction = {redact, ctx};

    for (size_t i = 0; i < scenario->object_count; i++)
        redact_object(&redaction, scenario->objects[i]);
    if (scenario->mended)
        redact_object(&redaction, scenario->mended);
    redact_string(&redaction, &scenario->script_name);
    redact_string(&redaction, &scenario->script_line);
    redact_string(&redaction, &scenario->shell);
    redact_string(&redaction, &scenario->command);
    redact_string(&redaction, &scenario->asker);
    redact_string(&redaction, &scenario->mount);
    redact_string(&redaction, &scenario->address);
    redact_string(&redaction, &scenario->variable);
    redact_string(&redaction, &scenario->before);
    redact_string(&redaction, &scenario->after);
    redact_string(&redaction, &scenario->variable_path);
    redact_string(&redaction, &scenario->inside);
}

void scenario_destroy(struct scenario *scenario)
{
    if (!scenario)
        return;
    for (size_t i = 0; i < scenario->object_count; i++)
        mini_object_destroy(scenario->objects[i]);
    free(scenario->objects);
    mini_object_destroy(scenario->mended);
    free(scenario->script_name);
    free(scenario->script_line);
    free(scenario->shell);
    free(scenario->command);
    free(scenario->asker);
    free(scenario->call);
    free(scenario->mount);
    free(scenario->address);
    free(scenario->variable);
    free(scenario->before);
    free(scenario->after);
    free(scenario->variable_path);
    free(scenario->inside);
    free(scenario);
}

struct mini_object *mini_object_create(const char *name)
{
    struct mini_object *object = xcalloc(1, sizeof *object);

    object->name = xstrdup(name);
    stub_native(&object->class, &object->data, &object->machine);
    return object;
}

void mini_object_fit(struct mini_object *object, const struct elffile *elf)
{
    object->class = elf->class;
    object->data = elf->data;
    object->machine = elf->machine;
}

struct mini_object *mini_object_of(const struct elffile *elf, const char *name)
{
    struct mini_object *object = mini_object_create(name);

    if (!elf || elf->class == 0)
        return object;
    mini_object_fit(object, elf);
    object->program = elf->interp != NULL;
    object->interp = xstrdup_or_null(elf->interp);
    object->soname = xstrdup_or_null(elf->soname);
    for (size_t i = 0; i < elf->needed_count && i < MOST; i++)
        mini_object_need(object, elf->needed[i]);
    for (size_t i = 0; i < elf->need_count && i < MOST; i++)
        mini_object_need_version(object, elf->needs[i].file, elf->needs[i].name);
    for (size_t i = 0; i < elf->def_count && i < MOST; i++)
        if (!elf->defs[i].base)
            mini_object_define_version(object, elf->defs[i].name);
    return object;
}

struct mini_object *mini_object_copy_bare(const struct mini_object *object)
{
    struct mini_object *copy = mini_object_create(object->name);

    copy->soname = xstrdup_or_null(object->soname);
    copy->program = object->program;
    copy->interp = xstrdup_or_null(object->interp);
    copy->class = object->class;
    copy->data = object->data;
    copy->machine = object->machine;
    copy->versioned = object->versioned;
    copy->bare = object->bare;
    copy->opens = xstrdup_or_null(object->opens);
    copy->loader_version = xstrdup_or_null(object->loader_version);
    copy->loader_symbol = xstrdup_or_null(object->loader_symbol);
    copy->isa_needed = object->isa_needed;
    copy->tls_size = object->tls_size;
    copy->execstack = object->execstack;
    copy->absent = object->absent;
    copy->directory = object->directory;
    copy->defect = object->defect;
    copy->link_text = xstrdup_or_null(object->link_text);
    return copy;
}

struct mini_object *mini_object_copy(const struct mini_object *object)
{
    struct mini_object *copy = mini_object_copy_bare(object);

    for (size_t i = 0; i < object->needed.n; i++)
        mini_object_need(copy, object->needed.v[i]);
    for (size_t i = 0; i < object->need_count; i++)
        mini_object_need_version(copy, object->needs[i].file, object->needs[i].name);
    for (size_t i = 0; i < object->def_count; i++)
        mini_object_define_version(copy, object->defs[i].name);
    for (size_t i = 0; i < object->defined_count; i++)
        mini_object_define(copy, object->defined[i].name, object->defined[i].version);
    for (size_t i = 0; i < object->undefined_count; i++)
        mini_object_undefined(copy, object->undefined[i].name, object->undefined[i].version, object->undefined[i].file);
    return copy;
}

void mini_object_need(struct mini_object *object, const char *soname)
{
    for (size_t i = 0; i < object->needed.n; i++)
        if (same(object->needed.v[i], soname))
            return;
    strings_add(&object->needed, xstrdup(soname));
}

static void version_add(struct mini_version **versions, size_t *count, size_t *cap, const char *file, const char *name)
{
    struct mini_version *version;

    for (size_t i = 0; i < *count; i++)
        if (same((*versions)[i].file, file) && same((*versions)[i].name, name))
            return;
    version = array_add(versions, count, cap, sizeof **versions);
    version->file = xstrdup_or_null(file);
    version->name = xstrdup(name);
}

void mini_object_need_version(struct mini_object *object, const char *file, const char *version)
{
    version_add(&object->needs, &object->need_count, &object->need_cap, file, version);
}

void mini_object_define_version(struct mini_object *object, const char *version)
{
    version_add(&object->defs, &object->def_count, &object->def_cap, NULL, version);
}

static void symbol_add(struct mini_symbol **symbols, size_t *count, size_t *cap, const struct mini_symbol *model)
{
    struct mini_symbol *symbol;

    for (size_t i = 0; i < *count; i++)
        if (same((*symbols)[i].name, model->name) && same((*symbols)[i].version, model->version) &&
            same((*symbols)[i].file, model->file))
            return;
    symbol = array_add(symbols, count, cap, sizeof **symbols);
    symbol->name = xstrdup(model->name);
    symbol->version = xstrdup_or_null(model->version);
    symbol->file = xstrdup_or_null(model->file);
}

void mini_object_define(struct mini_object *object, const char *symbol, const char *version)
{
    const struct mini_symbol model = {.name = (char *)symbol, .version = (char *)version};

    symbol_add(&object->defined, &object->defined_count, &object->defined_cap, &model);
}

void mini_object_undefined(struct mini_object *object, const char *symbol, const char *version, const char *file)
{
    const struct mini_symbol model = {.name = (char *)symbol, .version = (char *)version, .file = (char *)file};

    symbol_add(&object->undefined, &object->undefined_count, &object->undefined_cap, &model);
}

static void versions_free(struct mini_version *versions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(versions[i].file);
        free(versions[i].name);
    }
    free(versions);
}

static void symbols_free(struct mini_symbol *symbols, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(symbols[i].name);
        free(symbols[i].version);
        free(symbols[i].file);
    }
    free(symbols);
}

void mini_object_destroy(struct mini_object *object)
{
    if (!object)
        return;
    free(object->name);
    free(object->soname);
    free(object->interp);
    free(object->link_text);
    free(object->opens);
    free(object->loader_version);
    free(object->loader_symbol);
    strings_deinit(&object->needed);
    versions_free(object->needs, object->need_count);
    versions_free(object->defs, object->def_count);
    symbols_free(object->defined, object->defined_count);
    symbols_free(object->undefined, object->undefined_count);
    free(object);
}
