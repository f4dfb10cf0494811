/* loader-libc-skew: ld.so, libc.so.6 and their companions are not of one build. They share functions and structures
 * that no version tells of, so that they fail in ways that point elsewhere: an assertion, a symbol of GLIBC_PRIVATE, a
 * crash before main(). */
#include "judge.h"
#include "remedy.h"
#include "scenario.h"

#include <string.h>

#include <probes/alloc.h>
#include <probes/libc.h>

/* The build that FILE says it is of ("Debian GLIBC 2.36-9"), or NULL; malloced. */
static char *build_of(const struct finding *finding, const char *file)
{
    struct libc_identity identity;
    char *build = NULL;

    libc_identify(finding_root(finding), file, &identity);
    if (identity.build)
        build = xstrdup(identity.build);
    libc_identity_deinit(&identity);
    return build;
}

static void tell_part(const struct finding *finding, struct cause *cause, const struct object *object,
                      const char *label)
{
    CLEANUP_FREE char *build = build_of(finding, object->path);
    bool run_itself = finding->process->exe && strcmp(finding->process->exe, object->path) == 0;
    const char *by = object->why == OBJECT_INTERP    ? run_itself ? "the command line" : "PT_INTERP"
                     : object->why == OBJECT_PRELOAD ? "LD_PRELOAD"
                                                     : search_origin_text(object->origin);

    cause_fact(cause, label, "%s   %s%sby %s", object->path, build ? build : "", build ? ", " : "", by);
}

static const struct object *loader_of(const struct load *load)
{
    for (size_t i = 0; i < load->object_count; i++)
        if (load->objects[i]->why == OBJECT_INTERP)
            return load->objects[i];
    return NULL;
}

/* The part that somebody put where it is found: by a variable or a run path. */
static const struct object *stranger(const struct finding *finding)
{
    const struct object *pair[2] = {finding->fault->subject, finding->fault->provider};

    for (size_t i = 0; i < 2; i++)
        if (pair[i] && pair[i]->why != OBJECT_INTERP && pair[i]->why != OBJECT_MAIN &&
            (pair[i]->why == OBJECT_PRELOAD || pair[i]->origin == ORIGIN_LIBRARY_PATH ||
             pair[i]->origin == ORIGIN_RPATH || pair[i]->origin == ORIGIN_RUNPATH))
            return pair[i];
    return NULL;
}

static void tell_remedies(const struct finding *finding, struct cause *cause, const struct object *odd)
{
    const struct object *loader = loader_of(finding->load);
    struct remedy *remedy;

    if (odd && (odd->origin == ORIGIN_LIBRARY_PATH || odd->why == OBJECT_PRELOAD)) {
        CLEANUP_FREE char *directory = path_dir(odd->path);
        const char *by = odd->why == OBJECT_PRELOAD ? "LD_PRELOAD" : "LD_LIBRARY_PATH";

        /* A crash is no fault of the model: that it does not meet one then proves nothing. */
        if (!finding->fault->provider || !remedy_take_out(finding, cause, odd))
            remedy_add(cause, PROOF_KNOWN, TRIAL_NONE, remedy_run(finding, by, NULL), "take %s out of %s", directory,
                       by);
    } else if (odd) {
        remedy = cause_remedy(cause, PROOF_KNOWN, "take %s away: the C library's parts must not be shipped one by one",
                              odd->path);
        strings_addf(&remedy->commands, "mv %s %s.old", odd->path, odd->path);
    } else if (!finding->fault->provider || finding->fault->subject->why == OBJECT_INTERP ||
               finding->fault->provider->why == OBJECT_INTERP) {
        cause_remedy(cause, PROOF_KNOWN,
                     "let the program name the loader that belongs to its C library (PT_INTERP; patchelf "
                     "--set-interpreter)");
    } else {
        cause_remedy(
            cause, PROOF_KNOWN,
            "install the C library's packages again, all of one release: an upgrade may have been interrupted");
    }
    if (odd && loader) {
        CLEANUP_FREE char *directory = path_dir(odd->path);

        remedy = cause_remedy(cause, PROOF_KNOWN, "or take all of it from %s, the loader as well", directory);
        strings_addf(&remedy->commands, "%s/%s --library-path %s %s", directory, path_base(loader->path), directory,
                     finding->load->objects[0]->path);
        remedy->risk = xstrdup("works only where the directory holds the whole C library, its loader included");
    }
}

