/* Which VS Code the user has, and which extensions it takes: without running it. */
#include "rollback_parts.h"

#include "programs.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/proc.h>

#include <ctype.h>
#include <string.h>
#include <unistd.h>

enum { UP_MOST = 4 };

/* The program of that name on the PATH of ENV, without links; malloced, or NULL. */
static char *on_path(const char *const *env, const char *name)
{
    const char *path = env_value(env, "PATH");
    CLEANUP_FREE char *copy = xstrdup(path ? path : "");
    char *rest = NULL;

    for (char *one = strtok_r(copy, ":", &rest); one; one = strtok_r(NULL, ":", &rest)) {
        CLEANUP_FREE char *file = path_join(one, name);

        if (*one == '/' && access(file, X_OK) == 0)
            return realpath(file, NULL);
    }
    return NULL;
}

/* "code" is a script or a link that leads into the folder where all is installed. */
char *rollback_editor(const char *const *env)
{
    CLEANUP_FREE char *program = on_path(env, "code");
    CLEANUP_FREE char *at = program ? path_dir(program) : NULL;

    for (int up = 0; at && up < UP_MOST && strcmp(at, "/") != 0; up++) {
        struct program_seen seen;
        char *above = path_dir(at);

        if (program_of_product("", at, &seen)) {
            char *version = xstrdup_or_null(seen.version);

            program_seen_deinit(&seen);
            free(above);
            return version;
        }
        free(at);
        at = above;
    }
    return NULL;
}

/* Three numbers, of which "x" is none (-1); behind them, or NULL. */
static const char *numbers(const char *text, long ret[3])
{
    for (int i = 0; i < 3; i++) {
        char *end = (char *)text + 1;

        ret[i] = *text == 'x' || *text == '*' ? -1 : strtol(text, &end, 10);
        if ((ret[i] != -1 && !isdigit((unsigned char)*text)) || (i < 2 && *end != '.'))
            return NULL;
        text = end + (i < 2);
    }
    return text;
}

/* src/vs/platform/extensions/common/extensionValidator.ts: "^1.60.0", ">=1.60.0", "1.60.x", "*". */
bool rollback_takes(const char *editor, const char *engine)
{
    bool caret = engine && *engine == '^', least = engine && strncmp(engine, ">=", 2) == 0;
    long wanted[3], have[3];

    if (!engine || !editor || !numbers(engine + (caret ? 1 : least ? 2 : 0), wanted) || !numbers(editor, have))
        return true; /* not known */
    for (int i = 0; i < 3; i++) {
        if (wanted[i] < 0 || wanted[i] == have[i])
            continue;
        return (caret || least) && have[i] > wanted[i] && (least || i > 0);
    }
    return true;
}
