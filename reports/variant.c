#include "variant.h"

#include "stub.h"
#include "text.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <ctype.h>
#include <elf.h>
#include <string.h>
#include <uthash.h>

/* ---- what a file is for ---- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* FILE: which library is asked; libgcc_s has a GLIBC_2.0 of its own. */
static bool has_need(const struct elffile *elf, const char *version, const char *file)
{
    for (size_t i = 0; i < elf->need_count; i++)
        if (begins(elf->needs[i].name, version) && elf->needs[i].file && begins(elf->needs[i].file, file))
            return true;
    return false;
}

static enum family family_of_interp(const char *interp)
{
    const char *base = strrchr(interp, '/') ? strrchr(interp, '/') + 1 : interp;

    if (begins(base, "ld-musl-"))
        return FAMILY_MUSL;
    if (begins(base, "ld-linux") || begins(base, "ld64.so") || begins(base, "ld.so"))
        return FAMILY_GLIBC;
    return FAMILY_OTHER; /* /system/bin/linker64, /libexec/ld-elf.so.1, … */
}

static enum family family_of_needed(const char *name)
{
    if (begins(name, "libc.so.6")) /* 6.1 on alpha and ia64 */
        return FAMILY_GLIBC;
    if (begins(name, "libc.musl-"))
        return FAMILY_MUSL;
    if (begins(name, "libc.so.") || strcmp(name, "liblog.so") == 0) /* the BSDs number theirs; Android's log library */
        return FAMILY_OTHER;
    return FAMILY_ANY;
}

enum family variant_family(const struct elffile *elf)
{
    bool plain = false;

    if (elf->osabi != ELFOSABI_NONE && elf->osabi != ELFOSABI_GNU && elf->osabi != ELFOSABI_STANDALONE &&
        elf->osabi != ELFOSABI_ARM && elf->osabi != ELFOSABI_ARM_AEABI)
        return FAMILY_OTHER;
    if (elf->interp && *elf->interp)
        return family_of_interp(elf->interp);
    for (size_t i = 0; i < elf->needed_count; i++) {
        enum family family = family_of_needed(elf->needed[i]);

        if (family != FAMILY_ANY)
            return family;
        plain |= strcmp(elf->needed[i], "libc.so") == 0;
    }
    if (has_need(elf, "GLIBC_", "lib") && !has_need(elf, "GLIBC_", "libgcc_s"))
        return FAMILY_GLIBC;
    if (has_need(elf, "LIBC", "libc.so")) /* Android's bionic has one version */
        return FAMILY_OTHER;
    return plain ? FAMILY_MUSL : FAMILY_ANY;
}

char *variant_loader(const struct elffile *elf, enum family family)
{
    const char *machine = elffile_machine_name(elf);

    if (family == FAMILY_MUSL)
        return xasprintf("/lib/ld-musl-%s.so.1", strcmp(machine, "arm") == 0 ? "armhf" : machine);
    return family == FAMILY_OTHER ? NULL : xstrdup_or_null(stub_loader(elf->class, elf->data, elf->machine));
}

const char *variant_system(const struct elffile *elf)
{
    static const char *const systems[] = {
        [ELFOSABI_NETBSD] = "NetBSD",  [ELFOSABI_SOLARIS] = "Solaris", [ELFOSABI_AIX] = "AIX",
        [ELFOSABI_IRIX] = "IRIX",      [ELFOSABI_FREEBSD] = "FreeBSD", [ELFOSABI_TRU64] = "Tru64",
        [ELFOSABI_OPENBSD] = "OpenBSD"};

    if (variant_family(elf) != FAMILY_OTHER)
        return variant_family_name(variant_family(elf));
    if (elf->osabi < sizeof systems / sizeof *systems && systems[elf->osabi])
        return systems[elf->osabi];
    return has_need(elf, "LIBC", "libc.so") ? "Android" : "another system";
}

const char *variant_family_name(enum family family)
{
    static const char *const names[] = {
        [FAMILY_ANY] = "", [FAMILY_GLIBC] = "glibc", [FAMILY_MUSL] = "musl", [FAMILY_OTHER] = "another system"};

    return names[family];
}

/* ---- one of several ---- */

/* Words by which paths name systems, as package managers, compilers and node's process.platform and process.arch spell
 * them. Longer ones that begin like a shorter one come first. */
static const char *const words[] = {
    "x86_64",  "x86-64",     "x86",       "x64",     "x32",         "amd64",    "i386",      "i486",        "i586",
    "i686",    "ia32",       "386",       "32bit",   "64bit",       "32",       "64",        "arm64",       "armhf",
    "armel",   "armv5",      "armv6l",    "armv6",   "armv7l",      "armv7a",   "armv7",     "armv8",       "armeabi",
    "arm",     "v7a",        "v8a",       "aarch64", "ppc64le",     "ppc64el",  "ppc64",     "powerpc64le", "ppc",
    "s390x",   "riscv64",    "riscv64gc", "loong64", "loongarch64", "mips64el", "mips64",    "mipsel",      "mips",
    "sparc64", "linuxmusl",  "linuxgnu",  "linux64", "linux32",     "linux",    "gnueabihf", "gnueabi",     "gnu",
    "glibc",   "musleabihf", "musleabi",  "musl",    "alpine",      "android",  "freebsd",   "openbsd",     "netbsd",
    "sunos",   "solaris",    "illumos",   "unknown", "pc",          NULL};

