#include "limit.h"

#include "limit_said.h"
#include "syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <time.h>

#include <probes/alloc.h>
#include <probes/inotify.h>
#include <probes/limits.h>
#include <probes/maps.h>
#include <probes/mount.h>
#include <probes/proc.h>

enum { USUAL_STACK = 8 << 20 }; /* _STK_LIM, linux/resource.h */
enum { USERS_TOLD = 5, CAPABILITY_IPC_LOCK = 14, CAPABILITY_SYS_ADMIN = 21, CAPABILITY_SYS_RESOURCE = 24 };

void limit_destroy(struct limit *limit)
{
    if (!limit)
        return;
    free(limit->name);
    free(limit->place);
    strings_deinit(&limit->users);
    free(limit);
}

static struct limit *limit_create(const char *name, uint64_t value, uint64_t used, const char *unit, bool sure)
{
    struct limit *limit = xcalloc(1, sizeof *limit);

    limit->name = xstrdup(name);
    limit->value = value;
    limit->used = used;
    limit->unit = unit;
    limit->sure = sure;
    return limit;
}

/* The units that there are, since a limit's is static. */
static const char *unit_of(const char *word)
{
    static const char *const units[] = {"descriptors",
                                        "open files",
                                        "bytes",
                                        "bytes of one file",
                                        "inodes",
                                        "mappings",
                                        "watches",
                                        "instances",
                                        "threads",
                                        "processes and threads",
                                        "processes and threads of the user",
                                        "seconds of processor time"};

    for (size_t i = 0; word && i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i], word) == 0)
            return units[i];
    return "";
}

struct limit *limit_noted(const struct sight *sight)
{
    struct limit *limit;

    if (!sight || !sight->limit)
        return NULL;
    limit = limit_create(sight->limit, sight->limit_value, sight->limit_used, unit_of(sight->limit_unit),
                         sight->limit_sure);
    limit->wanted = sight->limit_wanted;
    limit->hard = sight->limit_hard;
    return limit;
}

/* ---- descriptors ---- */

static struct limit *find_descriptors(const struct process *process)
{
    CLEANUP_FREE char *last = NULL;
    uint64_t soft, hard, used = limits_descriptors(process->pid);
    struct limit *limit;
    struct stat st;

    if (!limits_get(process->pid, RLIMIT_NOFILE, &soft, &hard))
        return NULL;
    /* Who asks for a high number (F_DUPFD, fcntl(2)) may meet it while low ones are free. */
    last = xasprintf("/proc/%d/fd/%llu", (int)process->pid, (unsigned long long)soft - 1);
    limit = limit_create("RLIMIT_NOFILE", soft, used, "descriptors", used >= soft || lstat(last, &st) == 0);
    limit->hard = hard;
    return limit;
}

/* ENFILE, "file table overflow": get_empty_filp(), fs/file_table.c of the kernel. */
static struct limit *find_files(void)
{
    uint64_t max;

    return limits_sysctl(0, "fs/file-max", &max) ? limit_create("fs.file-max", max, 0, "open files", true) : NULL;
}

/* ---- inotify(7) ---- */

static void tell_users(struct limit *limit, const struct inotify_user *users, size_t count)
{
    for (size_t i = 0; i < count && i < USERS_TOLD; i++)
        strings_addf(&limit->users, "%s (process %d): %llu watches in %llu instances", users[i].name, (int)users[i].pid,
                     (unsigned long long)users[i].watches, (unsigned long long)users[i].instances);
}

/* The limits are counted for each user in each user namespace and in all above it (inc_ucount(), kernel/ucount.c); that
 * of the first one goes by the older name as well. */
