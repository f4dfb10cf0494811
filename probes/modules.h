/* What code an address space holds: its mappings, and the ELF objects among them with the files they came from.
 *
 * Read from /proc/PID/maps and the program headers in memory. A file is used only if it is the one that is mapped: the
 * same inode, and the same build-id where there is one. Where none is (replaced, deleted, not to be opened), the
 * object's segments are read from memory; what only a file holds is not known then. */
#ifndef GLIBCTRACE_PROBES_MODULES_H
#define GLIBCTRACE_PROBES_MODULES_H

#include "mem.h"

#include <stdbool.h>
#include <sys/types.h>

struct codefile;
struct gostack;
struct v8stack;

enum { BUILD_ID_MOST = 64 };

struct module {
    char *path; /* as the process sees it, or "[vdso]" */
    char *seen; /* as /proc/PID/maps shows it to us */
    uint64_t start, end, bias;
    uint64_t first_end; /* of the mapping at START */
    ino_t inode;
    bool deleted, kept;
    uint8_t build_id[BUILD_ID_MOST];
    size_t build_id_size;
    bool opened;           /* FILE has been asked for */
    struct codefile *file; /* or NULL */
    bool debug_sought, go_sought;
    struct gostack *go; /* stack.c's, or NULL */
    bool v8_sought;
    struct v8stack *v8; /* likewise */
};

struct region {
    uint64_t start, end, offset;
    bool readable, writable, executable;
    ino_t inode;
    char *name;            /* as shown; "" where it is anonymous */
    struct module *module; /* or NULL */
};

struct modules {
    pid_t pid;
    char *root;
    struct region *regions; /* by address */
    size_t region_count, region_cap;
    struct module **modules;
    size_t module_count, module_cap;
};

void modules_init(struct modules *modules, pid_t pid, const char *root);
void modules_deinit(struct modules *modules);
/* Reads them again; what has not changed stays. 0, or -1 where /proc/PID/maps cannot be read: then all stays. */
int modules_read(struct modules *modules, const struct mem *mem);
/* NULL where nothing is mapped. */
const struct region *modules_region(const struct modules *modules, uint64_t addr);
/* MODULE's file, opened at the first call; NULL where there is none. */
struct codefile *modules_file(const struct modules *modules, struct module *module, const struct mem *mem);
/* The same with its separate debug information, where that can be found. */
struct codefile *modules_names_file(const struct modules *modules, struct module *module, const struct mem *mem);

#endif
