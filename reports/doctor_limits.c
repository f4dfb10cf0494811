/* What there is a limit of, how much of it is used up, and by whom. */
#include "doctor_parts.h"

#include "text.h"
#include "wording.h"

#include <probes/alloc.h>
#include <probes/inotify.h>
#include <probes/limits.h>
#include <probes/watching.h>

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    USERS_TOLD = 3,
    WATCHES_WANTED = 524288, /* what VS Code's own notes ask for ("unable to watch for file changes") */
    WATCHES_FEW = 8192,      /* the kernel's default before 5.11, which one large project uses up */
    INSTANCES_FEW = 16,      /* left; each window of VS Code, and each tool that watches, takes some */
    FILES_FEW = 1024,
    TASKS_FEW = 512, /* left: node, gopls and a build start some hundred threads */
};

static char *number(uint64_t n)
{
    return n == LIMITS_INFINITE ? xstrdup("unlimited") : wording_number(n);
}

static void add_users(struct text *text, const struct inotify_user *users, size_t count, bool watches)
{
    for (size_t i = 0; i < count && i < USERS_TOLD; i++)
        text_addf(text, "%s%s (process %d) %llu", i ? ", " : ": ", users[i].name, (int)users[i].pid,
                  (unsigned long long)(watches ? users[i].watches : users[i].instances));
    if (count > USERS_TOLD)
        text_addf(text, " and %zu other processes", count - USERS_TOLD);
}

/* fsnotify counts both for each user in each user namespace; what the files below /proc/sys/fs say bounds the first
 * namespace, those below /proc/sys/user each (kernel/ucount.c). */
bool doctor_inotify_limit(bool watches, uint64_t *ret, const char **sysctl)
{
    uint64_t own;

    *sysctl = watches ? "fs.inotify.max_user_watches" : "fs.inotify.max_user_instances";
    if (!limits_sysctl(0, watches ? "fs/inotify/max_user_watches" : "fs/inotify/max_user_instances", ret))
        return false;
    if (limits_sysctl(0, watches ? "user/max_inotify_watches" : "user/max_inotify_instances", &own) && own < *ret) {
        *ret = own;
        *sysctl = watches ? "user.max_inotify_watches" : "user.max_inotify_instances";
    }
    return true;
}

static void tell_inotify(struct doctor *doctor, const struct inotify_user *users, size_t count, bool watches, int error)
{
    const char *what = watches ? "watches" : "instances", *sysctl;
    CLEANUP_FREE char *label = xasprintf("inotify %s", what);
    CLEANUP_FREE char *limit = NULL, *taken = NULL;
    uint64_t used = 0, max, wanted = watches ? WATCHES_WANTED : 1024;
    struct text found = {0};
    bool few, none = error == (watches ? ENOSPC : EMFILE);

    for (size_t i = 0; i < count; i++)
        used += watches ? users[i].watches : users[i].instances;
    if (!doctor_inotify_limit(watches, &max, &sysctl)) {
        doctor_line(doctor, none ? TABLE_BAD : TABLE_PLAIN, label,
                    (struct doctor_line){xasprintf("not known: there is no /proc/sys/fs/inotify/max_user_%s", what),
                                         NULL, NULL});
        return;
    }
    none |= used >= max;
    few = none || (watches ? max - used < WATCHES_FEW : max - used < INSTANCES_FEW);
    wanted = wanted < max * 2 ? max * 2 : wanted;
    limit = number(max);
    taken = number(used);
    text_addf(&found, "%s of %s in use by this user", taken, limit);
    add_users(&found, users, count, watches);
    doctor_line(
        doctor,
        none  ? TABLE_BAD
        : few ? TABLE_WARNING
              : TABLE_GOOD,
        label,
        (struct doctor_line){
            found.v,
            few ? xstrdup("raise the limit, as root (to keep it, put the assignment into a file in /etc/sysctl.d)")
                : NULL,
            few ? xasprintf("sysctl -w %s=%llu", sysctl, (unsigned long long)wanted) : NULL});
}

