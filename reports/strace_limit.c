/* Limits, from strace's lines: how much of something a process may have, as far as the log shows it, and which limit a
 * call that failed has met.
 *
 * What is in use the log does not say. So one errno value of a call has to stand for one limit (its man page says which
 * may be meant), and where it may be several, what the log shows of each decides; else the limit is not sure. */
#include "read_strace.h"

#include "limit_said.h"
#include "strace_value.h"
#include "syscall.h"

#include <probes/alloc.h>
#include <probes/limits.h>
#include <probes/path.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    USUAL_INSTANCES = 128, /* fs.inotify.max_user_instances, fs/notify/inotify/inotify_user.c */
    USUAL_FILES = 1024,    /* INR_OPEN_CUR, linux/fs.h */
    MANY_MAPPINGS = 60000, /* vm.max_map_count is 65530 where nobody has changed it (linux/mm.h) */
};

static const char *const resources[STRACE_LIMITS] = {
    [STRACE_NOFILE] = "RLIMIT_NOFILE", [STRACE_NPROC] = "RLIMIT_NPROC",     [STRACE_AS] = "RLIMIT_AS",
    [STRACE_DATA] = "RLIMIT_DATA",     [STRACE_MEMLOCK] = "RLIMIT_MEMLOCK", [STRACE_FSIZE] = "RLIMIT_FSIZE",
};
static const char *const units[STRACE_LIMITS] = {
    [STRACE_NOFILE] = "descriptors", [STRACE_NPROC] = "processes and threads of the user",
    [STRACE_AS] = "bytes",           [STRACE_DATA] = "bytes",
    [STRACE_MEMLOCK] = "bytes",      [STRACE_FSIZE] = "bytes of one file",
};

/* ---- what the log shows of them ---- */

static bool begins(const char *s, const char *prefix)
{
    return *s == *prefix && strncmp(s, prefix, strlen(prefix)) == 0;
}

/* "{rlim_cur=200000*1024, rlim_max=RLIM64_INFINITY}" */
static bool amount_in(const char *text, const char *key, uint64_t *ret)
{
    const char *p = strstr(text, key);
    char *end;

    if (!p)
        return false;
    p += strlen(key);
    if (begins(p, "RLIM")) {
        *ret = LIMITS_INFINITE;
        return true;
    }
    *ret = strtoull(p, &end, 0);
    if (*end == '*')
        *ret *= strtoull(end + 1, NULL, 0);
    return end > p;
}

void strace_limit_told(struct strace_group *group, const struct strace_call *call)
{
    bool both = strcmp(call->name->name, "prlimit64") == 0; /* of which process; and the new one besides the old */
    unsigned at = both ? 1 : 0;
    const char *told;
    struct strace_limit limit = {.known = true};

    if (!call->result.returned || call->result.error || call->count < at + 2)
        return;
    told = call->text[at + 1];
    if (both && *told != '{' && call->count > 3)
        told = call->text[3];
    if (!amount_in(told, "rlim_cur=", &limit.soft) || !amount_in(told, "rlim_max=", &limit.hard))
        return;
    for (size_t i = 0; i < STRACE_LIMITS; i++)
        if (strcmp(call->text[at], resources[i]) == 0)
            group->limits[i] = limit;
}

/* What a call that succeeds takes of what there is. */
void strace_limit_used(struct strace_group *group, const struct strace_call *call)
{
    static const char *const makers[] = {"open",   "openat",   "socket", "dup",     "pipe",
                                         "accept", "eventfd2", "fcntl",  "inotify", "epoll_create"};

    if (!call->result.returned || call->result.error)
        return;
    group->mappings += begins(call->name->name, "mmap");
    /* F_GETFL gives flags, not a descriptor */
    if (begins(call->name->name, "fcntl") && !(call->count > 1 && begins(call->text[1], "F_DUPFD")))
        return;
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
        if (begins(call->name->name, makers[i]) && call->result.value > group->top_fd && call->result.value < INT32_MAX)
            group->top_fd = (int)call->result.value;
}

/* ---- which one ---- */

static const struct sight *met(struct sight *ret, const char *name, const char *unit, bool sure)
{
    *ret = (struct sight){.limit = name, .limit_unit = unit, .limit_sure = sure};
    return ret;
}

static bool is_finite(const struct strace_group *group, enum strace_resource which)
{
    return group->limits[which].known && group->limits[which].soft != LIMITS_INFINITE;
}

static const struct sight *met_resource(struct sight *ret, const struct strace_group *group, enum strace_resource which,
                                        bool sure)
{
    met(ret, resources[which], units[which], sure);
    if (!is_finite(group, which))
        return ret;
    ret->limit_value = group->limits[which].soft;
    ret->limit_hard = group->limits[which].hard;
    ret->limit_sure = true;
    return ret;
}

/* EMFILE of inotify_init(2): of the descriptors, or of the user's instances. */
static const struct sight *met_instances(struct sight *ret, const struct strace_group *group)
{
    uint64_t most = is_finite(group, STRACE_NOFILE) ? group->limits[STRACE_NOFILE].soft : USUAL_FILES;

    if (group->out_of_files || (uint64_t)group->top_fd + 2 >= most)
        return met_resource(ret, group, STRACE_NOFILE, false);
    return met(ret, "fs.inotify.max_user_instances", "instances",
               is_finite(group, STRACE_NOFILE) || group->top_fd < USUAL_INSTANCES * 4);
}

