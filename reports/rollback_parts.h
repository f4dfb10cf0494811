/* Part of rollback.h: which VS Code there is to install into. */
#ifndef GLIBCTRACE_REPORTS_ROLLBACK_PARTS_H
#define GLIBCTRACE_REPORTS_ROLLBACK_PARTS_H

#include <stdbool.h>

/* The release of the VS Code that "code" starts with the PATH of ENV; malloced, or NULL where that is not known. */
char *rollback_editor(const char *const *env);
/* Whether the VS Code of that release takes what wants ENGINE (package.json's engines.vscode); true also where it is
 * not known, either of them being NULL or of no known form. */
bool rollback_takes(const char *editor, const char *engine);

#endif
