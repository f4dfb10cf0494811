#include "against.h"

#include "check_parts.h"
#include "judge.h"
#include "pasted.h"
#include "variant.h"

#include <probes/alloc.h>

#include <elf.h>
#include <string.h>

char *against_loader(const struct offer *offer, const struct elffile *elf)
{
    if (!offer || offer->kind != OFFER_ROOT)
        return variant_loader(elf, variant_family(elf));
    return offer->musl ? xstrdup(offer->path) : variant_loader(elf, FAMILY_GLIBC);
}

/* ---- what is lacking ---- */

static struct lack *add(struct lacks *lacks, enum cause_kind kind, const struct object *subject, const char *missing)
{
    struct lack *lack = array_add(&lacks->v, &lacks->n, &lacks->cap, sizeof *lack);

    lack->kind = kind;
    lack->subject = subject;
    lack->missing = xstrdup(missing);
    return lack;
}

bool against_brings_libc(const struct load *load)
{
    for (size_t i = 0; i < load->object_count; i++)
        if (load->objects[i]->why == OBJECT_INTERP)
            return !load_systems_own(load->objects[i]->path);
    return false;
}

/* What would be OFFER's own there. */
static bool is_offered(const struct offer *offer, const struct load *load, const struct object *object)
{
    const char *name = object->elf->soname ? object->elf->soname : path_base(object->path);

    if (object->why == OBJECT_INTERP || offer_part_of_glibc(name))
        return !against_brings_libc(load);
    return offer->kind == OFFER_RELEASE && offer_of_compiler(name) && load_systems_own(object->path);
}

/* What would be there as it is here. */
static bool counts(const struct offer *offer, const struct load *load, const struct object *object)
{
    const struct object *program = load->objects[0];

    if (object == program)
        return true;
    if (is_offered(offer, load, object))
        return false;
    return offer->kind == OFFER_FILE || !load_systems_own(object->path) ||
           (offer->kind == OFFER_RELEASE && load_systems_own(program->path));
}

/* Libraries of which nothing but the release is known are one provider. */
static struct lack *find_version(const struct lacks *lacks, const struct object *subject, const char *missing,
                                 const char *provider)
{
    for (size_t i = 0; i < lacks->n; i++) {
        struct lack *lack = &lacks->v[i];

        if (lack->kind == CAUSE_SYMBOL_VERSION_MISSING && lack->subject == subject && lack->provider &&
            strcmp(lack->missing, missing) == 0 && strcmp(lack->provider, provider) == 0)
            return lack;
    }
    return NULL;
}

static void take_symbols(struct lack *lack, const struct elffile *elf, const struct elf_version *need)
{
    for (size_t i = 0; i < elf->symbol_count; i++) {
        const struct elf_symbol *symbol = &elf->symbols[i];

        if ((symbol->defined && !symbol->by_copy) || !symbol->version || strcmp(symbol->version, need->name) != 0 ||
            (symbol->file && strcmp(symbol->file, need->file) != 0))
            continue;
        lack->symbols = xreallocarray(lack->symbols, lack->symbol_count + 1, sizeof *lack->symbols);
        lack->symbols[lack->symbol_count++] = symbol->name;
    }
}

static void check_need(const struct offer *offer, const struct load *load, const struct object *object,
                       const struct elf_version *need, struct lacks *lacks)
{
    const struct object *here = load_named(load, need->file);
    bool compilers = offer->kind == OFFER_RELEASE && offer_of_compiler(need->file);
    CLEANUP_FREE char *provider = NULL;
    enum release_answer answer;
    struct lack *lack;
    const char *path;
    bool warning;

    if (here && counts(offer, load, here)) /* it is brought along: a fault of the load, if it is one */
        return;
    if (!compilers && !offer_part_of_glibc(need->file))
        return;
    answer = offer_defines(offer, need->file, need->name, &path);
    if (answer == RELEASE_DEFINES || strcmp(need->name, "GLIBC_PRIVATE") == 0)
        return;
    provider = path        ? xstrdup(path)
               : compilers ? xasprintf("%s of systems with %s", need->file, offer->name)
                           : xstrdup(offer->name);
    warning = need->weak || answer == RELEASE_UNSURE;
    lack = find_version(lacks, object, need->name, provider);
    if (!lack) {
        lack = add(lacks, CAUSE_SYMBOL_VERSION_MISSING, object, need->name);
        lack->warning = warning;
        lack->asked = need->file;
        lack->provider = steal_pointer(&provider);
    }
    lack->warning &= warning;
    take_symbols(lack, object->elf, need);
}