static struct limit *find_watch_limit(const struct process *process, const char *what)
{
    bool watches = strcmp(what, "watches") == 0, other = limits_other_user_namespace(process->pid);
    const char *unit = watches ? "watches" : "instances";
    CLEANUP_FREE char *user_name = xasprintf("user/max_inotify_%s", what);
    CLEANUP_FREE char *name = xasprintf("fs/inotify/max_user_%s", what);
    CLEANUP_FREE char *dotted = xasprintf("fs.inotify.max_user_%s", what);
    size_t count, unread;
    struct inotify_user *users = inotify_users(process->pid, false, &count, &unread);
    uint64_t max = 0, used = 0;
    struct limit *limit = NULL;

    for (size_t i = 0; i < count; i++)
        used += watches ? users[i].watches : users[i].instances;
    if (other && limits_sysctl(process->pid, user_name, &max) && used >= max) {
        limit = limit_create(dotted, max, used, unit, true);
        limit->place = xasprintf("user.max_inotify_%s of its user namespace", what);
    } else if (limits_sysctl(0, name, &max)) {
        limit = limit_create(dotted, max, used, unit, used >= max);
    }
    if (limit)
        tell_users(limit, users, count);
    free(users);
    return limit;
}

/* ---- processes and threads ---- */

static struct limit *find_processes(const struct process *process, bool staying)
{
    uint64_t soft, hard, of_user, all, max;
    struct proc_status status;
    struct limit *limit = NULL;
    char *group = limits_cgroup_pids(process->pid, &max);

    if (group) {
        limit = limit_create("pids.max", max, max, "processes and threads", true);
        limit->place = group;
        return limit;
    }
    if (proc_status_read(process->pid, &status) < 0)
        return NULL;
    limits_tasks(status.user, staying, &of_user, &all);
    /* Who may go beyond it: copy_process(), kernel/fork.c. */
    bool bound = status.user && !(status.capable >> CAPABILITY_SYS_RESOURCE & 1) &&
                 !(status.capable >> CAPABILITY_SYS_ADMIN & 1);

    if (limits_get(process->pid, RLIMIT_NPROC, &soft, &hard) && soft != LIMITS_INFINITE && of_user >= soft &&
        (bound || limits_other_user_namespace(process->pid))) {
        limit = limit_create("RLIMIT_NPROC", soft, of_user, "processes and threads of the user", true);
        limit->hard = hard;
    } else if (limits_sysctl(0, "kernel/threads-max", &max) && all >= max - max / 20) {
        limit = limit_create("kernel.threads-max", max, all, "threads", true);
    } else if (limits_sysctl(0, "kernel/pid_max", &max) && all >= max - max / 20) {
        limit = limit_create("kernel.pid_max", max, all, "threads", true);
    }
    proc_status_deinit(&status);
    return limit;
}

/* ---- memory ---- */

static struct limit *find_bytes(const struct process *process, int resource, const char *name, uint64_t used,
                                uint64_t wanted)
{
    uint64_t soft, hard;
    struct limit *limit;

    if (!limits_get(process->pid, resource, &soft, &hard) || soft == LIMITS_INFINITE || used + wanted <= soft)
        return NULL;
    limit = limit_create(name, soft, used, "bytes", true);
    limit->hard = hard;
    limit->wanted = wanted;
    return limit;
}

/* Small pieces of memory are mapped by a call that is not followed. */
static struct limit *mappings_of(const struct process *process)
{
    uint64_t max, used = limits_mappings(process->pid);

    return limits_sysctl(0, "vm/max_map_count", &max) && used + 2 >= max
               ? limit_create("vm.max_map_count", max, used, "mappings", true)
               : NULL;
}

static struct limit *find_memory(const struct process *process, const struct failure *failure)
{
    bool grows = strcmp(failure->desc->name, "mprotect") != 0;
    uint64_t wanted = failure->args[strcmp(failure->desc->name, "mremap") == 0 ? 2 : 1];
    struct limits_memory memory;
    struct limit *limit = NULL;

