/* AppImages (AppImageSpec, draft.md): a program, the runtime, with a file system behind it that it mounts and starts
 * AppRun of. */
#ifndef GLIBCTRACE_REPORTS_APPIMAGE_H
#define GLIBCTRACE_REPORTS_APPIMAGE_H

#include <stdbool.h>
#include <stdint.h>

/* FD is one of type 1, which is an ISO 9660 image as a whole. */
bool appimage_is_iso(int fd);
/* Where the file system of one of type 2 begins: where the program ends, which is where its headers say. 0: they say
 * nothing. */
uint64_t appimage_offset(int fd);
/* Whether the program, up to OFFSET, names WORD. */
bool appimage_names(int fd, uint64_t offset, const char *word);
/* "LD_LIBRARY_PATH=…", with the directories below DIRECTORY, which one was unpacked into, that its AppRun sets it to:
 * a shell script's, or a program's by the text it is made from. malloced; NULL: it names none. */
char *appimage_library_path(const char *directory);

#endif
