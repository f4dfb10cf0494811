/* Where programs are that Go's extension for an editor starts: on PATH, or where `go install` puts them. */
#include "verify.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/proc.h>

#include <string.h>
#include <sys/stat.h>

enum { ENV_FILE_MOST = 64 * 1024 };

struct seek {
    const char *name;
    char *found;            /* that can be executed */
    char *there;            /* that is there, at least */
    struct strings *looked; /* or NULL */
};

static void look_in(struct seek *seek, const char *directory, size_t n, const char *from)
{
    CLEANUP_FREE char *named = n ? xstrndup(directory, n) : xstrdup("."), *here = getcwd(NULL, 0);
    CLEANUP_FREE char *whole = *named == '/' ? xstrdup(named) : path_join(here ? here : "/", named);
    CLEANUP_FREE char *path = path_join(whole, seek->name);
    struct stat st;

    if (seek->found)
        return;
    if (from && seek->looked)
        strings_addf(seek->looked, "%s\t%s", path, from);
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0)
        seek->found = steal_pointer(&path);
    else if (!seek->there && lstat(path, &st) == 0)
        seek->there = steal_pointer(&path);
}

/* Directories joined by colons, each with SUFFIX behind it. */
static void look_in_list(struct seek *seek, const char *list, const char *suffix, const char *from)
{
    for (const char *at = list;; at++) {
        size_t n = strcspn(at, ":");
        CLEANUP_FREE char *directory = xasprintf("%.*s%s", (int)n, at, suffix);

        if (n || !from)
            look_in(seek, directory, strlen(directory), from);
        at += n;
        if (!*at)
            return;
    }
}

/* What `go env -w` wrote (cmd/go/internal/cfg: GOENV, else go/env in the user's configuration directory). */
static char *env_file(const char *const *env)
{
    const char *named = env_value(env, "GOENV"), *config = env_value(env, "XDG_CONFIG_HOME"),
               *home = env_value(env, "HOME");
    CLEANUP_FREE char *path = NULL;

    if (named && strcmp(named, "off") == 0)
        return NULL;
    if (named && *named)
        path = xstrdup(named);
    else if (config && *config)
        path = xasprintf("%s/go/env", config);
    else if (home && *home)
        path = xasprintf("%s/.config/go/env", home);
    return path ? proc_read(path, ENV_FILE_MOST, NULL) : NULL;
}

/* The variable NAME as go sees it, malloced; or NULL. */
static char *go_variable(const char *name, const char *const *env, const char *file)
{
    const char *value = env_value(env, name);
    size_t n = strlen(name);

    if (value && *value)
        return xstrdup(value);
    for (const char *line = file; line && *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, name, n) == 0 && line[n] == '=' && line[n + 1] != '\n' && line[n + 1])
            return xstrndup(line + n + 1, strcspn(line + n + 1, "\n"));
    return NULL;
}

char *verify_find(const char *name, const char *const *env, struct strings *looked)
{
    struct seek seek = {.name = name, .looked = looked};
    const char *path = env_value(env, "PATH"), *home = env_value(env, "HOME");
    CLEANUP_FREE char *file = NULL, *bin = NULL, *gopath = NULL;

    if (strchr(name, '/')) {
        CLEANUP_FREE char *here = *name == '/' ? NULL : getcwd(NULL, 0);

        return here ? path_join(here, name) : xstrdup(name); /* the checks have another working directory */
    }
    file = env_file(env);
    bin = go_variable("GOBIN", env, file);
    gopath = go_variable("GOPATH", env, file);
    look_in_list(&seek, path ? path : "/usr/bin:/bin", "", NULL);
    if (bin)
        look_in(&seek, bin, strlen(bin), "GOBIN");
    if (gopath)
        look_in_list(&seek, gopath, "/bin", "GOPATH");
    if (home && *home) {
        CLEANUP_FREE char *usual = xasprintf("%s/go/bin", home);

        look_in(&seek, usual, strlen(usual), "where go install puts programs");
    }
    if (!seek.found)
        seek.found = steal_pointer(&seek.there);
    free(seek.there);
    return seek.found;
}

/* One word from *AT on, which goes behind it. */
static bool take_word(const char **at, struct text *word)
{
    const char *s = *at;
    char quote = '\0';

    text_clear(word);
    text_add(word, "");
    for (; *s && (quote || !strchr(" \t\n", *s)); s++) {
        if (quote ? *s == quote : *s == '\'' || *s == '"')
            quote = quote ? '\0' : *s;
        else if (*s == '\\' && quote != '\'' && s[1] && (!quote || strchr("\"\\$`", s[1])))
            text_addc(word, *++s);
        else
            text_addc(word, *s);
    }
    *at = s;
    return !quote;
}

int verify_words(const char *text, struct strings *ret, struct err *err)
{
    struct text word = {0};
    const char *at = text + strspn(text, " \t\n");
    bool whole = true;

    for (; whole && *at; at += strspn(at, " \t\n")) {
        whole = take_word(&at, &word);
        strings_add(ret, xstrdup(word.v));
    }
    text_deinit(&word);
    if (!whole)
        return err_set(err, "verify: a quote is not closed in %s", text);
    return ret->n && *ret->v[0] ? 0 : err_set(err, "verify: a command is wanted, not \"%s\"", text);
}
