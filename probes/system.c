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
static bool in_container(void)
{
    return access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0 ||
           access("/run/systemd/container", F_OK) == 0;
}

/* Process 1's root is another directory than ours (proc_pid_root(5); only root may look: then it stays "host"). */
static bool in_chroot(void)
{
    struct stat own, first;

    return stat("/", &own) == 0 && stat("/proc/1/root/", &first) == 0 &&
           (own.st_ino != first.st_ino || own.st_dev != first.st_dev);
}

void system_facts_read(const char *root, struct system_facts *ret)
{
    struct utsname names;

    *ret = (struct system_facts){.context = root[0]          ? "root"
                                            : in_container() ? "container"
                                            : in_chroot()    ? "chroot"
                                                             : "host"};
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
