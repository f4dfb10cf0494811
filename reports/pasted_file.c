/* Files that a program could not have, in its own words: the path stands before or behind the text of the error. */
#include "pasted.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <probes/alloc.h>

static const struct {
    const char *text, *name; /* strerror(3)'s and errno's */
    enum cause_kind kind;
} errors[] = {
    {"No such file or directory", "ENOENT", CAUSE_FILE_MISSING},
    {"Permission denied", "EACCES", CAUSE_PERMISSION_DENIED},
    {"Operation not permitted", "EPERM", CAUSE_PERMISSION_DENIED},
    {"Too many levels of symbolic links", "ELOOP", CAUSE_SYMLINK_LOOP},
    {"Symbolic link loop", "ELOOP", CAUSE_SYMLINK_LOOP}, /* musl's */
};

/* Tools that are run to look at a file, not to use it. */
static bool only_looks(const char *line)
{
    static const char *const tools[] = {
        "ls: ", "stat: ", "file: ", "find: ", "ldd: ", "readelf: ", "objdump: ", "grep: ", "rm: ", "du: ", "namei: "};

    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        if (strncmp(line, tools[i], strlen(tools[i])) == 0)
            return true;
    return strncmp(line, "readelf: Error", 14) == 0;
}

/* A name, and no words that happen to stand in quotes ("open /x" is a call's). */
static char *as_path(char *name)
{
    char *slash = name ? strstr(name, " /") : NULL;

    if (slash && memchr(name, '/', (size_t)(slash - name)) == NULL)
        memmove(name, slash + 1, strlen(slash + 1) + 1);
    if (name && !strchr(name, '/') && strpbrk(name, " \t,;")) {
        free(name);
        return NULL;
    }
    return name;
}

/* What is refused there is somebody's key, not a file. */
static bool is_login(const char *line)
{
    return strstr(line, "Permission denied (publickey") || strstr(line, "Permission denied, please try again") ||
           strstr(line, "Permission denied (gssapi") || strstr(line, "Permission denied (password");
}

/* The quoted path behind AT, or the one that a blank begins; malloced, or NULL. */
static char *path_behind(const char *at)
{
    char *quoted = pasted_quoted(at);

    if (quoted)
        return as_path(quoted);
    if (strncmp(at, ": ", 2) == 0 && at[2] && !strpbrk(at + 2, " :") &&
        strncasecmp(at - 5, "links", 5) == 0) /* zsh's */
        return pasted_word(at + 2, strlen(at + 2));
    at = strchr(at, '/');
    return at ? pasted_word(at, strcspn(at, " ,)")) : NULL;
}

/* What stands before AT, where that is a name: "/x", "'x.conf'", "open x.conf". */
static char *path_before(const char *line, const char *at)
{
    CLEANUP_FREE char *field = pasted_field_before(line, at);
    const char *path;
    char *quoted;

    if (!field)
        return NULL;
    quoted = pasted_quoted(field);
    if (quoted)
        return as_path(quoted);
    path = strrchr(field, ' '); /* "open /x", "cannot stat /x" */
    path = path ? path + 1 : field;
    return strpbrk(path, "/.") ? pasted_word(path, strlen(path)) : NULL;
}

/* "[Errno 2] No such file or directory: '/x'", "ENOENT: no such file or directory, open '/x'", "prog: /x: No such file
 * or directory", "/x (No such file or directory)". */
static char *path_of(const char *line, const char *at, size_t size)
{
    char *path = NULL;

    if (at[size] == ':' || at[size] == ',')
        path = path_behind(at + size);
    if (!path && at > line + 2 && at[-1] == '(')
        path = path_before(line, at - 2);
    else if (!path && at > line + 2 && at[-1] == ' ')
        path = path_before(line, at - 2 - (at[-2] != ':'));
    return path;
}

/* A line of strace's in a sentence: whether the program coped with it nobody knows. */
static bool is_call(const char *line)
{
    return strstr(line, " = -1 E") != NULL;
}

/* The kernel does not let a program be started for reasons of which none is its mode (seccomp(2), nosuid, a security
 * module): EPERM is not EACCES. */
static bool is_start(const char *line)
{
    return strstr(line, "exec") || strncmp(line, "make: ", 6) == 0 || strncmp(line, "make[", 5) == 0 ||
           strstr(line, "spawn");
}

