#include "user.h"

#include <probes/alloc.h>
#include <probes/proc.h>

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

enum { FILE_LIMIT = 16 * 1024 * 1024 };

/* The fields of LINE, split at colons, at most N; how many there are. */
static size_t split(char *line, char **fields, size_t n)
{
    size_t count = 0;

    for (char *field; count < n && (field = strsep(&line, ":"));)
        fields[count++] = field;
    return count;
}

static bool has_name(const char *list, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (!strncmp(at, name, n) && (!at[n] || at[n] == ','))
            return true;
    }
    return false;
}

static void read_groups(const char *name, struct user *ret)
{
    CLEANUP_FREE char *text = proc_read("/etc/group", FILE_LIMIT, NULL);
    char *rest = text, *fields[4];
    size_t cap = 0;

    *(gid_t *)array_add(&ret->groups, &ret->group_count, &cap, sizeof *ret->groups) = ret->gid;
    for (char *line; rest && (line = strsep(&rest, "\n"));)
        if (split(line, fields, 4) == 4 && has_name(fields[3], name) && (gid_t)strtoul(fields[2], NULL, 10) != ret->gid)
            *(gid_t *)array_add(&ret->groups, &ret->group_count, &cap, sizeof *ret->groups) =
                (gid_t)strtoul(fields[2], NULL, 10);
}

int user_find(const char *name, struct user *ret, struct err *err)
{
    CLEANUP_FREE char *text = proc_read("/etc/passwd", FILE_LIMIT, NULL);
    char *rest = text, *fields[4], *end;

    *ret = (struct user){0};
    if (!text)
        return err_errno(err, errno, "cannot read /etc/passwd to find user %s", name);
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (split(line, fields, 4) < 4 || (strcmp(fields[0], name) && strcmp(fields[2], name)))
            continue;
        ret->uid = (uid_t)strtoul(fields[2], &end, 10);
        if (end == fields[2])
            continue;
        ret->gid = (gid_t)strtoul(fields[3], NULL, 10);
        read_groups(fields[0], ret);
        return 0;
    }
    return err_set(err, "there is no user %s in /etc/passwd", name);
}

void user_deinit(struct user *user)
{
    free(user->groups);
    *user = (struct user){0};
}

int user_become(const struct user *user)
{
    if (setgroups(user->group_count, user->groups) < 0 || setregid(user->gid, user->gid) < 0 ||
        setreuid(user->uid, user->uid) < 0)
        return -errno;
    return 0;
}
