/* Names of users and groups as the root's own files have them (passwd(5), group(5)): a process in a chroot has other
 * names than we do. Other sources (LDAP, systemd-homed) are not asked: that would need libraries and a network. */
#ifndef GLIBCTRACE_PROBES_ACCOUNTS_H
#define GLIBCTRACE_PROBES_ACCOUNTS_H

#include <sys/types.h>

/* malloced, or NULL where the file does not say. ROOT as in path.h. */
char *accounts_user(const char *root, uid_t uid);
char *accounts_group(const char *root, gid_t gid);
char *accounts_home(const char *root, uid_t uid);

#endif
