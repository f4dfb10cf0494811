/* What a reproduction holds. */
#include "repro_plan.h"

#include "repro_state.h"
#include "repro_trim.h"

#include <probes/alloc.h>

#include <elf.h>
#include <errno.h>
#include <string.h>

static const char *const directories[] = {"lib", "wrong", "elsewhere"};

#define VARIABLE_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

enum { DIRECTORIES = sizeof directories / sizeof *directories };

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

bool repro_name_fits(const char *name)
{
    return name && *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strlen(name) <= 255;
}

/* What was opened while running is needed by the program from the start: a stub calls nothing. */
static void need_the_opened(const struct scenario *scenario, struct mini_object *program)
{
    for (size_t i = 1; i < scenario->object_count; i++) {
        const char *name = trim_file_name(scenario, scenario->objects[i]);

        if (!same(program->opens, name) && !trim_anyone_asks_for(scenario, name) && !trim_asks_for(program, name))
            mini_object_need(program, name);
    }
}

/* ---- the mended one ---- */

/* Versions and symbols that the failing side asks of MENDED, or of nobody, and that nothing defines. */
static void satisfy(const struct plan *plan, struct mini_object *mended)
{
    for (size_t i = 0; i < plan->file_count; i++) {
        const struct mini_object *asker = plan->files[i].object;

        for (size_t j = 0; j < asker->need_count; j++)
            if (trim_answers_to(mended, asker->needs[j].file))
                mini_object_define_version(mended, asker->needs[j].name);
        for (size_t j = 0; j < asker->undefined_count; j++) {
            const struct mini_symbol *symbol = &asker->undefined[j];
            bool there = false;

            if (symbol->file && !trim_answers_to(mended, symbol->file))
                continue;
            for (size_t k = 0; k < plan->file_count && !there; k++)
                there = plan->files[k].object->defect == MINI_SOUND && trim_defines(plan->files[k].object, symbol);
            if (!there)
                mini_object_define(mended, symbol->name, symbol->version);
        }
    }
}

static struct plan_file *add_file(struct plan *plan, struct mini_object *object, char *path, const char *runpath)
{
    struct plan_file *file = array_add(&plan->files, &plan->file_count, &plan->file_cap, sizeof *file);

    file->object = object;
    file->path = path;
    file->runpath = runpath;
    return file;
}

static void add_mended_library(struct plan *plan, const struct mini_object *target)
{
    const struct scenario *scenario = plan->scenario;
    const struct mini_object *program = scenario->objects[0];
    const struct mini_object *model = scenario->mended ? scenario->mended : target;
    struct mini_object *mended = trim_object(scenario, model);
    const char *name = target ? trim_file_name(scenario, target) : mended->name;
    bool musl = target && trim_is_musl_itself(scenario, target);

    mended->defect = MINI_SOUND;
    mended->class = program->class;
    mended->data = program->data;
    mended->machine = program->machine;
    mended->program = false;
    satisfy(plan, mended);
    if (musl) { /* what the libc lacks comes with another library */
        name = "libmended.so";
        free(mended->soname);
        mended->soname = xstrdup(name);
    }
    if (musl || (!target && !trim_anyone_asks_for(scenario, name)))
        plan->control_preload = xasprintf("lib/%s", name);
    add_file(plan, mended, xasprintf("mended/lib/%s", name), "$ORIGIN/../../root/lib")->mended = true;
    plan->control_library_path = "lib";
}

static void add_mended_program(struct plan *plan)
{
    const struct scenario *scenario = plan->scenario;
    const struct mini_object *object = scenario->objects[0];
    struct mini_object *mended = trim_object(scenario, scenario->mended ? scenario->mended : object);

    mended->defect = MINI_SOUND;
    mended->program = true;
    if (!scenario->mended || !stub_runs(mended->class, mended->data, mended->machine))
        stub_native(&mended->class, &mended->data, &mended->machine);
    plan->mended_program = true;
    add_file(plan, mended, xasprintf("mended/bin/%s", plan->program), "$ORIGIN/../../root/lib")->mended = true;
}