static void tell_watching(struct doctor *doctor)
{
    enum watching_step step;
    int error = watching_try("/", &step);
    size_t count;
    struct inotify_user *users = inotify_users(getpid(), false, &count);

    if (error && step <= WATCHING_WATCH && error != ENOSPC && error != EMFILE)
        doctor_line(doctor, TABLE_BAD, "inotify",
                    (struct doctor_line){xasprintf("cannot be used: %s", strerror(error)),
                                         xstrdup(error == ENOSYS ? "the kernel is built without it"
                                                                 : "a seccomp policy or a security module refuses it: "
                                                                   "let the container allow inotify_init1 and "
                                                                   "inotify_add_watch"),
                                         NULL});
    tell_inotify(doctor, users, count, true, step == WATCHING_WATCH ? error : 0);
    tell_inotify(doctor, users, count, false, step == WATCHING_INSTANCE ? error : 0);
    free(users);
}

static void tell_descriptors(struct doctor *doctor)
{
    CLEANUP_FREE char *now = NULL, *most = NULL;
    uint64_t soft, hard;
    bool few;

    if (!limits_get(getpid(), RLIMIT_NOFILE, &soft, &hard))
        return;
    few = soft < FILES_FEW;
    now = number(soft);
    most = number(hard);
    doctor_line(doctor, few ? TABLE_WARNING : TABLE_GOOD, "open files",
                (struct doctor_line){xasprintf("%s for each process, raised to %s at most", now, most),
                                     few ? xstrdup("raise it for the shell or service that starts the programs") : NULL,
                                     few ? xasprintf("ulimit -n %llu", (unsigned long long)(hard < 4096 ? hard : 4096))
                                         : NULL});
}

static void tell_tasks(struct doctor *doctor)
{
    uint64_t soft, hard, of_user, all, group;
    CLEANUP_FREE char *directory = limits_cgroup_pids(getpid(), &group);
    CLEANUP_FREE char *limit = NULL;
    bool few;

    if (directory) {
        doctor_line(doctor, TABLE_BAD, "processes",
                    (struct doctor_line){xasprintf("the control group %s has used up its %llu (pids.max)", directory,
                                                   (unsigned long long)group),
                                         xstrdup("give the container or service more processes (--pids-limit, "
                                                 "TasksMax=)"),
                                         NULL});
        return;
    }
    if (!limits_get(getpid(), RLIMIT_NPROC, &soft, &hard) || !doctor_has_proc())
        return;
    limits_tasks(getuid(), &of_user, &all);
    few = getuid() && soft != LIMITS_INFINITE && soft - (of_user < soft ? of_user : soft) < TASKS_FEW;
    limit = number(soft);
    doctor_line(doctor, few ? TABLE_WARNING : TABLE_GOOD, "processes",
                (struct doctor_line){xasprintf("%llu threads of this user, of %s", (unsigned long long)of_user, limit),
                                     few ? xstrdup("raise it for the shell or service that starts the programs") : NULL,
                                     few ? xasprintf("ulimit -u %llu", (unsigned long long)hard) : NULL});
}

static void tell_memory(struct doctor *doctor)
{
    uint64_t kills = limits_memory_kills(getpid()), max;
    const char *name;
    CLEANUP_FREE char *directory = limits_cgroup_memory(getpid(), &max, &name);
    CLEANUP_FREE char *size = directory ? wording_size(max) : NULL;

    if (directory)
        doctor_line(doctor, TABLE_WARNING, "memory",
                    (struct doctor_line){
                        xasprintf("the kernel has killed processes of this control group, whose %s is %s", name, size),
                        xstrdup("give the container more memory: gopls and node are killed first"), NULL});
    else if (kills)
        doctor_line(doctor, TABLE_WARNING, "memory",
                    (struct doctor_line){xasprintf("the kernel has killed %llu process%s for want of memory since the "
                                                   "control group began",
                                                   (unsigned long long)kills, kills == 1 ? "" : "es"),
                                         xstrdup("dmesg tells which; give the machine more memory, or swap"), NULL});
}

void doctor_limits(struct doctor *doctor)
{
    doctor_section(doctor, "limits", "Limits");
    if (!doctor_has_proc()) {
        strings_add(&doctor->report->unseen,
                    xstrdup("/proc is not mounted: who uses how much of the limits, and what other processes have"));
    }
    tell_watching(doctor);
    tell_descriptors(doctor);
    tell_tasks(doctor);
    tell_memory(doctor);
}
