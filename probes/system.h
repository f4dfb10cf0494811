/* The machine and the system inside a root: kernel, distribution, and whether this is a container or a chroot. */
#ifndef GLIBCTRACE_PROBES_SYSTEM_H
#define GLIBCTRACE_PROBES_SYSTEM_H

#include <sys/types.h>

struct system_facts {
    char *kernel;        /* uname(2) release */
    char *machine;       /* uname(2) machine */
    char *distribution;  /* PRETTY_NAME of the root's os-release(5), or NULL */
    const char *context; /* "host", "container", "chroot", or "root" (one that was given) */
};

/* ROOT as in path.h. RET is always filled in; free with system_facts_deinit(). */
void system_facts_read(const char *root, struct system_facts *ret);
/* Which manager made the container that ROOT is in, by the mark that it leaves there ("docker", "podman", "lxc",
 * "systemd-nspawn", "flatpak", …), malloced; NULL where it leaves none. */
char *system_container(const char *root);
/* In which kind of root PID lives, which is there: "host", "container" or "chroot". ROOT is its proc_root(). */
const char *system_context_of(pid_t pid, const char *root);
void system_facts_deinit(struct system_facts *facts);

#endif
