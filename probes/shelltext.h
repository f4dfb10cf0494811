/* What a shell's text makes of a command that fails: is it tested, or is there another that takes its place?
 *
 * A reader of the words and operators of sh(1) and no more: it expands nothing, and knows nothing of what a variable
 * holds. What it cannot follow (a text within double quotes, eval) it says nothing of. */
#ifndef GLIBCTRACE_PROBES_SHELLTEXT_H
#define GLIBCTRACE_PROBES_SHELLTEXT_H

#include <stdbool.h>
#include <stddef.h>

enum { SHELLTEXT_MOST = 512 * 1024 }; /* bytes of a text that are read */

/* Whether COMMAND, a word as it is typed, stands in TEXT as a command whose failure is provided for, wherever it does
 * so (in line number LINE, if it stands there; 0: no line is known): as the condition of if, while or until, behind
 * "!", or before "||" and a command that does something else than to complain or to end the script. ARGS: those that it
 * was called with, up to a NULL, to tell it from others of its name; or NULL. */
bool shelltext_provides(const char *text, const char *command, const char *const *args, size_t line);

#endif
