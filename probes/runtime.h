/* Which ABI a runtime has for its native modules: the number, tag or version that such a module has to be built for,
 * read from the files of the runtime and of the module. It judges nothing. */
#ifndef GLIBCTRACE_PROBES_RUNTIME_H
#define GLIBCTRACE_PROBES_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

/* node: the number in "node_register_module_v115", the name of the function that this build looks for in an add-on
 * (src/node_binding.cc). 0 where the file at PATH inside ROOT has none. Reads the file, at most 512 MB of it. */
unsigned runtime_node(const char *root, const char *path);
/* An add-on's: of the same name in its symbol table; 0 where it has none. */
unsigned runtime_node_wanted(const char *root, const char *path);
/* "go1.22.1": of a program or plugin, from its build information (debug/buildinfo), or NULL; malloced. */
char *runtime_go(const char *root, const char *path);
/* Whether the glibc that a program was linked with statically is in it: by words of its loader's parts, which each such
 * program has (elf/dl-cache.c, elf/dl-tunables.c). A library's own file has them, too. */
bool runtime_glibc(const char *root, const char *path);
/* "golang.org/x/tools/gopls" and "v0.16.1", from there too: the main package's path, and its module's version, NULL
 * where it was built from a working copy. False where there is none. malloced. */
bool runtime_go_main(const char *root, const char *path, char **package, char **version);
/* node: "20.19.2", from the name by which this build (the program, or libnode.so) introduces itself to debuggers
 * ("node.js/" NODE_VERSION in src/inspector_agent.cc and inspector_socket_server.cc); NULL where it does not; malloced.
 */
char *runtime_node_version(const char *root, const char *path);
/* "v5.36.0": the Perl that the program or library at PATH is, or NULL; malloced. */
char *runtime_perl(const char *root, const char *path);
/* "cpython-311" for ".../bin/python3.11" or "libpython3.11.so.1.0", with the ABI flags that are in the name
 * ("cpython-313t"); NULL for other names. malloced. */
char *runtime_python(const char *path);
/* The part of an extension module's file name that says what it is for: "cpython-310" of
 * "_x.cpython-310-x86_64-linux-gnu.so"; NULL where there is none (also for "abi3", which any Python 3 takes). malloced.
 */
char *runtime_python_tag(const char *name);
/* The extension modules NAME (without an ending) in DIRECTORY inside ROOT that have a tag other than WANTED: the path
 * of the first by name, or NULL; NULL also where there is one that this Python takes. malloced. */
char *runtime_python_other(const char *root, const char *directory, const char *name, const char *wanted);

#endif
