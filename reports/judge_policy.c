/* System calls that are refused, not for what was asked but for being made: by a seccomp policy, or by a kernel that
 * does not have them.
 *
 * The C library does without most new calls: it asks for the old one where the answer is ENOSYS, and so do many
 * runtimes. What comes next in the same thread tells. A call that needs a right which the process does not have is
 * another matter, and none of this kind. */
#include "judge.h"

#include "syscall.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <probes/alloc.h>

static bool is(const struct syscall_desc *desc, const char *name)
{
    return strcmp(desc->name, name) == 0;
}

/* The kernel's own code for these gives no EPERM (its comments in fs/, kernel/ and mm/ say of each which errors it
 * has): somebody else does. */
static const char *const never_eperm[] = {
    "dup",           "epoll_create", "epoll_create1", "eventfd2",      "faccessat2",  "fork",
    "get_mempolicy", "getrandom",    "inotify_init",  "inotify_init1", "personality", "pidfd_open",
    "pipe",          "pipe2",        "signalfd4",     "socketpair",    "statx",       "vfork",
};

bool judge_policy_gives(const struct syscall_desc *desc, int error)
{
    for (size_t i = 0; i < sizeof never_eperm / sizeof *never_eperm; i++)
        if (error == EPERM && is(desc, never_eperm[i]))
            return true;
    return false;
}

/* Asked where every call stops, and by a log: none shows that it was answered elsewhere. */
static bool is_strange(const struct failure *failure)
{
    const uint64_t namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                                CLONE_NEWUTS | CLONE_NEWCGROUP | 0x80 /* CLONE_NEWTIME */;

    if (is(failure->desc, "clone") || is(failure->desc, "clone3"))
        return !(failure->flags & namespaces);
    if (is(failure->desc, "memfd_create"))
        return !(failure->args[1] & MFD_HUGETLB);
    if (is(failure->desc, "socket")) /* raw(7), packet(7) */
        return (failure->args[1] & 0xf) != SOCK_RAW && failure->args[0] != AF_PACKET && failure->args[0] != AF_NETLINK;
    return judge_policy_gives(failure->desc, failure->error);
}

static bool is_refusal(const struct failure *failure)
{
    return failure->policy || failure->error == ENOSYS || (failure->error == EPERM && is_strange(failure));
}

/* What a program falls back on. */
static bool did_without(const struct failure *failure)
{
    static const char *const ways[][4] = {{"clone3", "clone", "vfork", "fork"},
                                          {"vfork", "clone", "fork", "clone3"},
                                          {"statx", "newfstatat", "stat", "lstat"},
                                          {"openat2", "openat", "open", "creat"},
                                          {"faccessat2", "faccessat", "access", "newfstatat"},
                                          {"pipe2", "pipe"},
                                          {"memfd_create", "openat", "open"},
                                          {"inotify_init1", "inotify_init"},
                                          {"epoll_create1", "epoll_create"},
                                          {"accept4", "accept"},
                                          {"execveat", "execve"}};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        for (size_t k = 1; is(failure->desc, ways[i][0]) && failure->next && k < 4 && ways[i][k]; k++)
            if (is(failure->next, ways[i][k]))
                return true;
    return false;
}

static void add_needles(struct suspect *suspect, const struct failure *failure)
{
    strings_add(&suspect->needles, xstrdup(failure->desc->name));
    suspect_needles(suspect, failure->error);
    if (is(failure->desc, "clone3"))
        suspect_needles(suspect, EAGAIN); /* what threads are called when there is none */
    if (failure->target && strlen(path_base(failure->target)) > 2)
        strings_add(&suspect->needles, xstrdup(failure->target));
}

/* What makes a program faster, or tells it more, and is done without: that nothing came between such a call and the
 * program's end says nothing. */
static bool is_convenience(const struct failure *failure)
{
    static const char *const names[] = {
        "setpriority",
        "sched_setaffinity",
        "sched_setattr",
        "sched_setparam",
        "sched_setscheduler",
        "ioprio_set",
        "mlock",
        "mlock2",
        "mlockall",
        "membarrier",
        "get_mempolicy",
        "mbind",
        "migrate_pages",
        "move_pages",
        "kcmp",
        "name_to_handle_at",
        "perf_event_open",
        "prlimit64",
        "setrlimit",
        "personality",
        "fallocate",
        "landlock_create_ruleset",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is(failure->desc, names[i]))
            return true;
    return false;
}

void judge_policy(struct process *process)
{
    const struct process *image = process_owner(process);

    for (size_t i = 0; i < process->failure_count && image->exe; i++) {
        const struct failure *failure = &process->failures[i];
        struct finding finding = {.kind = CAUSE_SYSCALL_BLOCKED,
                                  .process = image,
                                  .subject = image->exe,
                                  .missing = failure->desc->name,
                                  .call = failure->desc->name,
                                  .error = failure->error,
                                  .failure = failure};
        struct suspect *suspect;

        if (!is_refusal(failure) || failure_is_sandbox(image, failure))
            continue;
        suspect = suspect_add(process, AT_CALL, &finding, failure->n, failure->t_ns);
        if (!suspect)
            continue;
        add_needles(suspect, failure);
        suspect_failure(suspect, process, failure);
        suspect->coped |= did_without(failure);
        suspect->last_act &= !is_convenience(failure);
    }
}
