#include "accounts.h"

#include "alloc.h"
#include "path.h"

#include <errno.h>
#include <string.h>

enum { MOST_LINES = 100000 };

/* Field NUMBER from 0 of a line of fields with colons between; *SIZE is its length. NULL where there are fewer. */
static const char *field_of(const char *line, unsigned number, size_t *size)
{
    for (; number; number--) {
        line += strcspn(line, ":\n");
        if (*line != ':')
            return NULL;
        line++;
    }
    *size = strcspn(line, ":\n");
    return line;
}

/* Field WANTED of the line of FILE whose field 2 is the number ID. */
static char *find(const char *root, const char *file, unsigned long id, unsigned wanted)
{
    int fd = path_open(root, file);
    CLEANUP_FCLOSE FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    CLEANUP_FREE char *line = NULL;
    size_t size = 0;

    if (!f) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    for (int i = 0; i < MOST_LINES && getline(&line, &size, f) > 0; i++) {
        size_t n;
        const char *number = field_of(line, 2, &n), *value;
        char *end;

        errno = 0;
        if (!number || !n || *number < '0' || *number > '9' || strtoul(number, &end, 10) != id || errno ||
            end != number + n)
            continue;
        value = field_of(line, wanted, &n);
        return value && n ? xstrndup(value, n) : NULL;
    }
    return NULL;
}

char *accounts_user(const char *root, uid_t uid)
{
    return find(root, "/etc/passwd", uid, 0);
}

char *accounts_group(const char *root, gid_t gid)
{
    return find(root, "/etc/group", gid, 0);
}

char *accounts_home(const char *root, uid_t uid)
{
    return find(root, "/etc/passwd", uid, 5);
}