    if (failure->desc->family != FAMILY_MEMORY || !limits_memory_read(process->pid, &memory))
        return NULL;
    if (grows)
        limit = find_bytes(process, RLIMIT_AS, "RLIMIT_AS", memory.size, wanted);
    if (!limit)
        limit = find_bytes(process, RLIMIT_DATA, "RLIMIT_DATA", memory.data, wanted);
    if (limit)
        return limit;
    limit = mappings_of(process);
    if (limit)
        return limit;
    limit = limit_create("ENOMEM", 0, memory.size, "bytes", grows && wanted > 0);
    limit->wanted = wanted;
    return limit;
}

/* mlock(2), mlockall(2): ENOMEM where it is more than the limit, EPERM where the limit is 0; mmap(2) with MAP_LOCKED:
 * EAGAIN. A process with CAP_IPC_LOCK is bound by none (can_do_mlock(), mm/mlock.c of the kernel). */
static struct limit *find_locked(const struct process *process, const struct failure *failure)
{
    bool all = strcmp(failure->desc->name, "mlockall") == 0;
    struct limits_memory memory;
    struct proc_status status;
    uint64_t soft, hard, wanted;
    struct limit *limit = NULL;
    bool bound;

    if (proc_status_read(process->pid, &status) < 0)
        return NULL;
    bound = !(status.capable >> CAPABILITY_IPC_LOCK & 1) || limits_other_user_namespace(process->pid);
    proc_status_deinit(&status);
    if (!bound || !limits_memory_read(process->pid, &memory) ||
        !limits_get(process->pid, RLIMIT_MEMLOCK, &soft, &hard) || soft == LIMITS_INFINITE)
        return NULL;
    wanted = all ? memory.size - memory.locked : failure->args[1];
    if (failure->error == EPERM ? soft == 0 : memory.locked + wanted > soft) {
        limit = limit_create("RLIMIT_MEMLOCK", soft, memory.locked, "bytes", true);
        limit->hard = hard;
        limit->wanted = wanted;
    }
    return limit;
}

/* ---- file systems ---- */

/* full(4) is what it says, whatever its file system is. */
static bool is_full_device(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 7);
}

/* A file system that is full, by a path inside ROOT: its mount point is what the limit is called by. */
static struct limit *find_room(const char *root, const char *path, int error)
{
    CLEANUP_FREE char *outside = xasprintf("%s%s", root, path);
    CLEANUP_FREE char *directory = path_dir(outside);
    CLEANUP_FREE char *mount = NULL;
    CLEANUP_FREE char *name = NULL;
    const char *at = access(outside, F_OK) == 0 ? outside : directory;
    uint64_t size;
    enum limits_room room = limits_room_at(at, &size);
    struct limit *limit;

    if (error == ENOSPC && is_full_device(outside)) {
        name = xasprintf("ENOSPC:%s", path);
        return limit_create(name, 0, 0, "bytes", true);
    }
    if (room == ROOM_LEFT && error == ENOSPC)
        return NULL;
    mount = mount_of(root, at + strlen(root)); /* of something that is there */
    name = xasprintf("%s:%s", error == EDQUOT ? "EDQUOT" : "ENOSPC", mount ? mount : "/");
    limit = limit_create(name, size, 0, room == ROOM_NO_INODES ? "inodes" : "bytes", true);
    limit->place = xstrdup(path);
    return limit;
}

static struct limit *find_room_for(const struct process *process, const struct failure *failure)
{
    CLEANUP_FREE char *path = xstrdup_or_null(failure->target);

    if (!path && (strcmp(failure->desc->name, "fallocate") == 0 || strcmp(failure->desc->name, "ftruncate") == 0))
        path = proc_fd_path(process->pid, (int)failure->args[0]);
    return path && path[0] == '/' ? find_room(process->root, path, failure->error) : NULL;
}

static struct limit *find_size(const struct process *process)
{
    uint64_t soft, hard;
    struct limit *limit;

    if (!limits_get(process->pid, RLIMIT_FSIZE, &soft, &hard) || soft == LIMITS_INFINITE)
        return NULL;
    limit = limit_create("RLIMIT_FSIZE", soft, 0, "bytes of one file", true);
    limit->hard = hard;
    return limit;
}

