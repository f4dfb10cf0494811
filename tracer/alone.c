#include "alone.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool write_map(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return written;
}

/* user_namespaces(7): one may map oneself, once setgroups(2) is given up. */
static void stay_oneself(uid_t uid, gid_t gid)
{
    char map[64];

    snprintf(map, sizeof map, "%u %u 1", (unsigned)uid, (unsigned)uid);
    write_map("/proc/self/uid_map", map);
    write_map("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1", (unsigned)gid, (unsigned)gid);
    write_map("/proc/self/gid_map", map);
}

/* A new one has its loopback interface down: what connects there would be told that there is no network, not that
 * nobody listens. */
static void bring_up_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
        request.ifr_flags |= IFF_UP | IFF_RUNNING;
        ioctl(fd, SIOCSIFFLAGS, &request);
    }
    close(fd);
}

bool alone_without_network(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (unshare(CLONE_NEWNET) < 0) {
        if (uid == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
            return false;
        stay_oneself(uid, gid);
    }
    bring_up_loopback();
    return true;
}
