/* Files of another system that are put into the root (load_request.guests): in which of the two each file is. */
#include "loader.h"

#include "alloc.h"

#include <string.h>

static bool below(const char *path, const char *directory)
{
    size_t n = strlen(directory);

    return strncmp(path, directory, n) == 0 && (path[n] == '/' || path[n] == '\0' || (n && directory[n - 1] == '/'));
}

/* hier(7): what the distribution's packages own. What stands elsewhere is the user's. */
bool load_systems_own(const char *path)
{
    static const char *const own[] = {"/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/etc"};

    if (below(path, "/usr/local"))
        return false;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (below(path, own[i]))
            return true;
    return false;
}

bool guests_own(const struct load_guests *guests, const char *path)
{
    struct stat st;

    for (size_t i = 0; guests && i < guests->count; i++)
        if (below(path, guests->paths[i]))
            return true;
    return guests && !guests->only && !load_systems_own(path) && path_stat(guests->from, path, &st) == 0;
}

const char *load_root_of(const struct load *load, const char *path)
{
    const struct load_private *priv = load->priv;

    return guests_own(priv->guests, path) ? priv->guests->from : priv->root;
}

const char *load_walk(const struct load *load, const char *path, const struct cred *cred, struct path_walk *ret)
{
    const struct load_private *priv = load->priv;
    const char *root;

    if (!priv->guests) {
        path_walk(priv->root, priv->cwd, path, cred, ret);
        return priv->root;
    }
    CLEANUP_FREE char *whole = path[0] == '/' ? xstrdup(path) : path_join(priv->cwd, path);

    root = load_root_of(load, whole);
    path_walk(root, priv->cwd, whole, cred, ret);
    if (root != priv->root && ret->final && !guests_own(priv->guests, ret->final)) { /* a link into the system */
        CLEANUP_FREE char *final = steal_pointer(&ret->final);

        root = priv->root;
        path_walk_deinit(ret);
        path_walk(root, priv->cwd, final, cred, ret);
    }
    return root;
}
