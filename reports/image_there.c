#include "image_there.h"

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/execfile.h>

#include <string.h>
#include <unistd.h>

enum { SCRIPTS_MOST = 5 }; /* BINPRM_MAX_RECURSION of the kernel */

/* PATH with its links resolved, malloced; NULL where it is not there. */
static char *resolve(const char *root, const char *cwd, const char *path)
{
    struct path_walk walk;
    char *final;

    path_walk(root, cwd, path, NULL, &walk);
    final = steal_pointer(&walk.final);
    path_walk_deinit(&walk);
    return final;
}

/* The program that PATH's first line names, resolved; NULL where it is no script. */
static char *interpreter_of(const char *root, const char *cwd, const char *path)
{
    int fd = path_open(root, path);
    CLEANUP_FREE char *program = fd < 0 ? NULL : execfile_script_program(fd);

    if (fd >= 0)
        close(fd);
    return program ? resolve(root, cwd, program) : NULL;
}

static void look_at_elf(const char *root, struct image *image)
{
    const struct elffile *elf = elffile_get_head(root, image->exe);

    if (elf->state == ELFFILE_OK) {
        image->class = elf->class;
        image->machine = elf->machine;
        image->musl = elf->interp && strstr(elf->interp, "/ld-musl-");
    }
    elffile_put(elf);
}

bool image_on_path(const char *root, const char *name, char **ret)
{
    static const char *const directories[] = {"/usr/local/bin",  "/usr/bin",  "/bin",
                                              "/usr/local/sbin", "/usr/sbin", "/sbin"};

    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        CLEANUP_FREE char *path = path_join(directories[i], name);
        struct stat st;

        if (path_stat(root, path, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        if (ret)
            *ret = steal_pointer(&path);
        return true;
    }
    return false;
}

void image_look(const char *root, const struct image *image, struct image_there *ret)
{
    CLEANUP_FREE char *found = NULL;
    const char *path = image->exe;

    if (path && !strchr(path, '/') && image_on_path(root, path, &found))
        path = found;
    *ret = (struct image_there){.image = *image, .exe = path ? resolve(root, image->cwd, path) : NULL};
    for (int i = 0; ret->exe && i < SCRIPTS_MOST; i++) {
        char *next = interpreter_of(root, image->cwd, ret->exe);

        if (!next)
            break;
        free(ret->exe);
        ret->exe = next;
    }
    if (!image->cred.uid && !image->cred.gid && !image->cred.override) /* no log of another tool has them */
        ret->image.cred.unknown = ret->image.cred.override = true;
    if (!ret->exe)
        return;
    ret->image.exe = ret->exe;
    look_at_elf(root, &ret->image);
}

void image_there_deinit(struct image_there *there)
{
    free(there->exe);
    *there = (struct image_there){0};
}