/* Nothing that is there already is put into mended/ as well. */
static void add_mended(struct plan *plan)
{
    const struct scenario *scenario = plan->scenario;
    const struct mini_object *target =
        scenario->mend_object < scenario->object_count ? scenario->objects[scenario->mend_object] : NULL;

    if (plan->forbidden || plan->sealed)
        plan->control_in_root = true;
    else if (scenario->mend_object == 0)
        add_mended_program(plan);
    else if (target && target->directory == 1)
        plan->control_library_path = "../root/lib"; /* the good copy first */
    else if (target && target->directory == 2)
        plan->control_library_path = "../root/elsewhere"; /* the place where it is, added to the search */
    else if (scenario->mended || target)
        add_mended_library(plan, target);
}

/* ---- the two ways that have objects ---- */

static int check_objects(const struct scenario *scenario, struct err *err)
{
    if (scenario->object_count == 0)
        return err_set(err, "no reproduction: the scenario names no program");
    if (scenario->mend_object >= scenario->object_count && !scenario->mended)
        return err_set(err, "no reproduction: it is not known what would mend it");
    for (size_t i = 0; i < scenario->object_count; i++) {
        const struct mini_object *object = scenario->objects[i];

        if (!repro_name_fits(object->name) || object->directory >= DIRECTORIES)
            return err_set(err, "no reproduction: \"%.200s\" cannot be the name of a file in it",
                           object->name ? object->name : "");
        if (i && !object->absent && strncmp(object->name, "ld-linux", 8) == 0)
            return err_set(err, "no reproduction: %.200s is the loader itself, which a stub cannot stand for",
                           object->name);
    }
    if (scenario->mount && (!repro_name_fits(scenario->mount) || same(scenario->mount, "lib") ||
                            same(scenario->mount, "bin") || same(scenario->mount, scenario->objects[0]->name)))
        return err_set(err, "no reproduction: \"%.200s\" cannot be the name of a mount in it", scenario->mount);
    if (scenario->mended && !repro_name_fits(scenario->mended->name))
        return err_set(err, "no reproduction: the mended file has no name");
    return 0;
}

static bool native(const struct mini_object *object)
{
    unsigned class, data, machine;

    stub_native(&class, &data, &machine);
    return object->class == class && object->data == data && object->machine == machine;
}

/* For the directories by number, and last bin/. */
static const char *runpath_of(unsigned directory, bool shadowed)
{
    if (directory == 0)
        return shadowed ? "$ORIGIN/../wrong:$ORIGIN" : "$ORIGIN";
    return shadowed ? "$ORIGIN/../wrong:$ORIGIN/../lib" : "$ORIGIN/../lib";
}

/* The program stands in bin/, so that what is in mended/ is not in its neighbourhood, which glibctrace looks through
 * for a library that is in no directory of the search (search_elsewhere()). */
static int plan_load(struct plan *plan, struct err *err)
{
    const struct scenario *scenario = plan->scenario;
    const struct mini_object *program = scenario->objects[0];
    bool shadowed = false;

    if (!stub_runs(program->class, program->data, program->machine) || (!native(program) && program->machine != EM_386))
        return err_set(err, "no reproduction: %.200s is for another machine than this one", program->name);
    for (size_t i = 1; i < scenario->object_count; i++)
        shadowed = shadowed || scenario->objects[i]->directory == 1;
    shadowed = shadowed && !scenario->by_library_path;
    plan->library_path = scenario->by_library_path ? "wrong" : scenario->mount;
    if (scenario->variable_path && !repro_name_fits(scenario->variable_path))
        return err_set(err, "no reproduction: \"%.200s\" cannot be the name of a directory in it",
                       scenario->variable_path);
    if (scenario->variable_path)
        plan->call.path = xasprintf("data/%s", scenario->variable_path);
    for (size_t i = 0; i < scenario->object_count; i++) {
        const struct mini_object *object = scenario->objects[i];
        struct mini_object *stub;
        char *path;

        if (object->absent || (i && trim_is_musl_itself(scenario, object)))
            continue;
        stub = trim_object(scenario, object);
        stub->program = i == 0;
        if (i == 0)
            need_the_opened(scenario, stub);
        path = xasprintf("root/%s/%s", i ? directories[object->directory] : "bin",
                         i ? trim_file_name(scenario, object) : plan->program);
        if (scenario->mount && i == scenario->mend_object)
            plan->sealed = xstrdup(path + strlen("root/"));
        if (i && object->defect == MINI_NO_PERMISSION && !plan->forbidden)
            plan->forbidden = xstrdup(path + strlen("root/"));
        if (i && !plan->shown && (object->defect != MINI_SOUND || object->machine != program->machine))
            plan->shown = xstrdup(path + strlen("root/"));
        add_file(plan, stub, path, runpath_of(i ? object->directory : 3, shadowed));
    }
    add_mended(plan);
    return 0;
}

