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
    TASKS_WANTED = 4096,
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

struct watchers {
    struct inotify_user *users;
    size_t count, unread;
};

static void tell_inotify(struct doctor *doctor, const struct watchers *watchers, bool watches, int error)
{
    const char *what = watches ? "watches" : "instances", *sysctl;
    CLEANUP_FREE char *label = xasprintf("inotify %s", what);
    CLEANUP_FREE char *limit = NULL, *taken = NULL;
    uint64_t used = 0, max, wanted = watches ? WATCHES_WANTED : 1024;
    struct text found = {0};
    bool few, none = error == (watches ? ENOSPC : EMFILE);

    for (size_t i = 0; i < watchers->count; i++)
        used += watches ? watchers->users[i].watches : watchers->users[i].instances;
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
    text_addf(&found, "%s%s of %s in use by this user", watchers->unread ? "at least " : "", taken, limit);
    add_users(&found, watchers->users, watchers->count, watches);
    if (watchers->unread)
        text_addf(&found, "; %zu of this user's processes may not be looked at", watchers->unread);
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
    struct watchers watchers = {0};

    watchers.users = inotify_users(getpid(), false, &watchers.count, &watchers.unread);

    if (error && step <= WATCHING_WATCH && error != ENOSPC && error != EMFILE)
        doctor_line(doctor, TABLE_BAD, "inotify",
                    (struct doctor_line){xasprintf("cannot be used: %s", strerror(error)),
                                         xstrdup(error == ENOSYS ? "the kernel is built without it"
                                                                 : "a seccomp policy or a security module refuses it: "
                                                                   "let the container allow inotify_init1 and "
                                                                   "inotify_add_watch"),
                                         NULL});
    tell_inotify(doctor, &watchers, true, step == WATCHING_WATCH ? error : 0);
    tell_inotify(doctor, &watchers, false, step == WATCHING_INSTANCE ? error : 0);
    free(watchers.users);
}

/* What a shell may do itself, where the hard limit is above; else it is for root, before the session begins. */
static void raise_limit(struct doctor_line *line, const char *letter, const char *item, uint64_t hard, uint64_t wanted)
{
    bool self = hard >= wanted;

    line->advice = self ? xstrdup("raise it for the shell or service that starts the programs")
                        : xasprintf("raise the hard limit, as root: in /etc/security/limits.d for logins (then log in "
                                    "again), %s= of the service, --ulimit of the container",
                                    strcmp(item, "nofile") == 0  ? "LimitNOFILE"
                                    : strcmp(item, "nproc") == 0 ? "LimitNPROC"
                                                                 : "LimitAS");
    line->command = self ? xasprintf("ulimit -%s %llu", letter, (unsigned long long)wanted)
                         : xasprintf("echo '* - %s %llu' > /etc/security/limits.d/60-%s.conf", item,
                                     (unsigned long long)wanted, item);
}

/* node, Go and all that Chromium is made of take tens of gigabytes of addresses, most of which they never use. */
static void tell_addresses(struct doctor *doctor)
{
    struct doctor_line line = {0};
    CLEANUP_FREE char *size = NULL;
    uint64_t soft, hard;

    if (!limits_get(getpid(), RLIMIT_AS, &soft, &hard) || soft == LIMITS_INFINITE)
        return;
    size = wording_size(soft);
    line.found = xasprintf("%s for each process (RLIMIT_AS): programs that reserve much more than they use may not "
                           "start, node and VS Code first",
                           size);
    line.advice = xstrdup(hard == LIMITS_INFINITE ? "take it away for the shell or service that starts the programs"
                                                  : "take the hard limit away, as root: in /etc/security/limits.conf "
                                                    "or limits.d (\"as\"), LimitAS= of the service");
    line.command = hard == LIMITS_INFINITE ? xstrdup("ulimit -v unlimited") : NULL;
    doctor_line(doctor, TABLE_WARNING, "addresses", line);
}

static void tell_descriptors(struct doctor *doctor)
{
    CLEANUP_FREE char *now = NULL, *most = NULL;
    struct doctor_line line = {0};
    uint64_t soft, hard;
    bool few;

    if (!limits_get(getpid(), RLIMIT_NOFILE, &soft, &hard))
        return;
    few = soft < FILES_FEW;
    now = number(soft);
    most = number(hard);
    line.found = xasprintf("%s for each process, raised to %s at most", now, most);
    if (few)
        raise_limit(&line, "n", "nofile", hard, 4096);
    doctor_line(doctor, few ? TABLE_WARNING : TABLE_GOOD, "open files", line);
}

static void tell_tasks(struct doctor *doctor)
{
    uint64_t soft, hard, of_user, all, group;
    CLEANUP_FREE char *directory = limits_cgroup_pids(getpid(), &group);
    CLEANUP_FREE char *limit = NULL;
    struct doctor_line line = {0};
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
    limits_tasks(getuid(), false, &of_user, &all);
    few = getuid() && soft != LIMITS_INFINITE && soft - (of_user < soft ? of_user : soft) < TASKS_FEW;
    limit = number(soft);
    line.found = xasprintf("%llu threads of this user, of %s", (unsigned long long)of_user, limit);
    if (few)
        raise_limit(&line, "u", "nproc", hard, of_user + TASKS_WANTED);
    doctor_line(doctor, few ? TABLE_WARNING : TABLE_GOOD, "processes", line);
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
    tell_addresses(doctor);
    tell_memory(doctor);
}
