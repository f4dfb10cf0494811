/* `glibctrace check` of a directory: an unpacked extension, a server, an application.
 *
 * Each ELF file and each script that may be executed gets a row in "files", and what fails is a cause. What is for
 * another system is no fault where one for this system stands beside it (variant.h). A library is judged by who loads
 * it where that is known: a program of the tree that needs it, node for an add-on. */
#ifndef GLIBCTRACE_REPORTS_CHECK_WALK_H
#define GLIBCTRACE_REPORTS_CHECK_WALK_H

#include "check.h"

/* DIRECTORY: absolute, inside check_root(REQUEST). Against a C library of which no root is known its ELF files are
 * asked alone (build.h). MODES: see tree.h. -1 and ERR where it cannot be read, or nothing in it could
 * be loaded. */
int check_tree(const struct check_request *request, const char *directory, bool modes, struct report *report,
               struct err *err);

/* The file at PATH, if it is an add-on and there is a node to open it: as check_file(), but by that node, which has
 * what it takes from it. False: nothing is said of it. */
bool check_lone_addon(const struct check_request *request, const char *path, struct report *report);

#endif
