#include "surroundings.h"

#include "model.h"
#include "report.h"

#include <probes/alloc.h>
#include <probes/cpu.h>
#include <probes/limits.h>
#include <probes/system.h>

#include <string.h>

static void read_limits(struct surroundings *seen, pid_t pid)
{
    static const char *const names[RLIM_NLIMITS] = {
        [RLIMIT_CPU] = "RLIMIT_CPU",           [RLIMIT_FSIZE] = "RLIMIT_FSIZE",
        [RLIMIT_DATA] = "RLIMIT_DATA",         [RLIMIT_STACK] = "RLIMIT_STACK",
        [RLIMIT_CORE] = "RLIMIT_CORE",         [RLIMIT_RSS] = "RLIMIT_RSS",
        [RLIMIT_NPROC] = "RLIMIT_NPROC",       [RLIMIT_NOFILE] = "RLIMIT_NOFILE",
        [RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",   [RLIMIT_AS] = "RLIMIT_AS",
        [RLIMIT_LOCKS] = "RLIMIT_LOCKS",       [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
        [RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE", [RLIMIT_NICE] = "RLIMIT_NICE",
        [RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",     [RLIMIT_RTTIME] = "RLIMIT_RTTIME"};

    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct limit_seen *limit = &seen->limits[seen->limit_count];

        if (!names[i] || !limits_get(pid, i, &limit->soft, &limit->hard))
            continue;
        limit->name = names[i];
        seen->limit_count++;
    }
}

static void read_sysctls(struct surroundings *seen, pid_t pid)
{
    static const char *const names[][2] = {
        {"fs.inotify.max_user_watches", "fs/inotify/max_user_watches"},
        {"fs.inotify.max_user_instances", "fs/inotify/max_user_instances"},
        {"fs.inotify.max_queued_events", "fs/inotify/max_queued_events"},
        {"user.max_user_namespaces", "user/max_user_namespaces"},
        {"kernel.unprivileged_userns_clone", "kernel/unprivileged_userns_clone"}, /* Debian's */
        {"kernel.apparmor_restrict_unprivileged_userns", "kernel/apparmor_restrict_unprivileged_userns"}};

    _Static_assert(sizeof names / sizeof *names <= SYSCTLS_MOST, "no room");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct sysctl_seen *sysctl = &seen->sysctls[seen->sysctl_count];

        if (!limits_sysctl(pid, names[i][1], &sysctl->value))
            continue;
        sysctl->name = names[i][0];
        seen->sysctl_count++;
    }
}

struct surroundings *surroundings_read(const struct process *process, struct programs *programs)
{
    struct surroundings *seen = xcalloc(1, sizeof *seen);
    pid_t pid = process->pid;

    seen->container = system_container(process->root);
    read_limits(seen, pid);
    read_sysctls(seen, pid);
    seen->mounts = mount_list(pid, &seen->mount_count);
    if (process->suspect_count || process_failed(process)) /* a search through files that nobody will ask for */
        programs_find(programs, process, &seen->programs);
    return seen;
}

void surroundings_destroy(struct surroundings *surroundings)
{
    if (!surroundings)
        return;
    program_list_deinit(&surroundings->programs);
    free(surroundings->container);
    mount_list_free(surroundings->mounts, surroundings->mount_count);
    free(surroundings);
}

/* --- what matters --- */

static void pick_mount(struct surroundings *picked, size_t *cap, const struct surroundings *seen, const char *path)
{
    const struct mount_seen *mount = path && *path == '/' ? mount_holding(seen->mounts, seen->mount_count, path) : NULL;
    struct mount_seen *to;

    for (size_t i = 0; mount && i < picked->mount_count; i++)
        if (strcmp(picked->mounts[i].point, mount->point) == 0)
            return;
    if (!mount)
        return;
    to = array_add(&picked->mounts, &picked->mount_count, cap, sizeof *to);
    *to = (struct mount_seen){xstrdup(mount->point), xstrdup(mount->type), xstrdup(mount->options)};
}

/* "ENOSPC:/tmp" names a path too. */
static const char *path_in(const char *missing)
{
    const char *colon = missing ? strstr(missing, ":/") : NULL;

    return missing && *missing == '/' ? missing : colon ? colon + 1 : NULL;
}

static void pick_mounts(struct surroundings *picked, const struct surroundings *seen, const struct report *report)
{
    size_t cap = 0;

    for (size_t i = 0; i < report->cause_count; i++) {
        const struct cause *cause = report->causes[i];

        pick_mount(picked, &cap, seen, cause->subject);
        pick_mount(picked, &cap, seen, path_in(cause->missing));
        pick_mount(picked, &cap, seen, cause->provider);
        pick_mount(picked, &cap, seen, cause->exe);
        for (size_t k = 0; k < cause->chain.n; k++)
            pick_mount(picked, &cap, seen, cause->chain.v[k]);
    }
}

struct surroundings *surroundings_pick(const struct surroundings *seen, const struct report *report,
                                       const struct model *model)
{
    struct surroundings *picked = xcalloc(1, sizeof *picked);

    *picked = *seen;
    picked->cpu_level = cpu_level(); /* the same for all, and CPUID is slow in a virtual machine: once, and not while a
                                        process stands */
    picked->container = xstrdup_or_null(seen->container);
    picked->mounts = NULL;
    picked->mount_count = 0;
    pick_mounts(picked, seen, report);
    picked->programs = (struct program_list){0};
    program_list_join(&picked->programs, &seen->programs);
    for (size_t i = 0; i < report->cause_count; i++) {
        const struct process *process = model_process(model, report->causes[i]->pid);

        if (process && process->around)
            program_list_join(&picked->programs, &process->around->programs);
    }
    return picked;
}