/* ---- which one ---- */

static bool makes_a_process(const struct failure *failure)
{
    static const char *const names[] = {"clone", "clone3", "fork", "vfork", "execve", "execveat"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(failure->desc->name, names[i]) == 0)
            return true;
    return false;
}

struct limit *limit_find(const struct process *process, const struct failure *failure)
{
    const char *call = failure->desc->name;
    struct limit *limit;

    if (failure->policy)
        return NULL;
    if (strncmp(call, "mlock", 5) == 0)
        return find_locked(process, failure);
    switch (failure->error) {
    case EMFILE:
        limit = find_descriptors(process);
        if (limit && !limit->sure && strncmp(call, "inotify_init", 12) == 0) {
            limit_destroy(limit);
            return find_watch_limit(process, "instances");
        }
        return limit;
    case ENFILE:
        return find_files();
    case ENOSPC:
        if (strcmp(call, "inotify_add_watch") == 0)
            return find_watch_limit(process, "watches");
        return find_room_for(process, failure);
    case EDQUOT:
        return find_room_for(process, failure);
    case EFBIG:
        return find_size(process);
    case EAGAIN:
        return makes_a_process(failure)                 ? find_processes(process, false)
               : failure->desc->family == FAMILY_MEMORY ? find_locked(process, failure)
                                                        : NULL;
    case ENOMEM:
        return find_memory(process, failure);
    }
    return NULL;
}

bool limit_has_eased(const struct process *process, const struct failure *failure)
{
    /* A file system has room again whenever anybody deletes a file; of the table of files nothing can be told. */
    struct limit *now;
    bool eased;

    if ((failure->error != EMFILE && failure->error != EAGAIN) || !failure->limit)
        return false;
    now = failure->error == EAGAIN && makes_a_process(failure) ? find_processes(process, true)
                                                               : limit_find(process, failure);
    eased = !now || !now->sure;
    limit_destroy(now);
    return eased;
}

/* ---- what is written ---- */

enum { DESCRIPTORS_LOOKED_AT = 256 };

/* write(2) is not followed. When a program says that there was no room, the file is still open, or was lately. */
static struct limit *room_of_descriptor(const struct process *process, int fd, int error)
{
    CLEANUP_FREE char *link = xasprintf("/proc/%d/fd/%d", (int)process->pid, fd);
    CLEANUP_FREE char *path = NULL;
    struct stat st;
    uint64_t size;

    if (lstat(link, &st) < 0 || !(st.st_mode & S_IWUSR) || stat(link, &st) < 0)
        return NULL; /* proc(5): the mode of the link says how it was opened */
    if (!is_full_device(link) &&
        (!S_ISREG(st.st_mode) || (error == ENOSPC && limits_room_at(link, &size) == ROOM_LEFT)))
        return NULL;
    path = proc_fd_path(process->pid, fd);
    return path ? find_room(process->root, path, error) : NULL;
}

static bool says(const char *said, size_t size, const char *a, const char *b)
{
    return memmem(said, size, a, strlen(a)) || memmem(said, size, b, strlen(b));
}

