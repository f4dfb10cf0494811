/* symbol-version-missing: an object needs a version that the library loaded for it does not define (elf/dl-version.c,
 * match_symbol). */
#include "judge.h"
#include "remedy.h"
#include "scenario.h"

#include <string.h>

#include <probes/alloc.h>
#include <probes/releases.h>

static size_t prefix_length(const char *version)
{
    const char *underscore = strrchr(version, '_');

    return underscore ? (size_t)(underscore - version) + 1 : strlen(version);
}

/* The newest version of PROVIDER with the same prefix ("GLIBC_2.36"), or NULL. */
static const char *newest_like(const struct elffile *provider, const char *version)
{
    size_t n = prefix_length(version);
    const char *newest = NULL;

    for (size_t i = 0; i < provider->def_count; i++) {
        const char *name = provider->defs[i].name;

        if (provider->defs[i].base || strncmp(name, version, n) != 0 || name[n] < '0' || name[n] > '9')
            continue;
        if (!newest || strverscmp(name, newest) > 0)
            newest = name;
    }
    return newest;
}

static void tell_symbols(const struct fault *fault, struct cause *cause)
{
    const size_t all = fault->subject->elf->symbol_count;
    size_t undefined = 0;

    for (size_t i = 0; i < fault->symbol_count; i++)
        strings_add(&cause->symbols, xstrdup(fault->symbols[i]));
    for (size_t i = 0; i < all; i++)
        undefined += !fault->subject->elf->symbols[i].defined;
    if (fault->symbol_count == 0)
        cause_fact(cause, "it needs", "%s   (the version itself, no symbol carries it)", fault->name);
    else if (fault->symbol_count == 1)
        cause_fact(cause, "it needs", "%s@%s   (one symbol of %zu)", fault->symbols[0], fault->name, undefined);
    else
        cause_fact(cause, "it needs", "%s@%s and %zu more   (of %zu symbols)", fault->symbols[0], fault->name,
                   fault->symbol_count - 1, undefined);
}

static void tell_remedies(const struct finding *finding, struct cause *cause, bool of_libc)
{
    const char *subject = path_base(finding->subject), *provider = path_base(finding->provider);

    if (of_libc) {
        remedy_other_libc(finding, cause);
        if (!remedy_npm(finding, cause, finding->subject))
            cause_remedy(cause, PROOF_KNOWN, "use a build of %s made for %s, or build it %s", subject,
                         finding->process->guests ? "that system" : "this system",
                         finding->process->guests ? "there" : "here");
        if (!remedy_newer_system(finding, cause))
            cause_remedy(cause, PROOF_KNOWN,
                         "run it where the C library defines %s or a newer version: a newer release of the "
                         "distribution, or a container of one",
                         finding->missing);
        return;
    }
    remedy_better_copy(finding, cause);
    if (!release_knows(finding->missing) || !remedy_newer_system(finding, cause))
        cause_remedy(cause, PROOF_KNOWN, "install a version of %s that defines %s", provider, finding->missing);
    cause_remedy(cause, PROOF_KNOWN, "rebuild %s against the installed %s", subject, provider);
}

/* The stub of PROVIDER: it defines one of its versions (a library without any only makes the loader warn). */
static struct mini_object *provider_stub(const struct finding *finding, struct cause *cause)
{
    const struct elffile *elf = finding->fault->provider->elf;
    const char *name = elf->soname ? elf->soname : path_base(finding->provider);
    struct mini_object *stub = scenario_object(cause->scenario, name);

    stub->soname = xstrdup(name);
    for (size_t i = 0; i < elf->def_count; i++)
        if (!elf->defs[i].base) {
            mini_object_define_version(stub, elf->defs[i].name);
            break;
        }
    return stub;
}

