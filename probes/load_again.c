/* The same program, loaded once more with one thing changed: what a remedy would do, before anybody does it. */
#include "load.h"

#include "alloc.h"
#include "loader.h"

#include <string.h>

static bool is_variable(const char *entry, const char *name)
{
    size_t n = strlen(name);

    return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

/* LOAD's environment with the change; *OWNED is the new entry. free() both. */
static const char **changed_env(const struct load *load, const struct load_change *change, char **owned)
{
    const char **env;
    size_t n = 0, kept = 0;

    while (load->priv->env[n])
        n++;
    env = xcalloc(n + 2, sizeof *env);
    for (size_t i = 0; i < n; i++)
        if (!change->variable || !is_variable(load->priv->env[i], change->variable))
            env[kept++] = load->priv->env[i];
    if (change->variable && change->value)
        env[kept] = *owned = xasprintf("%s=%s", change->variable, change->value);
    return env;
}

int load_again(const struct load *load, const struct load_change *change, struct load **ret, struct err *err)
{
    const struct load_private *priv = load->priv;
    CLEANUP_FREE char *owned = NULL;
    CLEANUP_FREE const char **env = changed_env(load, change, &owned);
    const struct load_request request = {
        .root = priv->root,
        .loader = change->loader ? change->loader : priv->loader,
        .program = priv->program,
        .cwd = priv->cwd,
        .env = env,
        .secure = priv->secure,
        .cred = priv->cred,
        .absent = change->absent,
        .placed = change->placed,
        .content = change->content,
        .guests = priv->guests,
    };

    return load_create(&request, ret, err);
}
