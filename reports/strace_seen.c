/* What strace's lines show of files, by calls that succeed: that something stands at a path, that it is a link, where
 * it leads, that everybody may execute it. Another call that fails at the same path says more then than its errno
 * value. */
#include "read_strace.h"

#include "syscall.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct strace_seen *seen_at(struct strace *strace, const char *path)
{
    size_t size = path ? strlen(path) : 0;

    for (size_t i = 0; path && i < STRACE_SEEN; i++)
        if (strace->seen[i].path && strace->seen[i].size == size && memcmp(strace->seen[i].path, path, size) == 0)
            return &strace->seen[i];
    return NULL;
}

static struct strace_seen *see(struct strace *strace, const char *path)
{
    struct strace_seen *seen = seen_at(strace, path);

    if (!seen) {
        seen = &strace->seen[strace->seen_count++ % STRACE_SEEN];
        free(seen->path);
        free(seen->target);
        *seen = (struct strace_seen){.path = xstrdup(path), .size = strlen(path)};
    }
    return seen;
}

void strace_see(struct strace *strace, const struct strace_group *group, const struct event_syscall *call)
{
    const char *name = call->desc->name, *mode = NULL;
    struct strace_seen *seen;

    if (group->loading || !call->path || !call->returned || call->error || strncmp(name, "open", 4) == 0)
        return;
    if (strncmp(name, "unlink", 6) == 0 || strncmp(name, "rename", 6) == 0 || strcmp(name, "rmdir") == 0) {
        seen = seen_at(strace, call->path);
        if (seen)
            seen->path[seen->size = 0] = '\0';
        return;
    }
    for (size_t i = 0; i < 6 && !mode; i++)
        mode = call->text[i] ? strstr(call->text[i], "mode=S_IF") : NULL;
    if (strncmp(name, "chdir", 5) == 0 || (mode && strncmp(mode + 5, "S_IFDIR", 7) == 0))
        return;
    seen = see(strace, call->path);
    if (mode && strncmp(mode + 5, "S_IFLNK", 7) == 0)
        seen->link = true;
    mode = mode ? strchr(mode, '|') : NULL;
    seen->executable = mode && (strtoul(mode + 1, NULL, 8) & 0111) == 0111;
    if (strncmp(name, "readlink", 8) == 0 && call->result) {
        CLEANUP_FREE char *directory = path_dir(call->path);

        seen->link = true;
        free(seen->target);
        seen->target = path_join(directory, call->result);
    }
}

/* A file that everybody may execute, and the kernel will not: the file system forbids it (execve(2)). */
static bool forbids(const struct event_syscall *call, const struct strace_seen *seen)
{
    return call->error == EACCES && seen->executable && strncmp(call->desc->name, "execve", 6) == 0;
}

const struct sight *strace_seen_of(struct strace *strace, const struct event_syscall *call, struct sight *ret)
{
    const struct strace_seen *seen = seen_at(strace, call->path);
    bool execution = strncmp(call->desc->name, "execve", 6) == 0;

    *ret = (struct sight){0};
    if (call->path && call->error == ENOENT && seen && seen->link) {
        ret->walk = "dangling";
        ret->at = seen->path;
        ret->target = seen->target;
        return ret;
    }
    if (seen && forbids(call, seen)) {
        text_clear(&strace->place);
        text_addn(&strace->place, call->path, (size_t)(path_base(call->path) - call->path - 1));
        ret->walk = "there";
        ret->verdict = "noexec-mount";
        ret->needs = strace->place.n ? strace->place.v : "/";
        return ret;
    }
    if (call->error != ENOENT || !call->path)
        return NULL;
    ret->verdict = "unsaid"; /* the file, what a link there points at, or what it wants to be run by */
    ret->walk = seen && execution ? "there" : NULL;
    return ret;
}

void strace_seen_deinit(struct strace *strace)
{
    for (size_t i = 0; i < STRACE_SEEN; i++) {
        free(strace->seen[i].path);
        free(strace->seen[i].target);
    }
}
