/* What would be lacking on another C library, as causes: in the words that a failed run has for it. */
#include "against.h"

#include "text.h"

#include <probes/alloc.h>

#include <string.h>

enum { SYSTEMS_TOLD = 6, VERSIONS_MOST = 64, WAY_MOST = 64 };

static void tell_chain(const struct load *load, const struct object *subject, struct cause *cause)
{
    const struct object *way[WAY_MOST];
    size_t n = 0;

    strings_add(&cause->chain, xstrdup(load->objects[0]->path));
    for (const struct object *at = subject; at && at != load->objects[0] && n < WAY_MOST; at = at->loader)
        way[n++] = at;
    while (n)
        strings_add(&cause->chain, xstrdup(way[--n]->path));
}

static void tell_symbols(const struct lack *lack, struct cause *cause)
{
    const struct elffile *elf = lack->subject->elf;
    size_t undefined = 0;

    for (size_t i = 0; i < lack->symbol_count; i++)
        strings_add(&cause->symbols, xstrdup(lack->symbols[i]));
    for (size_t i = 0; i < elf->symbol_count; i++)
        undefined += !elf->symbols[i].defined;
    if (!lack->symbol_count)
        cause_fact(cause, "it needs", "%s   (the version itself, no symbol carries it)", lack->missing);
    else if (lack->symbol_count == 1)
        cause_fact(cause, "it needs", "%s@%s   (one symbol of %zu)", lack->symbols[0], lack->missing, undefined);
    else
        cause_fact(cause, "it needs", "%s@%s and %zu more   (of %zu symbols)", lack->symbols[0], lack->missing,
                   lack->symbol_count - 1, undefined);
}

/* All versions that are lacking: a system that has one but not the others is no help. */
static size_t all_versions(const struct lacks *lacks, const char **versions)
{
    size_t n = 0;

    for (size_t i = 0; i < lacks->n && n < VERSIONS_MOST; i++)
        if (lacks->v[i].kind == CAUSE_SYMBOL_VERSION_MISSING && !lacks->v[i].warning &&
            release_knows(lacks->v[i].missing))
            versions[n++] = lacks->v[i].missing;
    return n;
}

static void tell_systems(const struct lacks *lacks, struct cause *cause)
{
    const char *versions[VERSIONS_MOST];
    const struct release *systems[SYSTEMS_TOLD];
    size_t count = releases_with(versions, all_versions(lacks, versions), systems, SYSTEMS_TOLD);
    struct text text = {0};

    for (size_t i = 0; i < count; i++)
        text_addf(&text, "%s%s %s", i ? ", " : "", systems[i]->system, systems[i]->number);
    if (count)
        cause_remedy(cause, PROOF_KNOWN,
                     "run it on a system that defines all that it needs, which are these or newer: %s", text.v);
    text_deinit(&text);
}

static void tell_version(const struct offer *offer, const struct lacks *lacks, const struct lack *lack,
                         struct cause *cause)
{
    const char *subject = path_base(lack->subject->path);
    CLEANUP_FREE char *end = offer_end(offer, lack->asked, lack->missing);
    CLEANUP_FREE char *ends = end ? xasprintf(" and ends at %s", end) : xstrdup("");
    CLEANUP_FREE char *systems = offer->kind == OFFER_RELEASE ? releases_systems(offer->release) : NULL;

    if (offer_part_of_glibc(lack->asked))
        cause->summary = xasprintf("%s needs %s, but the %s of %s does not define it%s.", subject, lack->missing,
                                   lack->asked, offer->name, ends);
    else
        cause->summary = xasprintf("%s needs %s, but the %s of systems with %s does not define it%s.", subject,
                                   lack->missing, lack->asked, offer->name, ends);
    tell_symbols(lack, cause);
    if (offer->kind == OFFER_FILE)
        cause_fact(cause, "it gets", "%s   %s", lack->provider, offer->name);
    else if (systems)
        cause_fact(cause, "it gets", "%s   as in %s", lack->provider, systems);
    else
        cause_fact(cause, "it gets", "%s", lack->provider);
    cause->detail =
        xasprintf("%s has a version need for %s from %s, whose version definitions in %s do not contain it%s.",
                  lack->subject->path, lack->missing, lack->asked, offer->name, end ? "; see where they end" : "");
    cause->confidence = offer_part_of_glibc(lack->asked) ? 0.97 : 0.9;
    cause_remedy(cause, PROOF_KNOWN, "use a build of %s made for %s or an older one, or build it there", subject,
                 offer->name);
    tell_systems(lacks, cause);
}