/* Of every object that would be there: no loader stops at the first version that it does not find. */
static void check_needs(const struct offer *offer, const struct load *load, struct lacks *lacks)
{
    for (size_t i = 0; i < load->object_count; i++) {
        const struct object *object = load->objects[i];

        for (size_t k = 0; counts(offer, load, object) && k < object->elf->need_count; k++)
            check_need(offer, load, object, &object->elf->needs[k], lacks);
    }
}

static bool is_lacking(const struct lacks *lacks, const char *missing)
{
    for (size_t i = 0; i < lacks->n; i++)
        if (strcmp(lacks->v[i].missing, missing) == 0)
            return true;
    return false;
}

/* On musl's systems the compiler's libraries are packages like others: whether they are there is not known. */
static void check_compilers(const struct offer *offer, const struct load *load, struct lacks *lacks)
{
    for (size_t i = 0; i < load->object_count; i++) {
        const struct object *object = load->objects[i];

        for (size_t k = 0; counts(offer, load, object) && k < object->elf->needed_count; k++) {
            const struct object *here = load_named(load, object->elf->needed[k]);
            struct lack *lack;

            if (!offer_of_compiler(object->elf->needed[k]) || (here && counts(offer, load, here)) ||
                is_lacking(lacks, object->elf->needed[k]))
                continue;
            lack = add(lacks, CAUSE_LIBRARY_MISSING, object, object->elf->needed[k]);
            lack->warning = true;
            lack->asked = lack->missing;
        }
    }
}

/* What is wrong with LOAD, wherever it is tried. */
static void take_fault(const struct load *load, const struct fault *fault, bool ends, struct lacks *lacks)
{
    static const enum cause_kind kinds[] = {
        [FAULT_NOT_FOUND] = CAUSE_LIBRARY_MISSING,   [FAULT_VERSION] = CAUSE_SYMBOL_VERSION_MISSING,
        [FAULT_SYMBOL] = CAUSE_SYMBOL_MISSING,       [FAULT_INTERP] = CAUSE_INTERPRETER_MISSING,
        [FAULT_PROGRAM] = CAUSE_OBJECT_CORRUPT,      [FAULT_ISA_LEVEL] = CAUSE_CPU_LEVEL_TOO_LOW,
        [FAULT_EXECSTACK] = CAUSE_EXECSTACK_REFUSED, [FAULT_STATIC_TLS] = CAUSE_STATIC_TLS_EXHAUSTED,
    };
    bool family = family_fault(load, fault);
    struct lack *lack =
        add(lacks, family ? CAUSE_LIBC_FAMILY_MISMATCH : kinds[fault->kind], fault->subject, fault->name);

    lack->warning = !ends;
    lack->asked = fault->provider ? path_base(fault->provider->path) : NULL;
    lack->provider = fault->provider ? xstrdup(fault->provider->path) : NULL;
    if (fault->kind == FAULT_SYMBOL && fault->version && !family) {
        free(lack->missing);
        lack->missing = xasprintf("%s@%s", fault->name, fault->version);
    }
    if (fault->symbol_count)
        lack->symbols = xmemdup(fault->symbols, fault->symbol_count * sizeof *fault->symbols);
    lack->symbol_count = fault->symbol_count;
}

