/* The end of a struct load. */
#include "alloc.h"
#include "loader.h"

static void object_destroy(struct object *object)
{
    if (!object)
        return;
    free(object->path);
    elffile_put(object->elf);
    search_deinit(&object->search);
    free(object);
}

static void more_destroy(struct object_more *more)
{
    dir_list_deinit(&more->rpath);
    dir_list_deinit(&more->runpath);
    for (size_t i = 0; i < more->name_count; i++)
        free(more->names[i]);
    free(more->names);
    free(more->deps);
    free(more->filtees);
    free(more->origin);
    free(more->scope);
    free(more->bound);
    free(more);
}

static void private_destroy(struct load_private *priv)
{
    for (size_t i = 0; i < priv->more_count; i++)
        more_destroy(priv->more[i]);
    for (size_t i = 0; i < priv->dir_count; i++) {
        free(priv->dirs[i]->path);
        free(priv->dirs[i]->entry);
        free(priv->dirs[i]->status);
        free(priv->dirs[i]);
    }
    for (size_t i = 0; i < priv->group_count; i++) {
        free(priv->groups[i]->members);
        free(priv->groups[i]);
    }
    for (size_t i = 0; i < MAX_SPACES; i++)
        uniques_destroy(&priv->spaces[i]);
    for (char **e = priv->env; *e; e++)
        free(*e);
    if (priv->cred)
        free(priv->cred->groups);
    dir_list_deinit(&priv->env_list);
    dir_list_deinit(&priv->default_list);
    ldcache_free(priv->cache);
    traits_deinit(&priv->traits);
    free(priv->more);
    free(priv->dirs);
    free(priv->groups);
    free(priv->env);
    free(priv->cred);
    free(priv->root);
    free(priv->program);
    free(priv->cwd);
    free(priv->loader);
    free(priv->absent);
    free(priv->placed);
    free(priv->content);
    free(priv);
}

void load_destroy(struct load *load)
{
    if (!load)
        return;
    for (size_t i = 0; i < load->fault_count; i++) {
        search_deinit(&load->faults[i]->search);
        free(load->faults[i]->symbols);
        free(load->faults[i]);
    }
    if (!load->priv->interp_placed)
        object_destroy(load->priv->interp);
    for (size_t i = 0; i < load->object_count; i++)
        object_destroy(load->objects[i]);
    free(load->faults);
    free(load->objects);
    free(load->interp);
    private_destroy(load->priv);
    free(load);
}
