/* library-shadowed: LD_LIBRARY_PATH, a run path or LD_PRELOAD put a copy first that lacks what is needed; the next one
 * in the search has it. */
#include "judge.h"
#include "remedy.h"
#include "scenario.h"

#include <string.h>

#include <probes/alloc.h>

static const char *put_first_by(const struct object *provider)
{
    return provider->why == OBJECT_PRELOAD ? "LD_PRELOAD" : search_origin_text(provider->origin);
}

/* The wrong copy stands in a directory that is searched first, the good one in the next. */
static void tell_scenario(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;
    const struct elffile *elf = finding->shadow->elf;
    const char *name = elf->soname ? elf->soname : path_base(finding->provider);
    const char *version = fault->kind == FAULT_VERSION ? fault->name : fault->version;
    const char *symbol = fault->kind == FAULT_SYMBOL ? fault->name : fault->symbol_count ? fault->symbols[0] : NULL;
    struct mini_object *subject, *wrong, *good;

    if (strncmp(path_base(name), "ld-", 3) == 0)
        return;
    subject = tell_load_scenario(finding, cause);
    wrong = scenario_object(cause->scenario, path_base(name));
    wrong->soname = xstrdup(path_base(name));
    wrong->directory = 1;
    mini_object_need(subject, wrong->name);
    for (size_t i = 0; i < elf->def_count; i++)
        if (!elf->defs[i].base) {
            mini_object_define_version(wrong, elf->defs[i].name);
            break;
        }
    if (version)
        mini_object_need_version(subject, wrong->name, version);
    if (symbol)
        mini_object_undefined(subject, symbol, version, version ? wrong->name : NULL);
    good = mini_object_copy(wrong);
    good->directory = 0;
    if (version)
        mini_object_define_version(good, version);
    if (symbol)
        mini_object_define(good, symbol, version);
    scenario_take(cause->scenario, good);
    cause->scenario->by_library_path =
        finding->shadow->origin == ORIGIN_LIBRARY_PATH || finding->shadow->why == OBJECT_PRELOAD;
    cause->scenario->mend_object = cause->scenario->object_count - 2;
    cause->scenario->mended = mini_object_copy(good);
    cause->scenario->mended->directory = 1;
}

void cause_shadowed_tell(const struct finding *finding, struct cause *cause)
{
    const char *by = put_first_by(finding->shadow);
    const char *name = path_base(finding->provider);

    cause->summary = xasprintf("%s put %s before %s: the first lacks %s, which %s needs; the second has it.", by,
                               finding->provider, finding->elsewhere, finding->missing, path_base(finding->subject));
    cause_fact(cause, "it needs", "%s", finding->missing);
    cause_fact(cause, "it gets", "%s   (by %s)", finding->provider, by);
    cause_fact(cause, "hidden", "%s   defines it", finding->elsewhere);
    for (size_t i = 0; i < finding->fault->symbol_count; i++)
        strings_add(&cause->symbols, xstrdup(finding->fault->symbols[i]));
    if (finding->fault->kind == FAULT_SYMBOL)
        cause_symbol_others(finding, cause);
    tell_search(cause, &finding->shadow->search);
    cause->detail =
        xasprintf("%s was taken for %s because of %s. Without that the loader would have taken %s, which defines %s.",
                  finding->provider, name, by, finding->elsewhere, finding->missing);
    remedy_shadowed(finding, cause, by);
    tell_scenario(finding, cause);
}