/* What is named so is no file to be read. */
static bool is_socket(const char *path)
{
    const char *name = path_base(path);

    return strstr(name, ".sock") || strncmp(path, "/tmp/.X11-unix/", 15) == 0 || strcmp(name, "bus") == 0;
}

/* "/x: No such file or directory" without the name of who says it. */
static char *speaker_of(const struct pasted *pasted, const char *line, const char *path)
{
    char *who = pasted_speaker(pasted, line);

    if (who && strcmp(who, path) == 0) {
        free(who);
        who = xstrdup_or_null(pasted->process->exe);
    }
    return who;
}

/* The line before is broken off in the middle of a path. */
static bool is_rest(const struct pasted *pasted)
{
    const char *before = pasted->line > pasted->process->lines ? pasted->line[-1].text : "";
    size_t n = strlen(before);

    return n > 1 && before[n - 1] == '/' && !isspace((unsigned char)before[n - 2]);
}

/* "dial unix /run/x.sock: connect: permission denied" (Go's net): the socket; malloced, or NULL. */
static char *dialled(const char *line)
{
    const char *at = strstr(line, "dial unix ");

    return at ? pasted_word(at + 10, strcspn(at + 10, ": ")) : NULL;
}

/* "… the Docker daemon socket at unix:///var/run/docker.sock". */
static char *socket_in(const char *line)
{
    const char *at = strstr(line, "unix://");

    return at ? pasted_word(at + 7, strcspn(at + 7, " '\"`,")) : NULL;
}

/* A line that says of PATH that it could not be executed, however it came to be tried. */
static bool is_executed(const char *line, const char *path)
{
    static const char *const before[] = {" EXEC spawning ", "fork/exec "};

    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        const char *at = strstr(line, before[i]);

        if (at && strncmp(at + strlen(before[i]), path, strlen(path)) == 0)
            return true;
    }
    return false;
}

/* "… (needed by /x", which a paste has cut. */
static char *needing(const struct pasted *pasted, const char *line)
{
    static const char words[] = "(needed by ";
    const char *at = strstr(line, words);

    return at ? pasted_word(at + sizeof words - 1, strcspn(at + sizeof words - 1, ")")) : pasted_speaker(pasted, line);
}

bool pasted_file(struct pasted *pasted, const char *line)
{
    const char *at = NULL;
    char *path;
    size_t i = 0;

    while (i < sizeof errors / sizeof *errors && !(at = strcasestr(line, errors[i].text)))
        i++;
    if (!at || is_login(line) || is_call(line) || is_rest(pasted) ||
        (strcmp(errors[i].name, "EPERM") == 0 && is_start(line)))
        return false;
    path = dialled(line);
    if (!path && errors[i].kind == CAUSE_PERMISSION_DENIED && (path = socket_in(line))) {
        pasted_found(pasted, CAUSE_PERMISSION_DENIED, pasted_speaker(pasted, line), path, 0.8);
        return true;
    }
    if (!path)
        path = path_of(line, at, strlen(errors[i].text));
    if (path && errors[i].kind == CAUSE_FILE_MISSING && strstr(line, "Error loading shared library ")) /* musl's */
        pasted_found(pasted, CAUSE_LIBRARY_MISSING, needing(pasted, line), path, 0.8);
    else if (path && errors[i].kind == CAUSE_PERMISSION_DENIED && is_executed(line, path))
        pasted_found(pasted, CAUSE_PERMISSION_DENIED, xstrdup(path), path, 0.8);
    else if (path && errors[i].kind == CAUSE_FILE_MISSING && is_socket(path))
        pasted_found(pasted, CAUSE_CONNECTION_REFUSED, pasted_speaker(pasted, line), path, 0.75);
    else if (path && (strstr(line, "Errno ") || strstr(line, "rror: E"))) /* of a runtime: its name is elsewhere */
        pasted_found(pasted, errors[i].kind, xstrdup(pasted->process->exe), path, 0.85);
    else
        pasted_found(pasted, errors[i].kind, path ? speaker_of(pasted, line, path) : NULL, path,
                     only_looks(line) ? 0.4 : 0.8);
    return true;
}