/* Only what the kernel reads: a file that the kernel refuses may be handed to a shell, which must find no words of the
 * user's in it. */
static struct mini_object *bare_program(const struct mini_object *object)
{
    struct mini_object *bare = mini_object_create(object->name);

    bare->program = true;
    bare->interp = xstrdup_or_null(object->interp);
    bare->class = object->class;
    bare->data = object->data;
    bare->machine = object->machine;
    bare->defect = object->defect;
    bare->link_text = xstrdup_or_null(object->link_text);
    return bare;
}

/* ---- a program of ours that makes the call ---- */

static const char *error_words(int error)
{
    switch (error) {
    case ENOEXEC:
        return "Exec format error";
    case EACCES:
        return "Permission denied";
    case ECONNREFUSED:
        return "Connection refused";
    case ELOOP:
        return "Too many levels of symbolic links";
    case ENOTDIR:
        return "Not a directory";
    default:
        return "No such file or directory";
    }
}

static int defect_error(const struct mini_object *object)
{
    switch (object->defect) {
    case MINI_NO_PERMISSION:
        return EACCES;
    case MINI_LOOP:
        return ELOOP;
    case MINI_DANGLING:
        return ENOENT;
    default:
        return object->absent ? ENOENT : ENOEXEC;
    }
}

/* Takes PATH. */
static int plan_caller(struct plan *plan, const char *name, char *path, bool opens, int error, struct err *err)
{
    const char *verb = opens ? "open" : "execute";
    unsigned refused = error == ENOENT ? 127 : 126; /* as a shell's */
    size_t beside = strcspn(path, "/");

    plan->call.opens = opens;
    plan->call.path = path;
    plan->call.error = error;
    plan->call.status = opens ? 1 : refused;
    plan->call.words = xasprintf("cannot %s %s: %s\n", verb, path, error_words(error));
    plan->caller = xstrdup(name);
    /* It stands next to the directory in which it looks. */
    if (!repro_name_fits(name) || (strlen(name) == beside && strncmp(path, name, beside) == 0))
        return err_set(err, "no reproduction: \"%.200s\" cannot be the name of a file in it", name);
    return 0;
}

static int plan_execute(struct plan *plan, struct err *err)
{
    const struct scenario *scenario = plan->scenario;
    const struct mini_object *object = scenario->objects[0], *mended = scenario->mended;
    const char *asker = scenario->asker && !same(scenario->asker, object->name) ? scenario->asker : NULL;
    int error = object->interp && object->defect == MINI_SOUND ? ENOENT : defect_error(object);
    struct mini_object *good = bare_program(mended ? mended : object);

    plan->shown = xstrdup(plan->program);
    add_file(plan, bare_program(object), xasprintf("root/%s", plan->program), NULL);
    good->defect = MINI_SOUND;
    if (!native(good))
        stub_native(&good->class, &good->data, &good->machine);
    if (!mended || !mended->interp) { /* a static one: no loader that may be absent as well */
        free(good->interp);
        good->interp = xstrdup("");
    }
    plan->mended_program = true;
    add_file(plan, good, xasprintf("mended/%s", plan->program), NULL)->mended = true;
    if (scenario->mount) {
        plan->sealed = xstrdup(plan->program);
        return 0;
    }
    if (error != ENOEXEC && !asker)
        return 0; /* env(1) does it */
    if (same(object->name, "launcher") && !asker)
        asker = "launcher-of-it";
    return plan_caller(plan, asker ? asker : "launcher", xasprintf("./%s", plan->program), false, error, err);
}