void cause_version_scenario(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;
    const char *symbol = fault->symbol_count ? fault->symbols[0] : NULL;
    struct mini_object *subject, *provider, *mended;

    if (fault->provider->why == OBJECT_INTERP || strncmp(path_base(finding->provider), "ld-", 3) == 0)
        return; /* the loader itself would have to be replaced */
    subject = tell_load_scenario(finding, cause);
    provider = provider_stub(finding, cause);
    mini_object_need(subject, provider->name);
    mini_object_need_version(subject, provider->name, fault->name);
    if (symbol)
        mini_object_undefined(subject, symbol, fault->name, provider->name);
    mended = mini_object_copy(provider);
    if (symbol && !fault->provider->elf->def_count) /* what the loader trips over where there are no versions */
        mini_object_define(provider, symbol, NULL);
    mini_object_define_version(mended, fault->name);
    if (symbol)
        mini_object_define(mended, symbol, fault->name);
    cause->scenario->mended = mended;
    cause->scenario->mend_object = cause->scenario->object_count - 1;
}

static bool systems_own(const struct object *provider)
{
    return provider->origin == ORIGIN_CACHE || provider->origin == ORIGIN_DEFAULT;
}

/* The file says nothing of the one that is loaded. */
static void tell_replaced(const struct finding *finding, struct cause *cause)
{
    const char *subject = path_base(finding->subject), *provider = path_base(finding->provider);
    const char *program = finding->process->exe ? path_base(finding->process->exe) : "the program";

    cause->summary = xasprintf("%s needs %s, and the %s that %s has loaded does not define it: the file has been "
                               "replaced since.",
                               subject, finding->missing, provider, program);
    tell_symbols(finding->fault, cause);
    cause_fact(cause, "it gets", "%s   as it was when %s loaded it", finding->provider, program);
    cause_fact(cause, "now there", "%s   another file, which %s", finding->provider,
               elffile_defines_version(finding->fault->provider->elf, finding->missing) ? "defines it"
                                                                                        : "does not define it either");
    tell_search(cause, &finding->fault->provider->search);
    cause->detail = xasprintf("%s has a version need for %s from %s. The loader answered for the file that is mapped, "
                              "and that is no longer the one at %s.",
                              finding->subject, finding->missing, provider, finding->provider);
    if (elffile_defines_version(finding->fault->provider->elf, finding->missing))
        cause_remedy(cause, PROOF_KNOWN, "end %s and start it again: it loads the file that is there now", program);
    cause_remedy(cause, PROOF_KNOWN, "use the build of %s that was made for the %s that is loaded", subject, provider);
    cause_version_scenario(finding, cause);
}

void cause_version_tell(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;
    const char *newest = newest_like(fault->provider->elf, fault->name);
    const char *subject = path_base(finding->subject), *provider = path_base(finding->provider);
    CLEANUP_FREE char *libc = tell_libc_of(finding, finding->provider);
    CLEANUP_FREE char *ends = newest ? xasprintf(" and ends at %s", newest) : xstrdup("");

    if (finding->replaced) {
        tell_replaced(finding, cause);
        return;
    }
    if (libc && newest)
        cause->summary = xasprintf("%s needs %s, but %s %s is %s%s.", subject, fault->name,
                                   finding->process->guests && systems_own(fault->provider) ? "that system's"
                                   : systems_own(fault->provider)                           ? "this system's"
                                                                                            : "its",
                                   provider, libc, ends);
    else if (newest)
        cause->summary = xasprintf("%s needs %s, but the %s that it gets does not define it%s.", subject, fault->name,
                                   provider, ends);
    else
        cause->summary =
            xasprintf("%s needs %s, but the %s that it gets does not define it.", subject, fault->name, provider);
    tell_symbols(fault, cause);
    cause_fact(cause, "it gets", "%s   %s%sdefines %zu versions", finding->provider, libc ? libc : "", libc ? ", " : "",
               fault->provider->elf->def_count);
    tell_search(cause, &fault->provider->search);
    cause->detail = xasprintf(
        "%s has a version need for %s from %s. The loader took %s (%s), whose version definitions do not contain it%s.",
        finding->subject, fault->name, provider, finding->provider, search_origin_text(fault->provider->origin),
        newest ? "; see where they end" : "");
    tell_remedies(finding, cause, libc != NULL);
    cause_version_scenario(finding, cause);
}