static void tell_family(const struct offer *offer, const struct lack *lack, struct cause *cause)
{
    const char *ours = offer->musl ? "musl" : "glibc", *theirs = offer->musl ? "glibc" : "musl";
    const char *subject = path_base(lack->subject->path);

    cause->summary = xasprintf("%s was built for %s (it asks for %s), which %s is not.", subject, theirs, lack->missing,
                               offer->name);
    cause_fact(cause, "it needs", "%s   (%s)", lack->missing, theirs);
    cause_fact(cause, "it gets", "%s", offer->name);
    cause->detail = xasprintf("%s asks for %s, which only %s has.", lack->subject->path, lack->missing, theirs);
    cause->confidence = 0.95;
    cause_remedy(cause, PROOF_KNOWN, "install the %s build of %s", ours, subject);
}

static void tell_rest(const struct offer *offer, const struct lack *lack, struct cause *cause)
{
    const char *subject = path_base(lack->subject->path);

    switch (lack->kind) {
    case CAUSE_WRONG_ARCHITECTURE:
        cause->summary = xasprintf("%s is for %s, and %s for %s.", subject, elffile_machine_name(lack->subject->elf),
                                   path_base(offer->path), lack->missing);
        break;
    case CAUSE_LIBRARY_MISSING:
        cause->summary = xasprintf("%s needs %s, which is not there.", subject, lack->missing);
        break;
    default:
        cause->summary = xasprintf("%s would not load, wherever it is: %s (%s).", subject, cause_kind_wrong(lack->kind),
                                   lack->missing);
        break;
    }
    cause_fact(cause, "it needs", "%s", lack->missing);
    cause->detail = xstrdup(cause->summary);
    cause->confidence = 0.9;
}

/* The loader goes on with it, or it is not known. */
static void tell_warning(const struct offer *offer, const struct lack *lack, struct report *report)
{
    const char *subject = path_base(lack->subject->path);
    CLEANUP_FREE char *words = lack_words(lack);

    if (lack->kind == CAUSE_LIBC_FAMILY_MISMATCH)
        strings_addf(&report->unseen, "whether %s has all that %s takes from glibc, for which it was built",
                     offer->name, subject);
    else if (lack->kind == CAUSE_LIBRARY_MISSING && offer_of_compiler(lack->missing))
        strings_addf(&report->unseen, "whether a system with %s has %s, which %s needs: it is in a package of its own",
                     offer->name, lack->missing, subject);
    else if (lack->kind == CAUSE_LIBRARY_MISSING)
        strings_addf(&report->unseen, "whether a system with %s has %s, which %s needs: it is not on this one",
                     offer->name, lack->missing, subject);
    else if (offer->kind == OFFER_RELEASE && offer_defines(offer, lack->asked, lack->missing, NULL) == RELEASE_UNSURE)
        strings_addf(&report->unseen,
                     "whether %s is defined where %s is: not all systems with it do, or it is not known "
                     "of them (%s)",
                     words, offer->name, subject);
    else
        strings_addf(&report->unseen, "nothing else than a warning: %s, of %s, is weak", words, subject);
}

void against_tell(const struct offer *offer, const struct load *load, const struct lacks *lacks, struct report *report)
{
    for (size_t i = 0; i < lacks->n; i++) {
        const struct lack *lack = &lacks->v[i];
        struct cause *cause;

        if (lack->warning) {
            tell_warning(offer, lack, report);
            continue;
        }
        cause = cause_create(lack->kind);
        cause->impact = IMPACT_FATAL;
        cause->subject = xstrdup(lack->subject->path);
        cause->missing = xstrdup(lack->missing);
        cause->provider = xstrdup_or_null(lack->provider);
        cause->exe = xstrdup(load->objects[0]->path);
        strings_add(&cause->argv, xstrdup(load->objects[0]->path));
        tell_chain(load, lack->subject, cause);
        if (lack->kind == CAUSE_SYMBOL_VERSION_MISSING && lack->asked)
            tell_version(offer, lacks, lack, cause);
        else if (lack->kind == CAUSE_LIBC_FAMILY_MISMATCH)
            tell_family(offer, lack, cause);
        else
            tell_rest(offer, lack, cause);
        report_add_cause(report, cause);
    }
}
