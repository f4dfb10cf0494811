/* Which system a file is for, and whether it is one of several that stand beside each other, each for a system of its
 * own (prebuilt binaries): "prebuilds/linux-arm64/x.node" beside "prebuilds/linux-x64/x.node". */
#ifndef GLIBCTRACE_REPORTS_VARIANT_H
#define GLIBCTRACE_REPORTS_VARIANT_H

#include <probes/elffile.h>

enum family {
    FAMILY_ANY, /* nothing in it says which C library: static, or it uses none */
    FAMILY_GLIBC,
    FAMILY_MUSL,
    FAMILY_OTHER, /* of another system: Android, a BSD */
};

/* By what it needs and its interpreter, never by its name. */
enum family variant_family(const struct elffile *elf);
/* The loader that programs of ELF's machine have in that family; malloced, NULL where it is not known. */
char *variant_loader(const struct elffile *elf, enum family family);
/* "musl", "FreeBSD", … */
const char *variant_system(const struct elffile *elf);
const char *variant_family_name(enum family family);

/* The variants that fit this system. */
struct variants;
struct variants *variants_create(void);
/* PATH, relative to the tree's top, is one. */
void variants_add(struct variants *variants, const char *path);
/* Whether PATH, which does not fit, stands beside one that does: the same but for the words that name a system, or in a
 * directory that is so, and that holds none that fits. */
bool variants_beside(const struct variants *variants, const char *path);
void variants_destroy(struct variants *variants);

#endif