/* The length of the word for a system that TEXT begins with, 0: none. */
static size_t system_word(const char *text)
{
    for (const char *const *word = words; *word; word++) {
        size_t length = strlen(*word);

        if (strncasecmp(text, *word, length) == 0 && !isalnum((unsigned char)text[length]))
            return length;
    }
    return 0;
}

/* A place by what is left of its path without those words. */
struct place_like {
    char *stem;
    char **raw; /* the paths that fit and are so */
    size_t count, cap;
    UT_hash_handle hh;
};
struct variants {
    struct place_like *by_stem;
};

/* What is left of NAME, one component; *NAMED: it had such words. */
static char *stem_of(const char *name, size_t size, bool *named)
{
    struct text stem = {0};

    text_add(&stem, "");
    for (const char *p = name; p < name + size; p++) {
        size_t length = p == name || !isalnum((unsigned char)p[-1]) ? system_word(p) : 0;

        if (length) {
            *named = true;
            p += length - 1;
        } else if (*p != '-' && *p != '_' && *p != '.') {
            text_addc(&stem, *p);
        }
    }
    return stem.v;
}

/* Calls EACH for every beginning of PATH that ends in a component with such words, RAW, and what is left of it. It
 * returns true to go no further, which is returned. */
typedef bool each_place(void *ctx, const char *raw, const char *stem);

static bool places_of(const char *path, each_place *each, void *ctx)
{
    struct text stem = {0};
    bool stop = false;

    text_add(&stem, "");
    for (const char *part = path; !stop && *part; part += *part == '/') {
        size_t size = strcspn(part, "/");
        bool named = false;
        CLEANUP_FREE char *left = stem_of(part, size, &named);
        CLEANUP_FREE char *raw = xstrndup(path, (size_t)(part - path) + size);

        text_addf(&stem, "%s%s", *left ? "/" : "", left); /* of "linux-x64" nothing is left */
        stop = named && each(ctx, raw, stem.v);
        part += size;
    }
    text_deinit(&stem);
    return stop;
}

/* The same for files of one name somewhere below a directory: EACH gets "DIRECTORY//NAME" for all directories above
 * PATH; NEAR: only for the two above the first component with such words, a package's "prebuilds" and the package. */
static bool below_of(const char *path, bool near, each_place *each, void *ctx)
{
    const char *base = path_base(path);
    bool named = false, stop = false;
    CLEANUP_FREE char *name = stem_of(base, strlen(base), &named);
    const char *above[2] = {NULL, NULL};

    for (const char *part = path; !stop && part < base; part += strcspn(part, "/") + 1) {
        CLEANUP_FREE char *key = xasprintf("%.*s//%s", (int)(part - path), path, name);

        if (!near) {
            stop = each(ctx, path, key);
            continue;
        }
        above[1] = above[0];
        above[0] = part;
        named = false;
        free(stem_of(part, strcspn(part, "/"), &named));
        for (size_t i = 0; named && i < 2 && above[i] && !stop; i++) {
            CLEANUP_FREE char *near_key = xasprintf("%.*s//%s", (int)(above[i] - path), path, name);

            stop = each(ctx, path, near_key);
        }
        if (named)
            break;
    }
    return stop;
}

static bool add_place(void *ctx, const char *raw, const char *stem)
{
    struct variants *variants = ctx;
    struct place_like *place;
    char **slot;

    HASH_FIND_STR(variants->by_stem, stem, place);
    if (!place) {
        place = xcalloc(1, sizeof *place);
        place->stem = xstrdup(stem);
        HASH_ADD_KEYPTR(hh, variants->by_stem, place->stem, strlen(place->stem), place);
    }
    for (size_t i = 0; i < place->count; i++)
        if (strcmp(place->raw[i], raw) == 0)
            return false;
    slot = array_add(&place->raw, &place->count, &place->cap, sizeof *slot);
    *slot = xstrdup(raw);
    return false;
}

static bool beside_place(void *ctx, const char *raw, const char *stem)
{
    const struct variants *variants = ctx;
    struct place_like *place;

    HASH_FIND_STR(variants->by_stem, stem, place);
    for (size_t i = 0; place && i < place->count; i++)
        if (strcmp(place->raw[i], raw) == 0)
            return false; /* what fits is in there too: it is not a system's own */
    return place != NULL;
}

struct variants *variants_create(void)
{
    return xcalloc(1, sizeof(struct variants));
}

void variants_add(struct variants *variants, const char *path)
{
    places_of(path, add_place, variants);
    below_of(path, false, add_place, variants);
}

bool variants_beside(const struct variants *variants, const char *path)
{
    return places_of(path, beside_place, (void *)variants) || below_of(path, true, beside_place, (void *)variants);
}

void variants_destroy(struct variants *variants)
{
    struct place_like *place, *next;

    HASH_ITER(hh, variants->by_stem, place, next)
    {
        HASH_DEL(variants->by_stem, place);
        for (size_t i = 0; i < place->count; i++)
            free(place->raw[i]);
        free(place->raw);
        free(place->stem);
        free(place);
    }
    free(variants);
}
