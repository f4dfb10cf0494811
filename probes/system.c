#include "system.h"

#include "alloc.h"
#include "path.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { LINES = 64 };

static char *unquoted(char *value)
{
    size_t n = strcspn(value, "\n");

    value[n] = '\0';
    if (n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n - 1] == value[0]) {
        value[n - 1] = '\0';
        value++;
    }
    return xstrdup(value);
}

static char *distribution_of(const char *root, const char *file)
{
    CLEANUP_FREE char *line = NULL;
    char *name = NULL;
    size_t size = 0;
    int fd = path_open(root, file);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

    if (!f) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    for (int i = 0; i < LINES && !name && getline(&line, &size, f) > 0; i++)
        if (strncmp(line, "PRETTY_NAME=", 12) == 0)
            name = unquoted(line + 12);
    fclose(f);
    return name;
}

/* Files that container managers leave for exactly this question (podman-run(1), systemd's CONTAINER_INTERFACE; docker's
 * is a habit only). */
static bool in_container(const char *root)
{
    static const char *const marks[] = {"/.dockerenv", "/run/.containerenv", "/run/systemd/container"};
    struct stat st;

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (path_stat(root, marks[i], &st) == 0)
            return true;
    return false;
}

/* The first word of a mark that says its manager's name (CONTAINER_INTERFACE of systemd). */
static char *word_in(const char *root, const char *file)
{
    CLEANUP_CLOSE int fd = path_open(root, file);
    char word[64];
    ssize_t n = fd >= 0 ? read(fd, word, sizeof word - 1) : 0;

    if (n <= 0)
        return NULL;
    word[n] = '\0';
    word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] = '\0';
    return *word ? xstrdup(word) : NULL;
}

char *system_container(const char *root)
{
    static const struct {
        const char *file, *name;
    } marks[] = {{"/.dockerenv", "docker"}, {"/run/.containerenv", "podman"}, {"/.flatpak-info", "flatpak"}};
    char *word = word_in(root, "/run/systemd/container");
    struct stat st;

    for (size_t i = 0; !word && i < sizeof marks / sizeof *marks; i++)
        if (path_stat(root, marks[i].file, &st) == 0)
            word = xstrdup(marks[i].name);
    return word;
}

/* Process 1's root is another directory than ours (proc_pid_root(5); only root may look: then it stays "host"). */
static bool in_chroot(void)
{
    struct stat own, first;

    return stat("/", &own) == 0 && stat("/proc/1/root/", &first) == 0 &&
           (own.st_ino != first.st_ino || own.st_dev != first.st_dev);
}

static const char *own_context(void)
{
    return in_container("") ? "container" : in_chroot() ? "chroot" : "host";
}

static bool same_mounts(pid_t pid)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/ns/mnt", (int)pid);
    struct stat own, its;

    return stat("/proc/self/ns/mnt", &own) == 0 && stat(path, &its) == 0 && own.st_ino == its.st_ino;
}

static bool same_root(pid_t pid)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/root/", (int)pid);
    struct stat own, its;

    return stat("/", &own) == 0 && stat(path, &its) == 0 && own.st_ino == its.st_ino && own.st_dev == its.st_dev;
}

/* pivot_root(2) makes the root a mount point; for chroot(2) it is any directory, and no mount is seen there
 * (proc_pid_mountinfo(5): mount points are told as the process sees them). */
static bool root_is_mount(pid_t pid)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/mountinfo", (int)pid);
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    CLEANUP_FREE char *line = NULL;
    size_t size = 0;
    char point[3]; /* as much of the mount point as tells "/" from all others */

    while (file && getline(&line, &size, file) > 0)
        if (sscanf(line, "%*s %*s %*s %*s %2s", point) == 1 && strcmp(point, "/") == 0)
            return true;
    return false;
}

const char *system_context_of(pid_t pid, const char *root)
{
    if (!root[0])
        return own_context();
    if (in_container(root))
        return "container";
    if (same_mounts(pid))
        return "chroot";
    if (same_root(pid))
        return own_context();
    return root_is_mount(pid) ? "container" : "chroot";
}

void system_facts_read(const char *root, struct system_facts *ret)
{
    struct utsname names;

    *ret = (struct system_facts){.context = root[0] ? "root" : own_context()};
    if (uname(&names) == 0) {
        ret->kernel = xstrdup(names.release);
        ret->machine = xstrdup(names.machine);
    }
    ret->distribution = distribution_of(root, "/etc/os-release");
    if (!ret->distribution)
        ret->distribution = distribution_of(root, "/usr/lib/os-release");
}

void system_facts_deinit(struct system_facts *facts)
{
    free(facts->kernel);
    free(facts->machine);
    free(facts->distribution);
    *facts = (struct system_facts){0};
}
