/* Of node's add-ons: for which of its binary interfaces one was built (NODE_MODULE_VERSION), and which one a node has.
 *
 * node: src/node.h (struct node_module, NODE_MODULE_INITIALIZER), src/node_binding.cc (DLOpen). */
#ifndef GLIBCTRACE_PROBES_NODEADDON_H
#define GLIBCTRACE_PROBES_NODEADDON_H

#include "elffile.h"

/* Of the add-on ELF at PATH inside ROOT; 0: it is for any (Node-API), or it cannot be told. */
unsigned nodeaddon_built_for(const char *root, const char *path, const struct elffile *elf);
/* Of the node, Electron or libnode at PATH, by the configuration that it was built with (process.config); 0: it cannot
 * be told. */
unsigned nodeaddon_taken_by(const char *root, const char *path);

#endif
