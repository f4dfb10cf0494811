/* What the cause_*.c have in common: the search list, the C library's release, the beginning of a scenario. */
#include "judge.h"

#include "scenario.h"

#include <elf.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/libc.h>

const char *finding_root(const struct finding *finding)
{
    return finding->root ? finding->root : finding->process->root;
}

void tell_search(struct cause *cause, const struct search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        const struct candidate *place = &search->places[i];
        CLEANUP_FREE char *from = NULL;

        if (place->origin_of)
            from = xasprintf("%s of %s", search_origin_text(place->origin), place->origin_of);
        cause_place(cause, place->path, from ? from : search_origin_text(place->origin), place->why,
                    (long)i == search->found);
    }
}

bool tell_of_libc(const char *file)
{
    static const char *const names[] = {"libc.so",   "libm.so",      "libpthread.so", "libdl.so",
                                        "librt.so",  "libresolv.so", "libutil.so",    "libanl.so",
                                        "libnsl.so", "libmvec.so",   "libcrypt.so",   "ld-linux"};
    const char *name = path_base(file);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

char *tell_libc_of(const struct finding *finding, const char *file)
{
    const struct load *load = finding->load;
    struct libc_identity identity;
    char *words = NULL;

    if (!file || !tell_of_libc(file))
        return NULL;
    for (size_t i = 0; i < load->object_count && !words; i++) {
        const struct object *object = load->objects[i];
        const char *soname = object->elf->soname;

        if (!soname || strcmp(soname, "libc.so.6") != 0)
            continue;
        libc_identify(finding_root(finding), object->path, &identity);
        if (identity.release)
            words = xasprintf("%s %s", identity.family, identity.release);
        libc_identity_deinit(&identity);
    }
    return words;
}

struct mini_object *tell_load_scenario(const struct finding *finding, struct cause *cause)
{
    const struct object *subject = finding->fault->subject;
    const struct object *program = finding->load->objects[0];
    struct scenario *scenario = scenario_create(SCENARIO_LOAD);
    struct mini_object *main_stub, *stub;

    cause->scenario = scenario;
    main_stub = scenario_object(scenario, path_base(program->path));
    mini_object_fit(main_stub, program->elf);
    main_stub->interp = xstrdup_or_null(finding->load->interp);
    if (subject == program)
        return main_stub;
    stub = scenario_object(scenario, path_base(subject->path));
    mini_object_fit(stub, subject->elf);
    stub->soname = xstrdup_or_null(subject->elf->soname);
    mini_object_need(main_stub, stub->name);
    return stub;
}

struct mini_object *tell_needed_scenario(const struct finding *finding, struct cause *cause)
{
    const char *name = path_base(finding->fault->name);
    struct mini_object *library;

    mini_object_need(tell_load_scenario(finding, cause), name);
    library = scenario_object(cause->scenario, name);
    library->soname = xstrdup(name);
    scenario_mend_last(cause->scenario);
    return library;
}

struct mini_object *tell_executed_scenario(const struct finding *finding, struct cause *cause)
{
    struct mini_object *program;

    cause->scenario = scenario_create(SCENARIO_EXECUTE);
    program = scenario_object(cause->scenario, path_base(finding->subject));
    scenario_mend_last(cause->scenario);
    return program;
}