static bool path_fits(const char *path)
{
    size_t size = strlen(path);

    for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/') {
        CLEANUP_FREE char *name = xstrndup(p, strcspn(p, "/"));

        if (!repro_name_fits(name))
            return false;
    }
    return size && size < 1024 && path[size - 1] != '/';
}

/* Something below a path is opened, and what stands at the path is no directory, or has something else in it. */
static int plan_open_inside(struct plan *plan, struct err *err)
{
    const struct scenario *scenario = plan->scenario;
    const char *name = scenario->objects[1]->name, *inside = scenario->inside;
    struct plan_file *file, *good;

    if (!path_fits(inside))
        return err_set(err, "no reproduction: \"%.200s\" cannot be the name of a file in it", inside);
    plan->shown = xasprintf("data/%s", name);
    file = add_file(plan, mini_object_create(name), xasprintf("root/data/%s", name), NULL);
    file->plain = true;
    file->here = scenario->emptied;
    good = add_file(plan, mini_object_create(name), xasprintf("mended/data/%s/%s", name, inside), NULL);
    good->plain = good->mended = true;
    return plan_caller(plan, plan->program, xasprintf("data/%s/%s", name, inside), true,
                       scenario->emptied ? ENOENT : ENOTDIR, err);
}

static int plan_open(struct plan *plan, struct err *err)
{
    const struct scenario *scenario = plan->scenario;
    const struct mini_object *file;

    if (scenario->object_count != 2)
        return err_set(err, "no reproduction: it is not known which file is opened");
    if (scenario->variable && strspn(scenario->variable, VARIABLE_LETTERS) != strlen(scenario->variable))
        return err_set(err, "no reproduction: env(1) cannot be told to set \"%.200s\"", scenario->variable);
    if (scenario->inside)
        return plan_open_inside(plan, err);
    file = scenario->objects[1];
    if (file->absent || file->defect == MINI_NO_PERMISSION || file->defect == MINI_LOOP ||
        file->defect == MINI_DANGLING) {
        if (!file->absent) {
            plan->shown = xasprintf("data/%s", file->name);
            add_file(plan, mini_object_copy(file), xasprintf("root/data/%s", file->name), NULL)->plain = true;
        }
        if (!file->absent && file->defect == MINI_NO_PERMISSION) {
            plan->forbidden = xstrdup(plan->shown);
            plan->control_in_root = true;
        } else {
            struct plan_file *good =
                add_file(plan, mini_object_create(file->name), xasprintf("mended/data/%s", file->name), NULL);

            good->plain = good->mended = true;
        }
        return plan_caller(plan, plan->program, xasprintf("data/%s", file->name), true, defect_error(file), err);
    }
    return err_set(err, "no reproduction: opening %.200s does not fail", file->name);
}

static int plan_connect(struct plan *plan, struct err *err)
{
    const struct scenario *scenario = plan->scenario;
    const char *address = scenario->address;
    bool path = strncmp(address, "unix:", 5) == 0 && address[5] != '@';

    if (path && (!repro_name_fits(path_base(address)) || same(plan->program, "data")))
        return err_set(err, "no reproduction: %.200s cannot be the name of a socket in it", address);
    if (path && scenario->error == ECONNREFUSED) { /* any file that is no listening socket refuses (unix(7)) */
        CLEANUP_FREE char *name = xasprintf("root/%s", address + 5);

        plan->shown = xstrdup(address + 5);
        add_file(plan, mini_object_create(path_base(address)), steal_pointer(&name), NULL)->plain = true;
    }
    if (plan_caller(plan, plan->program, xstrdup(address), false, scenario->error, err) < 0)
        return -1;
    plan->call.connects = true;
    plan->call.status = 1;
    free((char *)plan->call.words);
    plan->call.words =
        xasprintf("cannot connect to %s: %s\n", strncmp(address, "unix:", 5) == 0 ? address + 5 : address,
                  error_words(scenario->error));
    return 0;
}