static bool was_built_for_other(const struct offer *offer, const struct object *object, const char **asked)
{
    const char *musl = offer_wants_musl(object->elf);

    if (!offer->musl) {
        *asked = musl;
        return musl != NULL;
    }
    *asked = "libc.so.6";
    return !musl && offer_wants_glibc(object->elf);
}

/* What glibc has and musl in none of its releases, of what a library takes from it: NULL where there is no such thing.
 * Many a small library for glibc does load: musl takes libc.so.6 and the like for itself. */
static const char *musl_lacks(const struct elffile *elf)
{
    for (size_t i = 0; i < elf->needed_count; i++)
        if (offer_part_of_glibc(elf->needed[i]) && !offer_musl_takes(elf->needed[i]))
            return elf->needed[i];
    for (size_t i = 0; i < elf->symbol_count; i++) {
        const struct elf_symbol *symbol = &elf->symbols[i];

        if (!symbol->defined && symbol->bind == STB_GLOBAL && symbol->version &&
            strncmp(symbol->version, "GLIBC_", 6) == 0 && pasted_glibc_alone_has(symbol->name))
            return symbol->name;
    }
    return NULL;
}

/* In a root the loader says by itself whether it can be; a program's, however, is not there. */
static void check_family(const struct offer *offer, const struct load *load, struct lacks *lacks)
{
    bool absent = load->fault_count && load->faults[0]->kind == FAULT_INTERP;
    const char *asked, *proof;

    if (against_brings_libc(load))
        return;
    for (size_t i = 0; i < load->object_count; i++) {
        const struct object *object = load->objects[i];
        struct lack *lack;

        if (object->why == OBJECT_INTERP || (i && !counts(offer, load, object)) ||
            !was_built_for_other(offer, object, &asked))
            continue;
        if (offer->kind == OFFER_ROOT && (i || !absent))
            continue;
        proof = offer->musl && !object->elf->interp ? musl_lacks(object->elf) : asked;
        lack = add(lacks, CAUSE_LIBC_FAMILY_MISMATCH, object, proof ? proof : asked);
        lack->asked = asked;
        lack->warning = !proof;
    }
}

static void check_machine(const struct offer *offer, const struct load *load, struct lacks *lacks)
{
    const struct elffile *theirs = offer->library_count ? offer->libraries[0].elf : NULL, *ours = load->objects[0]->elf;

    if (theirs && (theirs->machine != ours->machine || theirs->class != ours->class))
        add(lacks, CAUSE_WRONG_ARCHITECTURE, load->objects[0], elffile_machine_name(theirs))->provider =
            xstrdup(offer->path);
}

/* A fault of the load as it is here is one there too, where it is about what would be there alike. */
static void check_fault(const struct offer *offer, const struct load *load, const struct fault *fault, bool library,
                        struct lacks *lacks)
{
    bool ends = check_ends_it(fault, library);

    if (!counts(offer, load, fault->subject))
        return;
    if (fault->kind == FAULT_NOT_FOUND) {
        bool known = offer->kind == OFFER_FILE || strchr(fault->name, '/');

        if (ends && !offer_part_of_glibc(fault->name) && !offer_of_compiler(fault->name) &&
            strncmp(fault->name, "libc.musl-", 10) != 0 && strcmp(fault->name, "libc.so") != 0)
            take_fault(load, fault, known, lacks);
    } else if (fault->kind == FAULT_VERSION) {
        if (counts(offer, load, fault->provider))
            take_fault(load, fault, ends, lacks);
    } else if (fault->kind != FAULT_SYMBOL && fault->kind != FAULT_INTERP && ends) {
        take_fault(load, fault, true, lacks);
    }
}

static void find_in_root(const struct load *load, bool library, struct lacks *lacks)
{
    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];
        bool ends = check_ends_it(fault, library);

        if (ends || fault->kind == FAULT_VERSION || (fault->kind == FAULT_SYMBOL && !library))
            take_fault(load, fault, ends, lacks);
    }
}