static const struct sight *met_memory(struct sight *ret, const struct strace_group *group,
                                      const struct strace_call *call)
{
    unsigned at = strcmp(call->name->name, "mremap") == 0 ? 2 : 1;
    bool grows = strcmp(call->name->name, "mprotect") != 0 && strcmp(call->name->name, "munmap") != 0;

    if (grows && is_finite(group, STRACE_AS))
        met_resource(ret, group, STRACE_AS, true);
    else if (grows && is_finite(group, STRACE_DATA))
        met_resource(ret, group, STRACE_DATA, true);
    else if (group->mappings >= MANY_MAPPINGS)
        return met(ret, "vm.max_map_count", "mappings", true);
    else if (grows)
        met(ret, "ENOMEM", "bytes", false);
    else
        return NULL;
    ret->limit_wanted = call->count > at ? strace_number(call->text[at]) : 0;
    return ret;
}

static const struct sight *met_locked(struct sight *ret, const struct strace_group *group,
                                      const struct strace_call *call)
{
    met_resource(ret, group, STRACE_MEMLOCK, true);
    if (call->count > 1 && strcmp(call->name->name, "mlockall") != 0)
        ret->limit_wanted = strace_number(call->text[1]);
    return ret;
}

/* Where other file systems than the first are mounted on every system: file-hierarchy(7). */
static size_t usual_mount(const char *path)
{
    static const char *const mounts[] = {"/dev/shm", "/run/lock", "/run/user/", "/run", "/tmp", "/boot"};

    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        size_t n = strlen(mounts[i]);

        if (strncmp(path, mounts[i], n) != 0)
            continue;
        if (mounts[i][n - 1] == '/')
            n += strcspn(path + n, "/");
        if (path[n] == '/')
            return n;
    }
    return 0;
}

/* The file system that PATH is on: which directory is its mount point the log does not say. */
static const struct sight *met_room(struct strace *strace, struct sight *ret, const char *path, int error)
{
    const char *base = path ? path_base(path) : NULL;
    size_t n = path ? usual_mount(path) : 0;

    if (!path || path[0] != '/')
        return NULL;
    if (!n) /* full(4) is what it says, whatever it is on */
        n = strcmp(path, "/dev/full") == 0 ? strlen(path) : base > path + 1 ? (size_t)(base - path) - 1 : 1;
    text_clear(&strace->limit);
    text_addf(&strace->limit, "%s:%.*s", error == EDQUOT ? "EDQUOT" : "ENOSPC", (int)n, path);
    return met(ret, strace->limit.v, "bytes", true);
}

static bool makes_a_process(const char *call)
{
    return begins(call, "clone") || strcmp(call, "fork") == 0 || strcmp(call, "vfork") == 0 || begins(call, "execve");
}

const struct sight *strace_limit_met(struct strace *strace, struct strace_group *group, const struct strace_call *call,
                                     const char *path, struct sight *ret)
{
    const char *name = call->name->name;
    bool memory = call->name->desc && call->name->desc->family == FAMILY_MEMORY;

    if (begins(name, "mlock"))
        return met_locked(ret, group, call);
    switch (call->result.error) {
    case EMFILE:
        if (begins(name, "inotify_init"))
            return met_instances(ret, group);
        group->out_of_files = true;
        return met_resource(ret, group, STRACE_NOFILE, true);
    case ENFILE:
        return met(ret, "fs.file-max", "open files", true);
    case ENOSPC:
        if (strcmp(name, "inotify_add_watch") == 0)
            return met(ret, "fs.inotify.max_user_watches", "watches", true);
        return makes_a_process(name) || strcmp(name, "unshare") == 0 ? NULL : met_room(strace, ret, path, ENOSPC);
    case EDQUOT:
        return met_room(strace, ret, path, EDQUOT);
    case EFBIG:
        return met_resource(ret, group, STRACE_FSIZE, false);
    case EAGAIN:
        return makes_a_process(name) ? met_resource(ret, group, STRACE_NPROC, false)
               : memory              ? met_locked(ret, group, call)
                                     : NULL;
    case ENOMEM:
        return memory ? met_memory(ret, group, call) : NULL;
    }
    return NULL;
}

/* ---- calls that no row of ours is for: the program's words tell of them ---- */

void strace_limit_wait(struct strace *strace, struct strace_group *group, const struct strace_call *call,
                       const char *path)
{
    struct sight sight;

    if (!strace_limit_met(strace, group, call, path, &sight))
        return;
    group->lacked = call->result.error;
    free(group->lacked_name);
    group->lacked_name = xstrdup(sight.limit);
    group->lacked_unit = sight.limit_unit;
}

const struct sight *strace_limit_said(struct strace_group *group, const char *said, size_t size, struct sight *ret)
{
    if (!group->lacked || limit_error_said(said, size) != group->lacked)
        return NULL;
    group->lacked = 0;
    return met(ret, group->lacked_name, group->lacked_unit, true);
}
