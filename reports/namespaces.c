#include "namespaces.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <probes/alloc.h>
#include <probes/limits.h>
#include <probes/proc.h>

enum { MOUNTS_LIMIT = 4 << 20 };

static ino_t mount_namespace(const char *pid)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%s/ns/mnt", pid);
    struct stat st;

    return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* No user namespace is made below a chroot(2) (user_namespaces(7), EPERM): its root is another than ours in the same
 * mount namespace, or its / is none of its mount points. */
bool namespaces_chrooted(pid_t pid, const char *root)
{
    CLEANUP_FREE char *number = xasprintf("%d", (int)pid);
    CLEANUP_FREE char *path = xasprintf("/proc/%d/mountinfo", (int)pid);
    CLEANUP_FREE char *text = proc_read(path, MOUNTS_LIMIT, NULL);
    char *rest = NULL;

    if (root[0] && mount_namespace(number) && mount_namespace(number) == mount_namespace("self"))
        return true;
    for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
        char point[3];

        if (sscanf(line, "%*s %*s %*s %*s %2s", point) == 1 && strcmp(point, "/") == 0)
            return false;
    }
    return text != NULL;
}

static bool is_set(const char *name, uint64_t value)
{
    uint64_t now;

    return limits_sysctl(0, name, &now) && now == value;
}

const char *namespaces_refused(pid_t pid, const char *root, int error, const char **setting, bool *chrooted)
{
    uint64_t most;

    *setting = NULL;
    *chrooted = false;
    if (limits_sysctl(pid, "user/max_user_namespaces", &most) && (most == 0 || error == ENOSPC || error == EUSERS)) {
        *setting = most ? "user.max_user_namespaces=10000" : "user.max_user_namespaces=1000";
        return most ? "user.max_user_namespaces is used up, or they are nested too deeply"
                    : "user.max_user_namespaces is 0";
    }
    if (is_set("kernel/unprivileged_userns_clone", 0)) {
        *setting = "kernel.unprivileged_userns_clone=1";
        return "kernel.unprivileged_userns_clone is 0";
    }
    if (is_set("kernel/apparmor_restrict_unprivileged_userns", 1)) {
        *setting = "kernel.apparmor_restrict_unprivileged_userns=0";
        return "AppArmor lets no program without a profile have them (kernel.apparmor_restrict_unprivileged_userns is "
               "1)";
    }
    *chrooted = namespaces_chrooted(pid, root);
    if (*chrooted)
        return "it runs in a chroot, where the kernel makes none";
    return error == ENOSYS ? "the kernel is built without them" : "the kernel or a security module forbids them";
}