/* What is called so, by the C library and by runtimes in their own spelling of it. */
int limit_error_said(const char *said, size_t size)
{
    static const struct {
        const char *text, *name;
        int error;
    } words[] = {{"o space left on device", "ENOSPC", ENOSPC},
                 {"isk quota exceeded", "EDQUOT", EDQUOT},
                 {"ile too large", "EFBIG", EFBIG},
                 {"oo many open files", "EMFILE", EMFILE},
                 {"annot allocate memory", "ENOMEM", ENOMEM},
                 {"ut of memory", "MemoryError", ENOMEM},
                 {"bad_alloc", "not enough memory", ENOMEM}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (says(said, size, words[i].text, words[i].name))
            return words[i].error;
    return 0;
}

struct limit *limit_find_said(const struct process *process, const char *said, size_t size)
{
    int error = limit_error_said(said, size);
    struct limit *limit = NULL;

    if (error == EFBIG)
        return find_size(process);
    if (error == ENOMEM)
        return mappings_of(process);
    if (error == EMFILE) {
        limit = find_descriptors(process);
        if (limit && limit->sure)
            return limit;
        limit_destroy(limit);
        return NULL;
    }
    for (int fd = 0; fd < DESCRIPTORS_LOOKED_AT && error && !limit; fd++)
        limit = room_of_descriptor(process, fd, error);
    for (size_t i = process->written_count; i-- > 0 && error && !limit;)
        limit = find_room(process->root, process->written[i], error);
    return limit;
}

/* ---- ended by the kernel ---- */

static uint64_t cpu_seconds(pid_t pid)
{
    struct timespec used;
    clockid_t clock;

    return clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &used) == 0 ? (uint64_t)used.tv_sec : 0;
}

static struct limit *find_time(const struct process *process)
{
    uint64_t soft, hard, used = cpu_seconds(process->pid);
    struct limit *limit;

    if (!limits_get(process->pid, RLIMIT_CPU, &soft, &hard) || soft == LIMITS_INFINITE || used + 1 < soft)
        return NULL;
    limit = limit_create("RLIMIT_CPU", soft, used, "seconds of processor time", true);
    limit->hard = hard;
    return limit;
}

/* What ADDR is above: the main thread's stack. */
static bool below_main_stack(pid_t pid, uint64_t addr)
{
    size_t count = 0, i = 0;
    struct mapping *maps = mappings_read(pid, &count);
    bool below;

    while (i < count && strcmp(maps[i].name, "[stack]") != 0)
        i++;
    below =
        i < count && addr < maps[i].start && maps[i].end - addr <= USUAL_STACK && (i == 0 || addr >= maps[i - 1].end);
    mappings_free(maps, count);
    return below;
}

/* With the usual limit there would have been a stack at the address (setrlimit(2), expand_downwards() of the kernel).
 */
static struct limit *find_stack(const struct process *process)
{
    uint64_t soft, hard;
    struct limit *limit;

    if (!limits_get(process->pid, RLIMIT_STACK, &soft, &hard) || soft >= USUAL_STACK ||
        !below_main_stack(process->pid, process->signal_addr))
        return NULL;
    limit = limit_create("RLIMIT_STACK", soft, 0, "bytes", false);
    limit->hard = hard;
    return limit;
}

bool limit_ends_by(int signal)
{
    return signal == SIGXFSZ || signal == SIGXCPU || signal == SIGKILL;
}

/* By a log, which has nothing of what was in use: two signals stand for one limit each (signal(7)). */
static struct limit *kill_logged(const struct process *process)
{
    if (process->signal == SIGXFSZ)
        return limit_create("RLIMIT_FSIZE", 0, 0, "bytes of one file", true);
    return process->signal == SIGXCPU ? limit_create("RLIMIT_CPU", 0, 0, "seconds of processor time", true) : NULL;
}

struct limit *limit_find_kill(const struct process *process)
{
    /* SIGXFSZ comes as if the process had sent it (generic_write_check_limits(), fs/read_write.c of the kernel). */
    if (process->signal_sender && process->signal_sender != process->pid)
        return NULL;
    if (path_nowhere(process->root))
        return kill_logged(process);
    switch (process->signal) {
    case SIGXFSZ:
        return find_size(process);
    case SIGXCPU:
        return find_time(process);
    case SIGSEGV:
        return find_stack(process);
    case SIGKILL: {
        struct limit *limit = find_time(process);
        const char *name = NULL;
        char *group = NULL;
        uint64_t max = 0;

        if (!limit)
            group = limits_cgroup_memory(process->pid, &max, &name);
        if (group) {
            limit = limit_create(name, max, 0, "bytes", false);
            limit->place = group;
        }
        return limit;
    }
    }
    return NULL;
}
