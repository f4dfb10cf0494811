/* Another C library, asked what a program or library would lack on it.
 *
 * What counts is what would be there then. A libc.so.6 that is given takes the place of this system's, and all the rest
 * stays. A root has everything of its own but what is checked and what that brings (load_guests). Of a release alone
 * nothing but the C library and the compiler's libraries is known: the system's other libraries would be others there,
 * and are not asked, unless the program is one of the system's as well. */
#ifndef GLIBCTRACE_REPORTS_AGAINST_H
#define GLIBCTRACE_REPORTS_AGAINST_H

#include "check.h"

#include <probes/offer.h>

struct lack {
    enum cause_kind kind;
    bool warning;                 /* the loader goes on, or it is not known */
    const struct object *subject; /* of the load */
    const char *asked;            /* the soname or path that was asked for or asked, or NULL */
    char *missing;                /* as in a cause */
    char *provider;               /* likewise, or NULL */
    const char **symbols;         /* those that carry the version */
    size_t symbol_count;
};
struct lacks {
    struct lack *v;
    size_t n, cap;
};

/* What LOAD (of a file as it is here; for OFFER_ROOT: of one as a guest of that root) would lack on OFFER. LIBRARY: it
 * is a library, which may leave symbols to whoever loads it. */
void against_find(const struct offer *offer, const struct load *load, bool library, struct lacks *ret);
void lack_deinit(struct lack *lack);
void lacks_deinit(struct lacks *lacks);
/* Above zero: A decides more than B. */
int lack_compare(const struct lack *a, const struct lack *b);
/* "fmod@GLIBC_2.38", "libx.so.1": what decides, of those that are no warnings, else of those that are; malloced; NULL
 * where there is nothing. */
char *lacks_deciding(const struct lacks *lacks, const struct lack **ret);
size_t lacks_fatal(const struct lacks *lacks);
/* "fmod@GLIBC_2.38" and the like; malloced. */
char *lack_words(const struct lack *lack);
/* LOAD's program names a loader that is no system's (glibctrace sandbox, Nix): its C library comes with it. */
bool against_brings_libc(const struct load *load);
/* As causes of REPORT; warnings go to its "unseen". */
void against_tell(const struct offer *offer, const struct load *load, const struct lacks *lacks, struct report *report);
/* The loader that a library ELF is given to on OFFER; malloced, NULL where none is known. */
char *against_loader(const struct offer *offer, const struct elffile *elf);
/* What is checked at PATH, as a guest of REQUEST's OFFER_ROOT, if that is what it is to be checked against: sets
 * REQUEST's root and guests, which are GUEST's. Free with guest_deinit() in any case. */
struct guest {
    char *paths[2];
    struct load_guests guests;
};
void guest_enter(struct guest *guest, const char *path, struct check_request *request);
void guest_deinit(struct guest *guest);
/* REPORT's system is that of OFFER. */
void against_fill(const struct offer *offer, struct report *report);

#endif