static int plan_state(struct plan *plan, struct err *err)
{
    const struct scenario *scenario = plan->scenario;

    if (scenario->state == STATE_POLICY && !repro_state_knows(scenario->call))
        return err_set(err, "no reproduction: how %.200s would be made is not known", scenario->call);
    plan->caller = xstrdup(plan->program);
    return 0;
}

static int check_script(const struct scenario *scenario, struct err *err)
{
    const char *line = scenario->script_line, *end;

    if (!repro_name_fits(scenario->script_name))
        return err_set(err, "no reproduction: the script has no name that a file can have");
    if (!line || strncmp(line, "#!", 2) != 0 || strlen(line) > 4096)
        return err_set(err, "no reproduction: the script's first line is not one that names a program");
    end = strchr(line, '\n');
    if (end && end[1])
        return err_set(err, "no reproduction: more than one line of the script is given");
    return 0;
}

static bool is_shell(const char *program)
{
    static const char *const shells[] = {"sh", "dash", "bash", "ksh", "mksh", "zsh", "ash", "yash", "busybox"};

    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (same(path_base(program), shells[i]))
            return program[0] == '/';
    return false;
}

/* A shell is run as it is: -c is known to be harmless there. Of another program a stub does the looking. */
static int plan_command(struct plan *plan, struct err *err)
{
    const struct scenario *scenario = plan->scenario;

    if (!repro_name_fits(scenario->command))
        return err_set(err, "no reproduction: what was looked for on PATH cannot be the name of a file");
    if (!scenario->shell)
        return err_set(err, "no reproduction: it is not known who looked for %.200s", scenario->command);
    if (is_shell(scenario->shell))
        return 0;
    plan->call.bare = true;
    return plan_caller(plan, path_base(scenario->shell), xasprintf("bin/%s", scenario->command), false, ENOENT, err);
}

int plan_make(const struct scenario *scenario, struct plan *ret, struct err *err)
{
    *ret = (struct plan){.scenario = scenario};
    switch (scenario->way) {
    case SCENARIO_LOAD:
    case SCENARIO_EXECUTE:
    case SCENARIO_OPEN:
    case SCENARIO_CONNECT:
    case SCENARIO_STATE:
        if (check_objects(scenario, err) < 0)
            return -1;
        ret->program = scenario->objects[0]->name;
        return scenario->way == SCENARIO_LOAD      ? plan_load(ret, err)
               : scenario->way == SCENARIO_STATE   ? plan_state(ret, err)
               : scenario->way == SCENARIO_CONNECT ? plan_connect(ret, err)
               : scenario->way == SCENARIO_EXECUTE ? plan_execute(ret, err)
                                                   : plan_open(ret, err);
    case SCENARIO_SCRIPT:
        if (check_script(scenario, err) < 0)
            return -1;
        ret->shown = xstrdup(scenario->script_name);
        return 0;
    case SCENARIO_COMMAND:
        return plan_command(ret, err);
    }
    return err_set(err, "no reproduction: its way %d is not known", (int)scenario->way);
}

void plan_drop_files(struct plan *plan)
{
    for (size_t i = 0; i < plan->file_count; i++) {
        free(plan->files[i].path);
        mini_object_destroy(plan->files[i].object);
    }
    free(plan->files);
    plan->files = NULL;
    plan->file_count = plan->file_cap = 0;
}

void plan_deinit(struct plan *plan)
{
    plan_drop_files(plan);
    free(plan->forbidden);
    free(plan->sealed);
    free(plan->shown);
    free(plan->control_preload);
    free(plan->caller);
    free((char *)plan->call.path);
    free((char *)plan->call.words);
    *plan = (struct plan){0};
}
