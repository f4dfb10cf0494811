/* The system that a tree is checked for, and the program that opens node's add-ons there. Parts of check_walk.c. */
#ifndef GLIBCTRACE_REPORTS_CHECK_HOST_H
#define GLIBCTRACE_REPORTS_CHECK_HOST_H

#include "check_parts.h"
#include "variant.h"

/* What fits: by what is in the root. */
struct here {
    const char *root;
    unsigned class, data, machine;
    enum family family; /* FAMILY_ANY: no loader was found, any will do */
};

void here_read(const char *root, struct here *ret);
bool here_fits_machine(const struct here *here, const struct elffile *elf);
bool here_is_foreign(const struct here *here, const struct elffile *elf, enum family family, bool library);

/* RUNTIME: as check_node_runtime() gave it, taken; or NULL. */
void check_host_init(struct check_host *host, const char *root, const char *path, char *runtime);
void check_host_deinit(struct check_host *host);
/* The node on REQUEST's PATH, where there is one: else HOST stays empty. */
void check_host_on_path(struct check_host *host, const struct check_request *request);
/* LOAD is of a program that opens node's add-ons (node, Electron, or one that either is built into): its object that
 * takes them, malloced; else NULL. */
char *check_node_runtime(const struct load *load);
/* HOST would load the add-on at PATH in ROOT, and then refuse it: that is a cause. */
void check_addon_abi(struct check_host *host, const char *root, const char *path, const struct elffile *elf,
                     struct report *report);
/* The library at PATH is such an add-on. */
bool check_is_addon(const char *path, const struct elffile *elf);

#endif