/* A libc.so.6 without the function that the loader calls first, or one that asks the loader for what it has not. */
static void loader_scenario(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;
    const struct object *main_object = finding->load->objects[0];
    struct mini_object *program, *libc;

    cause->scenario = scenario_create(SCENARIO_LOAD);
    program = scenario_object(cause->scenario, path_base(main_object->path));
    mini_object_fit(program, main_object->elf);
    program->interp = xstrdup_or_null(finding->load->interp);
    libc = scenario_object(cause->scenario, "libc.so.6");
    libc->soname = xstrdup("libc.so.6");
    mini_object_need(program, "libc.so.6");
    cause->scenario->mended = mini_object_copy(libc);
    cause->scenario->mend_object = 1;
    if (fault->subject->why == OBJECT_INTERP) {
        libc->bare = true;
        return;
    }
    libc->loader_version = xstrdup(fault->kind == FAULT_VERSION ? fault->name : fault->version);
    libc->loader_symbol = fault->kind == FAULT_SYMBOL ? xstrdup(fault->name) : NULL;
}

static bool of_libc(const struct object *object)
{
    return object->elf->soname && strcmp(object->elf->soname, "libc.so.6") == 0;
}

static void tell_scenario(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;

    if (!fault->provider)
        return; /* a crash: nothing of it can be shown without the two files */
    if (fault->subject->why == OBJECT_INTERP || (fault->provider->why == OBJECT_INTERP && of_libc(fault->subject)))
        loader_scenario(finding, cause);
    else if (fault->provider->why == OBJECT_INTERP)
        return; /* the loader itself would have to be replaced */
    else if (fault->kind == FAULT_VERSION)
        cause_version_scenario(finding, cause);
    else
        cause_symbol_scenario(finding, cause);
}

static void tell_summary(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;
    const char *subject = path_base(fault->subject->path);

    if (!fault->provider)
        cause->summary =
            xasprintf("%s was ended before it began: the loader %s and the C library %s are of different "
                      "builds, and only work together when they are of the same.",
                      path_base(finding->load->objects[0]->path), finding->load->interp, fault->subject->path);
    else
        cause->summary = xasprintf("%s and %s are of different builds of the C library: the first needs %s, which the "
                                   "second lacks.",
                                   subject, fault->provider->path, finding->missing);
}

void cause_skew_tell(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;
    const struct object *loader = loader_of(finding->load), *odd = stranger(finding);

    tell_summary(finding, cause);
    cause_fact(cause, "it needs", "%s", finding->missing);
    if (loader && loader != fault->subject && loader != fault->provider)
        tell_part(finding, cause, loader, "the loader");
    tell_part(finding, cause, fault->subject, fault->subject->why == OBJECT_INTERP ? "the loader" : "it is");
    if (fault->provider)
        tell_part(finding, cause, fault->provider, fault->provider->why == OBJECT_INTERP ? "the loader" : "it gets");
    if (fault->kind == FAULT_SYMBOL)
        cause_symbol_others(finding, cause);
    for (size_t i = 0; i < fault->symbol_count; i++)
        strings_add(&cause->symbols, xstrdup(fault->symbols[i]));
    if (odd)
        tell_search(cause, &odd->search);
    cause->detail = xasprintf(
        "%s asks %s for %s. Such names belong to the inside of one build of the C library (GLIBC_PRIVATE, or a version "
        "that only its own parts ask for), so that these files cannot be of one build%s%s.",
        fault->subject->path, fault->provider ? fault->provider->path : finding->load->interp, finding->missing,
        odd ? "; the one that is out of place was taken by " : "", odd ? search_origin_text(odd->origin) : "");
    tell_remedies(finding, cause, odd);
    tell_scenario(finding, cause);
}
