/* What an object says of itself that it opens with dlopen(3): notes of the type FDO_DLOPEN (systemd's and others'; the
 * UAPI group's "ELF dlopen metadata"), each a JSON text. Reads the file's program headers alone. */
#ifndef GLIBCTRACE_PROBES_DLOPENNOTE_H
#define GLIBCTRACE_PROBES_DLOPENNOTE_H

#include <stddef.h>

/* The texts of the notes in PATH inside ROOT: malloced strings in a malloced array, *COUNT of them; NULL where there
 * are none. Files of the other byte order are passed over. */
char **dlopennote_read(const char *root, const char *path, size_t *count);

#endif