void against_find(const struct offer *offer, const struct load *load, bool library, struct lacks *ret)
{
    *ret = (struct lacks){0};
    check_family(offer, load, ret);
    if (lacks_fatal(ret))
        return;
    if (offer->kind == OFFER_ROOT) {
        find_in_root(load, library, ret);
        return;
    }
    check_machine(offer, load, ret);
    if (!ret->n && !offer->musl)
        check_needs(offer, load, ret);
    if (offer->kind == OFFER_FAMILY)
        check_compilers(offer, load, ret);
    for (size_t i = 0; i < load->fault_count; i++)
        check_fault(offer, load, load->faults[i], library, ret);
}

void lack_deinit(struct lack *lack)
{
    free(lack->missing);
    free(lack->provider);
    free(lack->symbols);
}

void lacks_deinit(struct lacks *lacks)
{
    for (size_t i = 0; i < lacks->n; i++)
        lack_deinit(&lacks->v[i]);
    free(lacks->v);
    *lacks = (struct lacks){0};
}

/* ---- guests of a root ---- */

void guest_enter(struct guest *guest, const char *path, struct check_request *request)
{
    const char *from = check_root(request);
    struct path_walk walk;

    *guest = (struct guest){{0}, {0}};
    if (!request->against || request->against->kind != OFFER_ROOT || strcmp(request->against->root, request->root) == 0)
        return;
    path_walk(from, request->cwd, path, NULL, &walk);
    guest->paths[0] = xstrdup(path);
    guest->paths[1] = walk.final ? steal_pointer(&walk.final) : xstrdup(path);
    path_walk_deinit(&walk);
    guest->guests = (struct load_guests){.from = from, .paths = (const char *const *)guest->paths, .count = 2};
    request->root = request->against->root;
    request->guests = &guest->guests;
}

void guest_deinit(struct guest *guest)
{
    free(guest->paths[0]);
    free(guest->paths[1]);
}

void against_fill(const struct offer *offer, struct report *report)
{
    struct libc_facts *libc = &report->libc;

    libc->family = xstrdup(offer->musl ? "musl" : "glibc");
    libc->version = xstrdup_or_null(offer->release);
    libc->path = offer->kind == OFFER_ROOT ? path_join(offer->root[0] ? offer->root : "/", offer->path + 1)
                                           : xstrdup_or_null(offer->path);
    libc->from = xasprintf("it was asked for: %s", offer->word);
    libc->build = xstrdup_or_null(offer->build);
}

/* ---- in few words ---- */

size_t lacks_fatal(const struct lacks *lacks)
{
    size_t count = 0;

    for (size_t i = 0; i < lacks->n; i++)
        count += !lacks->v[i].warning;
    return count;
}

char *lack_words(const struct lack *lack)
{
    if (lack->symbol_count)
        return xasprintf("%s@%s", lack->symbols[0], lack->missing);
    return xstrdup(lack->missing);
}

/* What no version helps with comes first; of versions the newest decides, glibc's before the compiler's. */
static int weight(const struct lack *lack)
{
    return (lack->warning ? 0 : 8) + (lack->kind == CAUSE_LIBC_FAMILY_MISMATCH                  ? 5
                                      : lack->kind != CAUSE_SYMBOL_VERSION_MISSING              ? 4
                                      : strncmp(lack->missing, "GLIBC_", strlen("GLIBC_")) == 0 ? 2
                                                                                                : 0);
}

int lack_compare(const struct lack *a, const struct lack *b)
{
    if (weight(a) != weight(b))
        return weight(a) - weight(b);
    return a->kind == CAUSE_SYMBOL_VERSION_MISSING ? strverscmp(a->missing, b->missing) : 0;
}

char *lacks_deciding(const struct lacks *lacks, const struct lack **ret)
{
    const struct lack *best = NULL;

    for (size_t i = 0; i < lacks->n; i++)
        if (!best || lack_compare(&lacks->v[i], best) > 0)
            best = &lacks->v[i];
    *ret = best;
    return best ? lack_words(best) : NULL;
}
