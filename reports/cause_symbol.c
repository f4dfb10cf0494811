/* symbol-missing: an undefined symbol that no object in the lookup scope defines (elf/dl-lookup.c). */
#include "judge.h"
#include "remedy.h"
#include "scenario.h"

#include <string.h>

#include <probes/alloc.h>

static bool library_of_c(const char *name)
{
    return strncmp(name, "libc.", 5) == 0 || strncmp(name, "ld-", 3) == 0 || strncmp(name, "libm.", 5) == 0 ||
           strncmp(name, "libpthread.", 11) == 0 || strncmp(name, "libdl.", 6) == 0;
}

/* The library that most likely had the symbol when the subject was built: the only one that it needs besides the C
 * library's. */
static const char *likely_provider(const struct elffile *subject)
{
    const char *only = NULL;

    for (size_t i = 0; i < subject->needed_count; i++) {
        if (library_of_c(subject->needed[i]))
            continue;
        if (only)
            return NULL;
        only = subject->needed[i];
    }
    return only;
}

void cause_symbol_others(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;
    bool library = finding->process->ahead == AHEAD_LIBRARY;

    strings_add(&cause->symbols, xstrdup(fault->name));
    for (size_t i = 0; i < finding->load->fault_count && cause->symbols.n < 200; i++) {
        const struct fault *other = finding->load->faults[i];

        if (other != fault && other->kind == FAULT_SYMBOL && other->subject == fault->subject &&
            !(library && !other->version != !fault->version))
            strings_add(&cause->symbols, xstrdup(other->name));
    }
}

static void tell_others(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;

    cause_symbol_others(finding, cause);
    cause_fact(cause, "it needs", "%s%s", finding->missing,
               fault->lazy ? "   (at its first call)" : "   (at load time)");
    if (cause->symbols.n > 1)
        cause_fact(cause, "also missing", "%zu more of its symbols, %s first", cause->symbols.n - 1,
                   cause->symbols.v[1]);
}

/* A definition elsewhere in the process with another version: "libm.so.6 defines fmod@GLIBC_2.2.5". */
static void tell_near_miss(const struct finding *finding, struct cause *cause)
{
    for (size_t i = 0; i < finding->load->object_count; i++) {
        const struct object *object = finding->load->objects[i];
        const struct elf_symbol *symbol = elffile_lookup_any(object->elf, finding->fault->name);

        if (symbol && symbol->defined) {
            cause_fact(cause, "near miss", "%s defines %s%s%s", object->path, symbol->name, symbol->version ? "@" : "",
                       symbol->version ? symbol->version : "");
            return;
        }
    }
}

void cause_symbol_scenario(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;
    const char *likely = fault->provider ? NULL : likely_provider(fault->subject->elf);
    const char *name = fault->provider && fault->provider->elf->soname ? fault->provider->elf->soname
                       : likely                                        ? likely
                                                                       : "libprovider.so.1";
    struct mini_object *subject, *provider, *mended;

    if (strncmp(name, "ld-", 3) == 0)
        return;
    subject = tell_load_scenario(finding, cause);
    provider = scenario_object(cause->scenario, path_base(name));
    provider->soname = xstrdup(path_base(name));
    mini_object_need(subject, provider->name);
    if (fault->version) {
        mini_object_need_version(subject, provider->name, fault->version);
        mini_object_define_version(provider, fault->version);
    }
    mini_object_undefined(subject, fault->name, fault->version, fault->version ? provider->name : NULL);
    mended = mini_object_copy(provider);
    mini_object_define(mended, fault->name, fault->version);
    cause->scenario->mended = mended;
    cause->scenario->mend_object = cause->scenario->object_count - 1;
}

/* What patchelf --remove-needed leaves behind: the library is no longer named, the versions of it are. */
static void tell_unloaded(const struct finding *finding, struct cause *cause)
{
    const char *subject = path_base(finding->subject), *library = finding->fault->unloaded;
    CLEANUP_FREE char *word = remedy_word(finding->subject);
    CLEANUP_FREE char *named = remedy_word(library);

    cause->summary = xasprintf("%s needs the symbol %s of %s, which is not among the libraries that it is loaded with.",
                               subject, finding->missing, library);
    tell_others(finding, cause);
    tell_near_miss(finding, cause);
    cause->detail =
        xasprintf("%s asks for a version of %s, which neither it nor another object names as needed (DT_NEEDED). "
                  "The loader looks for it among the %zu objects that it has loaded, and gives up with a "
                  "failed assertion.",
                  finding->subject, library, finding->load->object_count);
    remedy_add(cause, PROOF_KNOWN, TRIAL_NONE, xasprintf("patchelf --add-needed %s %s", named, word),
               "let %s name %s as needed again", subject, library);
    cause_remedy(cause, PROOF_KNOWN, "rebuild %s against the libraries that are installed", subject);
}

void cause_symbol_tell(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;
    const char *subject = path_base(finding->subject), *likely = likely_provider(fault->subject->elf);
    const char *file = finding->provider ? path_base(finding->provider) : likely;

    if (fault->unloaded) {
        tell_unloaded(finding, cause);
        return;
    }
    if (finding->provider)
        cause->summary = xasprintf("%s needs the symbol %s, but the %s that it gets does not define it.", subject,
                                   finding->missing, file);
    else
        cause->summary = xasprintf("%s needs the symbol %s, but none of the objects it is loaded with defines it.",
                                   subject, finding->missing);
    tell_others(finding, cause);
    if (finding->provider)
        cause_fact(cause, "it gets", "%s", finding->provider);
    tell_near_miss(finding, cause);
    cause->detail = xasprintf("%s has an undefined symbol %s. The loader searched all %zu objects of its scope; none "
                              "has a definition that fits.",
                              finding->subject, finding->missing, finding->load->object_count);
    if (file)
        cause_remedy(cause, PROOF_KNOWN, "install the version of %s that %s was built against", file, subject);
    remedy_better_copy(finding, cause);
    cause_remedy(cause, PROOF_KNOWN, "rebuild %s against the libraries that are installed", subject);
    cause_symbol_scenario(finding, cause);
}
